package cli

import (
	"strings"
	"testing"
)

const (
	fireFrame    = "404001000101161f17150b1a790300000000385b0100000030000202010101280a000200020033c2a5b6ab0000000000000000000000000000000000000000000000000000161f17150b1a872323"
	confirmation = "404001000101233a091a090c385b01000000790300000000000003ab2323"
	heartbeat16  = "4040690010000a110e030615ac103cd56d1d00000000000001000216302323"
)

func TestDecodeGBT26875(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "decode", "gbt26875", fireFrame, confirmation)
	want := `GBT26875 1.1 send  from 790300000000  to 385b01000000  at 2026-11-21 23:31:22  serial 1  part state
  objects            [{"system_type":"1 fire alarm","system_address":1,"part_type":"40 smoke detector","part_address":"0a000200","state":["fire"],"description":"3楼东","time":"2026-11-21 23:31:22"}]
GBT26875 1.1 confirm  from 385b01000000  to 790300000000  at 2012-09-26 09:58:35  serial 1
`
	if err != nil || out != want {
		t.Errorf("%v, printed\n%s\nwant\n%s", err, out, want)
	}
}

func TestDecodeGBT26875Nothing(t *testing.T) {
	t.Parallel()
	if out, err := run(t, "", "decode", "gbt26875", "0x"); err == nil || !strings.Contains(out, "no start marker 40 40") {
		t.Errorf("%v, printed %s", err, out)
	}
}

func TestDecodeGBT26875JSON(t *testing.T) {
	t.Parallel()
	short := "404001000101010203040518000000000000000000000000300002020200000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000602323"
	for name, test := range map[string]struct {
		stream string
		fails  bool
		want   []string // in the line of each frame
	}{
		"a fire":             {fireFrame, false, []string{`"ok":true,"protocol":"gbt26875","version":"1.1","id":"send","name":"part state","source":"790300000000","target":"385b01000000","time":"2026-11-21 23:31:22","serial":1,"body":{"objects":[{`}},
		"a heartbeat":        {heartbeat16, false, []string{`"id":"send"`}},
		"a part is missing":  {short, false, []string{`"error":"gbt26875: application data of type 2: 1 of 2 objects are whole, 0 bytes are left"`}},
		"a maker's type":     {"4040010001011617150b1a1a790300000000385b010000000300" + "02" + "c80107" + "692323", false, []string{`"name":"type 200","source":"790300000000"`}},
		"noise and a frame":  {"00ff" + confirmation, true, []string{`"ok":false,"error":"codec: bad frame at byte 0: bytes outside of a frame`, `"id":"confirm"`}},
		"a wrong check sum":  {strings.Replace(confirmation, "ab2323", "ac2323", 1), true, []string{`check sum 0xac, want 0xab`}},
		"half a frame":       {confirmation[:40], true, []string{`the stream ends inside a frame`}},
		"another protocol's": {"7e0002", true, []string{`bytes outside of a frame`}},
		"nothing":            {"40", true, []string{`the stream ends inside a frame`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, test.stream+"\n", "decode", "gbt26875", "--json")
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if (err != nil) != test.fails || len(lines) != len(test.want) {
				t.Fatalf("%v, printed\n%s", err, out)
			}
			for i, line := range lines {
				if !strings.Contains(line, test.want[i]) {
					t.Errorf("printed\n%s\nwant\n%s", line, test.want[i])
				}
			}
		})
	}
}
