package jt808

import (
	"errors"
	"testing"
)

func TestCANID(t *testing.T) {
	t.Parallel()
	id := CANID(0xC0000123) // CAN2, extended, as it was
	if id.Channel() != 1 || !id.Extended() || id.Average() || id.Frame() != 0x123 {
		t.Errorf("%d %v %v %x", id.Channel(), id.Extended(), id.Average(), id.Frame())
	}
	id = CANID(0x3FFFFFFF) // CAN1, standard, a mean
	if id.Channel() != 0 || id.Extended() || !id.Average() || id.Frame() != 0x1FFFFFFF {
		t.Errorf("%d %v %v %x", id.Channel(), id.Extended(), id.Average(), id.Frame())
	}
}

func TestCANDataCounts(t *testing.T) {
	t.Parallel()
	head, item := "0523595901", "000001230102030405060708"
	for _, tt := range []struct {
		name, hex string
		items     int
		tail      string
		short     bool
	}{
		{"as counted", "0002" + head + item + item, 2, "", false},
		{"more than counted", "0001" + head + item + item, 2, "", false},
		{"bytes behind", "0001" + head + item + "ff", 1, "ff", false},
		{"fewer than counted", "0003" + head + item + item, 0, "", true},
		{"cut", "0002" + head + item + item[:20], 0, "", true},
		{"none", "0000" + head, 0, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b CANData
			err := b.ParseBody(unhex(t, tt.hex), V2013)
			if tt.short {
				if !errors.Is(err, ErrShortBody) {
					t.Errorf("%v, want ErrShortBody", err)
				}
				return
			}
			if err != nil || len(b.Items) != tt.items || b.Tail.String() != tt.tail || b.Time != head {
				t.Errorf("%+v, %v", b, err)
			}
		})
	}
}
