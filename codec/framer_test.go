package codec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
)

// text is a framer whose frames are copied, as users of framers do.
func text(fresh func() codec.Decoder[[]byte]) func() codec.Decoder[string] {
	return func() codec.Decoder[string] {
		return codec.Map(fresh(), func(frame []byte) (string, error) { return string(frame), nil })
	}
}

func lengthField(o codec.LengthFieldOptions) func() codec.Decoder[string] {
	return text(func() codec.Decoder[[]byte] { return codec.LengthField(o) })
}

func delimiter(o codec.DelimiterOptions) func() codec.Decoder[string] {
	return text(func() codec.Decoder[[]byte] { return codec.Delimiter(o) })
}

func marked(o codec.MarkedOptions) func() codec.Decoder[string] {
	return text(func() codec.Decoder[[]byte] { return codec.Marked(o) })
}

func line(limit int) func() codec.Decoder[string] {
	return text(func() codec.Decoder[[]byte] { return codec.Line(limit) })
}

func fixed(size int) func() codec.Decoder[string] {
	return text(func() codec.Decoder[[]byte] { return codec.Fixed(size) })
}

func TestFramers(t *testing.T) {
	t.Parallel()
	big := codec.LengthFieldOptions{Offset: 1, Size: 2, MaxFrame: 64}
	with := func(o codec.LengthFieldOptions, change func(*codec.LengthFieldOptions)) codec.LengthFieldOptions {
		change(&o)
		return o
	}
	fatal := with(big, func(o *codec.LengthFieldOptions) { o.Resync = codec.Fatal })
	skipFrame := with(big, func(o *codec.LengthFieldOptions) { o.Resync = codec.SkipFrame })
	started := with(big, func(o *codec.LengthFieldOptions) { o.Offset, o.Start = 2, "\x55\xaa" })
	for name, test := range map[string]struct {
		fresh  func() codec.Decoder[string]
		stream string
		want   []string
		errs   int
	}{
		"line":                             {line(4), "a\nbb\r\n\nccc\r\ndddd\r\n\r\r\n", []string{"a", "bb", "", "ccc", "dddd", "\r"}, 0},
		"line too long":                    {line(4), "a\neeeee\nb\neeeee\r\nffffffffffff\r\nc\n", []string{"a", "b", "c"}, 3},
		"line too long by one CR":          {line(4), "abcd\rx\nab\n", []string{"ab"}, 1},
		"line that does not end":           {line(4), "a\n" + strings.Repeat("x", 200), []string{"a"}, 1},
		"delimiter":                        {delimiter(codec.DelimiterOptions{Delimiters: []string{"<>"}, MaxFrame: 4}), "a<><>bbbb<>c<<>d", []string{"a", "", "bbbb", "c<"}, 0},
		"delimiter too long":               {delimiter(codec.DelimiterOptions{Delimiters: []string{"<>"}, MaxFrame: 4}), "aaaaa<>b<>cccccccccccc<><>aaaaa<>", []string{"b", ""}, 3},
		"delimiter kept":                   {delimiter(codec.DelimiterOptions{Delimiters: []string{"<>"}, MaxFrame: 4, Keep: true}), "a<><>", []string{"a<>", "<>"}, 0},
		"delimiters":                       {delimiter(codec.DelimiterOptions{Delimiters: []string{"\n", "\r\n", ";"}, MaxFrame: 4}), "a\nb\r\nc;\rd;eeee\r\nfffff\nxxxxxxxx\r\ng;", []string{"a", "b", "c", "\rd", "eeee", "g"}, 2},
		"delimiter flag":                   {delimiter(codec.DelimiterOptions{Delimiters: []string{"~"}, MaxFrame: 4, SkipEmpty: true}), "~a~~b~~~c~ddddd~~e~", []string{"a", "b", "c", "e"}, 1},
		"marked":                           {marked(codec.MarkedOptions{Start: "$", End: "*", MaxFrame: 4}), "$a*$bbbb*$*", []string{"a", "bbbb", ""}, 0},
		"marked kept":                      {marked(codec.MarkedOptions{Start: "$", End: "*", MaxFrame: 4, Keep: true}), "$a*$*", []string{"$a*", "$*"}, 0},
		"marked with garbage":              {marked(codec.MarkedOptions{Start: "@@", End: "##", MaxFrame: 4}), "xx@x#@@a##@y##@@b##@@c#@##zzzz", []string{"a", "b", "c#@"}, 3},
		"marked with a start inside":       {marked(codec.MarkedOptions{Start: "$", End: "*", MaxFrame: 4}), "$a$b*$$$c*", []string{"b", "c"}, 3},
		"marked with starts inside":        {marked(codec.MarkedOptions{Start: "$", End: "*", MaxFrame: 4, StartInside: true}), "$a$b*$$$c*", []string{"a$b", "$$c"}, 0},
		"marked too long":                  {marked(codec.MarkedOptions{Start: "$", End: "*", MaxFrame: 4}), "$aaaaa*$b*$cccccccc$d*", []string{"b", "d"}, 2},
		"marked too long, starts inside":   {marked(codec.MarkedOptions{Start: "$", End: "*", MaxFrame: 4, StartInside: true}), "$aaa$b*x*$c*", []string{"b", "c"}, 2},
		"marked, end before a start":       {marked(codec.MarkedOptions{Start: "ab", End: "bc", MaxFrame: 4}), "abxbcabyabbcab", []string{"x", ""}, 1},
		"fixed":                            {fixed(3), "abcdefgh", []string{"abc", "def"}, 0},
		"length":                           {lengthField(big), "a\x00\x01Ab\x00\x00c\x00\x03Cccd\x00", []string{"a\x00\x01A", "b\x00\x00", "c\x00\x03Ccc"}, 0},
		"length stripped":                  {lengthField(with(big, func(o *codec.LengthFieldOptions) { o.Strip = 3 })), "a\x00\x01Ab\x00\x00", []string{"A", ""}, 0},
		"length of the whole":              {lengthField(with(big, func(o *codec.LengthFieldOptions) { o.Adjust = -3 })), "a\x00\x04Ab\x00\x03c\x00\x05Cc", []string{"a\x00\x04A", "b\x00\x03", "c\x00\x05Cc"}, 0},
		"length without checksum":          {lengthField(with(big, func(o *codec.LengthFieldOptions) { o.Adjust = 2 })), "a\x00\x01A..b\x00\x00..", []string{"a\x00\x01A..", "b\x00\x00.."}, 0},
		"length little endian":             {lengthField(with(big, func(o *codec.LengthFieldOptions) { o.LittleEndian = true })), "a\x01\x00Ab\x00\x00", []string{"a\x01\x00A", "b\x00\x00"}, 0},
		"length of 1 byte":                 {lengthField(codec.LengthFieldOptions{Size: 1, MaxFrame: 9}), "\x01a\x00\x02bb", []string{"\x01a", "\x00", "\x02bb"}, 0},
		"length of 3 bytes":                {lengthField(codec.LengthFieldOptions{Size: 3, Strip: 3, MaxFrame: 9}), "\x00\x00\x01a\x00\x00\x02bb", []string{"a", "bb"}, 0},
		"length of 4 bytes, little endian": {lengthField(codec.LengthFieldOptions{Size: 4, LittleEndian: true, Strip: 4, MaxFrame: 9}), "\x01\x00\x00\x00a\x02\x00\x00\x00bb", []string{"a", "bb"}, 0},
		"length of 8 bytes":                {lengthField(codec.LengthFieldOptions{Size: 8, Strip: 8, MaxFrame: 19}), "\x00\x00\x00\x00\x00\x00\x00\x01a\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02bb", []string{"a", "bb"}, 1},
		"length too large, byte by byte":   {lengthField(big), "a\x00\x01A\xff\xff\xffb\x00\x00\xffc\x00\x01C", []string{"a\x00\x01A", "b\x00\x00", "c\x00\x01C"}, 2},
		"length too large, frame":          {lengthField(skipFrame), "a\x00\x01Ax\x00\x50" + strings.Repeat("x", 0x50) + "b\x00\x01B" + "x\x00\x60" + strings.Repeat("y", 0x60) + "x\x01\x00" + strings.Repeat("z", 0x100) + "c\x00\x00", []string{"a\x00\x01A", "b\x00\x01B", "c\x00\x00"}, 3},
		"length too small":                 {lengthField(with(skipFrame, func(o *codec.LengthFieldOptions) { o.Adjust = -3 })), "a\x00\x04Ax\x00\x00\x03", []string{"a\x00\x04A", "\x00\x00\x03"}, 1},
		"length fatal":                     {lengthField(fatal), "a\x00\x01Ab\xff\x00c\x00\x00", []string{"a\x00\x01A"}, 1},
		"length with a start":              {lengthField(started), "xx\x55\xaa\x00\x01axx\x55\xaa\x55\x00\x01b\x55\xaa\xff\xff\x55\xaa\x00\x00", []string{"\x55\xaa\x00\x01a", "\x55\xaa\x00\x00"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			codectest.Run(t, test.fresh, []byte(test.stream), test.want...)
			whole := errs(test.fresh(), test.stream, len(test.stream))
			if whole != test.errs {
				t.Errorf("%d errors, want %d", whole, test.errs)
			}
			for size := 1; size < len(test.stream); size++ {
				if got := errs(test.fresh(), test.stream, size); got != whole {
					t.Errorf("%d errors in reads of %d bytes, want %d", got, size, whole)
				}
			}
		})
	}
}

// errs is how many errors a decoder reports of stream in reads of that size.
func errs(d codec.Decoder[string], stream string, size int) (n int) {
	var buf []byte
	for len(stream) > 0 {
		k := min(size, len(stream))
		buf = append(buf, stream[:k]...)
		stream = stream[k:]
		for len(buf) > 0 {
			_, used, err := d.Decode(buf)
			buf = buf[used:]
			if err == codec.ErrIncomplete {
				break
			}
			if err != nil {
				n++
			}
			if fatal := (*codec.FatalError)(nil); errors.As(err, &fatal) {
				return n
			}
		}
	}
	return n
}
