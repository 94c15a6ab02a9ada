package jt808

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"

	"github.com/linkspan/linkspan/codec"
)

// Options of [NewDecoder].
type Options struct {
	MaxFrame       int  `conf:"maxFrame" doc:"longest frame in bytes, as on the wire, that is waited for; 2092 is the most the standard allows"`
	AllowEncrypted bool `conf:"allowEncrypted" doc:"hand on frames with an encrypted body instead of refusing them"`
	BareChecksum   bool `conf:"bareChecksum" doc:"accept a check byte 7D that was not escaped, as some terminals send it"`
	IgnoreChecksum bool `conf:"ignoreChecksum" doc:"do not look at check bytes: for recordings that were made anonymous afterwards"`
	AnyLength      bool `conf:"anyLength" doc:"accept frames whose header tells a wrong length of the body: for terminals that do not count what they append"`
}

// defaultMaxFrame is about twice what a frame of legal length with every byte
// escaped takes, so that terminals with private additions are not cut off.
const defaultMaxFrame = 4096

// DefaultOptions are 4096 bytes, no encrypted frames, bare check bytes accepted,
// wrong ones and wrong lengths not.
func DefaultOptions() Options { return Options{MaxFrame: defaultMaxFrame, BareChecksum: true} }

// Validate reports what of o makes no sense.
func (o Options) Validate() error {
	if o.MaxFrame < minFrame || o.MaxFrame > 1<<16 {
		return fmt.Errorf("jt808: maxFrame: %d, must be %d to %d", o.MaxFrame, minFrame, 1<<16)
	}
	return nil
}

// NewDecoder returns a decoder of one connection's frames. A MaxFrame that is not
// positive means the default.
//
// Frames are found by the delimiter 7E alone, and one delimiter may close a frame
// and open the next:
//
//	 noise  7E  id attr phone serial ... body check  7E  7E  7E  next frame  7E ...
//	dropped |   \_________ escaped: candidate _____/ |  skipped |            |
//	      opens                              closes, and opens the next     closes
//
// So frames that stick together, come in parts, share a delimiter or have lost
// one, and noise between them, all cost what is damaged and nothing more. A
// candidate that is too short or long, or has a bad escape, check byte or length,
// is a *codec.FrameError whose Offset counts bytes from behind the opening
// delimiter; one with an encrypted body is an [*EncryptedError].
//
// A decoder remembers how far it has looked: a frame that arrives byte by byte is
// searched once. It may be used by one goroutine at a time. After a
// frame of up to 256 bytes it holds no more than about 500 bytes.
func NewDecoder(o Options) codec.Decoder[*Frame] {
	if o.MaxFrame <= 0 {
		o.MaxFrame = defaultMaxFrame
	}
	d := &decoder{options: o}
	d.small = d.first[:0]
	return d
}

// decoder unescapes into small, a buffer of its own that grows to smallFrame
// bytes and is kept: nearly all frames of a terminal are that short, a buffer from
// a pool for each makes decoding them half as expensive again (38 and 58 ns for a
// location report), and would be held while a connection is idle all the same,
// because the frame in it is valid until the next call. Longer frames do use one
// from the pool, which the next call gives back.
//
// A decoder is 256 bytes, of which most are the first of these buffers: with many
// terminals what costs is the memory that each of them has touched, one place for
// all of it is the least, and Go aligns objects of that size.
type decoder struct {
	options Options
	open    bool    // the last byte done with was a delimiter: what follows may be a frame
	looked  int32   // bytes at the front of what was kept that hold no delimiter
	small   []byte  // scratch, at most smallFrame bytes
	large   *[]byte // scratch from the pool, nil mostly
	frame   Frame   // what Decode returns
	first   [152]byte
}

const smallFrame = 256

var largeFrames = sync.Pool{New: func() any { b := make([]byte, 0, headerLen2019+packageLen+MaxBody+1); return &b }}

// Decode implements codec.Decoder.
func (d *decoder) Decode(in []byte) (*Frame, int, error) {
	d.release()
	n := 0
	if !d.open {
		i := bytes.IndexByte(in, delimiter)
		if i < 0 {
			return nil, len(in), codec.ErrIncomplete
		}
		n, d.open, d.looked = i+1, true, 0
	}
	if d.looked == 0 {
		for n < len(in) && in[n] == delimiter {
			n++
		}
	}
	rest := in[n:]
	from := min(int(d.looked), len(rest))
	end := bytes.IndexByte(rest[from:], delimiter)
	if end < 0 {
		if len(rest) > d.options.MaxFrame {
			d.open, d.looked = false, 0 // drop the rest of it, up to a delimiter
			return nil, len(in), tooLong(d.options.MaxFrame)
		}
		d.looked = int32(len(rest)) //nolint:gosec // at most MaxFrame
		return nil, n, codec.ErrIncomplete
	}
	end += from
	d.looked = 0
	n += end + 1
	if end > d.options.MaxFrame {
		return nil, n, tooLong(d.options.MaxFrame)
	}
	if err := d.parse(rest[:end]); err != nil {
		return nil, n, err
	}
	return &d.frame, n, nil
}

func tooLong(most int) error {
	return &codec.FrameError{Offset: most, Reason: "longer than " + strconv.Itoa(most) + " bytes"}
}

// release gives back the buffer of a long frame.
func (d *decoder) release() {
	if d.large != nil {
		largeFrames.Put(d.large)
		d.large = nil
		d.frame.Body = nil
	}
}

// scratch is an empty buffer with room for n bytes.
func (d *decoder) scratch(n int) []byte {
	if n <= cap(d.small) {
		return d.small[:0]
	}
	if n <= smallFrame {
		d.small = make([]byte, 0, (n+63)&^63)
		return d.small
	}
	d.large = largeFrames.Get().(*[]byte)
	if n > cap(*d.large) {
		*d.large = make([]byte, 0, n)
	}
	return (*d.large)[:0]
}

// parse makes d.frame of what lies between two delimiters.
func (d *decoder) parse(wire []byte) error {
	raw, bad := appendUnescaped(d.scratch(len(wire)), wire)
	if bad >= 0 {
		if bad+1 != len(wire) || !d.options.BareChecksum {
			return &codec.FrameError{Offset: bad, Reason: "7D that is followed by neither 01 nor 02"}
		}
		raw = append(raw, escape)
	}
	if len(raw) < minFrame {
		return &codec.FrameError{Offset: len(raw), Reason: strconv.Itoa(len(raw)) + " bytes, a header and its check byte are " + strconv.Itoa(minFrame)}
	}
	last := len(raw) - 1
	if sum := checksum(raw[:last]); sum != raw[last] && !d.options.IgnoreChecksum {
		return &codec.FrameError{Offset: last, Reason: fmt.Sprintf("check byte 0x%02x, want 0x%02x", raw[last], sum)}
	}
	h := &d.frame.Header
	body, err := parseHeader(h, raw[:last], d.options.AnyLength)
	if err != nil {
		return err
	}
	if h.Encryption != 0 && !d.options.AllowEncrypted {
		return &EncryptedError{Header: *h}
	}
	d.frame.Body = raw[body:last:last]
	return nil
}
