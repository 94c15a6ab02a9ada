package codec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
)

func frames(s ...string) (out [][]byte) {
	for _, f := range s {
		out = append(out, []byte(f))
	}
	return out
}

var (
	crlf   = codec.DelimiterOptions{Delimiters: []string{"\r\n"}, MaxFrame: 16}
	either = codec.DelimiterOptions{Delimiters: []string{"\r\n", "\n", "\x00"}, MaxFrame: 16}
	stars  = codec.MarkedOptions{Start: "$$", End: "*", MaxFrame: 16}
	inside = codec.MarkedOptions{Start: "$$", End: "**", MaxFrame: 16, StartInside: true}
	length = codec.LengthFieldOptions{Start: "\x55\xaa", Offset: 2, Size: 2, Strip: 4, MaxFrame: 20}
	skips  = codec.LengthFieldOptions{Offset: 1, Size: 2, Adjust: 1, MaxFrame: 20, Resync: codec.SkipFrame}
	fatals = codec.LengthFieldOptions{Size: 2, LittleEndian: true, MaxFrame: 20, Resync: codec.Fatal}
)

func TestLineSuite(t *testing.T) {
	codectest.Suite[string]{
		New:        line(16),
		Encoder:    codec.AppendFunc[string](func(dst []byte, s string) ([]byte, error) { return append(append(dst, s...), '\n'), nil }),
		Frames:     frames("a\n", "\n", strings.Repeat("b", 16)+"\n"),
		Want:       []string{"a", "", "bbbbbbbbbbbbbbbb"},
		Garbage:    frames("an overlong line, without meaning\r\n"),
		MaxFrame:   18,
		Endless:    frames("an overlong line, without end"),
		SameErrors: true,
	}.Run(t)
}

func TestDelimiterSuite(t *testing.T) {
	for name, o := range map[string]codec.DelimiterOptions{"one": crlf, "several": either} {
		t.Run(name, func(t *testing.T) {
			codectest.Suite[string]{
				New:        delimiter(o),
				Frames:     frames("a\r\n", "\r\n", "b\rb\r\n", strings.Repeat("b", 16)+"\r\n"),
				Want:       []string{"a", "", "b\rb", "bbbbbbbbbbbbbbbb"},
				Garbage:    frames("an overlong frame, without meaning\r\n"),
				MaxFrame:   18,
				Endless:    frames("an overlong frame, without end", "an overlong frame, and \r\r\r"),
				SameErrors: true,
			}.Run(t)
		})
	}
}

func TestMarkedSuite(t *testing.T) {
	codectest.Suite[string]{
		New: marked(stars),
		Encoder: codec.AppendFunc[string](func(dst []byte, s string) ([]byte, error) {
			return fmt.Appendf(dst, "$$%s*", s), nil
		}),
		Frames:     frames("$$a*", "$$b$b*", "$$cccccccccccccccc*"),
		Want:       []string{"a", "b$b", "cccccccccccccccc"},
		Garbage:    frames("garbage", "*", "$ ", "$$lost end "),
		MaxFrame:   19,
		Endless:    frames("$$an overlong frame", "$$a"),
		SameErrors: true,
	}.Run(t)
	codectest.Suite[string]{
		New:        marked(inside),
		Frames:     frames("$$a**", "$$b$$b**"),
		Want:       []string{"a", "b$$b"},
		Garbage:    frames("garbage", "*", "**", "$ "),
		MaxFrame:   20,
		Endless:    frames("$$an overlong frame", "$$a", "$$$"),
		SameErrors: true,
	}.Run(t)
}

func TestLengthFieldSuite(t *testing.T) {
	codectest.Suite[string]{
		New: lengthField(length),
		Encoder: codec.AppendFunc[string](func(dst []byte, s string) ([]byte, error) {
			return append(append(dst, 0x55, 0xaa, 0, byte(len(s))), s...), nil
		}),
		Frames:     frames("\x55\xaa\x00\x01a", "\x55\xaa\x00\x00", "\x55\xaa\x00\x10cccccccccccccccc"),
		Want:       []string{"a", "", "cccccccccccccccc"},
		Garbage:    frames("garbage", "\x55", "\x55\x55", "\x55\xaa\xff\xff"),
		MaxFrame:   20,
		Endless:    frames("\x55\xaa\x00\x11a", "\x55\xaa\xff\xffa"),
		SameErrors: true,
	}.Run(t)
	// Without a start there is nothing by which to see damage; frames too large
	// are seen.
	codectest.Suite[string]{
		New:        lengthField(skips),
		Frames:     frames("a\x00\x01A.", "b\x00\x00."),
		Garbage:    frames("x\x00\x18" + strings.Repeat("x", 25)),
		MaxFrame:   20,
		Endless:    frames("a\xff\xff", "a\x00\x19"),
		Resync:     -1,
		SameErrors: true,
	}.Run(t)
	codectest.Suite[string]{
		New:        lengthField(fatals),
		Frames:     frames("\x01\x00a", "\x00\x00"),
		MaxFrame:   20,
		Endless:    frames("\xff\xff", "\x13\x00"),
		Resync:     -1,
		MayEnd:     true,
		SameErrors: true,
	}.Run(t)
}

