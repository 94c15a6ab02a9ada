package modbus

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/linkspan/linkspan/codec"
)

// Expect knows the response that a request must have, and finds it in what a
// line sends: an RTU frame over TCP has neither pauses around it nor a number
// that ties it to its request, and heartbeats of a modem or answers that come
// too late may stand in front of it. One request is out on a line at a time.
//
//	var e modbus.Expect
//	err := e.Bind(modbus.RTU, 0, 1, request)    // when the request is sent
//	reply, err := e.Match(in)                   // each time bytes have come
//	if err == codec.ErrIncomplete { ... }       // reply.Skipped bytes may go, wait for more
//	response, err := modbus.ParseResponse(reply.PDU)
//
// It is for one goroutine at a time, may be bound again and again, and allocates
// nothing but a buffer for lines in [ASCII].
type Expect struct {
	Mode        Mode
	Transaction uint16   // of [TCP]
	Unit        uint8    // of TCP: 0 and 255 mean the device itself, which may answer with any
	Function    Function // the request's
	// Size is how many bytes the normal response's PDU has; 0 when its own bytes
	// tell, or nothing does.
	Size int
	// Resync is of TCP: look for the response at every byte, as on serial lines,
	// rather than give the stream up when what comes is no frame. It is for lines
	// with heartbeats between frames.
	Resync bool

	loose  bool    // no rule tells the size of the response
	head   [7]byte // what the normal response's PDU begins with
	headed uint8   // how many bytes of head
	text   []byte  // the decoded frame in ASCII
}

// Bind makes e expect the response to the PDU request, sent in that mode to
// that unit; transaction is for [TCP] alone. Resync stays as it is. An error is
// that of [ParseRequest].
func (e *Expect) Bind(mode Mode, transaction uint16, unit uint8, request []byte) error {
	r, err := ParseRequest(request)
	if err != nil {
		return err
	}
	e.Mode, e.Transaction, e.Unit, e.Function, e.Size = mode, transaction, unit, r.Function, 0
	e.head[0], e.headed, e.loose = byte(r.Function), 1, false
	switch r.Function {
	case ReadCoils, ReadDiscreteInputs:
		e.read((int(r.Quantity) + 7) / 8)
	case ReadHoldingRegisters, ReadInputRegisters, ReadWriteMultipleRegisters:
		e.read(2 * int(r.Quantity))
	case WriteSingleCoil, WriteSingleRegister, WriteMultipleCoils, WriteMultipleRegisters:
		e.echo(request[:5]) //nolint:gosec // it was parsed
	case MaskWriteRegister:
		e.echo(request)
	case Diagnostics:
		e.echo(request[:3]) //nolint:gosec // it was parsed
		e.Size = len(request)
	case EncapsulatedInterface:
		e.echo(request[:2])
		e.Size = 0
	default: // its function is all that is known
	}
	if e.Size == 0 {
		size, _ := responseSize(e.head[:e.headed])
		e.loose = size == 0
	}
	return nil
}

// read expects n bytes of data behind their count.
func (e *Expect) read(n int) {
	e.head[1], e.headed = byte(n), 2
	e.Size = 2 + n
}

// echo expects the front of the request again.
func (e *Expect) echo(front []byte) {
	e.headed = uint8(copy(e.head[:], front)) //nolint:gosec // 7 at most
	e.Size = len(front)
}

// Reply is where a response stands in what a line sent.
type Reply struct {
	// Skipped is how many bytes at the front are no part of the response:
	// heartbeats, answers to earlier requests, noise. Size is how many bytes the
	// response's frame has behind them.
	Skipped, Size int
	// PDU is the response's; it aliases the input or, in [ASCII], a buffer of the
	// Expect.
	PDU       []byte
	Exception Exception // why the slave refused; 0 in a normal response
}

// Match looks for the response in what a line sent since the request; in begins
// with the bytes that the call before was not done with. Without an error the
// reply is in in, and what is behind it is not looked at. codec.ErrIncomplete
// says that the reply is not there yet: its first Skipped bytes can never matter.
// A *codec.FatalError says that a stream of [TCP] without Resync has lost its
// step: end it.
func (e *Expect) Match(in []byte) (Reply, error) {
	switch e.Mode {
	case TCP:
		if e.Resync {
			return e.slide(in)
		}
		return e.matchTCP(in)
	case ASCII:
		return e.matchASCII(in)
	default:
		return e.slide(in)
	}
}

