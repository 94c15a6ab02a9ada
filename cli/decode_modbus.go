package cli

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/modbus"
)

// newModbusDecoder decodes streams of which nobody says in which mode they are:
// the one in which they are frames throughout is it, else the one with most
// frames. A CRC proves more than the header of Modbus TCP, so RTU goes first.
func newModbusDecoder() streamDecoder {
	return func(stream []byte) []decoded {
		var best []decoded
		most := -1
		for _, mode := range []modbus.Mode{modbus.RTU, modbus.ASCII, modbus.TCP} {
			all, good, clean := decodeModbus(mode, stream)
			if clean && good > 0 {
				return all
			}
			if good > most {
				best, most = all, good
			}
		}
		if most > 0 {
			return best
		}
		return []decoded{failed(noModbusFrame(stream), stream)}
	}
}

// decodeModbus is the frames of a stream in one mode, how many they are, and
// whether there is nothing else in it.
func decodeModbus(mode modbus.Mode, stream []byte) (all []decoded, good int, clean bool) {
	frames := modbus.NewDecoder(modbus.Options{Mode: mode, AnyFunction: true})
	noise := 0 // bytes in front of rest that are no frame
	rest := stream
	flush := func(reason error) {
		if noise > 0 {
			at := len(stream) - len(rest)
			all = append(all, failed(reason, stream[at-noise:at]))
			noise = 0
		}
	}
	clean = true
	for len(rest) > 0 {
		frame, n, err := frames.Decode(rest)
		var fatal *codec.FatalError
		switch {
		case err == nil:
			size := modbusSize(frame)
			noise += n - size
			rest = rest[n-size:]
			flush(errNoise)
			rest = rest[size:]
			all = append(all, showModbus(frame))
			good++
			continue
		case errors.As(err, &fatal):
			all = append(all, failed(err, rest))
			return all, good, false
		case err == codec.ErrIncomplete && n == 0:
			n = 1 // what comes behind may be whole
		}
		clean = false
		noise += n
		rest = rest[n:]
	}
	flush(errNoise)
	return all, good, clean
}

// errNoise is bytes between frames.
var errNoise = errors.New("no frame, or not all of one")

// modbusSize is how many bytes a frame has on the wire.
func modbusSize(f *modbus.Frame) int {
	switch f.Mode {
	case modbus.TCP:
		return len(f.PDU) + 7
	case modbus.ASCII:
		return 2*len(f.PDU) + 7
	default:
		return len(f.PDU) + 3
	}
}

// noModbusFrame says why a stream may be no frame.
func noModbusFrame(stream []byte) error {
	last := len(stream) - 2
	if last < 2 || len(stream) > modbus.MaxRTU {
		return errors.New("no frame in any mode")
	}
	have, want := binary.LittleEndian.Uint16(stream[last:]), modbus.CRC(stream[:last])
	switch have {
	case want:
		return errors.New("no frame: the CRC is right, but no function has a frame of this size")
	case want<<8 | want>>8:
		return fmt.Errorf("no frame: the CRC has its bytes swapped; low byte first it is %02x %02x", byte(want), want>>8)
	}
	return fmt.Errorf("no frame: as RTU its CRC would be %02x %02x", byte(want), want>>8)
}

// modbusBody is what a frame's PDU says; of each function some.
type modbusBody struct {
	Address       string   `json:"address,omitempty"` // from 0, and as documents have it
	Quantity      *uint16  `json:"quantity,omitempty"`
	Value         *uint16  `json:"value,omitempty"`
	AndMask       string   `json:"and_mask,omitempty"`
	OrMask        string   `json:"or_mask,omitempty"`
	WriteAddress  string   `json:"write_address,omitempty"`
	WriteQuantity *uint16  `json:"write_quantity,omitempty"`
	Registers     []uint16 `json:"registers,omitempty"`
	Bits          string   `json:"bits,omitempty"` // the first one first
	MEI           *uint8   `json:"mei,omitempty"`
	ReadCode      *uint8   `json:"read_code,omitempty"`
	Object        *uint8   `json:"object,omitempty"`
	Conformity    string   `json:"conformity,omitempty"`
	More          *bool    `json:"more,omitempty"`
	Texts         []string `json:"texts,omitempty"`
	Exception     *uint8   `json:"exception,omitempty"`
	ExceptionName string   `json:"exception_name,omitempty"`
	Data          string   `json:"data,omitempty"` // that has no fields of its own
}

// showModbus is one frame's envelope.
func showModbus(f *modbus.Frame) decoded {
	unit := int(f.Unit)
	d := decoded{
		OK: true, Protocol: "modbus", Version: f.Mode.String(), Unit: &unit, Kind: "request",
		ID: fmt.Sprintf("0x%02x", uint8(f.Function())), Name: f.Function().String(),
	}
	if f.Mode == modbus.TCP {
		number := int(f.Transaction)
		d.Number = &number
	}
	if !f.Response {
		r, err := modbus.ParseRequest(f.PDU)
		if err != nil {
			return failed(err, f.PDU)
		}
		d.Body = requestBody(r)
		return d
	}
	d.Kind = "response"
	r, err := modbus.ParseResponse(f.PDU)
	switch {
	case err != nil:
		return failed(err, f.PDU)
	case r.Exception != 0:
		code := uint8(r.Exception)
		d.Kind, d.Body = "exception", modbusBody{Exception: &code, ExceptionName: r.Exception.String()}
	default:
		d.Body = responseBody(r)
	}
	return d
}

