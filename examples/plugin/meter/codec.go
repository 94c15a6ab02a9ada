// Package meter speaks a protocol of text lines. A line ends in LF or CRLF and
// holds words:
//
//	device                      linkspan
//	HELLO m1 secret             OK | NO              who it is; the secret may be left out
//	TEMP 1 21.5                 ACK 1 | NAK 1        acknowledged once the platform has it
//	                            DO 7 valve open=1    a command and its number
//	DONE 7 | FAIL 7 3                                its outcome; 3 is the device's own code
//	BYE                                              logs out
package meter

import (
	"errors"
	"strings"

	"github.com/linkspan/linkspan/codec"
)

// Message is the words of one line, of either side. There is at least one.
type Message []string

// NewDecoder decodes lines of at most limit bytes.
func NewDecoder(limit int) codec.Decoder[Message] {
	return codec.Map(codec.Line(limit), parse)
}

// parse reads one line. Its bytes belong to the connection: string copies them.
func parse(line []byte) (Message, error) {
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return nil, &codec.FrameError{Reason: "empty line"}
	}
	return words, nil
}

// Append appends m as a line: a codec.AppendFunc.
func Append(dst []byte, m Message) ([]byte, error) {
	for i, word := range m {
		if f := strings.Fields(word); len(f) != 1 || f[0] != word {
			return dst, errors.New("meter: a word is empty or holds white space")
		}
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, word...)
	}
	return append(dst, '\n'), nil
}
