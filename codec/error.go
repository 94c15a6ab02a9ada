package codec

import (
	"errors"
	"fmt"
)

// ErrIncomplete says that the front of the input may become a message when more
// bytes arrive. Decoders return it as it is, never wrapped: it is compared on
// the hot path.
var ErrIncomplete = errors.New("codec: incomplete message")

// FrameError reports bytes that are no message. The stream goes on behind them.
type FrameError struct {
	Offset int    // of the first offending byte, from the front of the frame
	Reason string // "checksum 0x1f, want 0x3a"
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("codec: bad frame at byte %d: %s", e.Offset, e.Reason)
}

// FatalError wraps an error after which the stream cannot be resynchronised:
// whoever reads the stream ends it.
type FatalError struct{ Err error }

func (e *FatalError) Error() string { return e.Err.Error() }

// Unwrap is the error that was fatal.
func (e *FatalError) Unwrap() error { return e.Err }

// OptionError is what constructors of framers panic with when they are given
// options with which no frame can be found.
type OptionError struct {
	Framer string // "LengthField"
	Option string // "Size"
	Reason string // "is 5, want 1, 2, 3, 4 or 8"
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("codec: %s: %s %s", e.Framer, e.Option, e.Reason)
}

func mustBePositive(framer, option string, n int) {
	if n < 1 {
		panic(&OptionError{framer, option, fmt.Sprintf("is %d, want 1 or more", n)})
	}
}

// reportEvery is after how many bytes a stretch of damage that goes on is
// reported again, so that whoever counts errors sees that it does not end.
const reportEvery = 64 << 10

// damage is a stretch of bytes that belong to no frame. It is reported once,
// however the stream is cut into reads.
type damage struct{ dropped uint64 }

// drop adds n > 0 bytes to the stretch and says whether to report it now.
func (d *damage) drop(n int) (report bool) {
	before := d.dropped
	d.dropped += uint64(n) //nolint:gosec // positive
	return before == 0 || (before-1)/reportEvery != (d.dropped-1)/reportEvery
}

// end is where a frame begins: what is dropped next is another stretch.
func (d *damage) end() { d.dropped = 0 }