func requestBody(r modbus.Request) (b modbusBody) {
	switch r.Function {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs, modbus.ReadHoldingRegisters, modbus.ReadInputRegisters:
		b.Address, b.Quantity = showAddress(r.Function, r.Address), &r.Quantity
	case modbus.WriteSingleCoil, modbus.WriteSingleRegister:
		b.Address, b.Value = showAddress(r.Function, r.Address), &r.Value
	case modbus.WriteMultipleCoils:
		b.Address, b.Quantity, b.Bits = showAddress(r.Function, r.Address), &r.Quantity, showBits(r.Data, int(r.Quantity))
	case modbus.WriteMultipleRegisters:
		b.Address, b.Quantity, b.Registers = showAddress(r.Function, r.Address), &r.Quantity, registersOf(r.Data)
	case modbus.MaskWriteRegister:
		b.Address, b.AndMask, b.OrMask = showAddress(r.Function, r.Address), fmt.Sprintf("0x%04x", r.AndMask), fmt.Sprintf("0x%04x", r.OrMask)
	case modbus.ReadWriteMultipleRegisters:
		b.Address, b.Quantity = showAddress(r.Function, r.Address), &r.Quantity
		b.WriteAddress, b.WriteQuantity, b.Registers = showAddress(r.Function, r.WriteAddress), &r.WriteQuantity, registersOf(r.Data)
	case modbus.EncapsulatedInterface:
		b.MEI = &r.MEI
		if r.MEI == modbus.ReadDeviceIdentification {
			b.ReadCode, b.Object = &r.ReadCode, &r.Object
		}
		b.Data = hex.EncodeToString(r.Data)
	default:
		b.Data = hex.EncodeToString(r.Data)
	}
	return b
}

func responseBody(r modbus.Response) (b modbusBody) {
	switch r.Function {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs:
		b.Bits = showBits(r.Data, 8*len(r.Data))
	case modbus.ReadHoldingRegisters, modbus.ReadInputRegisters, modbus.ReadWriteMultipleRegisters:
		b.Registers = registersOf(r.Data)
	case modbus.WriteSingleCoil, modbus.WriteSingleRegister:
		b.Address, b.Value = showAddress(r.Function, r.Address), &r.Value
	case modbus.WriteMultipleCoils, modbus.WriteMultipleRegisters:
		b.Address, b.Quantity = showAddress(r.Function, r.Address), &r.Quantity
	case modbus.MaskWriteRegister:
		b.Address, b.AndMask, b.OrMask = showAddress(r.Function, r.Address), fmt.Sprintf("0x%04x", r.AndMask), fmt.Sprintf("0x%04x", r.OrMask)
	case modbus.EncapsulatedInterface:
		b.MEI = &r.MEI
		if r.MEI != modbus.ReadDeviceIdentification {
			b.Data = hex.EncodeToString(r.Data)
			return b
		}
		b.ReadCode, b.Conformity, b.More = &r.ReadCode, fmt.Sprintf("0x%02x", r.Conformity), &r.More
		for id, text := range r.Objects() {
			b.Texts = append(b.Texts, fmt.Sprintf("%d: %s", id, text))
		}
	default:
		b.Data = hex.EncodeToString(r.Data)
	}
	return b
}

// showAddress is an address from 0, and as documents have it.
func showAddress(f modbus.Function, offset uint16) string {
	a := modbus.Address{Area: modbus.HoldingRegisters, Offset: offset}
	switch f {
	case modbus.ReadCoils, modbus.WriteSingleCoil, modbus.WriteMultipleCoils:
		a.Area = modbus.Coils
	case modbus.ReadDiscreteInputs:
		a.Area = modbus.DiscreteInputs
	case modbus.ReadInputRegisters:
		a.Area = modbus.InputRegisters
	default: // of the others, those that have an address have one of a holding register
	}
	return fmt.Sprintf("%s (%s)", a, a.Notation())
}

// showBits is bits as digits, the first one first, eight to a group.
func showBits(data []byte, n int) string {
	var digits []byte
	for i := range n {
		if i > 0 && i%8 == 0 {
			digits = append(digits, ' ')
		}
		digit := byte('0')
		if modbus.Bit(data, i) {
			digit = '1'
		}
		digits = append(digits, digit)
	}
	return string(digits)
}

func registersOf(data []byte) []uint16 {
	words := make([]uint16, len(data)/2)
	for i := range words {
		words[i] = modbus.Register(data, i)
	}
	return words
}
