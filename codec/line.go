package codec

import (
	"bytes"
	"fmt"
)

type line struct {
	max      int
	scanned  int  // bytes at the front of the input that hold no line end
	skipping bool // inside a line that was too long, until its end
	damage   damage
}

// Line frames text that ends in LF or CRLF, of at most limit bytes without the
// line end; a longer one is dropped to its end. Frames come without their line
// end, may be empty and alias the input.
func Line(limit int) Decoder[[]byte] {
	mustBePositive("Line", "limit", limit)
	return &line{max: limit}
}

// Decode implements Decoder.
func (d *line) Decode(in []byte) ([]byte, int, error) {
	n := 0
	if d.skipping {
		i := bytes.IndexByte(in, '\n')
		if i < 0 {
			return nil, len(in), d.skip(len(in))
		}
		d.skipping = false
		if err := d.skip(i + 1); err != ErrIncomplete { //nolint:errorlint // never wrapped
			return nil, i + 1, err
		}
		n = i + 1
	}
	rest := in[n:]
	from := min(d.scanned, len(rest))
	i := bytes.IndexByte(rest[from:], '\n')
	if i < 0 {
		return d.unended(n, len(rest))
	}
	i += from
	d.scanned = 0
	d.damage.end()
	text := rest[:i]
	if i > 0 && text[i-1] == '\r' {
		text = text[:i-1]
	}
	n += i + 1
	if len(text) > d.max {
		return nil, n, d.skip(n)
	}
	return text[:len(text):len(text)], n, nil
}

// unended is what becomes of size bytes behind n that hold no line end.
func (d *line) unended(n, size int) ([]byte, int, error) {
	if size <= d.max+1 { // it may be the largest line and its CR
		d.scanned = size
		return nil, n, ErrIncomplete
	}
	d.damage.end()
	d.scanned, d.skipping = 0, true
	return nil, n + size, d.skip(size)
}

// skip drops n bytes of a line that is too long.
func (d *line) skip(n int) error {
	if d.damage.drop(n) {
		return &FrameError{Offset: d.max, Reason: fmt.Sprintf("line longer than %d bytes", d.max)}
	}
	return ErrIncomplete
}
