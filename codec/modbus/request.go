package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxPDU is how long a PDU, a function code and its data, may be in bytes
// (MODBUS Application Protocol V1.1b3, section 4.1).
const MaxPDU = 253

// ErrLimit is wrapped by errors about requests that the standard does not
// allow: a quantity of 0 or too large, data that does not fit its quantity, an
// address past 65535. Whoever made the request has to mend it.
var ErrLimit = errors.New("modbus: not allowed")

// Request is what a master asks of a slave: the fields that its function has,
// the others zero. Addresses are those of the wire, from 0.
type Request struct {
	Function Function
	Address  uint16 // the first bit or register; of function 23 the first to read
	Quantity uint16 // functions 1-4, 15 and 16: of bits or registers; 23: of registers to read
	Value    uint16 // function 6: the register's; function 5: FF00 for on, 0000 for off
	AndMask  uint16 // function 22
	OrMask   uint16 // function 22
	// WriteAddress and WriteQuantity are what function 23 writes.
	WriteAddress, WriteQuantity uint16
	MEI                         uint8 // function 43: its type; 14 is [ReadDeviceIdentification]
	ReadCode                    uint8 // function 43/14: 1 basic, 2 regular, 3 extended, 4 one object
	Object                      uint8 // function 43/14: the first object
	// Data is what is written: of function 15 bits, the first in the lowest bit of
	// the first byte; of 16 and 23 registers, high byte first. Of functions that
	// have no fields here it is all that follows the function code, of function 43
	// with another MEI type all that follows that.
	Data []byte
}

// CoilValue is the Value of a request that writes a coil.
func CoilValue(on bool) uint16 {
	if on {
		return 0xff00
	}
	return 0
}

// Append returns dst with r's PDU behind it. An error wraps [ErrLimit].
func (r Request) Append(dst []byte) ([]byte, error) {
	if err := r.check(); err != nil {
		return dst, err
	}
	from := len(dst)
	dst = append(dst, byte(r.Function))
	be := binary.BigEndian
	switch r.Function {
	case ReadCoils, ReadDiscreteInputs, ReadHoldingRegisters, ReadInputRegisters:
		dst = be.AppendUint16(be.AppendUint16(dst, r.Address), r.Quantity)
	case WriteSingleCoil, WriteSingleRegister:
		dst = be.AppendUint16(be.AppendUint16(dst, r.Address), r.Value)
	case WriteMultipleCoils, WriteMultipleRegisters:
		dst = be.AppendUint16(be.AppendUint16(dst, r.Address), r.Quantity)
		dst = append(append(dst, byte(len(r.Data))), r.Data...)
	case MaskWriteRegister:
		dst = be.AppendUint16(be.AppendUint16(be.AppendUint16(dst, r.Address), r.AndMask), r.OrMask)
	case ReadWriteMultipleRegisters:
		dst = be.AppendUint16(be.AppendUint16(dst, r.Address), r.Quantity)
		dst = be.AppendUint16(be.AppendUint16(dst, r.WriteAddress), r.WriteQuantity)
		dst = append(append(dst, byte(len(r.Data))), r.Data...)
	case EncapsulatedInterface:
		dst = append(dst, r.MEI)
		if r.MEI == ReadDeviceIdentification {
			return append(dst, r.ReadCode, r.Object), nil
		}
		dst = append(dst, r.Data...)
	default:
		dst = append(dst, r.Data...)
		if size, ok := requestSize(dst[from:]); !ok || !fits(dst[from:], size) {
			return dst[:from], r.limit("data %x, want %d bytes", r.Data, size-1)
		}
	}
	return dst, nil
}

// check is whether the standard allows r.
func (r *Request) check() error {
	switch r.Function {
	case ReadCoils, ReadDiscreteInputs:
		return r.checkRead(MaxReadBits)
	case ReadHoldingRegisters, ReadInputRegisters:
		return r.checkRead(MaxReadRegisters)
	case WriteSingleCoil:
		if r.Value != 0 && r.Value != 0xff00 {
			return r.limit("value 0x%04x, want 0xff00 or 0", r.Value)
		}
	case WriteMultipleCoils:
		return r.checkWrite(r.Address, r.Quantity, MaxWriteBits, (int(r.Quantity)+7)/8)
	case WriteMultipleRegisters:
		return r.checkWrite(r.Address, r.Quantity, MaxWriteRegisters, 2*int(r.Quantity))
	case ReadWriteMultipleRegisters:
		if err := r.checkRead(MaxReadRegisters); err != nil {
			return err
		}
		return r.checkWrite(r.WriteAddress, r.WriteQuantity, MaxReadWriteRegisters, 2*int(r.WriteQuantity))
	case EncapsulatedInterface:
		if r.MEI == ReadDeviceIdentification && (r.ReadCode < 1 || r.ReadCode > 4) {
			return r.limit("read code %d, want 1 to 4", r.ReadCode)
		}
		if len(r.Data) > MaxPDU-2 {
			return r.limit("%d bytes of data, want %d at most", len(r.Data), MaxPDU-2)
		}
	default:
		if !r.Function.valid() {
			return r.limit("function code 0x%02x, want 1 to 127", uint8(r.Function))
		}
		if len(r.Data) > MaxPDU-1 {
			return r.limit("%d bytes of data, want %d at most", len(r.Data), MaxPDU-1)
		}
	}
	return nil
}

func (r *Request) checkRead(most uint16) error {
	if r.Quantity < 1 || r.Quantity > most {
		return r.limit("quantity %d, want 1 to %d", r.Quantity, most)
	}
	return r.checkEnd(r.Address, r.Quantity)
}

func (r *Request) checkWrite(address, quantity, most uint16, size int) error {
	if quantity < 1 || quantity > most {
		return r.limit("quantity %d, want 1 to %d", quantity, most)
	}
	if len(r.Data) != size {
		return r.limit("%d bytes of data, quantity %d needs %d", len(r.Data), quantity, size)
	}
	return r.checkEnd(address, quantity)
}

func (r *Request) checkEnd(address, quantity uint16) error {
	if int(address)+int(quantity) > 1<<16 {
		return r.limit("address %d and quantity %d go past 65535", address, quantity)
	}
	return nil
}

func (r *Request) limit(format string, args ...any) error { return limit(r.Function, format, args...) }

func limit(f Function, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrLimit, f, fmt.Sprintf(format, args...))
}

// Masked is what function 22 makes of a register that is current: the bits of
// AndMask are kept, the others become those of OrMask.
func (r *Request) Masked(current uint16) uint16 {
	return current&r.AndMask | r.OrMask&^r.AndMask
}
