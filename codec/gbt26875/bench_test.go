package gbt26875

import "testing"

func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct {
		name string
		wire []byte
	}{
		{"heartbeat", unhex(b, confirmation)},
		{"fire", unhex(b, fire)},
		{"longest", textFrame(b, MaxData)},
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
