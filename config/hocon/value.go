package hocon

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kind is what a resolved value is.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String names the kind for an error message, with its article.
func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a text", "an array", "an object"}[k]
}

// Value is a resolved value. It does not change and may be used from several
// goroutines. Methods of a nil Value act as on null.
type Value struct {
	kind   Kind
	at     place
	text   string
	elems  []*Value
	fields []Field
	index  map[string]int // of fields; nil while they are few
	size   int            // values in it, itself included
}

// Field is a key of an object with its value.
type Field struct {
	Key   string
	Value *Value
	at    place
}

// Pos is where the key has been set last.
func (f Field) Pos() Position { return f.at.position() }

// Kind tells what v is.
func (v *Value) Kind() Kind {
	if v == nil {
		return Null
	}
	return v.kind
}

// Pos is where v stands; of a scalar that a substitution brought, where the
// substitution stands.
func (v *Value) Pos() Position {
	if v == nil {
		return Position{}
	}
	return v.at.position()
}

// Text is a scalar's text as it was written; null is "null". It is empty for
// arrays and objects.
func (v *Value) Text() string {
	switch v.Kind() {
	case Null:
		return "null"
	case Array, Object:
		return ""
	default:
		return v.text
	}
}

// WithText is the text s that stands where v stands.
func (v *Value) WithText(s string) *Value { return &Value{kind: String, at: v.at, text: s, size: 1} }

// Fields are an object's fields in the order in which their keys came first.
// The slice must not be changed.
func (v *Value) Fields() []Field {
	if v == nil {
		return nil
	}
	return v.fields
}

// Elems are an array's elements. The slice must not be changed.
func (v *Value) Elems() []*Value {
	if v == nil {
		return nil
	}
	return v.elems
}

// Get is an object's value under key, nil if it has none.
func (v *Value) Get(key string) *Value {
	if f := v.Field(key); f != nil {
		return f.Value
	}
	return nil
}

// Field is an object's field of that key, nil if it has none. It must not be
// changed.
func (v *Value) Field(key string) *Field {
	if v == nil {
		return nil
	}
	if v.index != nil {
		if i, ok := v.index[key]; ok {
			return &v.fields[i]
		}
		return nil
	}
	for i := range v.fields {
		if v.fields[i].Key == key {
			return &v.fields[i]
		}
	}
	return nil
}

// At is the value at path, nil if there is none. A number leads to an array's
// element, from 0.
func (v *Value) At(path ...string) *Value {
	for _, key := range path {
		if v.Kind() == Array {
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v.elems) {
				return nil
			}
			v = v.elems[i]
			continue
		}
		if v = v.Get(key); v == nil {
			return nil
		}
	}
	return v
}

// List is v as an array: its elements; or an object's values in the order of
// its numeric keys, as properties files write arrays; ok is false for anything
// else.
func (v *Value) List() (elems []*Value, ok bool) {
	switch v.Kind() {
	case Array:
		return v.elems, true
	case Object:
		type entry struct {
			index int
			val   *Value
		}
		var entries []entry
		for _, f := range v.fields {
			i, err := strconv.Atoi(f.Key)
			if err != nil || i < 0 {
				return nil, false
			}
			entries = append(entries, entry{i, f.Value})
		}
		slices.SortStableFunc(entries, func(a, b entry) int { return a.index - b.index })
		for _, e := range entries {
			elems = append(elems, e.val)
		}
		return elems, len(elems) > 0
	default:
		return nil, false
	}
}

// MarshalJSON gives v as JSON. A number beyond a float64 becomes a string.
func (v *Value) MarshalJSON() ([]byte, error) { return v.appendJSON(nil), nil }

func (v *Value) appendJSON(b []byte) []byte {
	switch v.Kind() {
	case Null:
		return append(b, "null"...)
	case Bool:
		return append(b, v.text...)
	case Number:
		return append(b, jsonNumber(v.text)...)
	case Array:
		b = append(b, '[')
		for i, e := range v.elems {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.appendJSON(b)
		}
		return append(b, ']')
	case Object:
		b = append(b, '{')
		for i, f := range v.fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(b, quote(f.Key)...), ':')
			b = f.Value.appendJSON(b)
		}
		return append(b, '}')
	default:
		return append(b, quote(v.text)...)
	}
}

// jsonNumber writes a number as JSON allows it: HOCON has 007 and 1. too.
func jsonNumber(text string) string {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	if json.Valid([]byte(text)) {
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) {
			return text
		}
		return quote(text)
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return quote(text)
	case f == 0: // -.0 would become the integer -0
		return "0"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// quote writes s as a JSON string, which HOCON reads too.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a strings.Builder takes everything
	return strings.TrimSuffix(b.String(), "\n")
}
