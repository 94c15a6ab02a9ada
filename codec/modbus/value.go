package modbus

import (
	"math"
	"strconv"
)

// Kind is what a [Value] is.
type Kind uint8

// The kinds of values. Floats of 32 bits are a kind of their own, so that they
// are written with as many digits as they have.
const (
	KindInt     Kind = iota + 1 // [Value.Int]
	KindUint                    // [Value.Uint]
	KindFloat32                 // [Value.Float]
	KindFloat64                 // [Value.Float]
	KindText                    // [Value.Text]
)

// Value is a number or text, as it lies in registers, without scale: exact.
// Values can be compared with ==. The zero Value is none.
type Value struct {
	kind Kind
	bits uint64
	text string
}

// IntValue is v.
func IntValue(v int64) Value { return Value{kind: KindInt, bits: uint64(v)} } //nolint:gosec // the same bits

// UintValue is v.
func UintValue(v uint64) Value { return Value{kind: KindUint, bits: v} }

// FloatValue is v, of 64 bits.
func FloatValue(v float64) Value { return Value{kind: KindFloat64, bits: math.Float64bits(v)} }

// TextValue is v.
func TextValue(v string) Value { return Value{kind: KindText, text: v} }

func float32Value(v float32) Value {
	return Value{kind: KindFloat32, bits: math.Float64bits(float64(v))}
}

// Kind is which of the methods below says what v is; 0 of the zero Value.
func (v Value) Kind() Kind { return v.kind }

// Int is the number of a KindInt.
func (v Value) Int() int64 { return int64(v.bits) } //nolint:gosec // the same bits

// Uint is the number of a KindUint.
func (v Value) Uint() uint64 { return v.bits }

// Float is the number of a KindFloat32 or KindFloat64, which is finite.
func (v Value) Float() float64 { return math.Float64frombits(v.bits) }

// Text is the text of a KindText.
func (v Value) Text() string { return v.text }

// String is v in decimal, or the text as it is.
func (v Value) String() string {
	switch v.kind {
	case KindInt:
		return strconv.FormatInt(v.Int(), 10)
	case KindUint:
		return strconv.FormatUint(v.bits, 10)
	case KindFloat32:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32)
	case KindFloat64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	default:
		return v.text
	}
}

// whole says whether v is a whole number by its kind.
func (v Value) whole() bool { return v.kind == KindInt || v.kind == KindUint }

// float is v as a float of bits bits, if it can be one exactly or, from a float,
// nearly.
func (v Value) float() (f float64, ok bool) {
	switch v.kind {
	case KindInt:
		f = float64(v.Int())
		return f, f < math.MaxInt64 && int64(f) == v.Int()
	case KindUint:
		f = float64(v.bits)
		return f, f < math.MaxUint64 && uint64(f) == v.bits
	case KindFloat32, KindFloat64:
		return v.Float(), !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
	default:
		return 0, false
	}
}

// integer is v as sign and amount, if it is a whole number.
func (v Value) integer() (negative bool, amount uint64, ok bool) {
	switch v.kind {
	case KindInt:
		if v.Int() < 0 {
			return true, -v.bits, true
		}
		return false, v.bits, true
	case KindUint:
		return false, v.bits, true
	case KindFloat32, KindFloat64:
		f := v.Float()
		if f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
			return false, 0, false
		}
		return f < 0, uint64(math.Abs(f)), true
	default:
		return false, 0, false
	}
}
