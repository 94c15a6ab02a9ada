package jt808

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestRegisterEdition(t *testing.T) {
	t.Parallel()
	head := "\x00\x1f\x00\x73" + "maker"
	for _, tt := range []struct {
		name, body string
		want       Version
		plate      string
	}{
		{"2011", head + "model\x00\x00\x00" + "1234567" + "\x02" + "B12345", V2011, "B12345"},
		{"2011 with a VIN as plate", head + "model\x00\x00\x00" + "1234567" + "\x00" + "LSVAA4187E2184847", V2011, "LSVAA4187E2184847"},
		{"2011 without a plate", head + "model\x00\x00\x00" + "1234567" + "\x01", V2011, ""},
		{"2013", head + "model" + strings.Repeat("\x00", 15) + "1234567" + "\x01" + "B12345", V2013, "B12345"},
		{"2013 padded in front", head + strings.Repeat("\x00", 15) + "model" + "1234567" + "\x01" + "B12345", V2013, "B12345"},
		{"2013 with a full model", head + "12345678901234567890" + "1234567" + "\x5d" + "B12345", V2013, "B12345"},
		{"2013 with an unknown colour", head + "12345678901234567890" + "1234567" + "\x77" + "B12345", V2013, "B12345"},
		{"2013 padded, with an unknown colour", head + "model" + strings.Repeat("\x00", 15) + "1234567" + "\x07" + "B12345", V2013, "B12345"},
		{"2013 with a line feed in the model", head + "mo\ndel" + strings.Repeat("\x00", 14) + "1234567" + "\x02" + "B12345", V2013, "B12345"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range []Version{V2011, V2013} {
				var r Register
				if err := r.ParseBody([]byte(tt.body), v); err != nil {
					t.Fatal(err)
				}
				if r.Layout != tt.want || r.Plate != tt.plate || r.Manufacturer != "maker" || r.TerminalID != "1234567" {
					t.Errorf("%+v, want layout %v, plate %q", r, tt.want, tt.plate)
				}
			}
		})
	}
}

