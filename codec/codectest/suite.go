package codectest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

// Suite is everything that can be checked of a codec. New and Frames are
// required; what the other fields would check is left out where they are zero.
type Suite[M any] struct {
	// New makes a decoder for one stream.
	New func() codec.Decoder[M]
	// Encoder, if any, is checked by round trips: each frame's message gives that
	// frame again, and that frame that message.
	Encoder codec.Encoder[M]
	// Frames are whole frames, each of one message, as devices send them.
	Frames [][]byte
	// Want is the message of each frame as Show shows it; empty: what each frame
	// gives alone is what it has to give everywhere.
	Want []string
	// Show makes a message comparable; nil is fmt's %+v. Messages that hold
	// pointers need one.
	Show func(M) string
	// Garbage is bytes that may stand before and between frames and cost none.
	Garbage [][]byte
	// MaxFrame is the largest frame in bytes, as on the wire: no decoder keeps
	// more bytes than that waiting.
	MaxFrame int
	// Endless is fronts of frames that are too large, such as a start marker or
	// a length above MaxFrame. Whatever follows, they are refused with an error.
	Endless [][]byte
	// Resync is behind how many bytes of sound frames damage must be forgotten;
	// zero is the size of all Frames, but at least MaxFrame. Negative: damage
	// cannot be found out, and is checked for the contract only.
	Resync int
	// MayEnd says that damage may end the stream with a codec.FatalError.
	MayEnd bool
	// NotCanonical says that several frames mean the same message, so that
	// encoding one need not give the frame it came from.
	NotCanonical bool
	// SameErrors wants as many errors for a cut stream as for the whole.
	SameErrors bool
}

// Run checks all of s, each rule in a subtest of its name.
func (s Suite[M]) Run(t *testing.T) {
	t.Helper()
	for _, rule := range s.rules() {
		t.Run(rule.name, func(t *testing.T) { rule.check(t) })
	}
}

type rule struct {
	name  string
	check func(tb testing.TB)
}

func (s Suite[M]) rules() []rule {
	if s.Show == nil {
		s.Show = plus[M]
	}
	if s.Resync == 0 {
		s.Resync = max(s.MaxFrame, len(slices.Concat(s.Frames...)))
	}
	rules := []rule{
		{"frames", s.frames},
		{"stream", s.stream},
		{"truncation", s.truncation},
		{"damage", s.damage},
	}
	if len(s.Garbage) > 0 {
		rules = append(rules, rule{"garbage", s.garbage})
	}
	if s.MaxFrame > 0 {
		rules = append(rules, rule{"oversize", s.oversize})
	}
	if s.Encoder != nil {
		rules = append(rules, rule{"round trip", s.roundTrip})
	}
	return rules
}

func (s Suite[M]) decode(tb testing.TB, stream []byte, cuts ...int) *feeder[M] {
	tb.Helper()
	return decodeAll(tb, s.New, s.Show, stream, cuts)
}

// want is the message of each frame.
func (s Suite[M]) want(tb testing.TB) []string {
	tb.Helper()
	if len(s.Want) > 0 {
		return s.Want
	}
	var want []string
	for _, frame := range s.Frames {
		want = append(want, s.decode(tb, frame).got...)
	}
	return want
}

// frames: each frame alone is one message.
func (s Suite[M]) frames(tb testing.TB) {
	tb.Helper()
	if len(s.Frames) == 0 || len(s.Want) > 0 && len(s.Want) != len(s.Frames) {
		tb.Fatalf("suite: there are %d Frames and %d Want", len(s.Frames), len(s.Want))
	}
	for i, frame := range s.Frames {
		f := s.decode(tb, frame)
		if len(f.got) != 1 || f.errs != 0 {
			tb.Errorf("frame %d %q: %d messages and %d errors, want one message: %q", i, frame, len(f.got), f.errs, f.got)
		} else if len(s.Want) > 0 && f.got[0] != s.Want[i] {
			tb.Errorf("frame %d %q\n got %s\nwant %s", i, frame, f.got[0], s.Want[i])
		}
	}
}

// stream: frames behind one another, however cut, are their messages.
func (s Suite[M]) stream(tb testing.TB) {
	tb.Helper()
	stream := slices.Concat(s.Frames...)
	run(tb, s.New, s.Show, stream, s.want(tb))
	s.sameErrors(tb, stream)
}

// garbage: bytes around frames cost no message, however cut.
func (s Suite[M]) garbage(tb testing.TB) {
	tb.Helper()
	want := s.want(tb)
	for _, garbage := range s.Garbage {
		stream := slices.Concat(garbage, bytes.Join(s.Frames, garbage), garbage)
		run(tb, s.New, s.Show, stream, want)
		s.sameErrors(tb, stream)
	}
}

func (s Suite[M]) sameErrors(tb testing.TB, stream []byte) {
	tb.Helper()
	if !s.SameErrors {
		return
	}
	whole := s.decode(tb, stream).errs
	if got := s.decode(tb, stream, everywhere(stream)...).errs; got != whole {
		tb.Errorf("byte by byte: %d errors, whole %d: %q", got, whole, stream)
	}
	for i := range stream {
		if got := s.decode(tb, stream, i).errs; got != whole {
			tb.Errorf("cut at %d: %d errors, whole %d: %q", i, got, whole, stream)
		}
	}
}

