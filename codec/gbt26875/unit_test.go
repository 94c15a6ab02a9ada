package gbt26875

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

var at = Time{2, 58, 9, 26, 9, 12}

func describe(tb testing.TB, s string) Description {
	tb.Helper()
	d, err := NewDescription(s)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func text(tb testing.TB, s string) Text {
	tb.Helper()
	d, err := NewText(s)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// every unit that the standard knows, with what it is on the wire.
func everyUnit(tb testing.TB) map[string]struct {
	unit Unit
	wire string
} {
	tb.Helper()
	panel := System{Type: SystemFireAlarm, Address: 2}
	smoke := Part{System: panel, Type: PartSmokeDetector, Address: NewPartAddress(10, 2)}
	const label = "023a091a090c"
	return map[string]struct {
		unit Unit
		wire string
	}{
		"system states": {
			&SystemStates{[]SystemState{{panel, SystemFire | SystemReset, at}, {System{Type: 128}, SystemNormal, at}}},
			"01 02  01 02 0220" + label + "80 00 0100" + label,
		},
		"part states": {
			&PartStates{[]PartState{{smoke, PartFire, describe(tb, "3楼东"), at}, {smoke, PartPowerFault, describe(tb, ""), at}}},
			"02 02  01 02 28 0a000200 0200 33c2a5b6ab" + strings.Repeat("00", 26) + label +
				"01 02 28 0a000200 0001" + strings.Repeat("00", 31) + label,
		},
		"part analogue values": {
			&PartAnalogs{[]PartAnalog{{smoke, 3, -125, at}, {smoke, 200, 32767, at}}},
			"03 02  01 02 28 0a000200 03 83ff" + label + "01 02 28 0a000200 c8 ff7f" + label,
		},
		"system operations": {
			&SystemOperations{[]SystemOperation{{panel, OperationReset | OperationSilence, 7, at}}},
			"04 01  01 02 03 07" + label,
		},
		"system software": {&SystemSoftwares{[]SystemSoftware{{panel, 3, 14}}}, "05 01  01 02 03 0e"},
		"system configuration": {
			&SystemConfigs{[]SystemConfig{{panel, text(tb, "2回路")}, {panel, Text{}}}},
			"06 02  01 02 05 32bbd8c2b7 01 02 00",
		},
		"part configuration": {
			&PartConfigs{[]PartConfig{{smoke, describe(tb, "hall")}}},
			"07 01  01 02 28 0a000200 68616c6c" + strings.Repeat("00", 27),
		},
		"system time":          {&SystemTimes{[]SystemTime{{panel, at}}}, "08 01  01 02" + label},
		"device state":         {&DeviceStates{[]DeviceState{{DeviceMainsFault, at}}}, "15 01  08" + label},
		"device operations":    {&DeviceOperations{[]DeviceOperation{{OperationPostAnswer, 1, at}}}, "18 01  20 01" + label},
		"device software":      {&DeviceSoftwares{[]DeviceSoftware{{1, 2}}}, "19 01  01 02"},
		"device configuration": {&DeviceConfigs{[]DeviceConfig{{text(tb, "A-1")}}}, "1a 01  03 412d31"},
		"device time":          {&DeviceTimes{[]DeviceTime{{at}}}, "1c 01 " + label},

		"read system state":  {&ReadSystem{TypeReadSystemState, []System{panel, {}}}, "3d 02  01 02  00 00"},
		"read part state":    {&ReadPart{TypeReadPartState, []PartName{{panel, smoke.Address}}}, "3e 01  01 02 0a000200"},
		"read part value":    {&ReadPart{TypeReadPartAnalog, []PartName{{panel, smoke.Address}}}, "3f 01  01 02 0a000200"},
		"read operations":    {&ReadSystemOperations{[]SystemOperationQuery{{panel, 102, at}}}, "40 01  01 02 66" + label},
		"read software":      {&ReadSystem{TypeReadSystemSoftware, []System{panel}}, "41 01  01 02"},
		"read configuration": {&ReadSystem{TypeReadSystemConfig, []System{panel}}, "42 01  01 02"},
		"read part config":   {&ReadPart{TypeReadPartConfig, []PartName{{panel, smoke.Address}}}, "43 01  01 02 0a000200"},
		"read time":          {&ReadSystem{TypeReadSystemTime, []System{panel}}, "44 01  01 02"},

		"read device state":         {NewReadDevice(TypeReadDeviceState), "51 01 00"},
		"read device operations":    {&ReadDeviceOperations{[]DeviceOperationQuery{{5, at}}}, "54 01 05" + label},
		"read device software":      {NewReadDevice(TypeReadDeviceSoftware), "55 01 00"},
		"read device configuration": {NewReadDevice(TypeReadDeviceConfig), "56 01 00"},
		"read device time":          {NewReadDevice(TypeReadDeviceTime), "58 01 00"},
		"initialise":                {NewReadDevice(TypeInitDevice), "59 01 00"},
		"set clock":                 {NewSetClock(at), "5a 01 " + label},
		"check post":                {&CheckPost{[]PostCheck{{10}}}, "5b 01 0a"},

		"a maker's own":   {&Unknown{DataType: 200, Count: 3, Objects: Hex{1, 2}}, "c8 03 0102"},
		"a reserved type": {&Unknown{DataType: 22, Count: 0}, "16 00"},
	}
}

// Every type is written and read in both directions.
func TestUnits(t *testing.T) {
	t.Parallel()
	seen := map[Type]bool{}
	for name, test := range everyUnit(t) {
		seen[test.unit.Type()] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := unhex(t, test.wire)
			got, err := test.unit.AppendUnit([]byte("before"))
			if err != nil || string(got) != "before"+string(wire) {
				t.Fatalf("written %x, %v, want %x", got, err, wire)
			}
			u, err := ParseUnit(wire)
			if err != nil || !reflect.DeepEqual(u, test.unit) {
				t.Fatalf("read %+v, %v, want %+v", u, err, test.unit)
			}
			for i := range wire { // what was read does not alias
				wire[i] = 0xEE
			}
			if !reflect.DeepEqual(u, test.unit) {
				t.Error("the unit changes with the bytes that it was read from")
			}
			if err := u.ParseUnit(got[len("before"):]); err != nil || !reflect.DeepEqual(u, test.unit) {
				t.Errorf("read again into the same unit %+v, %v", u, err)
			}
			if data, err := json.Marshal(u); err != nil || !json.Valid(data) {
				t.Errorf("JSON %s, %v", data, err)
			}
		})
	}
	for n := range 256 {
		if typ := Type(n); typ.Known() != (seen[typ] && typ != 200 && typ != 22) {
			t.Errorf("type %v: known %v, seen %v", typ, typ.Known(), seen[typ])
		}
	}
}

