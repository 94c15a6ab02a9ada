package jt808

import (
	"errors"
	"reflect"
	"strings"
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

// A time that is none does not make a body of 2013 one of 2011, nor does a name
// of one or two bytes the other way round.
func TestDriverIdentityEdition(t *testing.T) {
	t.Parallel()
	card := func(time string) string {
		return "01" + time + "00" + "04d5c5c8fd" + "313233" + strings.Repeat("00", 17) + "04d6d0b9fa" + "20300101"
	}
	old := func(name string) string {
		return name + "313233" + strings.Repeat("00", 17) + strings.Repeat("00", 36) + "34353637" + "04d6d0b9fa"
	}
	for _, tt := range []struct {
		name, hex string
		want      DriverIdentity
	}{
		{"card out, month 13", "02" + "241301000000", DriverIdentity{Status: CardOut, Time: BCDTime{0x24, 0x13, 1}}},
		{"card not read, no digits", "01" + "ffffffffffff" + "03", DriverIdentity{Status: CardIn, Time: BCDTime{255, 255, 255, 255, 255, 255}, Result: CardPulled}},
		{"card read, month 13", card("241301000000"), DriverIdentity{
			Status: CardIn, Time: BCDTime{0x24, 0x13, 1}, Driver: "张三", Certificate: "123", Agency: "中国", Validity: "20300101",
		}},
		{"card read, hour 24", card("240229240000"), DriverIdentity{
			Status: CardIn, Time: BCDTime{0x24, 2, 0x29, 0x24}, Driver: "张三", Certificate: "123", Agency: "中国", Validity: "20300101",
		}},
		{"card read, no digits, identity card", card("ffffffffffff") + strings.Repeat("00", 16) + "37383930", DriverIdentity{
			Status: CardIn, Time: BCDTime{255, 255, 255, 255, 255, 255}, Driver: "张三", Certificate: "123", Agency: "中国", Validity: "20300101", IDCard: "7890",
		}},
		{"2011", old("04d5c5c8fd"), DriverIdentity{Driver: "张三", IDCard: "123", Certificate: "4567", Agency: "中国"}},
		{"2011, a name of two bytes", old("02d5c5"), DriverIdentity{Driver: "张", IDCard: "123", Certificate: "4567", Agency: "中国"}},
		{"2011, a name of one byte", old("0141"), DriverIdentity{Driver: "A", IDCard: "123", Certificate: "4567", Agency: "中国"}},
		{"2011, no name", old("00"), DriverIdentity{IDCard: "123", Certificate: "4567", Agency: "中国"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range []Version{V2011, V2013} {
				var got DriverIdentity
				if err := got.ParseBody(unhex(t, tt.hex), v); err != nil || !reflect.DeepEqual(got, tt.want) {
					t.Errorf("%v: %+v, %v, want %+v", v, got, err, tt.want)
				}
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
