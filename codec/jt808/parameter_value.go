package jt808

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// ErrNoParameter is the error of a name that no parameter has. Names are those
// of [AllParameters], or ids such as "0xF001" for a maker's own.
var ErrNoParameter = errors.New("jt808: no such parameter")

// ErrParameterValue is the error of a value that a parameter cannot have: of
// another type, a fraction, negative, too great or too long.
var ErrParameterValue = errors.New("jt808: no value for this parameter")

// ParameterID is the id of a terminal's parameter (JT/T 808).
type ParameterID uint32

// String is the id as "0x0001": four digits, eight if it needs them.
func (id ParameterID) String() string { return fmt.Sprintf("0x%04x", uint32(id)) }

// MarshalText is [ParameterID.String].
func (id ParameterID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// ParameterKind is how the value of a parameter is to be read.
type ParameterKind uint8

// The kinds of parameters. The widths are those that the standard gives, and
// those that are sent; what terminals send may be wider or narrower.
const (
	ParameterBytes  ParameterKind = iota // a structure, or not known: bytes as they are
	ParameterUint8                       // BYTE
	ParameterUint16                      // WORD
	ParameterUint32                      // DWORD
	ParameterText                        // STRING, GBK
)

// width is the number of bytes of a number; 0 for what is none.
func (k ParameterKind) width() int {
	switch k {
	case ParameterUint8:
		return 1
	case ParameterUint16:
		return 2
	case ParameterUint32:
		return 4
	default:
		return 0
	}
}

// Parameter is one parameter of messages 0x0104 and 0x8103: its id and its value
// as the wire has it, of any length to 255 bytes.
type Parameter struct {
	ID    ParameterID
	Value Hex
}

// Info tells what the standards say of the parameter; its name is "" and its kind
// ParameterBytes if they do not know it.
func (p Parameter) Info() ParameterInfo {
	info, ok := ParameterByID(p.ID)
	if !ok {
		info.ID = p.ID
	}
	return info
}

// Uint is the value of a numeric parameter of 1 to 8 bytes: terminals do send,
// say, a BYTE as a DWORD. It is false for other kinds and lengths.
func (p Parameter) Uint() (uint64, bool) {
	if p.Info().Kind.width() == 0 || len(p.Value) == 0 || len(p.Value) > 8 {
		return 0, false
	}
	var n uint64
	for _, b := range p.Value {
		n = n<<8 | uint64(b)
	}
	return n, true
}

// Text is the value of a textual parameter in UTF-8, false for other kinds.
func (p Parameter) Text() (string, bool) {
	if p.Info().Kind != ParameterText {
		return "", false
	}
	return decodeText(p.Value), true
}

// Any is the value as a uint64 or a string where the parameter's kind allows it,
// otherwise as Hex.
func (p Parameter) Any() any {
	if n, ok := p.Uint(); ok {
		return n
	}
	if s, ok := p.Text(); ok {
		return s
	}
	return p.Value
}

// MarshalJSON gives id, name (where known), value (a number, text or hexadecimal
// digits) and the wire's bytes as hex.
func (p Parameter) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID    ParameterID `json:"id"`
		Name  string      `json:"name,omitempty"`
		Value any         `json:"value"`
		Hex   Hex         `json:"hex"`
	}{p.ID, p.Info().Name, p.Any(), p.Value})
}

// NewParameter is the parameter of that name with that value. Names are in
// snake_case or lowerCamelCase ("heartbeat_interval", "heartbeatInterval"), or
// ids ("0x0001"). See [ParameterInfo.New] for values and errors; a name that
// there is not fails with [ErrNoParameter].
func NewParameter(name string, value any) (Parameter, error) {
	info, ok := ParameterByName(name)
	if !ok {
		return Parameter{}, fmt.Errorf("%w: %q", ErrNoParameter, name)
	}
	return info.New(value)
}

// New is the parameter with that value: for numbers any Go integer, a whole
// float64, a bool, a json.Number or digits in a string; for text a string; for
// bytes a []byte, a Hex or hexadecimal digits in a string. A []byte or Hex is
// taken for every kind and sent as it is. Other values, and those that do not
// fit, fail with [ErrParameterValue].
func (i ParameterInfo) New(value any) (Parameter, error) {
	b, err := i.encode(value)
	if err == nil && len(b) > 0xFF {
		err = fmt.Errorf("%d bytes, at most 255", len(b))
	}
	if err != nil {
		return Parameter{}, fmt.Errorf("%w: %v %s: %w", ErrParameterValue, i.ID, i.Name, err)
	}
	return Parameter{ID: i.ID, Value: b}, nil
}

func (i ParameterInfo) encode(value any) (Hex, error) {
	switch v := value.(type) {
	case []byte:
		return append(Hex{}, v...), nil
	case Hex:
		return append(Hex{}, v...), nil
	}
	if width := i.Kind.width(); width > 0 {
		return encodeUint(value, width)
	}
	s, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("%T, want a string", value)
	}
	if i.Kind == ParameterText {
		return appendText(Hex{}, s)
	}
	b := Hex{}
	err := b.UnmarshalText([]byte(strings.TrimPrefix(s, "0x")))
	return b, err
}

func encodeUint(value any, width int) (Hex, error) {
	n, err := toUint(value)
	if err != nil {
		return nil, err
	}
	if most := uint64(1)<<(8*width) - 1; n > most {
		return nil, fmt.Errorf("%d, at most %d", n, most)
	}
	return binary.BigEndian.AppendUint64(nil, n)[8-width:], nil
}

// toUint is value as a whole number that is not negative.
func toUint(value any) (uint64, error) {
	switch v := value.(type) {
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case float64:
		if v != math.Trunc(v) || v < 0 || v > math.MaxUint32 {
			return 0, fmt.Errorf("%v, want a whole number that is not negative", v)
		}
		return uint64(v), nil
	case json.Number:
		return strconv.ParseUint(v.String(), 10, 64)
	case string:
		return strconv.ParseUint(v, 0, 64)
	case float32:
		return toUint(float64(v))
	}
	n := reflect.ValueOf(value)
	switch {
	case n.IsValid() && n.CanUint():
		return n.Uint(), nil
	case n.IsValid() && n.CanInt() && n.Int() < 0:
		return 0, fmt.Errorf("%d, want a number that is not negative", n.Int())
	case n.IsValid() && n.CanInt():
		return uint64(n.Int()), nil //nolint:gosec // not negative
	}
	return 0, fmt.Errorf("%T, want a number", value)
}