// Each type goes one way, with one command, and a request has an answer that goes
// the other.
func TestDirections(t *testing.T) {
	t.Parallel()
	for n := range 256 {
		typ := Type(n)
		switch {
		case !typ.Known():
			if typ.Up() || typ.Command() != 0 || typ.Answer() != 0 || typ.MaxObjects() != 0 || typ.Name() != "" {
				t.Errorf("type %v is unknown, but something is known", typ)
			}
		case typ.Up() != (typ < 61):
			t.Errorf("type %v goes up: %v", typ, typ.Up())
		case typ.Up():
			if typ.Command() != 0 || typ.Answer() != 0 {
				t.Errorf("type %v goes up with command %v", typ, typ.Command())
			}
		case typ >= TypeInitDevice:
			if typ.Command() != CommandControl || typ.Answer() != 0 {
				t.Errorf("type %v goes with %v", typ, typ.Command())
			}
		case typ.Command() != CommandRequest || typ.Answer() != typ-60:
			t.Errorf("type %v goes with %v and is answered with %v", typ, typ.Command(), typ.Answer())
		}
		if n := typ.MaxObjects(); typ.Known() && (n < 1 || n > 255) {
			t.Errorf("type %v has up to %d objects", typ, n)
		}
	}
}

func TestTooMuch(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]Unit{
		"part states":        &PartStates{make([]PartState, 23)},
		"two device states":  &DeviceStates{make([]DeviceState, 2)},
		"long configuration": &DeviceConfigs{[]DeviceConfig{{make(Text, 256)}}},
		"more than a frame":  &SystemSoftwares{make([]SystemSoftware, 256)},
	} {
		if out, err := AppendUnit([]byte("before"), Header{}, u); !errors.Is(err, ErrTooLong) || string(out) != "before" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	most := &PartStates{make([]PartState, 22)}
	wire, err := AppendUnit(nil, Header{Command: CommandSend}, most)
	if err != nil || len(wire) != minFrame+2+22*46 {
		t.Errorf("22 part states: %d bytes, %v", len(wire), err)
	}
	long := &Unknown{DataType: 128, Objects: make(Hex, MaxData-1)}
	if _, err := AppendUnit(nil, Header{}, long); !errors.Is(err, ErrTooLong) {
		t.Errorf("1025 bytes of data: %v", err)
	}
	if _, err := NewDescription(strings.Repeat("楼", 16)); !errors.Is(err, ErrTooLong) {
		t.Errorf("16 characters: %v", err)
	}
	if _, err := NewText(strings.Repeat("a", 256)); !errors.Is(err, ErrTooLong) {
		t.Errorf("a text of 256 bytes: %v", err)
	}
	for _, bad := range []string{"\xff", "a\xe6b"} {
		if _, err := NewDescription(bad); err == nil {
			t.Errorf("%q is a description", bad)
		}
	}
}

