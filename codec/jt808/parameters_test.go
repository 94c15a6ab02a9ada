package jt808

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestParameterTable(t *testing.T) {
	t.Parallel()
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	ids, names := map[ParameterID]bool{}, map[string]bool{}
	var last ParameterID
	for _, p := range AllParameters() {
		if !snake.MatchString(p.Name) || names[p.Name] || ids[p.ID] || p.ID <= last {
			t.Errorf("%v %q: not in order, not in snake_case, or twice", p.ID, p.Name)
		}
		last, names[p.Name], ids[p.ID] = p.ID, true, true
		for _, name := range []string{p.Name, p.LowerCamel(), p.ID.String(), strings.ToLower(p.ID.String())} {
			if got, ok := ParameterByName(name); !ok || got != p {
				t.Errorf("%q: %+v, want %+v", name, got, p)
			}
		}
	}
	if len(ids) < 90 {
		t.Errorf("%d parameters, want 90 or more", len(ids))
	}
}

func TestNewParameter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		value any
		want  string // hexadecimal
		err   error
	}{
		{"heartbeat_interval", 30, "0000001e", nil},
		{"heartbeatInterval", float64(30), "0000001e", nil},
		{"heartbeatInterval", json.Number("30"), "0000001e", nil},
		{"heartbeatInterval", "30", "0000001e", nil},
		{"heartbeatInterval", uint64(1<<32 - 1), "ffffffff", nil},
		{"heartbeatInterval", uint16(1), "00000001", nil},
		{"0x0001", int64(30), "0000001e", nil},
		{"0x0001", Hex{0x1e}, "1e", nil},
		{"fenceRadius", 65535, "ffff", nil},
		{"plateColor", true, "01", nil},
		{"plate", "测A1234", "b2e24131323334", nil},
		{"main_server_address", "", "", nil},
		{"forbiddenDrivingPeriod", "16320a1e", "16320a1e", nil},
		{"can_collection_0110", "0x0000000a80000123", "0000000a80000123", nil},
		{"canCollection01ff", Hex{1}, "01", nil},
		{"0xF001", "0aFF", "0aff", nil},
		{"0xF001", []byte{1, 2}, "0102", nil},

		{"no_such", 1, "", ErrNoParameter},
		{"", 1, "", ErrNoParameter},
		{"0x", 1, "", ErrNoParameter},
		{"can_collection_0200", Hex{1}, "", ErrNoParameter},
		{"heartbeatInterval", -1, "", ErrParameterValue},
		{"heartbeatInterval", 1.5, "", ErrParameterValue},
		{"heartbeatInterval", float64(1 << 40), "", ErrParameterValue},
		{"heartbeatInterval", uint64(1 << 32), "", ErrParameterValue},
		{"heartbeatInterval", "thirty", "", ErrParameterValue},
		{"heartbeatInterval", nil, "", ErrParameterValue},
		{"heartbeatInterval", []int{1}, "", ErrParameterValue},
		{"fenceRadius", 65536, "", ErrParameterValue},
		{"plateColor", 256, "", ErrParameterValue},
		{"plate", 5, "", ErrParameterValue},
		{"plate", strings.Repeat("x", 256), "", ErrParameterValue},
		{"plate", "\xff", "", ErrParameterValue},
		{"0xF001", "xyz", "", ErrParameterValue},
		{"0xF001", 5, "", ErrParameterValue},
	} {
		p, err := NewParameter(tt.name, tt.value)
		if !errors.Is(err, tt.err) || p.Value.String() != tt.want {
			t.Errorf("%q = %v: %v, %v, want %s, %v", tt.name, tt.value, p.Value, err, tt.want, tt.err)
		}
	}
}

func TestParameterValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p    Parameter
		want any
		json string
	}{
		{Parameter{0x0001, Hex{0, 0, 0, 30}}, uint64(30), `{"id":"0x0001","name":"heartbeat_interval","value":30,"hex":"0000001e"}`},
		{Parameter{0x0084, Hex{0, 0, 0, 2}}, uint64(2), `{"id":"0x0084","name":"plate_color","value":2,"hex":"00000002"}`},
		{Parameter{0x0081, Hex{31}}, uint64(31), `{"id":"0x0081","name":"province","value":31,"hex":"1f"}`},
		{Parameter{0x0001, Hex{}}, Hex{}, `{"id":"0x0001","name":"heartbeat_interval","value":"","hex":""}`},
		{Parameter{0x0001, make(Hex, 9)}, make(Hex, 9), `{"id":"0x0001","name":"heartbeat_interval","value":"000000000000000000","hex":"000000000000000000"}`},
		{Parameter{0x0083, Hex("\xb2\xe2A1\x00")}, "测A1", `{"id":"0x0083","name":"plate","value":"测A1","hex":"b2e2413100"}`},
		{Parameter{0x0075, Hex{1, 2}}, Hex{1, 2}, `{"id":"0x0075","name":"av_parameters","value":"0102","hex":"0102"}`},
		{Parameter{0xF001, Hex{1, 2}}, Hex{1, 2}, `{"id":"0xf001","value":"0102","hex":"0102"}`},
		{Parameter{0x0110, Hex{1}}, Hex{1}, `{"id":"0x0110","name":"can_collection_0110","value":"01","hex":"01"}`},
	} {
		text, err := json.Marshal(tt.p)
		if err != nil || string(text) != tt.json {
			t.Errorf("%s, %v, want %s", text, err, tt.json)
		}
		got, _ := json.Marshal(tt.p.Any())
		want, _ := json.Marshal(tt.want)
		if string(got) != string(want) {
			t.Errorf("%v: %s, want %s", tt.p.ID, got, want)
		}
	}
}

func TestSetParametersSet(t *testing.T) {
	t.Parallel()
	var set SetParameters
	for _, v := range []int{20, 30} {
		if err := set.Set("heartbeatInterval", v); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.Set("plate", "测A1"); err != nil {
		t.Fatal(err)
	}
	if err := set.Set("wheels", 4); !errors.Is(err, ErrNoParameter) {
		t.Errorf("wheels: %v, want ErrNoParameter", err)
	}
	out, err := set.AppendBody(nil, V2019)
	if want := "0200000001040000001e0000008304b2e24131"; err != nil || Hex(out).String() != want {
		t.Errorf("%x, %v, want %s", out, err, want)
	}
}

func TestParametersGet(t *testing.T) {
	t.Parallel()
	answer := Parameters{Params: []Parameter{{0x0001, Hex{0, 0, 0, 30}}, {0xF001, nil}}}
	if p, ok := answer.Get(0x0001); !ok || p.Any() != uint64(30) {
		t.Errorf("%+v, %v", p, ok)
	}
	if p, ok := answer.Get(0x0002); ok {
		t.Errorf("0x0002: %+v, want none", p)
	}
}

func TestTooManyParameters(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]Body{
		"256 parameters": &SetParameters{Params: make([]Parameter, 256)},
		"256 bytes":      &SetParameters{Params: []Parameter{{0xF001, make(Hex, 256)}}},
		"256 ids":        &QueryParameters{IDs: make([]ParameterID, 256)},
		"256 areas":      &DeleteCircles{AreaIDs{IDs: make([]uint32, 256)}},
		"256 packets":    &MediaResponse{Packets: make([]uint16, 256)},
		"256 missing":    &PlatformResendRequest{Packets: make([]uint16, 256)},
		"256 contacts":   &SetPhoneBook{Action: MenuUpdate, Contacts: make([]Contact, 256)},
		"65536 answers":  &Question{Answers: []QuestionAnswer{{Content: strings.Repeat("x", 65536)}}},
		"long question":  &Question{Text: strings.Repeat("x", 256)},
		"long CAN data":  &CANData{Items: []CANItem{{Data: make(Hex, 9)}}},
		"65536 shots":    &ShotResponse{IDs: make([]uint32, 65536)},
	} {
		out, err := b.AppendBody([]byte("before"), V2013)
		if !errors.Is(err, ErrTooLong) || string(out) != "before" {
			t.Errorf("%s: %d bytes, %v, want ErrTooLong", name, len(out), err)
		}
	}
	if _, err := (&PlatformResendRequest{Packets: make([]uint16, 256)}).AppendBody(nil, V2019); err != nil {
		t.Errorf("256 missing packets in 2019: %v", err)
	}
}
