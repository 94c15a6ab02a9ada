package gbt26875

import (
	"encoding/binary"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct {
		name string
		wire []byte
	}{
		{"heartbeat", unhex(b, confirmation)},
		{"fire", unhex(b, fire)},
		{"markers", textFrame(b, MaxData)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			d := fresh()
			b.SetBytes(int64(len(bench.wire)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := d.Decode(bench.wire); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParsePartStates(b *testing.B) {
	f := decodeOne(b, unhex(b, fire))
	var states PartStates
	b.ReportAllocs()
	for b.Loop() {
		if err := states.ParseUnit(f.Data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendUnit(b *testing.B) {
	f := decodeOne(b, unhex(b, fire))
	u, err := f.Parse()
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = AppendUnit(buf[:0], f.Header, u); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHostile decodes what takes longest for its size: candidates that are as
// long as can be, each with many others inside that end where the first does.
func BenchmarkHostile(b *testing.B) {
	d := fresh()
	stream := hostile()
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := stream; ; {
			_, n, err := d.Decode(rest)
			if err == codec.ErrIncomplete {
				break
			}
			rest = rest[n:]
		}
	}
}

// hostile is a stream without a frame in which every seventh byte begins what looks
// like one up to its check sum.
func hostile() []byte {
	const period, end = 7, 8 << 10
	stream := make([]byte, end+period)
	for at := 0; at < end; at += period {
		copy(stream[at:], startMarker)
		// The length of the frame that begins 3 markers before: off 24 is 3 behind a marker.
		stop := (at + MaxData) / MaxData * MaxData
		binary.LittleEndian.PutUint16(stream[at+3:], uint16(max(stop-(at-3*period)-minFrame, 0)%(MaxData+1)))
	}
	for stop := MaxData; stop < end; stop += MaxData {
		copy(stream[stop-2:], endMarker)
	}
	return stream
}