// truncation: a stream that ends early gives the first of its messages and no
// others.
func (s Suite[M]) truncation(tb testing.TB) {
	tb.Helper()
	want, size := s.want(tb), 0
	for i, frame := range s.Frames {
		size += len(frame)
		stream := slices.Concat(s.Frames[:i+1]...)
		for end := size - len(frame); end < size; end++ {
			if got := s.decode(tb, stream[:end]).got; !isPrefix(got, want) || len(got) > i {
				tb.Fatalf("truncated at %d: messages of %q\n       got %q\nwhole gives %q", end, stream[:end], got, want[:i+1])
			}
		}
	}
}

// damage: whatever byte is changed, lost or doubled, later frames are decoded.
func (s Suite[M]) damage(tb testing.TB) {
	tb.Helper()
	want := s.want(tb)
	for i, frame := range s.Frames {
		for at := range frame {
			for name, damaged := range damages(frame, at) {
				f := s.decode(tb, damaged)
				for sent := 0; sent <= s.Resync; {
					sent += s.feedSound(tb, f)
				}
				s.feedSound(tb, f)
				switch {
				case s.Resync < 0 || f.fatal != nil && s.MayEnd:
				case f.fatal != nil:
					tb.Fatalf("damage: frame %d with byte %d %s ended the stream: %v", i, at, name, f.fatal)
				case len(f.got) < len(want) || !slices.Equal(f.got[len(f.got)-len(want):], want):
					tb.Fatalf("damage: frame %d with byte %d %s cost frames more than %d bytes behind it:\n           got %q\nwant at the end %q",
						i, at, name, s.Resync, f.got, want)
				}
			}
		}
	}
}

// feedSound feeds all frames, each in a read of its own.
func (s Suite[M]) feedSound(tb testing.TB, f *feeder[M]) (size int) {
	tb.Helper()
	for _, frame := range s.Frames {
		f.feed(tb, frame)
		size += len(frame)
	}
	return max(size, 1)
}

// damages are copies of frame that are wrong at one place.
func damages(frame []byte, at int) map[string][]byte {
	inverted, flipped := slices.Clone(frame), slices.Clone(frame)
	inverted[at] ^= 0xff
	flipped[at] ^= 1
	return map[string][]byte{
		"inverted": inverted,
		"flipped":  flipped,
		"lost":     slices.Delete(slices.Clone(frame), at, at+1),
		"doubled":  slices.Insert(slices.Clone(frame), at, frame[at]),
	}
}

// oversize: a frame that does not end is refused, and never waits in memory.
func (s Suite[M]) oversize(tb testing.TB) {
	tb.Helper()
	for _, front := range s.Endless {
		if f := s.endless(tb, front); f.errs == 0 {
			tb.Fatalf("oversize: no error for a frame that does not end: %q...", front)
		}
	}
	for _, frame := range s.Frames {
		s.endless(tb, frame[:len(frame)-1])
	}
}

// endless feeds front and then its last byte again and again.
func (s Suite[M]) endless(tb testing.TB, front []byte) *feeder[M] {
	tb.Helper()
	f := s.decode(tb, front)
	more := bytes.Repeat(front[max(0, len(front)-1):], 500)
	for sent := 0; len(more) > 0 && sent < 4*s.MaxFrame+10_000 && f.fatal == nil; sent += len(more) {
		f.feed(tb, more)
		if len(f.buf) > s.MaxFrame {
			tb.Fatalf("oversize: %d bytes wait of a frame that does not end, want at most %d: %q...", len(f.buf), s.MaxFrame, front)
		}
	}
	return f
}

// roundTrip: Append undoes Decode, and Decode undoes Append.
func (s Suite[M]) roundTrip(tb testing.TB) {
	tb.Helper()
	for i, frame := range s.Frames {
		msg, _, err := s.New().Decode(slices.Clone(frame))
		if err != nil {
			tb.Errorf("round trip: frame %d %q: %v", i, frame, err)
			continue
		}
		want := s.Show(msg)
		const before = "before"
		out, err := s.Encoder.Append([]byte(before), msg)
		if err != nil {
			tb.Errorf("round trip: Append(%s): %v", want, err)
			continue
		}
		wire, kept := bytes.CutPrefix(out, []byte(before))
		if !kept {
			tb.Fatalf("round trip: Append(%s) changed what was in the buffer: %q", want, out)
		}
		if !s.NotCanonical && !bytes.Equal(wire, frame) {
			tb.Errorf("round trip: Append(%s)\n got %q\nwant %q", want, wire, frame)
		}
		if got := s.decode(tb, wire).got; fmt.Sprint(got) != fmt.Sprint([]string{want}) {
			tb.Errorf("round trip: %q is decoded as %q, but was made of %s", wire, got, want)
		}
	}
}