// Registrations that follow no edition, or not the one of their header.
func TestRegisterOtherLayouts(t *testing.T) {
	t.Parallel()
	const head, id, plate = "\x00\x2c\x01\x2c" + "70111", "1234567", "\xd4\xc1A12345"
	field := func(s string, n int) string { return s + strings.Repeat("\x00", n-len(s)) }
	front := func(s string, n int) string { return strings.Repeat("\x00", n-len(s)) + s }
	of2019 := "\x00\x2c\x01\x2c" + field("70111", 11) + field("GPS-1", 30) + field(id, 30)
	type test struct {
		name, body string
		v          Version
		want       Register
	}
	good := func(layout Version, width uint8) Register {
		return Register{
			Layout: layout, ModelLen: width, Province: 44, City: 300, Manufacturer: "70111", Model: "GPS-1", TerminalID: id,
			PlateColor: PlateBlue, Plate: "粤A12345",
		}
	}
	with := func(r Register, change func(*Register)) Register {
		change(&r)
		return r
	}
	vin := func(r *Register) { r.PlateColor, r.Plate = PlateNone, "LSVNV2182E2100001" }
	color := func(c PlateColor) func(*Register) { return func(r *Register) { r.PlateColor = c } }
	tests := []test{
		{"2013, the colour a digit", head + field("GPS-1", 20) + id + "1" + plate, V2013, with(good(V2013, 0), color('1'))},
		{"2013, the colour 255", head + field("GPS-1", 20) + id + "\xff" + plate, V2013, with(good(V2013, 0), color(255))},
		{"2013, the colour a digit, a short id", head + field("GPS-1", 20) + field("123", 7) + "1" + plate, V2013, with(good(V2013, 0), func(r *Register) { r.PlateColor, r.TerminalID = '1', "123" })},
		{"2013, the colour a digit, padded in front", head + front("GPS-1", 20) + id + "1" + plate, V2013, with(good(V2013, 0), color('1'))},
		{"2013, an id of bytes", head + field("GPS-1", 20) + "\x01\x02\x03\x04\x05\x06\x07" + "\x01" + plate, V2013, with(good(V2013, 0), func(r *Register) { r.TerminalID = "\x01\x02\x03\x04\x05\x06\x07" })},
		{"2013, no id", head + field("GPS-1", 20) + field("", 7) + "\x01" + plate, V2013, with(good(V2013, 0), func(r *Register) { r.TerminalID = "" })},
		{"2013, a NUL in the plate", head + field("GPS-1", 20) + id + "\x01" + plate + "\x00x", V2013, with(good(V2013, 0), func(r *Register) { r.Plate += "\x00x" })},
		{"2013, leftovers behind the model", head + field("GPS-1\x00\x02\x1f\x00\x03", 20) + id + "\x01" + plate, V2013, with(good(V2013, 0), func(r *Register) { r.Model = "GPS-1\x00\x02\x1f\x00\x03" })},
		{"2011, the colour a digit", head + field("GPS-1", 8) + id + "1" + plate, V2013, with(good(V2011, 0), color('1'))},
		{"2011, the plate padded", head + field("GPS-1", 8) + id + "\x01" + field(plate, 20), V2013, good(V2011, 0)},
		{"2011, the VIN padded", head + field("GPS-1", 8) + id + "\x00" + field("LSVNV2182E2100001", 20), V2013, with(good(V2011, 0), vin)},
		{"2019 behind the header before", of2019 + "\x01" + plate, V2013, good(V2019, 0)},
		{"2019 behind the header before, a VIN", of2019 + "\x00" + "LSVNV2182E2100001", V2013, with(good(V2019, 0), vin)},
		{"2013 behind the header of 2019", head + field("GPS-1", 20) + id + "\x01" + plate, V2019, good(V2013, 0)},
		{"2011 behind the header of 2019", head + field("GPS-1", 8) + id + "\x01" + plate, V2019, good(V2011, 0)},
		{"2019, the colour a digit", of2019 + "1" + plate, V2019, with(good(V2019, 0), color('1'))},
		{"2019, nothing as it should be", "\x00\x2c\x01\x2c" + strings.Repeat("\x01\x00\x02", 24) + "1\x01", V2019, Register{
			Layout: V2019, Province: 44, City: 300,
			Manufacturer: "\x01\x00\x02\x01\x00\x02\x01\x00\x02\x01", Model: strings.Repeat("\x02\x01\x00", 10)[:29],
			TerminalID: strings.Repeat("\x02\x01\x00", 10)[:29], PlateColor: 2, Plate: "1\x01",
		}},
		{"2019 without its end", of2019[:60], V2019, Register{Province: 44, City: 300, Rest: Hex(of2019[4:60])}},
		{"no texts", "\x00\x2c\x01\x2c" + strings.Repeat("\x06\x07", 20), V2013, Register{Province: 44, City: 300, Rest: Hex(strings.Repeat("\x06\x07", 20))}},
	}
	for _, n := range []int{9, 10, 11, 12, 15, 16, 18, 19, 21, 24, 25, 30} {
		body := head + field("GPS-1", n) + id
		width := uint8(n)
		name := "model of " + strconv.Itoa(n)
		tests = append(tests,
			test{name, body + "\x01" + plate, V2013, good(V2013, width)},
			test{name + ", a VIN", body + "\x00" + "LSVNV2182E2100001", V2013, with(good(V2013, width), vin)},
			test{name + ", the colour also a letter", body + "]" + plate, V2013, with(good(V2013, width), color(PlateYellowGreen))},
			test{name + ", no plate", body + "\x00", V2013, with(good(V2013, width), func(r *Register) { r.PlateColor, r.Plate = 0, "" })},
			test{name + ", padded in front", head + front("GPS-1", n) + id + "\x01" + plate, V2013, good(V2013, width)},
		)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r Register
			if err := r.ParseBody([]byte(tt.body), tt.v); err != nil || !reflect.DeepEqual(r, tt.want) {
				t.Fatalf("\n%+v, %v, want\n%+v", r, err, tt.want)
			}
			wire, err := r.AppendBody(nil, tt.v)
			if err != nil {
				t.Fatal(err)
			}
			var again Register
			if err := again.ParseBody(wire, tt.v); err != nil || !reflect.DeepEqual(again, r) {
				t.Errorf("written as %x and read again\n%+v, %v, want\n%+v", wire, again, err, r)
			}
		})
	}
	r := Register{Province: 44, City: 300, Rest: Hex{1, 2}}
	if got := toString(t, r); got != `{"province":44,"city":300,"rest":"0102"}` {
		t.Errorf("JSON %s", got)
	}
	for _, v := range []Version{V2011, V2013, V2019} {
		if err := r.ParseBody(make([]byte, 24), v); !errors.Is(err, ErrShortBody) {
			t.Errorf("24 bytes in %v: %v, want ErrShortBody", v, err)
		}
	}
}

