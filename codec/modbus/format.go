package modbus

import (
	"errors"
	"fmt"
	"strings"
)

// Type is what kind of value registers hold.
type Type uint8

// The types of values.
const (
	Int16 Type = iota + 1
	Uint16
	Int32
	Uint32
	Int64
	Uint64
	Float32
	Float64
	BCD           // decimal digits, 4 to a register: 0x1234 is 1234
	SignMagnitude // the highest bit is the sign, the others the amount
	BitField      // some bits of a number
	String        // two characters to a register
)

var types = [...]struct {
	name      string
	registers int // 0: as the format says
}{
	Int16: {"int16", 1}, Uint16: {"uint16", 1},
	Int32: {"int32", 2}, Uint32: {"uint32", 2},
	Int64: {"int64", 4}, Uint64: {"uint64", 4},
	Float32: {"float32", 2}, Float64: {"float64", 4},
	BCD: {"bcd", 0}, SignMagnitude: {"signMagnitude", 0}, BitField: {"bitField", 0}, String: {"string", 0},
}

// String is the type's name: int16, uint16, ..., float64, bcd, signMagnitude,
// bitField, string.
func (t Type) String() string {
	if t >= 1 && int(t) < len(types) {
		return types[t].name
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// ParseType reads what [Type.String] writes, in any case.
func ParseType(s string) (Type, error) {
	names := make([]string, 0, len(types))
	for t, known := range types[1:] {
		if strings.EqualFold(s, known.name) {
			return Type(t + 1), nil //nolint:gosec // an index of twelve
		}
		names = append(names, known.name)
	}
	return 0, fmt.Errorf("modbus: type %q, want one of %s", s, strings.Join(names, ", "))
}

// Format says how a value lies in registers.
type Format struct {
	Type  Type
	Order Order
	// Registers is how many registers a value of type BCD, SignMagnitude or
	// BitField, 1 to 4 of them, or String, 1 to 125, has; 0 is 1. The other types
	// have a size of their own: 0 or just that.
	Registers int
	// Bit and Bits are of type BitField: which bit of the number, from 0 for the
	// lowest, is the field's lowest, and how many bits the field has; 0 is 1.
	Bit, Bits int
}

// ErrFormat is wrapped by errors about a format that makes no sense.
var ErrFormat = errors.New("modbus: format")

// ErrValue is wrapped by errors about registers that hold no value of their
// format, such as BCD with a digit above 9 or a float that is no number, and
// about values that do not fit the format they are to be written in.
var ErrValue = errors.New("modbus: value")

// Size is how many registers a value has.
func (f Format) Size() int {
	if f.Type >= 1 && int(f.Type) < len(types) && types[f.Type].registers > 0 {
		return types[f.Type].registers
	}
	return max(1, f.Registers)
}

// Validate reports what of f makes no sense, all of it; it wraps [ErrFormat].
func (f Format) Validate() error {
	if f.Type < 1 || int(f.Type) >= len(types) {
		return fmt.Errorf("%w: no type", ErrFormat)
	}
	var wrong []error
	add := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%w %s: %s", ErrFormat, f.Type, fmt.Sprintf(format, args...)))
	}
	if f.Order > DCBA {
		add("order %d, want ABCD, CDAB, BADC or DCBA", f.Order)
	}
	own, most := types[f.Type].registers, 4
	if f.Type == String {
		most = MaxReadRegisters
	}
	switch {
	case own > 0 && f.Registers != 0 && f.Registers != own:
		add("registers %d, this type has %d", f.Registers, own)
	case own == 0 && (f.Registers < 0 || f.Registers > most):
		add("registers %d, want 1 to %d", f.Registers, most)
	}
	if f.Type == BitField {
		if f.Bit < 0 || f.Bits < 0 || f.Bit+f.width() > 16*f.Size() {
			add("bits %d to %d, of a number of %d bits", f.Bit, f.Bit+f.width()-1, 16*f.Size())
		}
	} else if f.Bit != 0 || f.Bits != 0 {
		add("bit and bits are for %s alone", BitField)
	}
	return errors.Join(wrong...)
}

// width is how many bits a field has.
func (f Format) width() int { return max(1, f.Bits) }
