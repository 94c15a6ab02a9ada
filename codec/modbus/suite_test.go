package modbus

import (
	"fmt"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
)

func show(f *Frame) string { return f.String() }

// shown decodes what frames say of themselves.
func shown(o Options) codec.Decoder[string] {
	return codec.Map(NewDecoder(o), func(f *Frame) (string, error) { return show(f), nil })
}

// frameEncoder encodes what a decoder returned.
var frameEncoder = codec.AppendFunc[*Frame](func(dst []byte, f *Frame) ([]byte, error) { return f.Append(dst) })

// unitA is a unit that behind noise does not look like a function.
const unitA = 0x61

// conversation is a request and its response of each function, one after the
// other.
func conversation(tb testing.TB, m Mode) (frames [][]byte) {
	tb.Helper()
	for i, x := range exchanges {
		if requestless(x.request) && m == RTU {
			continue
		}
		pdu, err := x.request.Append(nil)
		if err != nil {
			tb.Fatal(err)
		}
		number := uint16(0x4100 + i)
		frames = append(frames, AppendFrame(nil, m, number, unitA, pdu), answer(tb, m, number, unitA, x.response))
	}
	return frames
}

// requestless is whether the front of the request does not tell its size.
func requestless(r Request) bool {
	return r.Function == 65 || r.Function == Diagnostics && len(r.Data) > 4 || r.Function == EncapsulatedInterface && r.MEI != ReadDeviceIdentification
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for _, m := range []Mode{RTU, TCP, ASCII} {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			s := codectest.Suite[*Frame]{
				New:      func() codec.Decoder[*Frame] { return NewDecoder(Options{Mode: m, Responses: true}) },
				Encoder:  frameEncoder,
				Show:     show,
				MaxFrame: m.MaxFrame(),
				MayEnd:   m == TCP,
			}
			for i, frame := range conversation(t, m) {
				if i%2 == 1 && i%5 != 0 { // of the responses most, for their number costs time squared
					s.Frames = append(s.Frames, frame)
				}
				if len(s.Frames) == 8 {
					break
				}
			}
			if m == ASCII {
				s.Garbage = [][]byte{[]byte("noise"), []byte("\r\n")}
			}
			if m == RTU {
				s.Garbage = [][]byte{{0xfe}, []byte("www.usr.cn")} // modems' heartbeats
			}
			s.Run(t)
		})
	}
}

// A line on which both sides are heard: what looks like both a request and a
// response is told apart.
func TestConversation(t *testing.T) {
	t.Parallel()
	for _, m := range []Mode{RTU, TCP, ASCII} {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			frames := conversation(t, m)
			if m == ASCII {
				frames = frames[:16]
			}
			var want []string
			for i, wire := range frames {
				o := Options{Mode: m, Requests: i%2 == 0, Responses: i%2 == 1}
				f := one(t, o, wire)
				want = append(want, f.String())
			}
			codectest.Run(t, func() codec.Decoder[string] { return shown(Options{Mode: m}) }, slices.Concat(frames...), want...)
		})
	}
}

// Coils whose response is as long as a request are told from one by what was
// asked.
func TestAmbiguousCoils(t *testing.T) {
	t.Parallel()
	ask, _ := Request{Function: ReadCoils, Quantity: 24}.Append(nil)
	request := AppendFrame(nil, RTU, 0, 1, ask)
	response := answer(t, RTU, 0, 1, Response{Function: ReadCoils, Data: []byte{1, 2, 3}})
	frames, _, _ := decodeAll(t, NewDecoder(Options{}), slices.Concat(request, response, response))
	if len(frames) != 3 || frames[0].Response || !frames[1].Response || frames[2].Response {
		t.Errorf("frames %v", frames)
	}
}

func TestAnyFunction(t *testing.T) {
	t.Parallel()
	wire := AppendFrame(nil, RTU, 0, 1, append([]byte{65}, "whatever"...))
	if frames, _, _ := decodeAll(t, NewDecoder(Options{}), wire); len(frames) != 0 {
		t.Errorf("a frame of an unknown size: %v", frames)
	}
	f := one(t, Options{AnyFunction: true}, wire)
	equal(t, "PDU", string(f.PDU), "Awhatever")
	codectest.Run(t, func() codec.Decoder[string] { return shown(Options{AnyFunction: true}) }, wire, f.String())
}

func TestDecoderAllocs(t *testing.T) {
	for _, m := range []Mode{RTU, TCP, ASCII} {
		stream := slices.Concat(conversation(t, m)...)
		codectest.Allocs(t, 0, NewDecoder(Options{Mode: m}), stream)
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(uint8(0), slices.Concat(conversation(f, RTU)[:6]...), uint16(9))
	f.Add(uint8(1), slices.Concat(conversation(f, TCP)[:6]...), uint16(9))
	f.Add(uint8(2), slices.Concat(conversation(f, ASCII)[:6]...), uint16(9))
	f.Add(uint8(12), []byte("\x01\x03\x04\x00\x01\x00\x02\x2a\x00\x02\x03\x04\x00\x03\x00\x04\x38\xf0"), uint16(3))
	f.Fuzz(func(t *testing.T, options uint8, stream []byte, cut uint16) {
		o := Options{Mode: Mode(options % 3), Requests: options&4 != 0, Responses: options&8 != 0, AnyFunction: options&16 != 0}
		stream = stream[:min(len(stream), 2048)]
		codectest.Properties(t, func() codec.Decoder[string] {
			return shown(o)
		}, stream, int(cut))
		frames, _, _ := decodeAll(t, NewDecoder(o), stream)
		for _, f := range frames {
			checkParsed(t, f)
		}
	})
}

// checkParsed wants a PDU that parses to be the same when it is written again.
func checkParsed(t *testing.T, f Frame) {
	t.Helper()
	var again []byte
	var err error
	if f.Response {
		var r Response
		if r, err = ParseResponse(f.PDU); err == nil {
			again, err = r.Append(nil)
		} else {
			return
		}
		if r.More { // which some write as 1
			return
		}
	} else {
		var r Request
		if r, err = ParseRequest(f.PDU); err == nil {
			again, err = r.Append(nil)
		} else {
			return
		}
	}
	if err != nil || string(again) != string(f.PDU) {
		t.Fatalf("PDU %x written again is %x, %v", f.PDU, again, err)
	}
}

// A write and the answer to it look the same: a frame is the answer to a write that
// nobody has answered yet, if it says the same, and if not the reader answers.
func TestWritesAndTheirAnswers(t *testing.T) {
	t.Parallel()
	write := func(address, value uint16) []byte {
		pdu, err := Request{Function: WriteSingleRegister, Address: address, Value: value}.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pdu
	}
	for _, m := range []Mode{RTU, TCP, ASCII} {
		var stream []byte
		for _, pdu := range [][]byte{write(0, 1), write(1, 1), write(1, 1), write(1, 1)} {
			stream = AppendFrame(stream, m, 7, 1, pdu)
		}
		for o, want := range map[Options]string{
			{Mode: m}:                "[false false true false]",
			{Mode: m, Answers: true}: "[false false false false]",
		} {
			frames, errs, _ := decodeAll(t, NewDecoder(o), stream)
			var got []bool
			for _, f := range frames {
				got = append(got, f.Response)
			}
			equal(t, fmt.Sprintf("%v: responses (errors %v)", o, errs), fmt.Sprint(got), want)
		}
	}
}
