package codec_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/linkspan/linkspan/codec"
)

// printAll decodes as a connection does.
//
//nolint:forbidigo // examples print
func printAll(d codec.Decoder[[]byte], stream string) {
	for in := []byte(stream); len(in) > 0; {
		frame, n, err := d.Decode(in)
		in = in[n:]
		if errors.Is(err, codec.ErrIncomplete) {
			fmt.Printf("waiting with %q\n", in)
			return
		}
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%q\n", frame)
	}
}

func ExampleLine() {
	printAll(codec.Line(8), "HELLO m1\r\nTEMP\nthis line is longer\nTEMP 2")
	// Output:
	// "HELLO m1"
	// "TEMP"
	// codec: bad frame at byte 8: line longer than 8 bytes
	// waiting with "TEMP 2"
}

func ExampleDelimiter() {
	printAll(codec.Delimiter(codec.DelimiterOptions{Delimiters: []string{";", "\r\n"}, MaxFrame: 16}), "a=1;b=2\r\nc=")
	// Output:
	// "a=1"
	// "b=2"
	// waiting with "c="
}

// One flag that ends a frame and begins the next, as in HDLC.
func ExampleDelimiter_flag() {
	printAll(codec.Delimiter(codec.DelimiterOptions{Delimiters: []string{"~"}, MaxFrame: 16, SkipEmpty: true}), "~one~~two~three~")
	// Output:
	// "one"
	// "two"
	// "three"
}

func ExampleMarked() {
	printAll(codec.Marked(codec.MarkedOptions{Start: "$", End: "#", MaxFrame: 16}), "$one#noise$lost its e$two#$thr")
	// Output:
	// "one"
	// codec: bad frame at byte 0: want the start marker "$"
	// codec: bad frame at byte 11: a start marker inside of a frame
	// "two"
	// waiting with "$thr"
}

// A header of two magic bytes and a 16-bit length that counts the body, behind
// which stands a checksum of one byte that it does not count.
func ExampleLengthField() {
	frames := codec.LengthField(codec.LengthFieldOptions{
		Start:    "\x55\xaa",
		Offset:   2,
		Size:     2,
		Adjust:   1,
		Strip:    4,
		MaxFrame: 64,
	})
	printAll(frames, "\x55\xaa\x00\x02hi!\x55\xaa\xff\xff\x55\xaa\x00\x01x!\x55")
	// Output:
	// "hi!"
	// codec: bad frame at byte 2: length field is 65535, want a frame of 4 to 64 bytes
	// "x!"
	// waiting with "U"
}

func ExampleFixed() {
	printAll(codec.Fixed(4), "onestwosthr")
	// Output:
	// "ones"
	// "twos"
	// waiting with "thr"
}

func ExampleMap() {
	type reading struct {
		sensor string
		value  int
	}
	parse := func(frame []byte) (r reading, err error) {
		if len(frame) < 2 {
			return r, &codec.FrameError{Reason: "want a letter and a number"}
		}
		r.sensor = string(frame[:1]) // a copy: the frame is the connection's
		r.value, err = strconv.Atoi(string(frame[1:]))
		return r, err
	}
	d := codec.Map(codec.Line(16), parse)
	for in := []byte("a17\nb\nc-4\n"); len(in) > 0; {
		r, n, err := d.Decode(in)
		in = in[n:]
		fmt.Println(r, err)
	}
	// Output:
	// {a 17} <nil>
	// { 0} codec: bad frame at byte 0: want a letter and a number
	// {c -4} <nil>
}

func ExampleAppendFunc() {
	var e codec.Encoder[string] = codec.AppendFunc[string](func(dst []byte, text string) ([]byte, error) {
		if len(text) > 0xffff {
			return dst, errors.New("text longer than its length field can say")
		}
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(text)))
		return append(dst, text...), nil
	})
	out, err := e.Append(nil, "hello")
	fmt.Printf("%q %v\n", out, err)
	// Output: "\x00\x05hello" <nil>
}
