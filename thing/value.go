package thing

import (
	"math"
	"unsafe"
)

// Type is what a [Value] holds.
type Type uint8

// The types of value.
const (
	NullType    Type = iota // nothing; the zero Value
	BoolType                // true or false
	IntType                 // a whole number
	FloatType               // a binary floating point number
	DecimalType             // an integer with a decimal point in it: exact, and cheap to print
	StringType              // a text
	ListType                // values in order
	StructType              // fields
)

// Value is a number, a text, a truth, or values together; the zero Value is
// null. Values are immutable, and cannot be compared with ==: their JSON can.
//
// There are sixteen or so in every report of a device. They take 24 bytes, for
// what is not a number is kept as a pointer to its first element and their
// count; only the functions of this file look at them.
type Value struct {
	_ [0]func() // == would compare the places of texts
	form
	num   uint64         // BoolType, IntType, DecimalType: two's complement; FloatType: its bits; others: how many elements
	first unsafe.Pointer // StringType: of bytes; ListType: of Values; StructType: of Fields
}

// form is what a number is: together, for the compiler keeps structs of at most
// four fields in registers.
type form struct {
	typ   Type
	scale uint8 // DecimalType: digits behind the point
}

// maxScale bounds the digits behind the point of a decimal: more than an int64 has.
const maxScale = 18

var powers = [maxScale + 1]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// Null is no value.
func Null() Value { return Value{} }

// Bool is a truth.
func Bool(b bool) Value {
	v := Value{form: form{typ: BoolType}}
	if b {
		v.num = 1
	}
	return v
}

// Int is a whole number.
func Int(i int64) Value { return Value{form: form{typ: IntType}, num: uint64(i)} } //nolint:gosec // two's complement

// Float is a binary floating point number. What is not finite is null, for no
// platform's JSON can carry it, and minus zero is zero.
func Float(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	if f == 0 {
		f = 0 // and not minus zero
	}
	return Value{form: form{typ: FloatType}, num: math.Float64bits(f)}
}

// Decimal is unscaled / 10^scale, exactly: Decimal(605, 1) is 60.5. A scale
// above 18 is null.
func Decimal(unscaled int64, scale uint8) Value {
	if scale > maxScale {
		return Value{}
	}
	return Value{form: form{DecimalType, scale}, num: uint64(unscaled)} //nolint:gosec // two's complement
}

// String is a text.
func String(s string) Value {
	return Value{form: form{typ: StringType}, num: uint64(len(s)), first: unsafe.Pointer(unsafe.StringData(s))} //nolint:gosec // strings are immutable
}

// List is values in order. The slice belongs to the value from now on.
func List(vs ...Value) Value {
	return Value{form: form{typ: ListType}, num: uint64(len(vs)), first: unsafe.Pointer(unsafe.SliceData(vs))} //nolint:gosec // the slice is the value's
}

// Struct is fields as one value. The slice belongs to the value from now on.
func Struct(fs ...Field) Value {
	return Value{form: form{typ: StructType}, num: uint64(len(fs)), first: unsafe.Pointer(unsafe.SliceData(fs))} //nolint:gosec // the slice is the value's
}

// Type says what v holds.
func (v Value) Type() Type { return v.typ }

// IsNull says whether v is no value.
func (v Value) IsNull() bool { return v.typ == NullType }

// Bool is v as a truth: a bool, or a number that is 0 or 1, for platforms write
// truths as numbers. ok says whether it is one.
func (v Value) Bool() (b, ok bool) {
	if v.typ == BoolType {
		return v.num == 1, true
	}
	if i, isInt := v.Int(); isInt && (i == 0 || i == 1) {
		return i == 1, true
	}
	return false, false
}

// Int is v as a whole number: an int, or a decimal or float without a fraction
// that fits. ok says whether it is one.
func (v Value) Int() (i int64, ok bool) {
	switch v.typ {
	case IntType:
		return v.signed(), true
	case DecimalType:
		p := int64(powers[v.scale]) //nolint:gosec // at most 10^18
		return v.signed() / p, v.signed()%p == 0
	case FloatType:
		f := math.Float64frombits(v.num)
		if f != math.Trunc(f) || f < -1<<63 || f >= 1<<63 {
			return 0, false
		}
		return int64(f), true
	default:
		return 0, false
	}
}

// Float is v as a floating point number. ok says whether it is a number.
func (v Value) Float() (f float64, ok bool) {
	switch v.typ {
	case IntType:
		return float64(v.signed()), true
	case DecimalType:
		return float64(v.signed()) / float64(powers[v.scale]), true
	case FloatType:
		return math.Float64frombits(v.num), true
	default:
		return 0, false
	}
}

// signed is the number of an IntType or a DecimalType.
func (v Value) signed() int64 { return int64(v.num) } //nolint:gosec // two's complement

// Decimal is v as it was made by the function [Decimal]: unscaled / 10^scale. ok
// says whether it was.
func (v Value) Decimal() (unscaled int64, scale uint8, ok bool) {
	if v.typ != DecimalType {
		return 0, 0, false
	}
	return v.signed(), v.scale, true
}

// Text is v as a text. ok says whether it is one.
func (v Value) Text() (s string, ok bool) {
	if v.typ != StringType {
		return "", false
	}
	return unsafe.String((*byte)(v.first), int(v.num)), true //nolint:gosec // of a string
}

// List is the values in v; nil when it is no list. It must not be changed.
func (v Value) List() []Value {
	if v.typ != ListType {
		return nil
	}
	return unsafe.Slice((*Value)(v.first), int(v.num)) //nolint:gosec // of a slice
}

// Struct is the fields in v; nil when it is no struct. They must not be changed.
func (v Value) Struct() []Field {
	if v.typ != StructType {
		return nil
	}
	return unsafe.Slice((*Field)(v.first), int(v.num)) //nolint:gosec // of a slice
}

// String is v as JSON, for logs and messages.
func (v Value) String() string { return string(v.AppendJSON(nil)) }
