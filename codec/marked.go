package codec

import (
	"bytes"
	"fmt"
	"strings"
)

// MarkedOptions says how frames begin and end for [Marked].
type MarkedOptions struct {
	// Start and End are the byte sequences around each frame. They differ, and
	// neither holds the other; when one flag does both, see
	// DelimiterOptions.SkipEmpty.
	Start, End string
	// MaxFrame is the largest frame in bytes, without its markers.
	MaxFrame int
	// Keep leaves the markers on the frame.
	Keep bool
	// StartInside says that Start may stand inside of a frame. Otherwise a Start
	// inside means that the frame has lost its end: it is dropped, and the next
	// begins there.
	StartInside bool
}

type marked struct {
	MarkedOptions
	start, end []byte
	scanned    int // bytes at the front of the input, a frame's, that hold neither its end nor another start
	damage     damage
}

// Marked frames messages between two markers, of at most o.MaxFrame bytes.
// What stands between frames is dropped, as is a frame that is too long. The
// markers count wherever they stand: bytes that look like End are escaped inside
// of frames, and unescaping is up to whoever reads them. Of two markers that
// overlap the first counts. Frames alias the input.
func Marked(o MarkedOptions) Decoder[[]byte] {
	mustBePositive("Marked", "MaxFrame", o.MaxFrame)
	switch {
	case o.Start == "":
		panic(&OptionError{"Marked", "Start", "is empty"})
	case o.End == "":
		panic(&OptionError{"Marked", "End", "is empty"})
	case strings.Contains(o.Start, o.End) || strings.Contains(o.End, o.Start):
		panic(&OptionError{"Marked", "End", fmt.Sprintf("is %q and Start %q: neither may hold the other", o.End, o.Start)})
	}
	return &marked{MarkedOptions: o, start: []byte(o.Start), end: []byte(o.End)}
}

// Decode implements Decoder.
func (d *marked) Decode(in []byte) ([]byte, int, error) {
	n := d.garbage(in)
	d.scanned = max(0, d.scanned-n)
	if n > 0 && d.damage.drop(n) {
		return nil, n, &FrameError{Reason: fmt.Sprintf("want the start marker %q", d.Start)}
	}
	rest := in[n:]
	if len(rest) < len(d.start) {
		return nil, n, ErrIncomplete
	}
	d.damage.end()
	largest := len(d.start) + d.MaxFrame + len(d.end)
	window := rest[:min(len(rest), largest)]
	again := -1
	if !d.StartInside {
		again = d.find(window, d.start)
	}
	if again >= 0 { // an end that is whole before the other start is still the end
		window = window[:again+len(d.start)-1]
	}
	i := d.find(window, d.end)
	switch {
	case i >= 0:
		d.scanned = 0
		size := i + len(d.end)
		if d.Keep {
			return rest[:size:size], n + size, nil
		}
		return rest[len(d.start):i:i], n + size, nil
	case again >= 0:
		return nil, n + d.abandon(again), &FrameError{Offset: again, Reason: "a start marker inside of a frame"}
	case len(window) == largest:
		k := 1 + d.garbage(rest[1:])
		return nil, n + d.abandon(k), &FrameError{
			Offset: len(d.start) + d.MaxFrame,
			Reason: fmt.Sprintf("no end marker %q within %d bytes", d.End, d.MaxFrame),
		}
	default:
		d.scanned = len(window)
		return nil, n, ErrIncomplete
	}
}

// garbage is how many bytes at the front of in no frame can begin with.
func (d *marked) garbage(in []byte) int {
	if bytes.HasPrefix(in, d.start) {
		return 0
	}
	if i := bytes.Index(in, d.start); i >= 0 {
		return i
	}
	k := min(len(in), len(d.start)-1)
	for !bytes.HasSuffix(in, d.start[:k]) {
		k--
	}
	return len(in) - k
}

// find is where marker stands in window behind the start marker; -1 if nowhere.
func (d *marked) find(window, marker []byte) int {
	from := min(max(len(d.start), d.scanned-len(marker)+1), len(window))
	i := bytes.Index(window[from:], marker)
	if i < 0 {
		return -1
	}
	return from + i
}

// abandon drops k bytes, the first of which began a frame that cannot be one.
func (d *marked) abandon(k int) int {
	d.scanned = max(0, d.scanned-k)
	d.damage.end()
	d.damage.drop(k)
	return k
}
