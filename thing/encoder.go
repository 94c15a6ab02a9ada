package thing

import (
	"slices"
	"unsafe"
)

// FieldEncoder appends fields as JSON objects whose values are wrapped: platforms
// want {"speed":{"value":60.5,"time":1500000000000}} and the like. It remembers the
// names that it has seen, quoted and with what goes before their values, in the order
// in which it has seen them first: a fleet's reports have the same few names in the
// same order again and again.
//
// It takes about 8 KB, and may be used by one goroutine at a time. Names are
// recognised by their place in memory: the ones of a program's text are, others
// cost as much as with [AppendFields].
type FieldEncoder struct {
	before string
	used   int              // pieces that there are
	places [maxPlaces]uint8 // by a name's hash: its piece, the first is 1
	pieces [maxPieces]piece // the first so many are used
}

// piece is what stands in front of one field's value.
type piece struct {
	text [pieceSize]byte
	size int
	name string // held, so that its place is no other name's
}

const (
	maxPieces = 128 // when there are more names all are forgotten
	placeBits = 8
	maxPlaces = 1 << placeBits

	pieceSize = 32  // copied in one go, whatever of it counts
	maxSuffix = 32  // the same for what follows a value
	fieldRoom = 128 // for a piece, a number, a suffix, and what is written behind them
)

// NewFieldEncoder returns an encoder that puts before, a piece of JSON, in front
// of each value.
func NewFieldEncoder(before string) *FieldEncoder { return &FieldEncoder{before: before} }

// Append appends fields as one JSON object, in their order, with after, a piece
// of JSON, behind each value.
func (e *FieldEncoder) Append(dst []byte, fields []Field, after []byte) []byte {
	var suffix [maxSuffix]byte // after and a comma, if that fits
	size := len(after) + 1
	short := size <= maxSuffix
	if short {
		suffix[copy(suffix[:], after)] = ','
	}
	dst = append(dst, '{')
	next := 0 // the piece of the name that came behind the last one's before
	for i := range fields {
		f := &fields[i]
		n := len(dst)
		if cap(dst)-n < fieldRoom {
			dst = slices.Grow(dst, fieldRoom)
		}
		room := (*[fieldRoom]byte)(dst[n : n+fieldRoom])
		p := &e.pieces[next&(maxPieces-1)]
		if !p.of(f.Name) {
			p, next = e.find(f.Name)
		}
		next++
		if p == nil || !short || f.Value.typ != IntType && f.Value.typ != DecimalType {
			dst = append(append(e.appendField(dst, p, f), after...), ',')
			continue
		}
		*(*[pieceSize]byte)(room[:]) = p.text
		m := p.size & 63
		if v := f.Value.num; v < maxShort && f.Value.scale < 8 {
			m += putShort((*[shortSize]byte)(room[m:]), uint32(v), int(f.Value.scale)) //nolint:gosec // checked
		} else {
			m += putDecimal((*[maxNumber]byte)(room[m:]), f.Value.signed(), f.Value.scale)
		}
		*(*[maxSuffix]byte)(room[m&63:]) = suffix
		dst = dst[:n+m+size]
	}
	if len(fields) > 0 {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// appendField appends a name, what goes before its value, and the value. p is the
// name's piece, nil if it is not known.
func (e *FieldEncoder) appendField(dst []byte, p *piece, f *Field) []byte {
	if p != nil {
		return f.Value.appendJSON(append(dst, p.text[:p.size]...))
	}
	n := len(dst)
	dst = AppendString(dst, f.Name)
	dst = append(dst, ':')
	dst = append(dst, e.before...)
	if len(dst)-n <= pieceSize {
		e.remember(f.Name, dst[n:])
	}
	return f.Value.appendJSON(dst)
}

// remember makes a piece of a name.
func (e *FieldEncoder) remember(name string, text []byte) {
	if e.used == maxPieces {
		clear(e.pieces[:])
		clear(e.places[:])
		e.used = 0
	}
	p := &e.pieces[e.used]
	p.name, p.size = name, copy(p.text[:], text)
	e.used++
	at := placeOf(name)
	if e.places[at] != 0 {
		at ^= 1 // there are two for each name
	}
	e.places[at] = uint8(e.used) //nolint:gosec // at most maxPieces
}

// find is the piece of that name, nil if it is not known, and at where the next one is
// expected: behind it, or where it will be.
func (e *FieldEncoder) find(name string) (p *piece, at int) {
	place := placeOf(name)
	for _, n := range [...]uint8{e.places[place], e.places[place^1]} {
		if n > 0 && e.pieces[n-1].of(name) {
			return &e.pieces[n-1], int(n) - 1
		}
	}
	return nil, e.used
}

// placeOf is where a name's piece is looked up first; the second place is beside it.
func placeOf(name string) uint64 {
	at := uint64(uintptr(unsafe.Pointer(unsafe.StringData(name)))) //nolint:gosec // hashed only
	return at * 0x9E3779B97F4A7C15 >> (64 - placeBits)             // Fibonacci hashing
}

// of says whether p is that of name: of the one at that place.
func (p *piece) of(name string) bool {
	return unsafe.StringData(p.name) == unsafe.StringData(name) && len(p.name) == len(name) && p.size > 0 //nolint:gosec // compared only
}
