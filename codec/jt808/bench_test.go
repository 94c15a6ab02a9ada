package jt808

import (
	"bytes"
	"testing"
)

// longFrame is a frame of the longest body.
func longFrame(tb testing.TB) []byte {
	tb.Helper()
	wire, err := AppendFrame(nil, &Frame{
		Header: Header{ID: IDMediaData, Version: V2019, ProtocolVersion: 1, Phone: phone(tb, "1", V2019), Total: 2, Index: 1},
		Body:   bytes.Repeat([]byte{escape, delimiter, 0}, 341),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return wire
}

// locationFrame is a 2013 location report with mileage, fuel, signal strength
// and satellites: 59 bytes on the wire.
const locationFrame = "7e0200002c013800138000002a00000000000c000301dc8a50073d8ee5000c025d010f2403071530450104000003e80202012c30011531010c317e"

func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct {
		name  string
		frame []byte
	}{
		{"heartbeat", unhex(b, heartbeat)},
		{"location", unhex(b, locationFrame)},
		{"longest", longFrame(b)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			d := fresh()
			b.SetBytes(int64(len(bench.frame)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := d.Decode(bench.frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	d := fresh()
	f, _, err := d.Decode(unhex(b, locationFrame))
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = AppendFrame(buf[:0], f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLocation(b *testing.B) {
	wire := unhex(b, locationFrame)
	b.Run("parse", func(b *testing.B) {
		f, _, err := fresh().Decode(wire)
		if err != nil {
			b.Fatal(err)
		}
		var l Location
		b.ReportAllocs()
		for b.Loop() {
			if err := l.ParseBody(f.Body, f.Version); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode and parse", func(b *testing.B) {
		d := fresh()
		var l Location
		b.ReportAllocs()
		for b.Loop() {
			f, _, err := d.Decode(wire)
			if err == nil {
				err = l.ParseBody(f.Body, f.Version)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendMessage(b *testing.B) {
	h := Header{Version: V2013, Phone: phone(b, "13800138000", V2013)}
	answer := &PlatformResponse{Request: IDLocation}
	var buf []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		answer.Serial++
		if buf, _, err = AppendMessage(buf[:0], h, answer); err != nil {
			b.Fatal(err)
		}
	}
}
