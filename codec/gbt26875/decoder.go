package gbt26875

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/linkspan/linkspan/codec"
)

// Options of [NewDecoder].
type Options struct {
	MaxData        int  `conf:"maxData" doc:"longest application data in bytes that is waited for; the standard allows 1024"`
	IgnoreChecksum bool `conf:"ignoreChecksum" doc:"do not look at check sums: for devices that compute them wrongly"`
	Damaged        bool `conf:"damaged" doc:"hand on frames whose check sum is wrong, marked as damaged, instead of refusing them"`
}

// DefaultOptions are 1024 bytes, and wrong check sums refused.
func DefaultOptions() Options { return Options{MaxData: MaxData} }

// Validate reports what of o makes no sense.
func (o Options) Validate() error {
	if o.MaxData < 1 || o.MaxData > 0xFFFF {
		return fmt.Errorf("gbt26875: maxData: %d, must be 1 to 65535", o.MaxData)
	}
	return nil
}

// NewDecoder returns a decoder of one connection's frames. A MaxData that is not
// positive means the default.
//
// A frame begins with @@, says how long it is and has ## at that place. What
// begins so and is too long, has no ## there, or has another whole frame inside
// is no frame: the search goes on behind its first byte, for @@@ may be noise
// and a frame. So a length that was damaged on its way does not keep the frames
// behind it waiting for bytes that never come. Bytes between frames are one
// *codec.FrameError for each stretch; a frame whose check sum is wrong is one by
// itself, and skipped as a whole.
//
// A decoder may be used by one goroutine at a time. Between frames it holds no
// more than about 400 bytes.
func NewDecoder(o Options) codec.Decoder[*Frame] {
	if o.MaxData <= 0 {
		o.MaxData = MaxData
	}
	return &decoder{options: o}
}

// decoder copies data into small, a buffer of its own that grows to smallData
// bytes and is kept, for nearly all data is that short; longer data goes into one
// of the pool, which the next call gives back.
type decoder struct {
	options Options
	dropped uint64 // bytes of the present stretch that belong to no frame
	small   []byte
	large   *[]byte // nil mostly
	frame   Frame   // what Decode returns
}

const (
	smallData   = 256
	reportEvery = 64 << 10 // bytes of a stretch without frames after which it is reported again
)

var largeData = sync.Pool{New: func() any { b := make([]byte, 0, MaxData); return &b }}

// Decode implements codec.Decoder.
func (d *decoder) Decode(in []byte) (*Frame, int, error) {
	d.release()
	n := 0
	for {
		k := findStart(in[n:])
		n += k
		if k > 0 && d.drop(k) {
			return nil, n, &codec.FrameError{Reason: "bytes outside of a frame: want the start marker @@"}
		}
		size, is := d.look(in[n:])
		switch is {
		case incomplete:
			return nil, n, codec.ErrIncomplete
		case tooLongData, noEnd, another:
			front := in[n:]
			n += size
			if d.drop(size) {
				return nil, n, &codec.FrameError{Reason: d.why(is, front)}
			}
		default:
			d.dropped = 0
			if err := d.parse(in[n : n+size]); err != nil {
				return nil, n + size, err
			}
			return &d.frame, n + size, nil
		}
	}
}

// drop adds n bytes to the stretch without frames and says whether to report it.
func (d *decoder) drop(n int) bool {
	before := d.dropped
	d.dropped += uint64(n) //nolint:gosec // positive
	return before == 0 || (before-1)/reportEvery != (d.dropped-1)/reportEvery
}

// findStart is how many bytes at the front of in no frame can begin with.
func findStart(in []byte) int {
	if i := bytes.Index(in, []byte(startMarker)); i >= 0 {
		return i
	}
	if n := len(in); n > 0 && in[n-1] == startMarker[0] {
		return n - 1
	}
	return len(in)
}

// What bytes that begin with @@ may be.
const (
	whole = iota
	incomplete
	tooLongData // no frame: it would be too long
	noEnd       // no frame: the end marker is not where it should be
	another     // no frame: another one begins inside
)

