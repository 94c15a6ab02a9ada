package thing

import (
	"encoding/binary"
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
	known  [1 << setBits][ways]piece
}

// piece is what stands in front of one field's value.
type piece struct {
	name string // held, so that its place is no other name's
	size int    // 0: none
	text [pieceSize / 8]uint64
}

// Names are in one of so many sets, of so many pieces.
const (
	setBits = 6
	ways    = 4
)

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
	size := len(after) + 1 // and a comma
	short := size <= maxSuffix
	if short {
		suffix[copy(suffix[:], after)] = ','
	}
	dst = append(dst, '{')
	for i := range fields {
		f := &fields[i]
		if cap(dst)-len(dst) < pieceSize+maxNumber+maxSuffix {
			dst = slices.Grow(dst, pieceSize+maxNumber+maxSuffix)
		}
		n := len(dst)
		p := &e.set(f.Name)[0]
		if !p.of(f.Name) {
			p = e.find(f.Name)
		}
		if p != nil {
			p.put((*[pieceSize]byte)(dst[n:cap(dst)]))
			n += p.size
		} else {
			dst = e.appendName(dst, f.Name)
			n = len(dst)
		}
		room := dst[n:cap(dst)]
		switch v := f.Value.num; {
		case f.Value.typ != IntType && f.Value.typ != DecimalType || len(room) < maxNumber:
			dst = f.Value.appendJSON(dst[:n])
			n = len(dst)
		case v < maxShort && f.Value.scale < 8:
			n += putShort((*[shortSize]byte)(room), uint32(v), int(f.Value.scale)) //nolint:gosec // checked
		default:
			n += putDecimal((*[maxNumber]byte)(room), f.Value.signed(), f.Value.scale)
		}
		if room = dst[n:cap(dst)]; short && len(room) >= maxSuffix {
			*(*[maxSuffix]byte)(room) = suffix
			dst = dst[:n+size]
		} else {
			dst = append(append(dst[:n], after...), ',')
		}
	}
	if len(fields) > 0 {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// find is the piece of that name; nil when it is not known.
func (e *FieldEncoder) find(name string) *piece {
	set := e.set(name)
	for i := range set {
		if p := &set[i]; p.of(name) {
			return p
		}
	}
	return nil
}

// set is where a name may be, the newest first.
func (e *FieldEncoder) set(name string) *[ways]piece {
	at := uint64(uintptr(unsafe.Pointer(unsafe.StringData(name)))) //nolint:gosec // hashed only
	return &e.known[at*0x9E3779B97F4A7C15>>(64-setBits)]           // Fibonacci hashing
}

// appendName appends what stands in front of the value of a name that is not known.
func (e *FieldEncoder) appendName(dst []byte, name string) []byte {
	n := len(dst)
	dst = AppendString(dst, name)
	dst = append(dst, ':')
	dst = append(dst, e.before...)
	if len(dst)-n <= pieceSize {
		set := e.set(name)
		copy(set[1:], set[:])
		set[0] = pieceOf(name, dst[n:])
	}
	return dst
}

func pieceOf(name string, text []byte) piece {
	var b [pieceSize]byte
	p := piece{name: name, size: copy(b[:], text)}
	for i := range p.text {
		p.text[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return p
}

// put copies the text of p, and what is behind it.
func (p *piece) put(room *[pieceSize]byte) {
	binary.LittleEndian.PutUint64(room[0:], p.text[0])
	binary.LittleEndian.PutUint64(room[8:], p.text[1])
	binary.LittleEndian.PutUint64(room[16:], p.text[2])
	binary.LittleEndian.PutUint64(room[24:], p.text[3])
}

// of says whether p is that of name: of the one at that place.
func (p *piece) of(name string) bool {
	return unsafe.StringData(p.name) == unsafe.StringData(name) && len(p.name) == len(name) && p.size > 0 //nolint:gosec // compared only
}