func TestFixedSuite(t *testing.T) {
	codectest.Suite[string]{
		New:      fixed(3),
		Frames:   frames("abc", "def"),
		Want:     []string{"abc", "def"},
		MaxFrame: 3,
		Resync:   -1,
	}.Run(t)
}

func TestFramersAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	codectest.Allocs(t, 0, codec.Line(64), []byte("a\nbb\r\n"))
	codectest.Allocs(t, 0, codec.Delimiter(crlf), []byte("a\r\nbb\r\n"))
	codectest.Allocs(t, 0, codec.Delimiter(either), []byte("a\r\nbb\n"))
	codectest.Allocs(t, 0, codec.Marked(stars), []byte("$$a*$$b*"))
	codectest.Allocs(t, 0, codec.LengthField(length), []byte("\x55\xaa\x00\x01a\x55\xaa\x00\x00"))
	codectest.Allocs(t, 0, codec.Fixed(2), []byte("aabb"))
}

func FuzzFramers(f *testing.F) {
	all := []func() codec.Decoder[string]{
		line(16), delimiter(crlf), delimiter(either), marked(stars), marked(inside), lengthField(length), lengthField(skips),
		lengthField(fatals), fixed(3),
		lengthField(codec.LengthFieldOptions{Size: 8, Adjust: -3, MaxFrame: 40}),
		delimiter(codec.DelimiterOptions{Delimiters: []string{"~"}, MaxFrame: 16, SkipEmpty: true, Keep: true}),
	}
	for i, seed := range []string{
		"a\nbb\r\nan overlong line\n", "a\r\n\rb\r\n", "\x00\r\x00\n", "$$a*x$$b$$c*", "$$$$a***$$b**", "\x55\xaa\x00\x01a\x55\x55\xaa\x00\x00",
		"a\x00\x01A.b\x00\xff.c", "\x01\x00a\x00\x00\xff\xff", "abcd", "\x00\x00\x00\x00\x00\x00\x00\x05", "~a~~b~",
	} {
		f.Add(uint8(i), []byte(seed), uint16(i))
	}
	f.Fuzz(func(t *testing.T, which uint8, stream []byte, cut uint16) {
		fresh := all[int(which)%len(all)]
		stream = stream[:min(len(stream), 1024)] // streams cost their size squared
		codectest.Properties(t, fresh, stream, int(cut))
		whole := errs(fresh(), string(stream), len(stream))
		if got := errs(fresh(), string(stream), 1); got != whole {
			t.Errorf("%d errors byte by byte, %d whole", got, whole)
		}
	})
}

func TestEndlessDamageIsReportedAgain(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func() codec.Decoder[string]{
		"line": line(16), "delimiter": delimiter(crlf), "marked": marked(stars), "length field": lengthField(length),
	} {
		if got := errs(fresh(), strings.Repeat("x", 200<<10), 1000); got != 4 {
			t.Errorf("%s: %d errors for 200 KiB of garbage, want 4: one at its beginning and one for every 64 KiB", name, got)
		}
	}
}

// A frame that comes in byte by byte must not be searched from its front each
// time. The count of bytes searched is not visible from outside, the time is:
// decoders are compared with themselves, with frames of twice the size.
func BenchmarkByteByByte(b *testing.B) {
	for _, size := range []int{16 << 10, 32 << 10} {
		frame := []byte("$$" + strings.Repeat("x", size) + "*\r\n")
		for name, fresh := range map[string]func() codec.Decoder[[]byte]{
			"line": func() codec.Decoder[[]byte] { return codec.Line(len(frame)) },
			"delimiter": func() codec.Decoder[[]byte] {
				return codec.Delimiter(codec.DelimiterOptions{Delimiters: []string{"\r\n"}, MaxFrame: len(frame)})
			},
			"delimiters": func() codec.Decoder[[]byte] {
				return codec.Delimiter(codec.DelimiterOptions{Delimiters: []string{"\r\n", ";"}, MaxFrame: len(frame)})
			},
			"marked": func() codec.Decoder[[]byte] {
				return codec.Marked(codec.MarkedOptions{Start: "$$", End: "*", MaxFrame: len(frame)})
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(frame)))
				for b.Loop() {
					d := fresh()
					for i := range frame {
						_, _, _ = d.Decode(frame[:i+1])
					}
				}
			})
		}
	}
}