// verdict is what the front of some bytes may be.
type verdict uint8

const (
	no    verdict = iota // not what is looked for
	maybe                // it can become that
	yes
)

// slide looks for the reply at each byte in turn. Where it may begin the rest is
// waited for; only a reply of unknown size may yet begin behind that.
func (e *Expect) slide(in []byte) (Reply, error) {
	var r Reply
	first := -1
	for ; r.Skipped < len(in); r.Skipped++ {
		switch e.at(in[r.Skipped:], &r) {
		case yes:
			return r, nil
		case maybe:
			if first < 0 {
				first = r.Skipped
			}
			if !e.loose {
				return r, codec.ErrIncomplete
			}
		case no:
		}
	}
	if first >= 0 {
		r.Skipped = first
	}
	return r, codec.ErrIncomplete
}

// at is whether the reply's frame stands at the front of in.
func (e *Expect) at(in []byte, r *Reply) verdict {
	if e.Mode == TCP {
		return e.atTCP(in, r)
	}
	return e.atRTU(in, r)
}

// atRTU is whether the reply's frame stands at the front of in.
func (e *Expect) atRTU(in []byte, r *Reply) verdict {
	if in[0] != e.Unit {
		return no
	}
	if len(in) == 1 {
		return maybe
	}
	size, v := e.pdu(in[1:])
	switch {
	case v == no:
		return no
	case size == 0:
		if size, v = anySize(in); v != yes {
			return v
		}
	case v == maybe || len(in) < size+3:
		return maybe
	case CRC(in[:size+1]) != binary.LittleEndian.Uint16(in[size+1:]):
		return no
	}
	e.take(r, in[1:1+size], size+3)
	return yes
}

// take makes r the reply of that PDU.
func (e *Expect) take(r *Reply, pdu []byte, size int) {
	r.PDU, r.Size = pdu[:len(pdu):len(pdu)], size
	if pdu[0] > exceptionFlag {
		r.Exception = Exception(pdu[1])
	}
}

// pdu is whether in may begin with the response's PDU, and how many bytes that
// has: 0 if nothing tells. With maybe the size is not known yet.
func (e *Expect) pdu(in []byte) (size int, v verdict) {
	if in[0] == byte(e.Function)|exceptionFlag {
		if len(in) > 1 && in[1] == 0 {
			return 0, no
		}
		return 2, yes
	}
	head := e.head[:e.headed]
	if !bytes.Equal(in[:min(len(in), len(head))], head[:min(len(in), len(head))]) {
		return 0, no
	}
	if e.Size > 0 {
		return e.Size, yes
	}
	size, ok := responseSize(in)
	switch {
	case !ok:
		return 0, no
	case size > len(in):
		return size, maybe
	}
	return size, yes
}

// anySize finds the end of an RTU frame whose function does not tell its size:
// where its CRC is right for the first time.
func anySize(in []byte) (size int, v verdict) {
	crc := uint16(0xffff)
	for i, b := range in[:min(len(in), MaxRTU)] {
		crc = crc>>8 ^ crcTable[byte(crc)^b]
		if crc == 0 && i >= 3 { // a frame with its CRC has the CRC 0
			return i - 2, yes
		}
	}
	if len(in) < MaxRTU {
		return 0, maybe
	}
	return 0, no
}

// atTCP is whether the reply's frame stands at the front of in.
func (e *Expect) atTCP(in []byte, r *Reply) verdict {
	var want [4]byte // the protocol is 0
	binary.BigEndian.PutUint16(want[:], e.Transaction)
	n := min(len(in), len(want))
	if !bytes.Equal(in[:n], want[:n]) {
		return no
	}
	if len(in) <= mbapHeader {
		return maybe
	}
	length, ok := mbapLength(in)
	if !ok || !e.fromUnit(in[6]) {
		return no
	}
	size, v := e.pdu(in[mbapHeader:])
	switch {
	case v == no, v == yes && size != 0 && size != length-1:
		return no
	case len(in) < 6+length:
		return maybe
	case v == maybe:
		return no
	}
	e.take(r, in[mbapHeader:6+length], 6+length)
	return yes
}

