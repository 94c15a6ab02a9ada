package gbt26875

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
)

func FuzzDecoder(f *testing.F) {
	for _, v := range vectors(f, "streams") {
		f.Add(unhex(f, v.Hex), uint16(30))
	}
	for _, v := range vectors(f, "frames") {
		f.Add(unhex(f, v.Hex), uint16(7))
	}
	f.Add(textFrame(f, 90), uint16(1))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		stream = stream[:min(len(stream), 1000)]
		codectest.Properties(t, freshSmall, stream, int(cut))
		frames, errs, rest := decodeAll(t, fresh(), stream)
		if minFrame*len(frames)+len(errs)+len(rest) > len(stream) {
			t.Errorf("%d frames, %d errors and %d bytes left of %d bytes", len(frames), len(errs), len(rest), len(stream))
		}
		for _, got := range frames {
			wire, err := AppendFrame(nil, got)
			if err != nil || !bytes.Contains(stream, wire) {
				t.Fatalf("%x, %v was never there", wire, err)
			}
			again := decodeOne(t, wire)
			if again.Header != got.Header || !bytes.Equal(again.Data, got.Data) {
				t.Errorf("encoded and decoded again\n %+v, want\n %+v", again, got)
			}
		}
	})
}

func FuzzParseUnit(f *testing.F) {
	for _, test := range everyUnit(f) {
		f.Add(unhex(f, test.wire))
	}
	f.Add(unhex(f, "020201022840000002000200c2a5023a091a090c"))
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := ParseUnit(data)
		var count *CountError
		var damage *codec.FrameError
		switch {
		case errors.As(err, &damage):
			if len(data) >= unitHeader {
				t.Fatalf("%x: %v", data, err)
			}
			return
		case err != nil && !errors.As(err, &count):
			t.Fatalf("%x: error %v", data, err)
		}
		if u.Type() != Type(data[0]) {
			t.Fatalf("%x is of type %v", data, u.Type())
		}
		if text, jerr := json.Marshal(u); jerr != nil || !json.Valid(text) {
			t.Fatalf("JSON %s, %v", text, jerr)
		}
		wire, werr := u.AppendUnit(nil)
		if werr != nil {
			if !errors.Is(werr, ErrTooLong) || int(data[1]) <= u.Type().MaxObjects() {
				t.Fatalf("%x: written: %v", data, werr)
			}
			return
		}
		if err == nil && !bytes.Equal(wire, data) {
			t.Fatalf("written %x, want %x", wire, data)
		}
		again, err := ParseUnit(wire)
		if err != nil || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", u) {
			t.Fatalf("written and read again %+v, %v, want %+v", again, err, u)
		}
	})
}