func BenchmarkFramers(b *testing.B) {
	body := strings.Repeat("x", 60)
	for name, bench := range map[string]struct {
		d     codec.Decoder[[]byte]
		frame string
	}{
		"line":         {codec.Line(1024), body + "\r\n"},
		"delimiter":    {codec.Delimiter(codec.DelimiterOptions{Delimiters: []string{"\r\n"}, MaxFrame: 1024}), body + "\r\n"},
		"delimiters":   {codec.Delimiter(codec.DelimiterOptions{Delimiters: []string{"\r\n", ";"}, MaxFrame: 1024}), body + "\r\n"},
		"marked":       {codec.Marked(codec.MarkedOptions{Start: "$$", End: "*", MaxFrame: 1024}), "$$" + body + "*"},
		"length field": {codec.LengthField(codec.LengthFieldOptions{Size: 2, MaxFrame: 1024}), "\x00\x3c" + body},
		"fixed":        {codec.Fixed(60), body},
	} {
		b.Run(name, func(b *testing.B) {
			stream := []byte(strings.Repeat(bench.frame, 64))
			b.ReportAllocs()
			b.SetBytes(int64(len(stream)))
			for b.Loop() {
				for in := stream; len(in) > 0; {
					_, n, err := bench.d.Decode(in)
					if err != nil {
						b.Fatal(err)
					}
					in = in[n:]
				}
			}
		})
	}
}

func TestImpossibleOptions(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(){
		"Line: limit is 0":                           func() { codec.Line(0) },
		"Fixed: size is -1":                          func() { codec.Fixed(-1) },
		"Delimiter: MaxFrame is 0":                   func() { codec.Delimiter(codec.DelimiterOptions{Delimiters: []string{";"}}) },
		"Delimiter: Delimiters is empty":             func() { codec.Delimiter(codec.DelimiterOptions{MaxFrame: 9}) },
		"Delimiter: Delimiters has an empty":         func() { codec.Delimiter(codec.DelimiterOptions{MaxFrame: 9, Delimiters: []string{""}}) },
		`Delimiter: Delimiters has "\r\n", before w`: func() { codec.Delimiter(codec.DelimiterOptions{MaxFrame: 9, Delimiters: []string{"\r\n", "\r"}}) },
		"Marked: MaxFrame is 0":                      func() { codec.Marked(codec.MarkedOptions{Start: "a", End: "b"}) },
		"Marked: Start is empty":                     func() { codec.Marked(codec.MarkedOptions{MaxFrame: 9, End: "b"}) },
		"Marked: End is empty":                       func() { codec.Marked(codec.MarkedOptions{MaxFrame: 9, Start: "a"}) },
		`Marked: End is "aa" and Start "a"`:          func() { codec.Marked(codec.MarkedOptions{MaxFrame: 9, Start: "a", End: "aa"}) },
		"LengthField: Offset is -1":                  func() { codec.LengthField(codec.LengthFieldOptions{Offset: -1, Size: 2, MaxFrame: 9}) },
		"LengthField: Size is 5":                     func() { codec.LengthField(codec.LengthFieldOptions{Size: 5, MaxFrame: 9}) },
		"LengthField: Strip is -1":                   func() { codec.LengthField(codec.LengthFieldOptions{Size: 2, Strip: -1, MaxFrame: 9}) },
		"LengthField: MaxFrame is 9, want 10":        func() { codec.LengthField(codec.LengthFieldOptions{Offset: 8, Size: 2, MaxFrame: 9}) },
		"LengthField: Resync is 3":                   func() { codec.LengthField(codec.LengthFieldOptions{Size: 2, MaxFrame: 9, Resync: 3}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				err, _ := recover().(error)
				option := (*codec.OptionError)(nil)
				if !errors.As(err, &option) || !strings.HasPrefix(err.Error(), "codec: "+name) {
					t.Errorf("panic %v, want an OptionError that begins with %q", err, "codec: "+name)
				}
			}()
			make()
		})
	}
}

func TestMap(t *testing.T) {
	t.Parallel()
	errOdd := errors.New("odd")
	d := codec.Map(codec.Fixed(1), func(frame []byte) (byte, error) {
		switch frame[0] {
		case 'i':
			return 0, codec.ErrIncomplete
		case 'o':
			return 0, errOdd
		}
		return frame[0], nil
	})
	if _, n, err := d.Decode([]byte("o")); n != 1 || !errors.Is(err, errOdd) {
		t.Errorf("an error of parse: n = %d, error %v, want 1 and that error", n, err)
	}
	frame := (*codec.FrameError)(nil)
	if _, n, err := d.Decode([]byte("i")); n != 1 || !errors.As(err, &frame) {
		t.Errorf("ErrIncomplete of parse: n = %d, error %v, want 1 and a FrameError", n, err)
	}
	if msg, n, err := d.Decode([]byte("m")); msg != 'm' || n != 1 || err != nil {
		t.Errorf("message %q, n = %d, error %v", msg, n, err)
	}
}
