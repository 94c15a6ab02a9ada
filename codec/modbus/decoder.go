package modbus

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/linkspan/linkspan/codec"
)

// Options of [NewDecoder].
type Options struct {
	Mode Mode
	// Requests and Responses are what the stream holds; both when neither is set.
	Requests, Responses bool
	// AnyFunction is of [RTU]: also take frames of functions whose size no rule
	// tells, such as makers' own, to end where their CRC is right for the first
	// time. In noise that finds a frame now and then where none is.
	AnyFunction bool
	// Answers says that the reader of the stream answers the writes in it: what may
	// be a write or the answer to one is a write.
	Answers bool
}

// NewDecoder returns a decoder of all the frames in a stream, whoever sent them:
// for listening on a line, for gateways that push frames on their own, and for
// who plays a slave. A master uses [Expect], which is surer, for it knows what it
// has asked.
//
// In RTU and ASCII a frame may begin at any byte; what is before one is reported
// once, as a *codec.FrameError whose bytes may be a modem's heartbeat. In TCP
// what is no frame is a *codec.FatalError. PDUs of frames are checked no further
// than their size and checksum: see [ParseRequest] and [ParseResponse].
//
// In RTU the front of a frame, or noise that looks like it, hides what follows
// until as many bytes have come as it says. Who sees the line pause drops the
// first byte that is kept and decodes the rest again, until nothing is kept.
//
// Where a request and a response look the same, as in functions 5 and 6, a
// request that has not been answered yet makes the next such frame, if it has the
// same data, its response.
//
// A frame is valid until the next Decode. A decoder may be used by one goroutine
// at a time; it panics for a Mode that there is not.
func NewDecoder(o Options) codec.Decoder[*Frame] {
	if !o.Requests && !o.Responses {
		o.Requests, o.Responses = true, true
	}
	d := &decoder{options: o}
	d.frame.Mode = o.Mode
	switch o.Mode {
	case RTU:
		return &rtuDecoder{decoder: d}
	case TCP:
		return &tcpDecoder{decoder: d}
	case ASCII:
		return &asciiDecoder{decoder: d}
	}
	panic(fmt.Sprintf("modbus: %s", o.Mode))
}

// decoder is what decoders of all modes have in common.
type decoder struct {
	options Options
	frame   Frame  // what Decode returns
	pdu     []byte // its PDU
	dropped bool   // the bytes before belong to no frame, which has been reported
	// asked is the last request while no response to it has come: unit, function,
	// and the first bytes of its data.
	asked struct {
		open     bool
		unit     uint8
		function Function
		data     [4]byte
	}
}

// drop reports n bytes that are no frame, unless there are none or they belong to
// a stretch that has been reported.
func (d *decoder) drop(n int, reason string) error {
	if n == 0 || d.dropped {
		return nil
	}
	d.dropped = true
	return &codec.FrameError{Reason: reason}
}

// take makes d.frame of a frame.
func (d *decoder) take(response bool, transaction uint16, unit uint8, pdu []byte) *Frame {
	d.dropped = false
	d.pdu = append(d.pdu[:0], pdu...)
	d.frame.Response, d.frame.Transaction, d.frame.Unit, d.frame.PDU = response, transaction, unit, d.pdu
	if response {
		d.asked.open = false
		return &d.frame
	}
	d.asked.open, d.asked.unit, d.asked.function = true, unit, Function(pdu[0])
	d.asked.data = [4]byte{}
	copy(d.asked.data[:], pdu[1:])
	return &d.frame
}

// couldBe says which of the two a whole PDU may be, by its size.
func (d *decoder) couldBe(pdu []byte) (request, response bool) {
	if d.options.Requests {
		size, ok := requestSize(pdu)
		request = ok && fits(pdu, size)
	}
	if d.options.Responses {
		size, ok := responseSize(pdu)
		response = ok && fits(pdu, size)
	}
	return request, response
}

// isResponse decides what a PDU that could be both is.
func (d *decoder) isResponse(unit uint8, pdu []byte) bool {
	f := Function(pdu[0])
	if !d.asked.open || d.asked.unit != unit || d.asked.function != f || d.options.Answers && f.Writes() {
		return false
	}
	switch f {
	case ReadCoils, ReadDiscreteInputs:
		return int(pdu[1]) == (int(binary.BigEndian.Uint16(d.asked.data[2:]))+7)/8
	case WriteSingleCoil, WriteSingleRegister, MaskWriteRegister:
		return bytes.Equal(pdu[1:5], d.asked.data[:])
	default:
		return true
	}
}

// misfit is the error of a sound frame whose PDU has no size that its function
// can have.
func misfit(pdu []byte) error {
	return bad(0, "%d bytes of %s are neither a request nor a response", len(pdu), Function(pdu[0]&^exceptionFlag))
}
