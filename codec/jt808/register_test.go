package jt808

import (
	"errors"
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
