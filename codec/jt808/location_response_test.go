package jt808

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// The answer of the draft of 2011 has no serial: it is taken for that when it is
// a location report so and none behind a serial.
func TestLocationResponseWithoutSerial(t *testing.T) {
	t.Parallel()
	const (
		fix    = "00000000" + "00000003" + "01dc89d0" + "073d8aa5" + "000c" + "025d" + "010f"
		time   = "240229235959"
		item   = "010400000005"
		serial = "0002"
	)
	zeros := strings.Repeat("00", 28)
	for _, tt := range []struct {
		name, hex string
		noSerial  bool
		items     int
	}{
		{"without", fix + time, true, 0},
		{"without, an item", fix + time + item, true, 1},
		{"without, two items", fix + time + item + "02020005", true, 2},
		{"without, the time is none", fix + "241301000000", true, 0},
		{"without, zeros", zeros, true, 0},
		{"without, zeros and an item", zeros + item, true, 1},
		{"with", serial + fix + time, false, 0},
		{"with, an item", serial + fix + time + item, false, 1},
		{"with, a byte behind", serial + fix + time + "ff", false, 0},
		{"with, a cut item", serial + fix + time + item[:10], false, 0},
		{"with, the time is none", serial + fix + "241301000000" + item, false, 1},
		{"with, slow to the north, the time is none", serial + fix[:36] + "0010" + "0010" + "241301010000", false, 0},
		{"with, no place", serial + strings.Repeat("ff", 22) + time + item, false, 1},
		{"with, a clock that was not set", serial + fix + "000101000000" + item, false, 1},
		{"with, zeros", serial + zeros, false, 0},
		{"with, zeros and an item", serial + zeros + item, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wire := unhex(t, tt.hex)
			for _, v := range []Version{V2011, V2013} {
				got := LocationResponse{NoSerial: !tt.noSerial}
				if err := got.ParseBody(wire, v); err != nil {
					t.Fatalf("%v: %v", v, err)
				}
				want, from := uint16(2), 2
				if tt.noSerial {
					want, from = 0, 0
				}
				var l Location
				if err := l.ParseBody(wire[from:], v); err != nil {
					t.Fatal(err)
				}
				if got.NoSerial != tt.noSerial || got.Serial != want || !got.Location.Equal(&l) || len(l.Extras) != tt.items {
					t.Errorf("%v: %+v", v, got)
				}
				if out, err := got.AppendBody(nil, v); err != nil || !bytes.Equal(out, wire) {
					t.Errorf("%v: written as %x, %v, want %x", v, out, err, wire)
				}
				text, err := json.Marshal(got)
				if err != nil || strings.Contains(string(text), "ack_serial") == tt.noSerial {
					t.Errorf("%v: %s, %v", v, text, err)
				}
			}
		})
	}
	var r LocationResponse
	if err := r.ParseBody(unhex(t, fix+time), V2019); !errors.Is(err, ErrShortBody) {
		t.Errorf("2019: %v, want ErrShortBody", err)
	}
	if err := r.ParseBody(unhex(t, fix+time+item), V2019); err != nil || r.NoSerial {
		t.Errorf("2019: %+v, %v, want a serial", r, err)
	}
}
