package modbus

import (
	"encoding/binary"

	"github.com/linkspan/linkspan/codec"
)

// tcpDecoder goes from frame to frame by their length.
type tcpDecoder struct{ *decoder }

// Decode implements codec.Decoder.
func (d *tcpDecoder) Decode(in []byte) (*Frame, int, error) {
	if err := checkMBAP(in); err != nil {
		return nil, len(in), err
	}
	if len(in) <= mbapHeader {
		return nil, 0, codec.ErrIncomplete
	}
	length, _ := mbapLength(in)
	size := 6 + length
	if len(in) < size {
		return nil, 0, codec.ErrIncomplete
	}
	unit, pdu := in[6], in[mbapHeader:size]
	request, response := d.couldBe(pdu)
	switch {
	case request && response:
		response = d.isResponse(unit, pdu)
	case !request && !response:
		return nil, size, misfit(pdu)
	}
	return d.take(response, binary.BigEndian.Uint16(in), unit, pdu), size, nil
}
