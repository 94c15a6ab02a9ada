package protocoltest_test

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// toy is a protocol of lines, to test the kit with:
//
//	HELLO id    login; answered OK or NO
//	SAY text    report, acknowledged ACK text when it is published, NAK text when not
//	WAIT        answered WAITED after a minute
//	PANIC       the adapter panics
//	BAD         the decoder refuses the line
//	BYE         the adapter closes with errBye
type toy struct{ closed *error }

var errBye = errors.New("bye")

func (a *toy) Received(c *protocol.Conn[string], line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "HELLO":
		c.Online(rest, []string{"secret"}, func(err error) {
			if err != nil {
				_ = c.Send("NO")
				return
			}
			_ = c.Send("OK")
		})
	case "SAY":
		m := thing.Message{Kind: thing.Raw, Raw: []byte(rest)}
		err := c.Report(&m, func(err error) {
			if err != nil {
				_ = c.Send("NAK " + rest)
				return
			}
			_ = c.Send("ACK " + rest)
		})
		m.Raw[0] = '?' // the message is ours again
		return err
	case "WAIT":
		c.After(time.Minute, func() { _ = c.Send("WAITED") })
	case "PANIC":
		panic("toy")
	case "BYE":
		return errBye
	}
	return nil
}

func (a *toy) Command(c *protocol.Conn[string], s *session.Session, cmd *thing.Command) error {
	return c.Send("DO " + s.Identity() + " " + cmd.Name)
}

func (a *toy) Closed(c *protocol.Conn[string], cause error) { *a.closed = cause }

type toyDecoder struct{}

func (toyDecoder) Decode(in []byte) (string, int, error) {
	i := bytes.IndexByte(in, '\n')
	if i < 0 {
		return "", 0, codec.ErrIncomplete
	}
	if string(in[:i]) == "BAD" {
		return "", i + 1, &codec.FrameError{Reason: "bad line"}
	}
	return string(in[:i]), i + 1, nil
}

type toyConfig struct{ Greeting string }

func newToy(closed *error) protocol.Plugin {
	return protocol.Define("toy", toyConfig{}, func(toyConfig) (protocol.Protocol[string], error) {
		return protocol.Protocol[string]{
			Decoder: func() codec.Decoder[string] { return toyDecoder{} },
			Encoder: codec.AppendFunc[string](func(dst []byte, line string) ([]byte, error) {
				return append(append(dst, line...), '\n'), nil
			}),
			Adapter: func() protocol.Adapter[string] { return &toy{closed: closed} },
		}, nil
	})
}
