package server_test

import (
	"errors"
	"io"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// greeter is an adapter that speaks first.
type greeter struct {
	chat
	size int
	err  error
}

func (g *greeter) Opened(c *protocol.Conn[string]) error {
	if err := c.Send(string(make([]byte, g.size))); err != nil {
		return err
	}
	return g.err
}

func TestAdapterSpeaksFirst(t *testing.T) {
	t.Parallel()
	cl := newCloud(t)
	for name, c := range map[string]struct {
		size  int
		err   error
		limit int
		cause server.Cause // of the end; 0: it goes on
	}{
		"greeting":          {10, nil, 1 << 20, 0},
		"refusal":           {10, errBye, 1 << 20, server.CauseProtocol},
		"large greeting":    {16 << 20, nil, 32 << 20, 0},
		"more than allowed": {16 << 20, nil, 64 << 10, server.CauseNotReading},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := protocol.Define("greeter", struct{}{}, func(struct{}) (protocol.Protocol[string], error) {
				return protocol.Protocol[string]{
					Decoder: func() codec.Decoder[string] { return chatDecoder{} },
					Encoder: codec.AppendFunc[string](func(dst []byte, line string) ([]byte, error) {
						return append(append(dst, line...), '\n'), nil
					}),
					Adapter: func() protocol.Adapter[string] { return &greeter{size: c.size, err: c.err} },
				}, nil
			})
			open, err := p.New(p.Config)
			if err != nil {
				t.Fatal(err)
			}
			l := listenerFor(t, cl, nil, limited(func(l *server.Limits) { l.MaxOutbound = c.limit }))
			l.Open = open
			s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
			if err != nil {
				t.Fatal(err)
			}
			start(t, s)
			d := dial(t, s.Addr("test").String())
			closed := func() uint64 { return s.Stats().Listeners[0].Closed[c.cause.String()] }
			if c.cause == server.CauseNotReading {
				until(t, "closed", func() bool { return closed() == 1 })
				d.wantClosed()
				return
			}
			got := make([]byte, c.size+1)
			if _, err := io.ReadFull(d.r, got); err != nil {
				t.Fatalf("greeting: %v", err)
			}
			if c.cause == 0 {
				d.send("ECHO a\n")
				d.want("a")
				return
			}
			if rest, err := io.ReadAll(d.r); len(rest) != 0 || err != nil && !errors.Is(err, io.EOF) || closed() != 1 {
				t.Errorf("read %q, %v, %d closed; want the end", rest, err, closed())
			}
		})
	}
}
