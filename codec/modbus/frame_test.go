package modbus

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

func (v *vector) mode() Mode {
	if v.Proto == "modbus-tcp" {
		return TCP
	}
	return RTU
}

// one is the one frame that wire is.
func one(t *testing.T, o Options, wire []byte) Frame {
	t.Helper()
	frames, errs, rest := decodeAll(t, NewDecoder(o), wire)
	if len(frames) != 1 || len(errs) != 0 || len(rest) != 0 {
		t.Fatalf("frames %v, errors %v, rest %x", frames, errs, rest)
	}
	return frames[0]
}

func TestFrameVectors(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, v vector) {
		t.Helper()
		wire := unhex(t, v.Hex)
		f := one(t, Options{Mode: v.mode(), Requests: v.Direction == "request", Responses: v.Direction == "response"}, wire)
		equal(t, "response", f.Response, v.Direction == "response")
		equal(t, "unit", f.Unit, v.Expect.Unit)
		equal(t, "transaction", f.Transaction, v.Expect.Transaction)
		checkPDU(t, v, f.PDU)
		if again, err := f.Append(nil); err != nil || !bytes.Equal(again, wire) {
			t.Errorf("written again %x, %v", again, err)
		}
		if v.Expect.ResponseLength != 0 {
			var e Expect
			if bad := e.Bind(RTU, 0, f.Unit, f.PDU); bad != nil {
				t.Fatal(bad)
			}
			equal(t, "expected size", e.Size+3, v.Expect.ResponseLength)
		}
		f.Mode = ASCII
		text, err := f.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{text, bytes.ToLower(text)} {
			again := one(t, Options{Mode: ASCII, Requests: !f.Response, Responses: f.Response}, text)
			f.Transaction = 0 // which ASCII has not
			equal(t, "from ASCII", again.String(), f.String())
		}
	}
	ofProto(t, "modbus-rtu", 29, check)
	ofProto(t, "modbus-tcp", 23, check)
}

// decodePaused is the frames of a stream behind which comes a pause: what is kept
// then is gone through for frames that something before them has hidden.
func decodePaused(tb testing.TB, d codec.Decoder[*Frame], in []byte) []Frame {
	tb.Helper()
	frames, _, rest := decodeAll(tb, d, in)
	for len(rest) > 0 {
		var more []Frame
		more, _, rest = decodeAll(tb, d, rest[1:])
		frames = append(frames, more...)
	}
	return frames
}

func TestStreamVectors(t *testing.T) {
	t.Parallel()
	ofProto(t, "modbus-rtu-stream", 13, func(t *testing.T, v vector) {
		t.Helper()
		wire := unhex(t, v.Hex)
		o := Options{Mode: RTU, Requests: v.Direction == "request", Responses: v.Direction == "response"}
		got := framesOf(decodePaused(t, NewDecoder(o), wire))
		equal(t, "frames", got, strings.Join(v.Expect.Frames, " "))
		if v.Unit == nil {
			return
		}
		frame := unhex(t, v.Expect.Frames[0])
		e := Expect{}
		request := Request{Function: Function(frame[1]), Quantity: uint16(frame[2]) / 2}
		pdu, err := request.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err = e.Bind(RTU, 0, *v.Unit, pdu); err != nil {
			t.Fatal(err)
		}
		reply, err := e.Match(wire)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "skipped", reply.Skipped, bytes.Index(wire, frame))
		equal(t, "size", reply.Size, len(frame))
		equal(t, "PDU", hex.EncodeToString(reply.PDU), hex.EncodeToString(frame[1:len(frame)-2]))
	})
}

func framesOf(frames []Frame) string {
	var all []string
	for _, f := range frames {
		wire, _ := f.Append(nil)
		all = append(all, hex.EncodeToString(wire))
	}
	return strings.Join(all, " ")
}

// What is no frame is not taken for one, in either direction.
func TestNegativeVectors(t *testing.T) {
	t.Parallel()
	n := 0
	for _, v := range vectors(t, "negative") {
		n++
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			in := unhex(t, v.Hex)
			if v.Proto == "modbus-pdu" {
				var err error
				if v.Direction == "request" {
					_, err = ParseRequest(in)
				} else {
					_, err = ParseResponse(in)
				}
				if bad := (*codec.FrameError)(nil); !errors.As(err, &bad) {
					t.Errorf("error %v", err)
				}
				return
			}
			frames, errs, rest := decodeAll(t, NewDecoder(Options{Mode: v.mode()}), in)
			if len(frames) > 0 {
				t.Fatalf("frames %v", frames)
			}
			if v.Proto == "modbus-rtu" {
				return
			}
			if v.Name == "neg-tokio-partial-tcp" {
				equal(t, "bytes are kept", len(rest), len(in))
				return
			}
			equal(t, "errors", len(errs), 1)
			if v.Expect.Error == "bad_protocol_id" || v.Expect.Error == "bad_mbap_length" {
				if fatal := (*codec.FatalError)(nil); !errors.As(errs[0], &fatal) {
					t.Errorf("error %v is not fatal", errs[0])
				}
			}
		})
	}
	equal(t, "vectors", n, 22)
}

func TestModes(t *testing.T) {
	t.Parallel()
	for _, m := range []Mode{RTU, TCP, ASCII} {
		got, err := ParseMode(strings.ToUpper(m.String()))
		if err != nil || got != m {
			t.Errorf("%v is parsed as %v, %v", m, got, err)
		}
		f := Frame{Mode: m, Unit: 1, PDU: make([]byte, MaxPDU)}
		longest, err := f.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "longest frame", len(longest), m.MaxFrame())
		for _, size := range []int{0, MaxPDU + 1} {
			f.PDU = make([]byte, size)
			if out, err := f.Append(nil); !errors.Is(err, ErrLimit) || out != nil {
				t.Errorf("%v: a PDU of %d bytes: %x, %v", m, size, out, err)
			}
		}
	}
	if _, err := ParseMode("udp"); err == nil {
		t.Error("mode udp is no error")
	}
}
