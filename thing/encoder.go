package thing

import (
	"encoding/binary"
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
	if size <= maxSuffix {
		suffix[copy(suffix[:], after)] = ','
	}
	dst = append(dst, '{')
	next := 0 // the piece of the name that came behind the last one's before
	for rest := fields; len(rest) > 0; {
		if cap(dst)-len(dst) < fieldRoom {
			dst = slices.Grow(dst, fieldRoom)
		}
		if size <= maxSuffix {
			n, done := e.putRun(dst[len(dst):cap(dst)], rest, next, &suffix, size)
			dst, next = dst[:len(dst)+n], next+done
			if done > 0 { // there may be more room needed, or none of these left
				rest = rest[done:]
				continue
			}
		}
		p := &e.pieces[next&(maxPieces-1)]
		if !p.of(rest[0].Name) {
			p, next = e.find(rest[0].Name)
		}
		next++
		dst = append(append(e.appendField(dst, p, &rest[0]), after...), ',')
		rest = rest[1:]
	}
	if len(fields) > 0 {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// putRun writes fields to the front of room, from the first to the one that is no number
// and no truth, or has another name than the piece that comes next, or for which there
// is not surely enough room. n is how many bytes they take, done how many they are.
func (e *FieldEncoder) putRun(room []byte, fields []Field, next int, suffix *[maxSuffix]byte, size int) (n, done int) {
	for i := range fields {
		f := &fields[i]
		p := &e.pieces[(next+i)&(maxPieces-1)]
		if len(room)-n < fieldRoom || !p.of(f.Name) {
			return n, i
		}
		to := (*[fieldRoom]byte)(room[n : n+fieldRoom])
		put32((*[pieceSize]byte)(to[:]), &p.text)
		m := p.size & 63
		switch f.Value.typ {
		case IntType, DecimalType:
			v, scale := f.Value.num, int(f.Value.scale)
			if v >= maxShort || scale >= 8 {
				m += putDecimal((*[maxNumber]byte)(to[m:]), f.Value.signed(), f.Value.scale)
				break
			}
			whole := wholeDigits(uint32(v), scale)
			digits := lastDigits(uint32(v), whole+scale)
			binary.LittleEndian.PutUint64(to[m:], digits)
			m += whole
			if scale > 0 {
				to[m&63] = '.'
				binary.LittleEndian.PutUint64(to[m&63+1:], digits>>(8*whole&63))
				m += scale + 1
			}
		case BoolType:
			word, letters := uint64(asFalse), 5
			if f.Value.num == 1 {
				word, letters = asTrue, 4
			}
			binary.LittleEndian.PutUint64(to[m:], word)
			m += letters
		default:
			return n, i
		}
		put32((*[maxSuffix]byte)(to[m&63:]), suffix)
		n += m + size
	}
	return n, len(fields)
}

// put32 is *dst = *src for what does not overlap, which the compiler does not know: it
// would call for a move that takes care.
func put32(dst, src *[32]byte) {
	*(*[16]byte)(dst[:16]) = *(*[16]byte)(src[:16])
	*(*[16]byte)(dst[16:]) = *(*[16]byte)(src[16:])
}

// The words true and false, their first letters in the low byte.
const (
	asTrue  = 'e'<<24 | 'u'<<16 | 'r'<<8 | 't'
	asFalse = 'e'<<32 | 's'<<24 | 'l'<<16 | 'a'<<8 | 'f'
)

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