// mbapLength is the length field of an MBAP header, and whether the header can
// be one.
func mbapLength(in []byte) (length int, ok bool) {
	length = int(binary.BigEndian.Uint16(in[4:]))
	return length, in[2] == 0 && in[3] == 0 && length >= minMBAP && length <= maxMBAP
}

func (e *Expect) fromUnit(unit uint8) bool {
	return unit == e.Unit || e.Mode == TCP && (e.Unit == 0 || e.Unit == 0xff)
}

// matchTCP goes from frame to frame.
func (e *Expect) matchTCP(in []byte) (Reply, error) {
	var r Reply
	for {
		rest := in[r.Skipped:]
		if err := checkMBAP(rest); err != nil {
			return r, err
		}
		if len(rest) <= mbapHeader {
			return r, codec.ErrIncomplete
		}
		length, _ := mbapLength(rest)
		if len(rest) < 6+length {
			return r, codec.ErrIncomplete
		}
		if e.atTCP(rest, &r) == yes {
			return r, nil
		}
		r.Skipped += 6 + length
	}
}

// checkMBAP is a *codec.FatalError when in cannot begin with a frame of Modbus
// TCP.
func checkMBAP(in []byte) error {
	if len(in) >= 4 && (in[2] != 0 || in[3] != 0) {
		return &codec.FatalError{Err: &codec.FrameError{Offset: 2, Reason: fmt.Sprintf("protocol 0x%02x%02x, want 0: is this line in RTU mode?", in[2], in[3])}}
	}
	if len(in) >= 6 {
		if length, ok := mbapLength(in); !ok {
			return &codec.FatalError{Err: &codec.FrameError{Offset: 4, Reason: fmt.Sprintf("length %d, want %d to %d", length, minMBAP, maxMBAP)}}
		}
	}
	return nil
}

// matchASCII goes from colon to colon.
func (e *Expect) matchASCII(in []byte) (Reply, error) {
	var r Reply
	for {
		i := bytes.IndexByte(in[r.Skipped:], ':')
		if i < 0 {
			r.Skipped = len(in)
			return r, codec.ErrIncomplete
		}
		r.Skipped += i
		if e.text == nil {
			e.text = make([]byte, 0, MaxPDU+2)
		}
		text, n, v := asciiFrame(e.text[:0], in[r.Skipped:])
		switch {
		case v == maybe:
			return r, codec.ErrIncomplete
		case v == yes && e.fits(text):
			e.take(&r, text[1:len(text)-1], n)
			return r, nil
		}
		r.Skipped++
	}
}

// fits is whether a decoded frame in ASCII, with its unit and LRC, is the reply.
func (e *Expect) fits(text []byte) bool {
	pdu := text[1 : len(text)-1]
	size, v := e.pdu(pdu)
	return text[0] == e.Unit && v == yes && (size == 0 || size == len(pdu))
}

// asciiFrame appends to dst the bytes, unit to LRC, of the ASCII frame at the
// front of in, which begins with a colon; n is how many bytes it has there. With
// no, n is where it went wrong.
func asciiFrame(dst, in []byte) (text []byte, n int, v verdict) {
	for i := 1; i < len(in) && i < MaxASCII; i += 2 {
		if in[i] == '\r' {
			switch {
			case len(in) == i+1:
				return dst, i, maybe
			case in[i+1] != '\n' || len(dst) < 3 || LRC(dst) != 0:
				return dst, i, no
			}
			return dst, i + 2, yes
		}
		hi, ok := fromHex(in[i])
		if !ok {
			return dst, i, no
		}
		if len(in) == i+1 {
			return dst, i, maybe
		}
		lo, ok := fromHex(in[i+1])
		if !ok {
			return dst, i + 1, no
		}
		dst = append(dst, hi<<4|lo)
	}
	if len(in) < MaxASCII {
		return dst, len(in), maybe
	}
	return dst, MaxASCII, no
}

func fromHex(c byte) (nibble byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
