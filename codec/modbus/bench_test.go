package modbus

import (
	"slices"
	"testing"
)

// BenchmarkPoll is all that a master's codec does for one poll of 50 registers:
// the request, the search for its response, and ten numbers out of it.
func BenchmarkPoll(b *testing.B) {
	for _, m := range []Mode{RTU, TCP, ASCII} {
		b.Run(m.String(), func(b *testing.B) {
			in := answer(b, m, 7, 1, Response{Function: ReadHoldingRegisters, Data: make([]byte, 100)})
			var pdu, out []byte
			var e Expect
			format := Format{Type: Float32, Order: CDAB}
			b.ReportAllocs()
			for b.Loop() {
				pdu, _ = Request{Function: ReadHoldingRegisters, Quantity: 50}.Append(pdu[:0])
				out = AppendFrame(out[:0], m, 7, 1, pdu)
				if err := e.Bind(m, 7, 1, pdu); err != nil {
					b.Fatal(err)
				}
				reply, err := e.Match(in)
				if err != nil {
					b.Fatal(err)
				}
				response, err := ParseResponse(reply.PDU)
				if err != nil {
					b.Fatal(err)
				}
				for i := range 10 {
					if _, err := format.Decode(response.Data[4*i:]); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkDecoder(b *testing.B) {
	for _, m := range []Mode{RTU, TCP, ASCII} {
		b.Run(m.String(), func(b *testing.B) {
			in := answer(b, m, 7, 1, Response{Function: ReadHoldingRegisters, Data: make([]byte, 100)})
			d := NewDecoder(Options{Mode: m})
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := d.Decode(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecoderNoise is the worst noise: at every byte the front of a long
// response.
func BenchmarkDecoderNoise(b *testing.B) {
	in := slices.Repeat([]byte{3, 3, 250}, 2000)
	d := NewDecoder(Options{Responses: true})
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := d.Decode(in); err == nil {
			b.Fatal("a frame")
		}
	}
}

func BenchmarkCRC(b *testing.B) {
	data := make([]byte, 254)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		CRC(data)
	}
}

// A poll allocates nothing.
func TestPollAllocs(t *testing.T) {
	for _, m := range []Mode{RTU, TCP, ASCII} {
		in := answer(t, m, 7, 1, Response{Function: ReadHoldingRegisters, Data: make([]byte, 100)})
		e := bound(t, m, Request{Function: ReadHoldingRegisters, Quantity: 50})
		e.Resync = true
		var response Response
		allocs := testing.AllocsPerRun(100, func() {
			reply, err := e.Match(in)
			if err == nil {
				response, err = ParseResponse(reply.PDU)
			}
			if err == nil {
				_, err = Format{Type: Float64}.Decode(response.Data)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v: %v allocations", m, allocs)
		}
	}
}
