package codec

import (
	"bytes"
	"fmt"
	"math"
)

// Resync is what [LengthField] does about a length that no frame can have.
type Resync uint8

// The ways on from an impossible length.
const (
	// SkipByte takes the frame to begin one byte later, or at the next
	// LengthFieldOptions.Start: right when bytes may get lost or damaged.
	SkipByte Resync = iota
	// SkipFrame believes a length above MaxFrame and drops that many bytes:
	// right on TCP when frames may be too large but never wrong. A length below
	// what a frame must have is skipped as by SkipByte.
	SkipFrame
	// Fatal gives up the stream with a [FatalError]: right on TCP when a frame
	// that is too large means that the peer speaks another protocol.
	Fatal
)

// LengthFieldOptions says where a frame's length stands for [LengthField].
type LengthFieldOptions struct {
	// Start, if any, is the bytes that begin every frame; what comes before
	// them is dropped.
	Start string
	// Offset is where the length field stands, from the front of the frame.
	Offset int
	// Size is the length field's: 1, 2, 3, 4 or 8 bytes.
	Size int
	// LittleEndian is the length field's byte order; otherwise it is big endian.
	LittleEndian bool
	// Adjust is added to the length field's value to make it the number of bytes
	// behind the length field: the size of a checksum it does not count, or minus
	// the size of a header that it does.
	Adjust int
	// Strip is how many bytes are cut off the front of each frame.
	Strip int
	// MaxFrame is the largest frame in bytes, from its first byte to its last
	// and before Strip.
	MaxFrame int
	// Resync is what to do about a length that no frame can have.
	Resync Resync
}

type lengthField struct {
	LengthFieldOptions
	header int    // bytes before which the length is not known
	skip   uint64 // bytes of a frame too large that are still to come
	damage damage
}

// LengthField frames binary messages that tell their length in a field of fixed
// place. Frames alias the input.
func LengthField(o LengthFieldOptions) Decoder[[]byte] {
	bad := func(option, format string, args ...any) {
		panic(&OptionError{"LengthField", option, fmt.Sprintf(format, args...)})
	}
	header := o.Offset + o.Size
	switch {
	case o.Offset < 0:
		bad("Offset", "is %d, want 0 or more", o.Offset)
	case o.Size != 1 && o.Size != 2 && o.Size != 3 && o.Size != 4 && o.Size != 8:
		bad("Size", "is %d, want 1, 2, 3, 4 or 8", o.Size)
	case o.Strip < 0:
		bad("Strip", "is %d, want 0 or more", o.Strip)
	case o.MaxFrame < max(header, len(o.Start), o.Strip):
		bad("MaxFrame", "is %d, want %d or more", o.MaxFrame, max(header, len(o.Start), o.Strip))
	case o.Resync > Fatal:
		bad("Resync", "is %d, want SkipByte, SkipFrame or Fatal", o.Resync)
	}
	return &lengthField{LengthFieldOptions: o, header: header}
}

// verdict is what can be said of the bytes at the front of the input.
type verdict uint8

const (
	undecided verdict = iota // more bytes are needed
	frame                    // a frame begins here
	noStart                  // the start is not here
	badLength                // no frame has this length
	skipFrame                // a frame that is too large, and to be skipped
)

// Decode implements Decoder.
func (d *lengthField) Decode(in []byte) ([]byte, int, error) {
	n := d.skipOn(in)
	var lost error // what to report of the bytes before n
	if n > 0 && d.damage.drop(n) {
		lost = d.bad(skipFrame, nil)
	}
	for d.skip == 0 {
		rest := in[n:]
		size, v := d.inspect(rest)
		hop := v == noStart || v == badLength && d.Resync != Fatal
		if lost != nil && !hop || v == undecided {
			break
		}
		switch {
		case hop:
			k := d.hop(rest)
			n += k
			if d.damage.drop(k) {
				if lost != nil {
					return nil, n, lost
				}
				lost = d.bad(v, rest)
			}
		case v == skipFrame: // the first of its bytes are here, so this is reported
			d.damage.end()
			d.skip = uint64(size) //nolint:gosec // above MaxFrame
			k := d.skipOn(rest)
			d.damage.drop(k)
			return nil, n + k, d.bad(v, rest)
		case v == badLength:
			return nil, n + d.header, &FatalError{d.bad(v, rest)}
		case size > int64(len(rest)):
			d.damage.end()
			return nil, n, ErrIncomplete
		default:
			d.damage.end()
			return rest[d.Strip:size:size], n + int(size), nil
		}
	}
	if lost != nil {
		return nil, n, lost
	}
	return nil, n, ErrIncomplete
}

// skipOn is how many bytes at the front of in belong to the frame being skipped.
func (d *lengthField) skipOn(in []byte) int {
	k := min(d.skip, uint64(len(in)))
	d.skip -= k
	return int(k) //nolint:gosec // at most len(in)
}

// hop is how many bytes to skip from one that begins no frame to the next that may.
func (d *lengthField) hop(in []byte) int {
	if d.Start == "" {
		return 1
	}
	if i := bytes.IndexByte(in[1:], d.Start[0]); i >= 0 {
		return 1 + i
	}
	return len(in)
}

// inspect judges the front of in. size is that of a frame, or of one to skip.
func (d *lengthField) inspect(in []byte) (size int64, v verdict) {
	if k := min(len(d.Start), len(in)); string(in[:k]) != d.Start[:k] {
		return 0, noStart
	}
	if len(in) < max(d.header, len(d.Start)) {
		return 0, undecided
	}
	total := int64(math.MaxInt64)
	if value := d.value(in); value < math.MaxInt64/2 {
		total = int64(value) + int64(d.header) + int64(d.Adjust)
	}
	switch {
	case total >= int64(d.least()) && total <= int64(d.MaxFrame):
		return total, frame
	case total > int64(d.MaxFrame) && d.Resync == SkipFrame:
		return total, skipFrame
	default:
		return 0, badLength
	}
}

// least is the size of the smallest frame there can be.
func (d *lengthField) least() int { return max(d.header, len(d.Start), d.Strip) }

// value is the length field of the frame that in begins with.
func (d *lengthField) value(in []byte) (v uint64) {
	for i, b := range in[d.Offset:d.header] {
		if d.LittleEndian {
			v |= uint64(b) << (8 * i)
		} else {
			v = v<<8 | uint64(b)
		}
	}
	return v
}

// bad is why no frame begins at the front of in.
func (d *lengthField) bad(v verdict, in []byte) error {
	switch v {
	case noStart:
		return &FrameError{Reason: fmt.Sprintf("want the start %q", d.Start)}
	case skipFrame:
		return &FrameError{Offset: d.Offset, Reason: fmt.Sprintf("frame longer than %d bytes", d.MaxFrame)}
	default:
		return &FrameError{
			Offset: d.Offset,
			Reason: fmt.Sprintf("length field is %d, want a frame of %d to %d bytes", d.value(in), d.least(), d.MaxFrame),
		}
	}
}