// look says what in begins with, and how long that is: the frame, or bytes to give
// up.
func (d *decoder) look(in []byte) (size, is int) {
	if len(in) < headerLen {
		return 0, incomplete
	}
	length := int(binary.LittleEndian.Uint16(in[offLength:]))
	if length > d.options.MaxData {
		return 1, tooLongData
	}
	size = minFrame + length
	have := in[:min(size, len(in))]
	if inner := inside(have); inner > 0 {
		return inner, another
	}
	if len(have) < size {
		return 0, incomplete
	}
	if string(have[size-len(endMarker):]) != endMarker {
		return 1, noEnd
	}
	return size, whole
}

// why is a text about what is no frame.
func (d *decoder) why(is int, in []byte) string {
	length := binary.LittleEndian.Uint16(in[offLength:])
	switch is {
	case tooLongData:
		return fmt.Sprintf("application data of %d bytes, at most %d are allowed", length, d.options.MaxData)
	case noEnd:
		return fmt.Sprintf("no end marker ## behind %d bytes of application data", length)
	default:
		return "a whole frame begins inside of a frame"
	}
}

// inside is where in a candidate another frame begins that is whole and sound, 0
// if there is none. It takes a time that grows with the candidate's length alone,
// whatever is in it.
func inside(candidate []byte) int {
	at, size := nextInside(candidate, 1)
	if at == 0 {
		return 0
	}
	return soundInside(candidate, at, size)
}

// soundInside is inside from the first place at which there may be a frame.
func soundInside(candidate []byte, at, size int) int {
	var room [minFrame + MaxData]byte
	sums := appendSums(room[:0], candidate)
	for at > 0 {
		last := at + size - trailLen
		if sums[last-1]-sums[at+offSerial-1] == candidate[last] {
			return at
		}
		at, size = nextInside(candidate, at+1)
	}
	return 0
}

// nextInside is where in a candidate, from there on, the next frame begins that is
// whole up to its check sum, and how long it is; 0 if there is none.
func nextInside(candidate []byte, from int) (at, size int) {
	for at = from; len(candidate)-at >= minFrame; at++ {
		i := bytes.Index(candidate[at:], []byte(startMarker))
		if i < 0 {
			return 0, 0
		}
		at += i
		rest := candidate[at:]
		if len(rest) < minFrame {
			return 0, 0
		}
		size = minFrame + int(binary.LittleEndian.Uint16(rest[offLength:]))
		if size <= len(rest) && string(rest[size-len(endMarker):size]) == endMarker {
			return at, size
		}
	}
	return 0, 0
}

// appendSums appends, for each byte of b, the low byte of the sum up to it.
func appendSums(dst, b []byte) []byte {
	sum := byte(0)
	for _, c := range b {
		sum += c
		dst = append(dst, sum)
	}
	return dst
}

// sound says whether a frame's check sum is right.
func sound(frame []byte) bool {
	last := len(frame) - trailLen
	return checksum(frame[offSerial:last]) == frame[last]
}

// parse makes d.frame of one frame.
func (d *decoder) parse(raw []byte) error {
	last := len(raw) - trailLen
	damaged := !d.options.IgnoreChecksum && !sound(raw)
	if damaged && !d.options.Damaged {
		return &codec.FrameError{Offset: last, Reason: fmt.Sprintf("check sum 0x%02x, want 0x%02x", raw[last], checksum(raw[offSerial:last]))}
	}
	f := &d.frame
	f.Damaged = damaged
	f.Serial = binary.LittleEndian.Uint16(raw[offSerial:])
	f.Version = Version{raw[offVersion], raw[offVersion+1]}
	f.Time = Time(raw[offTime:offSource])
	f.Source = Address(raw[offSource:offDestination])
	f.Destination = Address(raw[offDestination:offLength])
	f.Command = Command(raw[offCommand])
	f.Data = append(d.scratch(last-headerLen), raw[headerLen:last]...)
	return nil
}

// release gives back the buffer of a long frame.
func (d *decoder) release() {
	if d.large != nil {
		largeData.Put(d.large)
		d.large = nil
		d.frame.Data = nil
	}
}

// scratch is an empty buffer with room for n bytes.
func (d *decoder) scratch(n int) []byte {
	if n <= cap(d.small) {
		return d.small[:0]
	}
	if n <= smallData {
		d.small = make([]byte, 0, (n+63)&^63)
		return d.small
	}
	d.large = largeData.Get().(*[]byte)
	if n > cap(*d.large) {
		*d.large = make([]byte, 0, n)
	}
	return (*d.large)[:0]
}
