package thing

import (
	"slices"
	"unsafe"
)

// FieldEncoder appends fields as JSON objects whose values are wrapped: platforms
// want {"speed":{"value":60.5,"time":1500000000000}} and the like. It remembers the
// names that it has seen, quoted and with what goes before their values, for a
// fleet's reports have the same few names again and again.
//
// It takes about 14 KB, and may be used by one goroutine at a time. Names are
// recognised by their place in memory: the ones of a program's text are, others
// cost as much as with [AppendFields].
type FieldEncoder struct {
	before string
	known  [256]piece
}

// piece is what stands in front of one field's value.
type piece struct {
	name string
	size int
	text [pieceSize]byte
}

// pieceSize is copied in one go, whatever of it counts.
const pieceSize = 32

// maxSuffix is how long what follows a value may be to be copied in one go.
const maxSuffix = 32

// NewFieldEncoder returns an encoder that puts before, a piece of JSON, in front
// of each value.
func NewFieldEncoder(before string) *FieldEncoder { return &FieldEncoder{before: before} }

// Append appends fields as one JSON object, in their order, with after, a piece
// of JSON, behind each value.
func (e *FieldEncoder) Append(dst []byte, fields []Field, after []byte) []byte {
	var suffix [maxSuffix]byte
	short := copy(suffix[:], after) == len(after)
	dst = append(dst, '{')
	for i := range fields {
		f := &fields[i]
		if cap(dst)-len(dst) < pieceSize+maxNumber+maxSuffix {
			dst = slices.Grow(dst, pieceSize+maxNumber+maxSuffix)
		}
		dst = e.appendName(dst, f.Name)
		switch f.Value.typ {
		case IntType, DecimalType:
			dst = appendDecimal(dst, f.Value.signed(), f.Value.scale)
		default:
			dst = f.Value.appendJSON(dst)
		}
		if n := len(dst); short && cap(dst)-n >= maxSuffix {
			*(*[maxSuffix]byte)(dst[n:cap(dst)]) = suffix
			dst = dst[:n+len(after)]
		} else {
			dst = append(dst, after...)
		}
		dst = append(dst, ',')
	}
	if len(fields) > 0 {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// appendName appends what stands in front of the value of that name.
func (e *FieldEncoder) appendName(dst []byte, name string) []byte {
	place := uintptr(unsafe.Pointer(unsafe.StringData(name))) //nolint:gosec // as a number only
	p := &e.known[uint64(place)*0x9E3779B97F4A7C15>>56]       // Fibonacci hashing
	n := len(dst)
	same := len(p.name) == len(name) && unsafe.StringData(p.name) == unsafe.StringData(name) //nolint:gosec // compared only
	if same && p.size > 0 && cap(dst)-n >= pieceSize {
		*(*[pieceSize]byte)(dst[n:cap(dst)]) = p.text
		return dst[:n+p.size]
	}
	dst = AppendString(dst, name)
	dst = append(dst, ':')
	dst = append(dst, e.before...)
	if size := len(dst) - n; size <= pieceSize {
		p.name, p.size = name, size // which keeps its place from being another's
		copy(p.text[:], dst[n:])
	}
	return dst
}
