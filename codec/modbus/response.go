package modbus

import (
	"encoding/binary"
	"iter"
)

// Response is what a slave answers: the fields that its function has, the
// others zero.
type Response struct {
	Function  Function  // of the request that is answered
	Exception Exception // why the slave refused; 0 in a normal response
	Address   uint16    // functions 5, 6, 15, 16 and 22
	Quantity  uint16    // functions 15 and 16: of bits or registers that were written
	Value     uint16    // functions 5 and 6
	AndMask   uint16    // function 22
	OrMask    uint16    // function 22
	MEI       uint8     // function 43: its type; 14 is [ReadDeviceIdentification]
	// ReadCode, Conformity, More, NextObject and Count are of function 43/14. With
	// More there are further objects, to be asked for from NextObject on. Count is
	// of the objects in this response.
	ReadCode, Conformity uint8
	More                 bool
	NextObject, Count    uint8
	// Data is what was read: of functions 1 and 2 bits, the first in the lowest bit
	// of the first byte, the last byte filled up with zeros; of 3, 4 and 23
	// registers, high byte first; of 43/14 the objects, see [Response.Objects]. Of
	// functions without fields here it is all that follows the function code, of
	// function 43 with another MEI type all that follows that.
	Data []byte
}

// ParseResponse reads the PDU of a response; its Data aliases pdu. Whether it
// answers a certain request is for [Expect] to say. What cannot be a response
// is a *codec.FrameError whose Offset counts from the function code.
func ParseResponse(pdu []byte) (Response, error) {
	if len(pdu) == 0 {
		return Response{}, short(0, 1)
	}
	want, ok := responseSize(pdu)
	switch {
	case want > len(pdu):
		return Response{}, short(len(pdu), want)
	case !ok && len(pdu) > 1:
		return Response{}, bad(1, "byte count or length %d of a response to %s", pdu[1], Function(pdu[0]))
	case !ok:
		return Response{}, bad(0, "function code 0x%02x of a response", pdu[0])
	case !fits(pdu, want):
		return Response{}, bad(want, "%d bytes too many", len(pdu)-want)
	case len(pdu) > MaxPDU:
		return Response{}, bad(MaxPDU, "%d bytes, %d is the most", len(pdu), MaxPDU)
	}
	r := Response{Function: Function(pdu[0])}
	if pdu[0] > exceptionFlag {
		r.Function, r.Exception = Function(pdu[0]-exceptionFlag), Exception(pdu[1])
		if r.Exception == 0 {
			return Response{}, bad(1, "exception 0")
		}
		return r, nil
	}
	r.fill(pdu)
	return r, nil
}

// fill sets the fields that r's function has; pdu is long enough.
func (r *Response) fill(pdu []byte) {
	word := func(at int) uint16 { return binary.BigEndian.Uint16(pdu[at:]) }
	switch r.Function {
	case ReadCoils, ReadDiscreteInputs, ReadHoldingRegisters, ReadInputRegisters, ReadWriteMultipleRegisters:
		r.Data = pdu[2:]
	case WriteSingleCoil, WriteSingleRegister:
		r.Address, r.Value = word(1), word(3)
	case WriteMultipleCoils, WriteMultipleRegisters:
		r.Address, r.Quantity = word(1), word(3)
	case MaskWriteRegister:
		r.Address, r.AndMask, r.OrMask = word(1), word(3), word(5)
	case EncapsulatedInterface:
		r.MEI = pdu[1]
		if r.MEI != ReadDeviceIdentification {
			r.Data = pdu[2:]
			return
		}
		r.ReadCode, r.Conformity, r.More, r.NextObject, r.Count = pdu[2], pdu[3], pdu[4] != 0, pdu[5], pdu[6]
		r.Data = pdu[identificationHeader:]
	default:
		r.Data = pdu[1:]
	}
}

// Append returns dst with r's PDU behind it, for those who play a slave. An
// error wraps [ErrLimit].
func (r Response) Append(dst []byte) ([]byte, error) {
	from := len(dst)
	if !r.Function.valid() {
		return dst, limit(r.Function, "function code 0x%02x, want 1 to 127", uint8(r.Function))
	}
	if r.Exception != 0 {
		return append(dst, byte(r.Function)|exceptionFlag, byte(r.Exception)), nil
	}
	be := binary.BigEndian
	dst = append(dst, byte(r.Function))
	switch r.Function {
	case ReadCoils, ReadDiscreteInputs, ReadHoldingRegisters, ReadInputRegisters, ReadWriteMultipleRegisters:
		dst = append(append(dst, byte(min(len(r.Data), 0xff))), r.Data...)
	case WriteSingleCoil, WriteSingleRegister:
		dst = be.AppendUint16(be.AppendUint16(dst, r.Address), r.Value)
	case WriteMultipleCoils, WriteMultipleRegisters:
		dst = be.AppendUint16(be.AppendUint16(dst, r.Address), r.Quantity)
	case MaskWriteRegister:
		dst = be.AppendUint16(be.AppendUint16(be.AppendUint16(dst, r.Address), r.AndMask), r.OrMask)
	case EncapsulatedInterface:
		dst = append(dst, r.MEI)
		if r.MEI == ReadDeviceIdentification {
			more := byte(0)
			if r.More {
				more = 0xff
			}
			dst = append(dst, r.ReadCode, r.Conformity, more, r.NextObject, r.Count)
		}
		dst = append(dst, r.Data...)
	default:
		dst = append(dst, r.Data...)
	}
	if _, err := ParseResponse(dst[from:]); err != nil {
		return dst[:from], limit(r.Function, "response: %v", err)
	}
	return dst, nil
}

// Err is r's exception as an *[ExceptionError] of unit; nil if there is none.
func (r *Response) Err(unit uint8) error {
	if r.Exception == 0 {
		return nil
	}
	return &ExceptionError{Unit: unit, Function: r.Function, Exception: r.Exception}
}

// Objects yields the id and the text of each object of a response of function
// 43/14. The texts alias the response.
func (r *Response) Objects() iter.Seq2[uint8, []byte] {
	return func(yield func(uint8, []byte) bool) {
		for rest := r.Data; len(rest) >= 2 && len(rest) >= 2+int(rest[1]); {
			size := 2 + int(rest[1])
			if !yield(rest[0], rest[2:size:size]) {
				return
			}
			rest = rest[size:]
		}
	}
}

// Bit is bit i, from 0, of the Data of responses and requests that hold bits. It
// panics when there is no such bit.
func Bit(data []byte, i int) bool { return data[i/8]>>(i%8)&1 != 0 }

// Register is register i, from 0, of Data that holds registers. It panics when
// there is no such register.
func Register(data []byte, i int) uint16 { return binary.BigEndian.Uint16(data[2*i:]) }

// AppendBits returns dst with bits behind it, packed as Data holds them.
func AppendBits(dst []byte, bits ...bool) []byte {
	for i, on := range bits {
		if i%8 == 0 {
			dst = append(dst, 0)
		}
		if on {
			dst[len(dst)-1] |= 1 << (i % 8)
		}
	}
	return dst
}

// AppendRegisters returns dst with registers behind it, high bytes first, as
// Data holds them.
func AppendRegisters(dst []byte, registers ...uint16) []byte {
	for _, r := range registers {
		dst = binary.BigEndian.AppendUint16(dst, r)
	}
	return dst
}
