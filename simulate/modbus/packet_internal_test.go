package modbus

import (
	"encoding/hex"
	"testing"
)

// Forms in which modems register and send heartbeats.
func TestParsePacket(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, id, want string }{
		{"IMEI", "{id}", "861234567890123", "383631323334353637383930313233"},
		{"IMEI and end of line", `{id}\r\n`, "861234567890123", "3836313233343536373839303132330d0a"},
		{"IMEI as BCD", "{bcd}", "861234567890123", "0861234567890123"},
		{"text", "LOGIN:{id}", "1001", "4c4f47494e3a31303031"},
		{"bridge of InHand", `\xaa\x01{id}\r`, "13800138000", "aa0131333830303133383030300d"},
		{"name and zero", `{id}\0`, "dev-42", "6465762d343200"},
		{"heartbeat", `\xFF\xff\x80\x80`, "", "ffff8080"},
		{"JSON", `{"imei":"{id}"}`, "1", "7b22696d6569223a2231227d"},
		{"backslash", `\\{`, "", "5c7b"},
	} {
		got, err := parsePacket(test.text, test.id)
		if err != nil || hex.EncodeToString(got) != test.want {
			t.Errorf("%s: %x, %v; want %s", test.name, got, err, test.want)
		}
	}
	for _, text := range []string{`\`, `\q`, `\x1`, `\xgg`} {
		if got, err := parsePacket(text, ""); err == nil {
			t.Errorf("%s is %x", text, got)
		}
	}
}

func TestCountID(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		id   string
		i    int
		want string
	}{
		{"861234567890001", 0, "861234567890001"},
		{"861234567890001", 999, "861234567891000"},
		{"dtu-09", 1, "dtu-10"},
		{"dtu-99", 1, "dtu-100"},
		{"meter", 0, "meter"},
		{"meter", 1, "meter-2"},
		{"89860012345678901234", 1, "89860012345678901235"},
	} {
		if got := countID(test.id, test.i); got != test.want {
			t.Errorf("%s and %d is %s, want %s", test.id, test.i, got, test.want)
		}
	}
}
