// Package meter is a protocol of text lines, as an example of a plugin in a
// module of its own. Lines end in LF or CRLF and hold words:
//
//	device                      linkspan
//	HELLO m1 secret             OK | NO              who it is
//	TEMP 1 21.5                 ACK 1 | NAK 1        acknowledged once the platform has it
//	                            DO 7 valve open=1    a command, with a number
//	DONE 7 | FAIL 7 3                                its outcome; 3 is the device's own code
//	BYE                                              logs out
package meter

import (
	"bytes"
	"errors"
	"strings"

	"github.com/linkspan/linkspan/codec"
)

// Message is one line of either side.
type Message struct {
	Verb string
	Args []string
}

// NewDecoder decodes lines of at most limit bytes.
func NewDecoder(limit int) codec.Decoder[Message] {
	return codec.Map(codec.Line(limit), parse)
}

// parse reads one line, which belongs to the connection: strings are copies.
func parse(line []byte) (Message, error) {
	words := bytes.Fields(line)
	if len(words) == 0 {
		return Message{}, &codec.FrameError{Reason: "empty line"}
	}
	m := Message{Verb: string(words[0])}
	for _, w := range words[1:] {
		m.Args = append(m.Args, string(w))
	}
	return m, nil
}

// Append appends m as a line: a codec.AppendFunc.
func Append(dst []byte, m Message) ([]byte, error) {
	for i, word := range append([]string{m.Verb}, m.Args...) {
		if word == "" || strings.ContainsAny(word, " \t\r\n\v\f") {
			return dst, errors.New("meter: a word is empty or holds white space")
		}
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, word...)
	}
	return append(dst, '\n'), nil
}
