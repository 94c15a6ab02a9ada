package protocol_test

import (
	"bytes"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// conn is a connection of the tests' protocol, whose messages are lines.
type conn = protocol.Conn[string]

// script is an adapter made of functions; nil ones do nothing.
type script struct {
	opened   func(c *conn) error
	received func(c *conn, line string) error
	command  func(c *conn, s *session.Session, cmd *thing.Command) error
	closed   func(c *conn, cause error)
}

func (s *script) Opened(c *conn) error {
	if s.opened == nil {
		return nil
	}
	return s.opened(c)
}

func (s *script) Received(c *conn, line string) error {
	if s.received == nil {
		return nil
	}
	return s.received(c, line)
}

func (s *script) Command(c *conn, on *session.Session, cmd *thing.Command) error {
	if s.command == nil {
		return nil
	}
	return s.command(c, on, cmd)
}

func (s *script) Closed(c *conn, cause error) {
	if s.closed != nil {
		s.closed(c, cause)
	}
}

// lines decodes lines; the line BAD is damaged, DIE is fatal, BOOM panics at
// its first byte.
type lines struct{}

func (lines) Decode(in []byte) (string, int, error) {
	if bytes.HasPrefix(in, []byte("BOOM")) {
		panic("decoder")
	}
	i := bytes.IndexByte(in, '\n')
	if i < 0 {
		return "", 0, codec.ErrIncomplete
	}
	switch line := string(in[:i]); line {
	case "BAD":
		return "", i + 1, &codec.FrameError{Reason: "bad line"}
	case "DIE":
		return "", i + 1, &codec.FatalError{Err: &codec.FrameError{Reason: "dead line"}}
	default:
		return line, i + 1, nil
	}
}

func appendLine(dst []byte, line string) ([]byte, error) {
	return append(append(dst, line...), '\n'), nil
}

// plugin is a protocol of lines with that decoder and adapter.
func plugin(decoder func() codec.Decoder[string], adapter func() protocol.Adapter[string]) protocol.Plugin {
	return protocol.Define("lines", struct{}{}, func(struct{}) (protocol.Protocol[string], error) {
		return protocol.Protocol[string]{Decoder: decoder, Encoder: codec.AppendFunc[string](appendLine), Adapter: adapter}, nil
	})
}

func connect(tb testing.TB, s *script, opts ...protocoltest.Option) *protocoltest.Device {
	tb.Helper()
	return protocoltest.Connect(tb, plugin(
		func() codec.Decoder[string] { return lines{} },
		func() protocol.Adapter[string] { return s }), nil, opts...)
}

func text(s string) *thing.Message { return &thing.Message{Kind: thing.Raw, Raw: []byte(s)} }

// echo reports each line once the device is online; the first is its name.
func echo(c *conn, line string) error {
	if c.Session() == nil {
		c.Online(line, nil, nil)
		return nil
	}
	return c.Report(text(line), nil)
}

func want(tb testing.TB, d *protocoltest.Device, written string) {
	tb.Helper()
	if got := string(d.Take()); got != written {
		tb.Errorf("device was sent %q, want %q", got, written)
	}
}

// said is what reached the platform, one line each.
func said(d *protocoltest.Device) string {
	var b []byte
	for _, s := range d.TakeSaid() {
		b = append(append(append(append(b, s.Identity...), ':'), s.Raw...), ' ')
	}
	return string(bytes.TrimSpace(b))
}
