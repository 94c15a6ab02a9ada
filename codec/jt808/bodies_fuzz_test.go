package jt808

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode"
)

// Every message of ids.go has a body that knows its id, and zero bodies can be
// written and read again in every edition.
func TestEveryMessageHasABody(t *testing.T) {
	t.Parallel()
	for id := range names {
		b := NewBody(id)
		if _, unknown := b.(*Unknown); unknown || b.ID() != id {
			t.Errorf("%v: body %T with id %v", id, b, b.ID())
			continue
		}
		for _, v := range []Version{V2011, V2013, V2019} {
			out, err := b.AppendBody(nil, v)
			if err != nil {
				t.Errorf("%v %v: %v", id, v, err)
				continue
			}
			if id == IDDriverIdentity && v == V2019 {
				continue // without a status it has the layout of 2011
			}
			if _, err := ParseBody(id, v, out); err != nil {
				t.Errorf("%v %v: zero body %x is not read: %v", id, v, out, err)
			}
		}
	}
}

// isPrivate reports whether r is of the private use areas, which the GB18030
// encoder of x/text does not write as its decoder reads them.
func isPrivate(r rune) bool { return unicode.Is(unicode.Co, r) }

// doubtful is bodies whose layout their header does not tell.
var doubtful = []struct {
	id      ID
	version Version
	hex     string
}{
	{IDMediaData, V2013, "0000004d00000102000000000000000301dc89d0073d8aa5000c025d010f241301000000ffd8ffe0"},
	{IDMediaData, V2013, "0000004d000001020000000300000001ffd8ffe0000102030405060708090a0b0c0d0e0f1011121314"},
	{IDLocationResponse, V2013, "000000000000000301dc89d0073d8aa5000c025d010f240229235959"},
	{IDLocationResponse, V2013, "000000000000000301dc89d0073d8aa5000c025d010f240229235959010400000005"},
	{IDDriverIdentity, V2013, "02241301000000"},
	{IDDriverIdentity, V2013, "012413010000000004d5c5c8fd313233000000000000000000000000000000000004d6d0b9fa20300101"},
	{IDRegister, V2013, "002c012c37303131314750532d3100000000003132333435363701d4c1413132333435"},
	{IDRegister, V2013, "002c012c37303131314750532d310000000000000000000000000000003132333435363731d4c1413132333435"},
	{IDAttributes, V2019, "00073730313131000000000000" + "42442d33303030" + "0000000000000000000000000000000000000000000000" +
		"31323334353637" + "0000000000000000000000000000000000000000000000" + "89860010101234567890" +
		"0a48572d312e302e302e31" + "0646572d322e30" + "0301"},
}

func sameLayout(a, b *Register) bool {
	return a.Layout == b.Layout && a.ModelLen == b.ModelLen && (a.Rest == nil) == (b.Rest == nil)
}

func FuzzBody(f *testing.F) {
	for _, v := range bodyVectors(f) {
		if len(v.body) < 1100 {
			f.Add(uint16(v.id), uint8(v.version), v.body)
		}
	}
	for _, seed := range doubtful {
		f.Add(uint16(seed.id), uint8(seed.version-V2011), unhex(f, seed.hex))
	}
	f.Fuzz(func(t *testing.T, id uint16, edition uint8, body []byte) {
		v := V2011 + Version(edition%3)
		b, err := ParseBody(ID(id), v, body)
		if err != nil {
			return
		}
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatalf("%v: no JSON: %v", b.ID(), err)
		}
		out, err := b.AppendBody(nil, v)
		if bytes.ContainsAny(text, "\uFFFD€") || bytes.ContainsFunc(text, isPrivate) {
			return // what is no GBK cannot be written as it was, nor can 0x80, read as a euro sign
		}
		if errors.Is(err, ErrTooLong) && len(body) > 255 {
			return // there may be more items than their count can say
		}
		if err != nil {
			t.Fatalf("%v %v: %+v is read but not written: %v", b.ID(), v, b, err)
		}
		again, err := ParseBody(ID(id), v, out)
		if r, ok := again.(*Register); ok && !sameLayout(r, b.(*Register)) {
			return // it is a guess where texts have NULs inside, or the colour is none
		}
		if d, ok := again.(*DriverIdentity); ok && d.Status != b.(*DriverIdentity).Status {
			return // and so are they where a name is of one or two bytes, and the time none
		}
		if err != nil || !reflect.DeepEqual(again, b) {
			t.Fatalf("%v %v: %x\nread   %+v\nwrote  %x\nread   %+v, %v", b.ID(), v, body, b, out, again, err)
		}
	})
}
