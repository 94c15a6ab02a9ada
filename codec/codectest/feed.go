package codectest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

// feeder decodes a stream as a connection does and watches the contract.
type feeder[M any] struct {
	decoder codec.Decoder[M]
	show    func(M) string
	buf     []byte   // what the decoder is not done with
	got     []string // the messages, shown
	errs    int      // damage reported
	fatal   error    // what ended the stream
}

// decodeAll feeds stream, cut there, to a fresh decoder.
func decodeAll[M any](tb testing.TB, fresh func() codec.Decoder[M], show func(M) string, stream []byte, cuts []int) *feeder[M] {
	tb.Helper()
	f := &feeder[M]{decoder: fresh(), show: show}
	last := 0
	for _, cut := range append(slices.Clone(cuts), len(stream)) {
		f.feed(tb, stream[last:cut])
		last = cut
	}
	return f
}

// feed is one read.
func (f *feeder[M]) feed(tb testing.TB, read []byte) {
	tb.Helper()
	f.buf = append(f.buf, read...)
	for len(f.buf) > 0 && f.fatal == nil {
		if !f.step(tb) {
			break
		}
	}
}

// step is one call of Decode. more says whether the connection would call again
// before the next read.
func (f *feeder[M]) step(tb testing.TB) (more bool) {
	tb.Helper()
	in := slices.Clone(f.buf)
	msg, n, err := f.decode(tb, in)
	switch {
	case n < 0 || n > len(in):
		tb.Fatalf("contract: Decode was done with %d of %d bytes (error %v): %q", n, len(in), err, f.buf)
	case n == 0 && err == nil:
		tb.Fatalf("contract: Decode returned a message that took no bytes: %q", f.buf)
	case err != codec.ErrIncomplete && errors.Is(err, codec.ErrIncomplete): //nolint:errorlint // that is the point
		tb.Fatalf("contract: codec.ErrIncomplete is wrapped in %q; return it as it is: %q", err, f.buf)
	case n == 0 && err != codec.ErrIncomplete: //nolint:errorlint // never wrapped
		tb.Fatalf("contract: Decode made no progress with error %v: %q", err, f.buf)
	case !bytes.Equal(in[n:], f.buf[n:]):
		tb.Fatalf("contract: Decode changed the input behind its frame from %q to %q", f.buf[n:], in[n:])
	}
	if err == nil {
		f.message(tb, msg, in)
	}
	for i := range in {
		in[i] = 0xdd // whoever has kept the input sees this
	}
	f.buf = f.buf[n:]
	switch {
	case err == codec.ErrIncomplete: //nolint:errorlint // never wrapped
		f.stalled(tb)
		return false
	case err != nil:
		f.errs++
		if fatal := (*codec.FatalError)(nil); errors.As(err, &fatal) {
			f.fatal = err
		}
	}
	return true
}

// decode calls Decode and makes a panic a failure.
func (f *feeder[M]) decode(tb testing.TB, in []byte) (msg M, n int, err error) {
	tb.Helper()
	defer func() {
		if r := recover(); r != nil {
			tb.Fatalf("panic: Decode panicked with %v: %q", r, f.buf)
		}
	}()
	return f.decoder.Decode(in)
}

func (f *feeder[M]) message(tb testing.TB, msg M, in []byte) {
	tb.Helper()
	before := f.show(msg)
	for i := range in {
		in[i] = ^in[i]
	}
	if after := f.show(msg); after != before {
		tb.Errorf("aliasing: the message changed with the input that it was decoded from,\nfrom %s\n  to %s", before, after)
	}
	f.got = append(f.got, before)
}

// stalled finds a decoder that asks for more bytes though it has a message: no
// one calls it again before the next read, which may never come.
func (f *feeder[M]) stalled(tb testing.TB) {
	tb.Helper()
	if len(f.buf) == 0 {
		return
	}
	_, n, err := f.decode(tb, slices.Clone(f.buf))
	if err != codec.ErrIncomplete { //nolint:errorlint // never wrapped
		tb.Fatalf("contract: Decode returned codec.ErrIncomplete and, for the same rest, then error %v: %q", err, f.buf)
	}
	if n < 0 || n > len(f.buf) {
		tb.Fatalf("contract: Decode was done with %d of %d bytes: %q", n, len(f.buf), f.buf)
	}
	f.buf = f.buf[n:]
}

func everywhere(stream []byte) []int {
	cuts := make([]int, len(stream))
	for i := range cuts {
		cuts[i] = i
	}
	return cuts
}

func plus[M any](msg M) string { return fmt.Sprintf("%+v", msg) }
