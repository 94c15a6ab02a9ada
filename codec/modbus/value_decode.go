package modbus

import (
	"bytes"
	"fmt"
	"math"
)

// Decode reads the value that lies in data, which begins with its first
// register, high byte first as on the wire. Texts end before their first zero
// byte and lose blanks at their end; all else allocates nothing. An error wraps
// [ErrValue]: data is too short or holds no value of that format, as BCD with a
// digit above 9 or a float that is infinite or no number. f is valid.
func (f Format) Decode(data []byte) (Value, error) {
	size := 2 * f.Size()
	if len(data) < size {
		return Value{}, fmt.Errorf("%w: %d bytes, %s needs %d", ErrValue, len(data), f.Type, size)
	}
	data = data[:size]
	switch f.Type {
	case String:
		return f.decodeText(data), nil
	case BCD:
		return f.decodeBCD(data)
	case Float32, Float64:
		return f.decodeFloat(data)
	default:
		return f.decodeWhole(data), nil
	}
}

func (f Format) decodeWhole(data []byte) Value {
	n := f.Order.load(data)
	switch f.Type {
	case Int16:
		return IntValue(int64(int16(n))) //nolint:gosec // its 16 bits
	case Int32:
		return IntValue(int64(int32(n))) //nolint:gosec // its 32 bits
	case Int64:
		return IntValue(int64(n)) //nolint:gosec // the same bits
	case SignMagnitude:
		sign := uint64(1) << (8*len(data) - 1)
		amount := int64(n &^ sign) //nolint:gosec // 63 bits
		if n&sign != 0 {
			amount = -amount
		}
		return IntValue(amount)
	case BitField:
		return UintValue(n >> f.Bit & f.ones())
	default:
		return UintValue(n)
	}
}

// ones is the largest number that a bit field holds.
func (f Format) ones() uint64 { return math.MaxUint64 >> (64 - f.width()) }

func (f Format) decodeFloat(data []byte) (Value, error) {
	n := f.Order.load(data)
	var v Value
	if f.Type == Float32 {
		v = float32Value(math.Float32frombits(uint32(n))) //nolint:gosec // 32 bits
	} else {
		v = FloatValue(math.Float64frombits(n))
	}
	if _, ok := v.float(); !ok {
		return Value{}, fmt.Errorf("%w: %s is %v, no finite number", ErrValue, f.Type, v.Float())
	}
	return v, nil
}

func (f Format) decodeBCD(data []byte) (Value, error) {
	packed := f.Order.load(data)
	n := uint64(0)
	for i := 4*len(data)/2 - 1; i >= 0; i-- {
		digit := packed >> (4 * i) & 15
		if digit > 9 {
			return Value{}, fmt.Errorf("%w: %0*x is no BCD", ErrValue, 2*len(data), packed)
		}
		n = 10*n + digit
	}
	return UintValue(n), nil
}

func (f Format) decodeText(data []byte) Value {
	text := make([]byte, 0, 2*MaxReadRegisters)
	for i := range len(data) / 2 {
		word := f.Order.register(data, i)
		text = append(text, byte(word>>8), byte(word))
	}
	if end := bytes.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	return TextValue(string(bytes.TrimRight(text, " ")))
}