func TestRegisterTooLong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		body Register
		v    Version
		ok   bool
	}{
		{"maker of 11 bytes in 2019", Register{Manufacturer: "12345678901"}, V2019, true},
		{"maker of 12 bytes in 2019", Register{Manufacturer: "123456789012"}, V2019, false},
		{"maker of 6 bytes in 2013", Register{Manufacturer: "123456"}, V2013, false},
		{"model of 20 bytes in 2013", Register{Model: "12345678901234567890"}, V2013, true},
		{"model of 20 bytes in 2011", Register{Model: "12345678901234567890", Layout: V2011}, V2013, false},
		{"id of 4 characters, 8 bytes, in 2013", Register{TerminalID: "终端终端"}, V2013, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := tt.body.AppendBody([]byte("before"), tt.v)
			if tt.ok && err != nil || !tt.ok && (!errors.Is(err, ErrTooLong) || string(out) != "before") {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
}

func TestRegisterResponseCodeOnlyIfRegistered(t *testing.T) {
	t.Parallel()
	refused := &RegisterResponse{Serial: 7, Result: RegisterVehicleUnknown, Code: "secret"}
	out, err := refused.AppendBody(nil, V2013)
	if err != nil || len(out) != 3 {
		t.Errorf("%x, %v, want three bytes", out, err)
	}
	var r RegisterResponse
	if err := r.ParseBody([]byte{0, 7, 2, 'x'}, V2013); err != nil || r.Code != "" || string(r.Tail) != "x" {
		t.Errorf("%+v, %v, want no code and a tail", r, err)
	}
}

func TestAuthenticate2019Shortened(t *testing.T) {
	t.Parallel()
	const code, imei = "\x04code", "123456789012345"
	for _, tt := range []struct {
		name, body     string
		imei, software string
		tail           string
		short          bool
	}{
		{"whole", code + imei + "v2.0" + strings.Repeat("\x00", 16), imei, "v2.0", "", false},
		{"padded in front", code + imei + strings.Repeat("\x00", 16) + "v2.0", imei, "v2.0", "", false},
		{"software shortened", code + imei + "v2.0", imei, "v2.0", "", false},
		{"software missing", code + imei, imei, "", "", false},
		{"code alone", code, "", "", "", false},
		{"longer", code + imei + strings.Repeat("v", 20) + "more", imei, strings.Repeat("v", 20), "more", false},
		{"IMEI cut", code + imei[:14], "", "", "", true},
		{"code cut", "\x05code", "", "", "", true},
		{"empty", "", "", "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var a Authenticate
			err := a.ParseBody([]byte(tt.body), V2019)
			if tt.short {
				if !errors.Is(err, ErrShortBody) {
					t.Errorf("%v, want ErrShortBody", err)
				}
				return
			}
			if err != nil || a.Code != "code" || a.IMEI != tt.imei || a.Software != tt.software || string(a.Tail) != tt.tail {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

func TestAttributesManufacturerLen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v    Version
		n    uint8
		want uint8
	}{{V2013, 0, 5}, {V2013, 5, 5}, {V2019, 0, 5}, {V2019, 5, 5}, {V2019, 11, 11}} {
		a := &Attributes{
			ManufacturerLen: tt.n, Manufacturer: "maker", Model: "model", TerminalID: "1234567",
			ICCID: "89860012345678901234", Hardware: "hw 1", Firmware: "fw 1.2", GNSS: 3, Comm: 0x20,
		}
		out, err := a.AppendBody(nil, tt.v)
		if err != nil {
			t.Fatal(err)
		}
		var got Attributes
		if err := got.ParseBody(out, tt.v); err != nil {
			t.Fatal(err)
		}
		if got.ManufacturerLen != tt.want || got.Firmware != "fw 1.2" || got.ICCID != a.ICCID || got.Tail != nil || got.Comm != 0x20 {
			t.Errorf("%v with %d: %+v", tt.v, tt.n, got)
		}
	}
	if _, err := (&Attributes{ManufacturerLen: 11}).AppendBody(nil, V2013); !errors.Is(err, ErrTooLong) {
		t.Errorf("11 bytes in 2013: %v, want ErrTooLong", err)
	}
	if _, err := (&Attributes{ICCID: "8986x"}).AppendBody(nil, V2013); !errors.Is(err, ErrDigits) {
		t.Errorf("letters in the ICCID: %v, want ErrDigits", err)
	}
}

// Both widths of the maker's field in 2019 can use up the body: it is the one with
// which the fields look as they should.
func TestAttributesManufacturerLenByLooks(t *testing.T) {
	t.Parallel()
	for _, a := range []Attributes{
		{ManufacturerLen: 11, Manufacturer: "70111", Model: "BD-3000", TerminalID: "1234567", ICCID: "89860010101234567890", Hardware: "HW-1.0.0.1", Firmware: "FW-2.0", GNSS: 3, Comm: 1},
		{ManufacturerLen: 11, Manufacturer: "70111", Model: "BD-3000", TerminalID: "1234567", ICCID: "12345678101234567890", Hardware: "HW-1.0.0.1", Firmware: "FW-2.0", GNSS: 3, Comm: 1},
		{ManufacturerLen: 11, Manufacturer: "70111", Model: "BD-3000", TerminalID: "1234567", ICCID: "89860010101234567890", Hardware: "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a", Firmware: "FW-2.0", GNSS: 3, Comm: 1},
		{ManufacturerLen: 5, Manufacturer: "70111", Model: "BD-3000", TerminalID: "1234567", ICCID: "89860010101234567890", Hardware: "HW-1.0.0.1", Firmware: "FW-2.0", GNSS: 3, Comm: 1},
		{ManufacturerLen: 5, Model: "BD-3000", TerminalID: "1234567", ICCID: "89860010101234567890", Hardware: "HW-1.0.0.1", Firmware: "FW-2.0", GNSS: 3, Comm: 1},
		{ManufacturerLen: 5, Hardware: "\x00H", Firmware: "\x1f"},
		{ManufacturerLen: 5},
	} {
		out, err := a.AppendBody(nil, V2019)
		if err != nil {
			t.Fatal(err)
		}
		if a.Hardware == "\x00H" {
			a.Hardware = "H"
		}
		if a.ICCID == "" {
			a.ICCID = strings.Repeat("0", 20)
		}
		var got Attributes
		if err := got.ParseBody(out, V2019); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("\n%+v, %v, want\n%+v", got, err, a)
		}
	}
}
