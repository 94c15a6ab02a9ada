package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDecodeModbus(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stream string
		want   string // JSON without ok, protocol and name
		bad    bool
	}{
		"request":    {"010300000002c40b", `{"version":"rtu","id":"0x03","kind":"request","unit":1,"body":{"address":"holdingRegister:0 (400001)","quantity":2}}`, false},
		"registers":  {"01030400010002 2a32", `{"version":"rtu","id":"0x03","kind":"response","unit":1,"body":{"registers":[1,2]}}`, false},
		"exception":  {"0186 02c3a1", `{"version":"rtu","id":"0x06","kind":"exception","unit":1,"body":{"exception":2,"exception_name":"illegal data address"}}`, false},
		"write bits": {"110f0013000a02cd01bf0b", `{"version":"rtu","id":"0x0f","kind":"request","unit":17,"body":{"address":"coil:19 (000020)","quantity":10,"bits":"10110011 10"}}`, false},
		"tcp": {
			"0001 0000 0006 01 03006b0003",
			`{"version":"tcp","id":"0x03","kind":"request","unit":1,"transaction":1,"body":{"address":"holdingRegister:107 (400108)","quantity":3}}`, false,
		},
		"ascii":    {"3a30313033303030303030303246410d0a", `{"version":"ascii","id":"0x03","kind":"request","unit":1,"body":{"address":"holdingRegister:0 (400001)","quantity":2}}`, false},
		"mask":     {"0116000400f20025 67ee", `{"version":"rtu","id":"0x16","kind":"request","unit":1,"body":{"address":"holdingRegister:4 (400005)","and_mask":"0x00f2","or_mask":"0x0025"}}`, false},
		"identify": {"042b0e01810001010006666f6f626172d73b", `{"version":"rtu","id":"0x2b","kind":"response","unit":4,"body":{"mei":14,"read_code":1,"conformity":"0x81","more":false,"texts":["0: foobar"]}}`, false},
		"behind a heartbeat": {
			"7777772e7573722e636e010304000100022a32",
			`{"error":"no frame, or not all of one","hex":"7777772e7573722e636e"}` +
				`{"version":"rtu","id":"0x03","kind":"response","unit":1,"body":{"registers":[1,2]}}`, true,
		},
		"swapped CRC": {"0103000000020bc4", `{"error":"no frame: the CRC has its bytes swapped; low byte first it is c4 0b","hex":"0103000000020bc4"}`, true},
		"wrong CRC":   {"0103000000020000", `{"error":"no frame: as RTU its CRC would be c4 0b","hex":"0103000000020000"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, "", "decode", "modbus", "--json", test.stream)
			if (err != nil) != test.bad {
				t.Errorf("error %v", err)
			}
			var got strings.Builder
			for _, o := range objects(t, out) {
				for _, key := range []string{"ok", "protocol", "name"} {
					delete(o, key)
				}
				got.WriteString(canonical(t, o))
			}
			want := ""
			for d := json.NewDecoder(strings.NewReader(test.want)); d.More(); {
				var o map[string]any
				if err := d.Decode(&o); err != nil {
					t.Fatal(err)
				}
				want += canonical(t, o)
			}
			if got.String() != want {
				t.Errorf("got  %s\nwant %s", got.String(), want)
			}
		})
	}
}

func canonical(t *testing.T, o map[string]any) string {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDecodeModbusText(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "decode", "modbus", "000700000006010300000002")
	want := "MODBUS tcp 0x03  request  unit 1  transaction 7  read holding registers\n" +
		"  address            \"holdingRegister:0 (400001)\"\n" +
		"  quantity           2\n"
	if err != nil || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
}

func TestSimulateModbus(t *testing.T) {
	t.Parallel()
	image := filepath.Join(t.TempDir(), "meter.csv")
	if err := os.WriteFile(image, []byte("address,type,value\n40001,float32,230.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "", "simulate", "modbus", "--listen", "127.0.0.1:0", "--mode", "tcp", "--image", image, "--duration", "50ms", "--every", "10ms")
	if err != nil || !strings.Contains(out, "slaves wait on 127.0.0.1:") || !strings.Contains(out, "1 lines with 1 slaves") || !strings.Contains(out, "0 of 1 connected") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := run(t, "", "simulate", "modbus", "--units", "300", "--faults-silence", "2"); err == nil ||
		!strings.Contains(err.Error(), "units") || !strings.Contains(err.Error(), "faults.silence") {
		t.Errorf("mistakes: %v", err)
	}
}
