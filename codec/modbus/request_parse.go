package modbus

import (
	"encoding/binary"
	"fmt"

	"github.com/linkspan/linkspan/codec"
)

// ParseRequest reads the PDU of a request; its Data aliases pdu. What the
// standard does not allow, too short, too long, or of a wrong quantity, is a
// *codec.FrameError whose Offset counts from the function code.
func ParseRequest(pdu []byte) (Request, error) {
	if len(pdu) == 0 {
		return Request{}, short(0, 1)
	}
	want, ok := requestSize(pdu)
	switch {
	case !ok:
		return Request{}, bad(0, "function code 0x%02x of a request", pdu[0])
	case want > len(pdu):
		return Request{}, short(len(pdu), want)
	case !fits(pdu, want):
		return Request{}, bad(want, "%d bytes too many", len(pdu)-want)
	case len(pdu) > MaxPDU:
		return Request{}, bad(MaxPDU, "%d bytes, %d is the most", len(pdu), MaxPDU)
	}
	r := Request{Function: Function(pdu[0])}
	r.fill(pdu)
	if err := r.check(); err != nil {
		return Request{}, bad(1, "%w", err)
	}
	return r, nil
}

// fill sets the fields that r's function has; pdu is long enough.
func (r *Request) fill(pdu []byte) {
	word := func(at int) uint16 { return binary.BigEndian.Uint16(pdu[at:]) }
	switch r.Function {
	case ReadCoils, ReadDiscreteInputs, ReadHoldingRegisters, ReadInputRegisters:
		r.Address, r.Quantity = word(1), word(3)
	case WriteSingleCoil, WriteSingleRegister:
		r.Address, r.Value = word(1), word(3)
	case WriteMultipleCoils, WriteMultipleRegisters:
		r.Address, r.Quantity, r.Data = word(1), word(3), pdu[6:]
	case MaskWriteRegister:
		r.Address, r.AndMask, r.OrMask = word(1), word(3), word(5)
	case ReadWriteMultipleRegisters:
		r.Address, r.Quantity, r.WriteAddress, r.WriteQuantity, r.Data = word(1), word(3), word(5), word(7), pdu[10:]
	case EncapsulatedInterface:
		r.MEI = pdu[1]
		if r.MEI == ReadDeviceIdentification {
			r.ReadCode, r.Object = pdu[2], pdu[3]
			return
		}
		r.Data = pdu[2:]
	default:
		r.Data = pdu[1:]
	}
}

// bad is an error about a PDU.
func bad(offset int, format string, args ...any) error {
	return &codec.FrameError{Offset: offset, Reason: fmt.Errorf(format, args...).Error()}
}

func short(have, want int) error {
	return bad(have, "the PDU ends after %d bytes, want %d", have, want)
}
