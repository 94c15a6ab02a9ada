package thing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends v as JSON. It allocates nothing but what dst grows by.
func (v Value) AppendJSON(dst []byte) []byte { return v.appendJSON(dst) }

// appendJSON is AppendJSON without a copy of v.
func (v *Value) appendJSON(dst []byte) []byte {
	switch v.typ {
	case BoolType:
		if v.num == 1 {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case IntType:
		return appendDecimal(dst, v.signed(), 0)
	case DecimalType:
		return appendDecimal(dst, v.signed(), v.scale)
	case FloatType:
		return appendFloat(dst, math.Float64frombits(v.num))
	case StringType:
		s, _ := v.Text()
		return AppendString(dst, s)
	case ListType:
		dst = append(dst, '[')
		list := v.List()
		for i := range list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = list[i].appendJSON(dst)
		}
		return append(dst, ']')
	case StructType:
		return AppendFields(dst, v.Struct())
	default:
		return append(dst, "null"...)
	}
}

// AppendFields appends fields as one JSON object, in their order.
func AppendFields(dst []byte, fields []Field) []byte {
	dst = append(dst, '{')
	for i := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, fields[i].Name)
		dst = append(dst, ':')
		dst = fields[i].Value.appendJSON(dst)
	}
	return append(dst, '}')
}

// appendFloat appends f as encoding/json does: with an exponent only when it is
// very large or very small, for many a platform's parser knows none.
func appendFloat(dst []byte, f float64) []byte {
	if abs := math.Abs(f); abs == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64)
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string (RFC 8259, section 7). Bytes that are
// not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	n := len(dst)
	dst = append(slices.Grow(dst, len(s)+2), '"')
	room := dst[n+1 : n+1+len(s)]
	for i := range len(s) { // names are short: faster than to look and then to copy
		c := s[i]
		if !plainBytes[c] {
			return appendEscaped(append(dst, s[:i]...), s, i)
		}
		room[i] = c
	}
	return append(dst[:n+1+len(s)], '"')
}

// plainBytes are those that stand for themselves in a JSON string, but for what
// is not ASCII.
var plainBytes = func() (plain [256]bool) {
	for c := byte(0x20); c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

// appendEscaped appends s from i on and the quote behind it.
func appendEscaped(dst []byte, s string, i int) []byte {
	start := i
	for i < len(s) {
		c := s[i]
		if plainBytes[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// ErrNotObject says that a JSON text is no object where fields were wanted.
var ErrNotObject = errors.New("thing: not a JSON object")

// ParseFields reads a JSON object as fields in its order. Numbers without a
// fraction or an exponent that fit an int64 become Int, others Float; a number
// too large for both is an error. Nesting deeper than 32 is an error.
func ParseFields(text []byte) ([]Field, error) {
	v, err := ParseJSON(text)
	if err != nil {
		return nil, err
	}
	if v.typ != StructType {
		return nil, ErrNotObject
	}
	return v.Struct(), nil
}

// ParseJSON reads one JSON value, as [ParseFields] does.
func ParseJSON(text []byte) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parse(d, 0)
	if err != nil {
		return Value{}, fmt.Errorf("thing: parse JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Value{}, errors.New("thing: parse JSON: more than one value")
	}
	return v, nil
}

const maxDepth = 32

func parse(d *json.Decoder, depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return Value{}, err
	}
	switch t := token.(type) {
	case bool:
		return Bool(t), nil
	case string:
		return String(t), nil
	case json.Number:
		return parseNumber(t)
	case json.Delim:
		if t == '[' {
			return parseList(d, depth)
		}
		return parseStruct(d, depth)
	default:
		return Value{}, nil
	}
}

func parseNumber(n json.Number) (Value, error) {
	if i, err := n.Int64(); err == nil {
		return Int(i), nil
	}
	f, err := n.Float64()
	if err != nil {
		return Value{}, err
	}
	return Float(f), nil
}

func parseList(d *json.Decoder, depth int) (Value, error) {
	list := []Value{}
	for d.More() {
		v, err := parse(d, depth+1)
		if err != nil {
			return Value{}, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return List(list...), err
}

func parseStruct(d *json.Decoder, depth int) (Value, error) {
	fields := []Field{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return Value{}, err
		}
		name, _ := token.(string) // the decoder lets nothing else be a key
		v, err := parse(d, depth+1)
		if err != nil {
			return Value{}, err
		}
		fields = append(fields, Field{Name: name, Value: v})
	}
	_, err := d.Token()
	return Struct(fields...), err
}
