package modbus

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Append returns dst with v's registers behind it, as they are written: it is
// what [Format.Decode] reads. A bit field has zeros around it; see
// [Format.Masks]. Texts are filled up with zero bytes. Whole numbers and floats
// are taken for one another where that loses nothing; a float becomes the
// nearest one of 32 bits. An error wraps [ErrValue]: v does not fit. f is valid.
func (f Format) Append(dst []byte, v Value) ([]byte, error) {
	var n uint64
	switch f.Type {
	case String:
		return f.appendText(dst, v)
	case Float32, Float64:
		x, ok := v.float()
		switch {
		case !ok:
			return dst, f.misfit(v)
		case f.Type == Float64:
			n = math.Float64bits(x)
		case math.IsInf(float64(float32(x)), 0), v.whole() && float64(float32(x)) != x:
			return dst, f.misfit(v)
		default:
			n = uint64(math.Float32bits(float32(x)))
		}
	default:
		negative, amount, ok := v.integer()
		if !ok || !f.holds(negative, amount) {
			return dst, f.misfit(v)
		}
		n = f.pack(negative, amount)
	}
	return f.Order.append(dst, n, f.Size()), nil
}

func (f Format) misfit(v Value) error {
	if v.kind == KindText {
		return fmt.Errorf("%w: %q is not for %s", ErrValue, v.text, f.Type)
	}
	return fmt.Errorf("%w: %v does not fit %s", ErrValue, v, f.Type)
}

// holds is whether a whole number fits f.
func (f Format) holds(negative bool, amount uint64) bool {
	bits := 16 * f.Size()
	switch f.Type {
	case Int16, Int32, Int64:
		half := uint64(1) << (bits - 1)
		return amount < half || negative && amount == half
	case SignMagnitude:
		return amount < 1<<(bits-1)
	case BitField:
		return (!negative || amount == 0) && amount <= f.ones()
	case BCD:
		most := uint64(1)
		for range bits / 4 {
			most *= 10
		}
		return (!negative || amount == 0) && amount < most
	default:
		return (!negative || amount == 0) && amount <= math.MaxUint64>>(64-bits)
	}
}

// pack is a whole number, which fits, as f has it.
func (f Format) pack(negative bool, amount uint64) uint64 {
	switch f.Type {
	case BCD:
		n := uint64(0)
		for shift := 0; amount > 0; shift += 4 {
			n |= amount % 10 << shift
			amount /= 10
		}
		return n
	case SignMagnitude:
		if negative {
			return amount | 1<<(16*f.Size()-1)
		}
		return amount
	case BitField:
		return amount << f.Bit
	default:
		if negative {
			return -amount
		}
		return amount
	}
}

func (f Format) appendText(dst []byte, v Value) ([]byte, error) {
	size := f.Size()
	if v.kind != KindText || len(v.text) > 2*size {
		return dst, fmt.Errorf("%w: %q does not fit %d characters", ErrValue, v.String(), 2*size)
	}
	at := func(i int) byte {
		if i < len(v.text) {
			return v.text[i]
		}
		return 0
	}
	for i := range size {
		place := i
		if f.Order.wordsReversed() {
			place = size - 1 - i
		}
		word := uint16(at(2*place))<<8 | uint16(at(2*place+1))
		if f.Order.bytesSwapped() {
			dst = binary.LittleEndian.AppendUint16(dst, word)
			continue
		}
		dst = binary.BigEndian.AppendUint16(dst, word)
	}
	return dst, nil
}

// Masks are the masks with which [MaskWriteRegister] writes v into a bit field
// of one register and leaves the register's other bits as they are. An error
// wraps [ErrValue].
func (f Format) Masks(v Value) (and, or uint16, err error) {
	if f.Type != BitField || f.Size() != 1 {
		return 0, 0, fmt.Errorf("%w: masks are for a %s of one register", ErrValue, BitField)
	}
	data, err := f.Append(nil, v)
	if err != nil {
		return 0, 0, err
	}
	ones, _ := f.Append(nil, UintValue(f.ones()))
	return ^binary.BigEndian.Uint16(ones), binary.BigEndian.Uint16(data), nil
}