// What is whole is read, whatever the count says.
func TestCounts(t *testing.T) {
	t.Parallel()
	state := "01 02 0200 023a091a090c"
	part := "01 02 28 0a000200 0200" + strings.Repeat("20", 31) + "023a091a090c"
	brief := "01 02 28 0a000200 0200" + "c2a5" + "023a091a090c"
	partConfig := "01 02 28 0a000200" + strings.Repeat("20", 31)
	for name, test := range map[string]struct {
		wire string
		want CountError
	}{
		"one missing":               {"01 02" + state, CountError{TypeSystemState, 2, 1, 0, 10, 10}},
		"one too many":              {"01 01" + state + state, CountError{TypeSystemState, 1, 1, 10, 10, 10}},
		"one cut":                   {"01 02" + state + "0102", CountError{TypeSystemState, 2, 1, 2, 10, 10}},
		"all missing":               {"01 03", CountError{TypeSystemState, 3, 0, 0, 10, 10}},
		"a part missing":            {"02 02" + part, CountError{TypePartState, 2, 1, 0, 46, 46}},
		"short descriptions":        {"02 02" + brief + brief, CountError{TypePartState, 2, 2, 0, 17, 46}},
		"no descriptions":           {"07 01 01 02 28 0a000200", CountError{TypePartConfig, 1, 1, 0, 7, 38}},
		"two parts, one cut":        {"02 02" + part + part[:len(part)-40], CountError{TypePartState, 2, 1, 26, 46, 46}},
		"two systems, one cut":      {"07 02" + partConfig + "02" + partConfig[2:len(partConfig)-20], CountError{TypePartConfig, 2, 1, 28, 38, 38}},
		"short ones of one system":  {"07 02" + "01 02 28 0a000200 4141" + "01 02 28 0a000300 4242", CountError{TypePartConfig, 2, 2, 0, 9, 38}},
		"less than a part":          {"02 01 01 02 28", CountError{TypePartState, 1, 0, 3, 46, 46}},
		"a text that is cut":        {"06 02 01 02 01 41 01 02 05 41", CountError{TypeSystemConfig, 2, 1, 4, 3, 3}},
		"a state without its label": {"15 01 08", CountError{TypeDeviceState, 1, 0, 1, 7, 7}},
		"bytes behind":              {"5b 01 0a ff", CountError{TypeCheckPost, 1, 1, 1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := ParseUnit(unhex(t, test.wire))
			var got *CountError
			if !errors.As(err, &got) || *got != test.want || got.Error() == "" {
				t.Fatalf("error %#v, want %#v", err, test.want)
			}
			if n := reflect.ValueOf(u).Elem().FieldByName("Objects").Len(); n != test.want.Have {
				t.Errorf("%d objects, want %d", n, test.want.Have)
			}
		})
	}
	u, _ := ParseUnit(unhex(t, "02 02"+brief+brief))
	if o := u.(*PartStates).Objects[1]; o.Description.String() != "楼" || o.Time != at || o.State != PartFire {
		t.Errorf("with a short description %+v", o)
	}
	for _, wire := range []string{"", "02"} {
		var damage *codec.FrameError
		if u, err := ParseUnit(unhex(t, wire)); u != nil || !errors.As(err, &damage) {
			t.Errorf("%q is %v, %v", wire, u, err)
		}
	}
	var damage *codec.FrameError
	if err := new(PartStates).ParseUnit(unhex(t, "0100")); !errors.As(err, &damage) {
		t.Errorf("system states as part states: %v", err)
	}
	if err := new(Unknown).ParseUnit(nil); !errors.As(err, &damage) {
		t.Errorf("nothing: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for want, got := range map[string][]string{
		"normal fire mainsFault reset bit15":   (SystemNormal | SystemFire | SystemMainsFault | SystemReset | 1<<15).Names(),
		"fire powerFault bit9":                 (PartFire | PartPowerFault | 1<<9).Names(),
		"linkFault lineFault bit7":             (DeviceLinkFault | DeviceLineFault | 1<<7).Names(),
		"reset confirm bit7":                   (OperationReset | OperationConfirm | 1<<7).SystemNames(),
		"postAnswer test":                      (OperationPostAnswer | OperationTest).DeviceNames(),
		"":                                     PartBits(0).Names(),
		"control send confirm request 7 200":   {CommandControl.String(), CommandSend.String(), CommandConfirm.String(), CommandRequest.String(), Command(7).String(), Command(200).String()},
		"fire alarm|smoke detector||fire lift": {SystemFireAlarm.Name() + "|" + PartSmokeDetector.Name() + "|" + SystemType(200).Name() + PartType(200).Name() + "|" + SystemType(20).Name()},
	} {
		if strings.Join(got, " ") != want {
			t.Errorf("names %q, want %q", got, want)
		}
	}
	if !(PartFire | PartFault).Has(PartFire) || PartFire.Has(PartFire|PartFault) || !SystemFire.Has(SystemFire) || !DeviceFire.Has(DeviceFire) || !OperationTest.Has(OperationTest) {
		t.Error("Has is wrong")
	}
	for n, want := range map[AnalogType]Analog{3: {"temperature", "°C", 1}, 2: {"height", "m", 2}, 0: {}, 13: {}, 200: {}} {
		if got := n.Analog(); got != want {
			t.Errorf("analogue type %d is %v, want %v", n, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	u := &PartStates{[]PartState{{
		Part{System{Type: SystemFireAlarm, Address: 1}, PartSmokeDetector, NewPartAddress(10, 2)}, PartFire, describe(t, "3楼东"), at,
	}}}
	want := `{"objects":[{"system_type":"1 fire alarm","system_address":1,"part_type":"40 smoke detector","part_address":"0a000200",` +
		`"state":["fire"],"description":"3楼东","time":"2012-09-26 09:58:02"}]}`
	if got, err := json.Marshal(u); err != nil || string(got) != want {
		t.Errorf("JSON\n %s, %v, want\n %s", got, err, want)
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ raw, want string }{
		"GBK, NULs":          {"3\xc2\xa5\xb6\xab\x00\x00\x00", "3楼东"},
		"GBK, spaces":        {"3\xc2\xa5\xb6\xab   ", "3楼东"},
		"spaces in between":  {" A B ", "A B"},
		"UTF-8":              {"3楼东\x00", "3楼东"},
		"half a character":   {"A\xc2", "A\uFFFD"},
		"nothing":            {"\x00\x00", ""},
		"GB18030, four byte": {"\x95\x32\x82\x36", "𠀀"},
	} {
		if got := Text(test.raw).String(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		var d Description
		copy(d[:], test.raw)
		if got := d.String(); got != test.want && name != "half a character" { // NULs behind it make it another
			t.Errorf("%s: description %q, want %q", name, got, test.want)
		}
	}
	if got := describe(t, strings.Repeat("楼", 15)).String(); got != strings.Repeat("楼", 15) {
		t.Errorf("15 characters are %q", got)
	}
	if names := slices.Compact(strings.Fields(Hex{0xab, 0xcd}.String())); names[0] != "abcd" {
		t.Errorf("hexadecimal digits %q", names)
	}
}
