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
	name string // held, so that its place is no other name's
	size int    // 0: none
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
	at := unsafe.StringData(name)                                                //nolint:gosec // compared only
	slot := uint64(uintptr(unsafe.Pointer(at))) * 0x9E3779B97F4A7C15 >> (64 - 8) //nolint:gosec // Fibonacci hashing
	first, second := &e.known[slot], &e.known[slot^1]
	n := len(dst)
	if room := cap(dst) - n; room >= pieceSize {
		switch {
		case first.of(at, len(name)):
			*(*[pieceSize]byte)(dst[n:cap(dst)]) = first.text
			return dst[:n+first.size]
		case second.of(at, len(name)):
			*(*[pieceSize]byte)(dst[n:cap(dst)]) = second.text
			return dst[:n+second.size]
		}
	}
	dst = AppendString(dst, name)
	dst = append(dst, ':')
	dst = append(dst, e.before...)
	if size := len(dst) - n; size <= pieceSize {
		*second = *first
		*first = piece{name: name, size: size}
		copy(first.text[:], dst[n:])
	}
	return dst
}

// of says whether p is that of the name of that length at that place.
func (p *piece) of(at *byte, length int) bool {
	return unsafe.StringData(p.name) == at && len(p.name) == length && p.size > 0 //nolint:gosec // compared only
}
