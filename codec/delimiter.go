package codec

import (
	"bytes"
	"fmt"
	"strings"
)

// DelimiterOptions says how frames end for [Delimiter].
type DelimiterOptions struct {
	// Delimiters are the byte sequences that end a frame; any of them does. The
	// one that is whole first counts, and of several that end together the
	// longest: with "\r\n" and "\n" both line ends are stripped whole.
	Delimiters []string
	// MaxFrame is the largest frame in bytes, without its delimiter.
	MaxFrame int
	// Keep leaves the delimiter at the end of the frame.
	Keep bool
	// SkipEmpty drops frames that hold nothing but a delimiter. It suits
	// protocols in which one flag ends a frame and begins the next, as HDLC's.
	SkipEmpty bool
}

type delimiter struct {
	DelimiterOptions
	only     []byte    // the delimiter when there is one
	last     [256]bool // bytes that end a delimiter, when there are several
	longest  int       // delimiter in bytes
	scanned  int       // bytes at the front of the input in which no delimiter ends
	skipping bool      // inside a frame that was too long, until its delimiter
	damage   damage
}

// Delimiter frames messages that end in a delimiter, of at most o.MaxFrame
// bytes; a longer one is dropped to its delimiter. Frames alias the input.
func Delimiter(o DelimiterOptions) Decoder[[]byte] {
	mustBePositive("Delimiter", "MaxFrame", o.MaxFrame)
	if len(o.Delimiters) == 0 {
		panic(&OptionError{"Delimiter", "Delimiters", "is empty, want one or more"})
	}
	d := &delimiter{DelimiterOptions: o}
	for _, s := range o.Delimiters {
		if s == "" {
			panic(&OptionError{"Delimiter", "Delimiters", "has an empty one"})
		}
		for _, other := range o.Delimiters {
			if strings.Contains(s[:len(s)-1], other) {
				panic(&OptionError{"Delimiter", "Delimiters", fmt.Sprintf("has %q, before whose end %q ends the frame", s, other)})
			}
		}
		d.longest = max(d.longest, len(s))
		d.last[s[len(s)-1]] = true
	}
	if len(o.Delimiters) == 1 {
		d.only = []byte(o.Delimiters[0])
	}
	return d
}

// Decode implements Decoder.
func (d *delimiter) Decode(in []byte) ([]byte, int, error) {
	n := 0
	for {
		rest := in[n:]
		size, end := d.find(rest)
		if end < 0 {
			return d.unended(n, len(rest))
		}
		n += end
		d.scanned = 0
		switch {
		case d.skipping:
			d.skipping = false
			if err := d.skip(end); err != ErrIncomplete { //nolint:errorlint // never wrapped
				return nil, n, err
			}
		case size > d.MaxFrame:
			d.damage.end()
			return nil, n, d.skip(end)
		case size > 0 || !d.SkipEmpty:
			if d.Keep {
				size = end
			}
			return rest[:size:size], n, nil
		}
	}
}

// find is the size of the frame at the front of in and where its delimiter
// ends; -1 when it has not come yet.
func (d *delimiter) find(in []byte) (size, end int) {
	from := min(d.scanned, len(in))
	if d.only != nil {
		from = max(0, from-len(d.only)+1)
		i := bytes.Index(in[from:], d.only)
		if i < 0 {
			return 0, -1
		}
		return from + i, from + i + len(d.only)
	}
	for i := from; i < len(in); i++ {
		if !d.last[in[i]] {
			continue
		}
		if k := d.suffix(in[:i+1]); k > 0 {
			return i + 1 - k, i + 1
		}
	}
	return 0, -1
}

// suffix is the length of the longest delimiter that ends in; 0 when none does.
func (d *delimiter) suffix(in []byte) (longest int) {
	for _, s := range d.Delimiters {
		if len(s) > longest && len(in) >= len(s) && string(in[len(in)-len(s):]) == s {
			longest = len(s)
		}
	}
	return longest
}

// unended is what becomes of size bytes behind n in which no delimiter ends.
func (d *delimiter) unended(n, size int) ([]byte, int, error) {
	d.scanned = size
	if !d.skipping && size < d.MaxFrame+d.longest {
		return nil, n, ErrIncomplete
	}
	if !d.skipping {
		d.damage.end()
		d.skipping = true
	}
	gone := max(0, size-d.longest+1) // what is left may be the front of a delimiter
	d.scanned -= gone
	if gone == 0 {
		return nil, n, ErrIncomplete
	}
	return nil, n + gone, d.skip(gone)
}

// skip drops n bytes of a frame that is too long.
func (d *delimiter) skip(n int) error {
	if d.damage.drop(n) {
		return &FrameError{Offset: d.MaxFrame, Reason: fmt.Sprintf("frame longer than %d bytes", d.MaxFrame)}
	}
	return ErrIncomplete
}
