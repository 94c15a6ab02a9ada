package jt808

import (
	"errors"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

func TestDriverIdentityConditionalParts(t *testing.T) {
	t.Parallel()
	at := NewBCDTime(mustTime(t, "2024-02-29T10:00:00Z"))
	card := DriverIdentity{
		Status: CardIn, Time: at, Driver: "张三", Certificate: "44030019900101", Agency: "交通局", Validity: "20340409",
	}
	withID := card
	withID.IDCard = "440300199001011234"
	out := DriverIdentity{Status: CardOut, Time: at}
	unread := DriverIdentity{Status: CardIn, Time: at, Result: CardPulled}
	old := DriverIdentity{Driver: "张三", IDCard: "440300199001011234", Certificate: "44030019900101", Agency: "交通局"}
	for _, tt := range []struct {
		name string
		body DriverIdentity
		v    Version
		len  int
	}{
		{"put in, 2013", card, V2013, 1 + 6 + 1 + 1 + 4 + 20 + 1 + 6 + 4},
		{"put in, 2013, with identity card", withID, V2013, 1 + 6 + 1 + 1 + 4 + 20 + 1 + 6 + 4 + 20},
		{"put in, 2019", withID, V2019, 1 + 6 + 1 + 1 + 4 + 20 + 1 + 6 + 4 + 20},
		{"put in, 2019, without identity card", card, V2019, 1 + 6 + 1 + 1 + 4 + 20 + 1 + 6 + 4 + 20},
		{"pulled out", out, V2013, 7},
		{"pulled out, 2019", out, V2019, 7},
		{"not read", unread, V2019, 8},
		{"2011", old, V2013, 1 + 4 + 20 + 40 + 1 + 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wire, err := tt.body.AppendBody(nil, tt.v)
			if err != nil || len(wire) != tt.len {
				t.Fatalf("%d bytes, %v, want %d", len(wire), err, tt.len)
			}
			var got DriverIdentity
			if err := got.ParseBody(wire, tt.v); err != nil {
				t.Fatal(err)
			}
			if toString(t, got) != toString(t, tt.body) {
				t.Errorf("%+v, want %+v", got, tt.body)
			}
			if got.Status != CardIn {
				return
			}
			var short *ShortBodyError
			if err := got.ParseBody(wire[:7], tt.v); !errors.As(err, &short) || short.Offset != 7 {
				t.Errorf("without result: %v, want it short at byte 7", err)
			}
		})
	}
}

func TestDriverIdentityWrongStatus(t *testing.T) {
	t.Parallel()
	var b DriverIdentity
	var frame *codec.FrameError
	if err := b.ParseBody([]byte{3, 0x24, 1, 1, 0, 0, 0}, V2019); !errors.As(err, &frame) {
		t.Errorf("status 3 in 2019: %v, want a FrameError", err)
	}
}
