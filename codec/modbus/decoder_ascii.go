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
	skipped, n, v := 0, 0, no
	for v == no {
		i := bytes.IndexByte(in[skipped:], ':')
		if i < 0 {
			skipped, v = len(in), maybe
			break
		}
		skipped += i
		if d.text, n, v = asciiFrame(d.text[:0], in[skipped:]); v == no {
			skipped += max(1, n)
		}
	}
	if err := d.drop(skipped, "no ASCII frame with a right LRC begins here"); err != nil {
		return nil, skipped, err
	}
	if v == maybe {
		return nil, skipped, codec.ErrIncomplete
	}
	n += skipped
	unit, pdu := d.text[0], d.text[1:len(d.text)-1]
	request, response := d.couldBe(pdu)
	switch {
	case request && response:
		response = d.isResponse(unit, pdu)
	case !request && !response:
		return nil, n, misfit(pdu)
	}
	return d.take(response, 0, unit, pdu), n, nil
}
