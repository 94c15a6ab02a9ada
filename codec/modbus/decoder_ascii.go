package modbus

import (
	"bytes"

	"github.com/linkspan/linkspan/codec"
)

// asciiDecoder goes from colon to colon.
type asciiDecoder struct {
	*decoder
	text []byte // the frame, decoded
}

// Decode implements codec.Decoder.
func (d *asciiDecoder) Decode(in []byte) (*Frame, int, error) {
	i := bytes.IndexByte(in, ':')
	if i < 0 {
		return d.drop(len(in), "no colon, with which frames begin")
	}
	if i > 0 {
		return d.drop(i, "no colon, with which frames begin")
	}
	text, n, v := asciiFrame(d.text[:0], in)
	d.text = text
	switch v {
	case maybe:
		return nil, 0, codec.ErrIncomplete
	case no:
		return d.drop(max(1, n), "no frame in hex with a right LRC")
	}
	unit, pdu := text[0], text[1:len(text)-1]
	request, response := d.couldBe(pdu)
	switch {
	case request && response:
		response = d.isResponse(unit, pdu)
	case !request && !response:
		return nil, n, bad(1, "%d bytes of %s are neither a request nor a response", len(pdu), Function(pdu[0]&^exceptionFlag))
	}
	return d.take(response, 0, unit, pdu), n, nil
}
