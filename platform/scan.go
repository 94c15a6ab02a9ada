package platform

import (
	"bytes"
	"encoding/json"
	"strings"
)

// scanner walks over JSON (RFC 8259) without building it: every message of a
// device is looked at once, and what is kept of it is its bytes. It accepts
// exactly what encoding/json accepts, but for nesting deeper than maxDepth.
type scanner struct {
	b []byte
	i int
}

// maxDepth bounds the nesting of what devices send.
const maxDepth = 64

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek is the next byte behind blanks, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

// end says whether nothing but blanks is left.
func (s *scanner) end() bool {
	s.space()
	return s.i == len(s.b)
}

// value is the next value's bytes; nil when there is no valid one.
func (s *scanner) value() []byte {
	s.space()
	from := s.i
	if !s.skip(0) {
		return nil
	}
	return s.b[from:s.i]
}

func (s *scanner) skip(depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch c := s.peek(); {
	case c == '"':
		return s.skipString()
	case c == '{':
		return s.skipObject(depth)
	case c == '[':
		return s.skipArray(depth)
	case c == '-' || '0' <= c && c <= '9':
		return s.skipNumber()
	case c == 't':
		return s.skipWord("true")
	case c == 'f':
		return s.skipWord("false")
	case c == 'n':
		return s.skipWord("null")
	default:
		return false
	}
}

func (s *scanner) skipObject(depth int) bool {
	s.i++
	if s.take('}') {
		return true
	}
	for {
		if s.peek() != '"' || !s.skipString() || !s.take(':') || !s.skip(depth+1) {
			return false
		}
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

func (s *scanner) skipArray(depth int) bool {
	s.i++
	if s.take(']') {
		return true
	}
	for {
		if !s.skip(depth + 1) {
			return false
		}
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

func (s *scanner) skipWord(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

func (s *scanner) skipString() bool {
	b := s.b
	for i := s.i + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			s.i = i + 1
			return true
		case c < 0x20:
			return false
		case c == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				return false
			}
			i += n - 1
		}
	}
	return false
}

// escapeLen is how long the escape at the start of b is, 0 for a wrong one.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if strings.IndexByte("0123456789abcdefABCDEF", c) < 0 {
				return 0
			}
		}
		return 6
	default:
		return 0
	}
}

func (s *scanner) skipNumber() bool {
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return false
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

// fields calls yield for each field of the object that text is, with the key
// between its quotes (still escaped) and the value. It says whether text is one
// valid object and yield was content with every field.
func fields(text []byte, yield func(key, value []byte) bool) bool {
	s := scanner{b: text}
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return s.end()
	}
	for {
		if s.peek() != '"' {
			return false
		}
		from := s.i
		if !s.skipString() {
			return false
		}
		key := s.b[from+1 : s.i-1]
		if !s.take(':') {
			return false
		}
		value := s.value()
		if value == nil || !yield(key, value) {
			return false
		}
		if s.take('}') {
			return s.end()
		}
		if !s.take(',') {
			return false
		}
	}
}

// unquote is the text of a valid JSON string with its quotes; ok is false for
// other values. It allocates only when there are escapes.
func unquote(value []byte) (text []byte, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, false
	}
	return []byte(s), true
}

// scalar is the text of a string or a number: the vendor's samples write ids
// and timestamps both ways.
func scalar(value []byte) (text []byte, ok bool) {
	if text, ok = unquote(value); ok {
		return text, true
	}
	if len(value) > 0 && (value[0] == '-' || '0' <= value[0] && value[0] <= '9') {
		return value, true
	}
	return nil, false
}
