package codectest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

// Run feeds stream to fresh decoders whole, byte by byte and cut at every point,
// and wants the same messages, shown by %+v, each time. The input of each call
// is overwritten after it.
func Run[M any](tb testing.TB, fresh func() codec.Decoder[M], stream []byte, want ...string) {
	tb.Helper()
	run(tb, fresh, plus[M], stream, want)
}

func run[M any](tb testing.TB, fresh func() codec.Decoder[M], show func(M) string, stream []byte, want []string) {
	tb.Helper()
	whole := decodeAll(tb, fresh, show, stream, nil)
	if !slices.Equal(whole.got, want) {
		tb.Fatalf("whole: messages of %q\n got %q\nwant %q", stream, whole.got, want)
	}
	check := func(name string, cuts []int) {
		tb.Helper()
		part := decodeAll(tb, fresh, show, stream, cuts)
		if !slices.Equal(part.got, want) {
			tb.Fatalf("%s: messages of %q\n got %q\nwant %q", name, stream, part.got, want)
		}
		if (part.fatal == nil) != (whole.fatal == nil) {
			tb.Fatalf("%s: the stream ends with error %v, whole with %v", name, part.fatal, whole.fatal)
		}
	}
	check("byte by byte", everywhere(stream))
	for i := range stream {
		check(fmt.Sprintf("cut at %d", i), []int{i})
	}
}

// Allocs wants that decoding stream with a decoder that has seen it before
// allocates at most limit times per message, on average. Under the race detector
// the runtime allocates more: skip it there. Parallel tests must not call it.
func Allocs[M any](tb testing.TB, limit float64, d codec.Decoder[M], stream []byte) {
	tb.Helper()
	messages := 0
	decode := func() {
		for in := stream; len(in) > 0; {
			_, n, err := d.Decode(in)
			if err == nil {
				messages++
			}
			if n <= 0 || n > len(in) {
				return
			}
			in = in[n:]
		}
	}
	decode()
	if messages == 0 {
		tb.Fatalf("allocations: there is no message in %q", stream)
	}
	per := testing.AllocsPerRun(100, decode) / float64(messages)
	if per > limit {
		tb.Errorf("allocations: %.2f per message, want %.2f or fewer", per, limit)
	}
}

// Fuzz is the body of a fuzz target: for any bytes a decoder keeps its contract
// and finds the same messages whole, cut and byte by byte, and never in a part
// of a stream what is not in the whole.
func Fuzz[M any](f *testing.F, fresh func() codec.Decoder[M], seeds ...[]byte) {
	f.Helper()
	const longest = 4096 // streams cost their size squared
	for i, seed := range seeds {
		f.Add(seed, uint16(i))                              //nolint:gosec // any number will do
		f.Add(slices.Concat(seed, seed), uint16(len(seed))) //nolint:gosec // any number will do
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		Properties(t, fresh, stream[:min(len(stream), longest)], int(cut))
	})
}

// Properties is what [Fuzz] checks of one stream, cut at cut modulo its length,
// for fuzz targets that check more.
func Properties[M any](tb testing.TB, fresh func() codec.Decoder[M], stream []byte, cut int) {
	tb.Helper()
	whole := decodeAll(tb, fresh, plus[M], stream, nil).got
	if len(stream) == 0 {
		return
	}
	cut %= len(stream)
	if got := decodeAll(tb, fresh, plus[M], stream, []int{cut}).got; !slices.Equal(got, whole) {
		tb.Errorf("cut at %d: messages of %q\n got %q\nwant %q", cut, stream, got, whole)
	}
	if got := decodeAll(tb, fresh, plus[M], stream, everywhere(stream)).got; !slices.Equal(got, whole) {
		tb.Errorf("byte by byte: messages of %q\n got %q\nwant %q", stream, got, whole)
	}
	if got := decodeAll(tb, fresh, plus[M], stream[:cut], nil).got; !isPrefix(got, whole) {
		tb.Errorf("truncated at %d: messages of %q\n       got %q\nwhole gives %q", cut, stream[:cut], got, whole)
	}
}

func isPrefix(part, whole []string) bool {
	return len(part) <= len(whole) && slices.Equal(part, whole[:len(part)])
}
