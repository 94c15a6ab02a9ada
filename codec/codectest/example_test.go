package codectest_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/codectest"
)

func newDecoder() codec.Decoder[int] {
	return codec.Map(codec.Line(8), func(line []byte) (int, error) { return strconv.Atoi(string(line)) })
}

func appendNumber(dst []byte, n int) ([]byte, error) {
	if n < 0 {
		return dst, errors.New("negative")
	}
	return append(strconv.AppendInt(dst, int64(n), 10), '\n'), nil
}

// This is the whole test of a codec of numbers in lines.
func TestNumbers(t *testing.T) {
	codectest.Suite[int]{
		New:      newDecoder,
		Encoder:  codec.AppendFunc[int](appendNumber),
		Frames:   [][]byte{[]byte("17\n"), []byte("4\n")},
		Want:     []string{"17", "4"},
		Garbage:  [][]byte{[]byte("no number\n")},
		MaxFrame: 10,
		Endless:  [][]byte{[]byte("1234567890")},
	}.Run(t)
	codectest.Run(t, newDecoder, []byte("1\r\nx\n2\n"), "1", "2")
}

func FuzzNumbers(f *testing.F) { codectest.Fuzz(f, newDecoder, []byte("17\n"), []byte("x\n")) }
