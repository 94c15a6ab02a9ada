package protocol_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

type wrongCommand struct{ mute }

func (wrongCommand) Command(*conn, thing.Command) error { return nil }

type wrongClosed struct{ mute }

func (*wrongClosed) Closed() {}

type wrongOpened struct{ mute }

func (wrongOpened) Opened(*conn) {}

type wrongAwaitsLogin struct{ mute }

func (wrongAwaitsLogin) AwaitsLogin(*conn) bool { return true }

type pointerClosed struct{ mute }

func (*pointerClosed) Closed(*conn, error) {}

func TestPluginsThatCannotWork(t *testing.T) {
	t.Parallel()
	decoder := func() codec.Decoder[string] { return lines{} }
	adapter := func(a protocol.Adapter[string]) func() protocol.Adapter[string] {
		return func() protocol.Adapter[string] { return a }
	}
	for name, c := range map[string]struct {
		protocol protocol.Protocol[string]
		want     string
	}{
		"no decoder":      {protocol.Protocol[string]{Adapter: adapter(mute{})}, "required"},
		"no adapter":      {protocol.Protocol[string]{Decoder: decoder}, "required"},
		"nil adapter":     {protocol.Protocol[string]{Decoder: decoder, Adapter: adapter(nil)}, "nil"},
		"wrong Command":   {protocol.Protocol[string]{Decoder: decoder, Adapter: adapter(wrongCommand{})}, "method Command with another signature"},
		"wrong Closed":    {protocol.Protocol[string]{Decoder: decoder, Adapter: adapter(&wrongClosed{})}, "method Closed with another signature"},
		"wrong Opened":    {protocol.Protocol[string]{Decoder: decoder, Adapter: adapter(wrongOpened{})}, "method Opened with another signature"},
		"wrong awaiter":   {protocol.Protocol[string]{Decoder: decoder, Adapter: adapter(wrongAwaitsLogin{})}, "method AwaitsLogin with another signature"},
		"pointer missing": {protocol.Protocol[string]{Decoder: decoder, Adapter: adapter(pointerClosed{})}, "return a pointer"},
		"no encoder":      {protocol.Protocol[string]{Decoder: decoder, Adapter: adapter(&script{})}, "no Encoder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := protocol.Define("p", struct{}{}, func(struct{}) (protocol.Protocol[string], error) { return c.protocol, nil })
			if _, err := p.New(p.Config); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "protocol: p: ") {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestPluginConfig(t *testing.T) {
	t.Parallel()
	type config struct{ Size int }
	bad := errors.New("size is too small")
	p := protocol.Define("sized", config{Size: 8}, func(c config) (protocol.Protocol[string], error) {
		if c.Size < 8 {
			return protocol.Protocol[string]{}, bad
		}
		return protocol.Protocol[string]{
			Decoder: func() codec.Decoder[string] { return lines{} },
			Adapter: func() protocol.Adapter[string] { return mute{} },
		}, nil
	})
	if _, err := p.New(p.Config); err != nil {
		t.Errorf("defaults: %v", err)
	}
	if _, err := p.New(config{1}); !errors.Is(err, bad) {
		t.Errorf("bad value: %v", err)
	}
	if _, err := p.New(&config{8}); err == nil || !strings.Contains(err.Error(), "want protocol_test.config") {
		t.Errorf("another type: %v", err)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	r := protocol.Registry{}
	p := protocol.Plugin{New: func(any) (protocol.Open, error) { return nil, nil }}
	for _, name := range []string{"b", "acme.a", "a"} {
		p.Name = name
		r.Add(p)
	}
	if got := r.Names(); !slices.Equal(got, []string{"a", "acme.a", "b"}) {
		t.Errorf("names %v", got)
	}
	for name, add := range map[string]protocol.Plugin{"taken": p, "no name": {New: p.New}, "no New": {Name: "c"}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			r.Add(add)
		})
	}
}

func TestPanicsOfAConfiguration(t *testing.T) {
	t.Parallel()
	framer := func(size int) codec.Decoder[string] {
		return codec.Map(codec.Fixed(size), func(frame []byte) (string, error) { return string(frame), nil })
	}
	adapter := func() protocol.Adapter[string] { return &script{} }
	for name, early := range map[string]bool{"in build": true, "in Decoder": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := protocol.Define("p", 1, func(size int) (protocol.Protocol[string], error) {
				if early {
					framer(size)
				}
				return protocol.Protocol[string]{
					Decoder: func() codec.Decoder[string] { return framer(size) },
					Encoder: codec.AppendFunc[string](appendLine), Adapter: adapter,
				}, nil
			}).New(0)
			var option *codec.OptionError
			if !errors.As(err, &option) || !strings.Contains(err.Error(), "protocol: p: ") {
				t.Errorf("error %v, want the framer's OptionError", err)
			}
		})
	}
	_, err := protocol.Define("p", 1, func(int) (protocol.Protocol[string], error) { panic("boom") }).New(0)
	var panicked *protocol.PanicError
	if !errors.As(err, &panicked) || len(panicked.Stack) == 0 {
		t.Errorf("error %v, want the panic and its stack", err)
	}
}

// relay passes bytes on, both ways.
type relay struct{}

func (relay) Received(c *protocol.Conn[[]byte], p []byte) error {
	if c.Session() == nil {
		c.Online(string(p), nil, nil)
		return nil
	}
	return c.Report(&thing.Message{Kind: thing.Raw, Raw: p}, nil)
}

func (relay) Command(c *protocol.Conn[[]byte], _ *session.Session, cmd *thing.Command) error {
	return c.Send(cmd.Raw)
}

// A protocol of bytes needs neither decoder nor encoder.
func TestPlainBytes(t *testing.T) {
	t.Parallel()
	d := protocoltest.Connect(t, protocol.Define("plain", struct{}{}, func(struct{}) (protocol.Protocol[[]byte], error) {
		return protocol.Protocol[[]byte]{Adapter: func() protocol.Adapter[[]byte] { return relay{} }}, nil
	}), nil)
	d.Send([]byte("m1"))
	d.Send([]byte("one"))
	d.Send([]byte("two"))
	if got := said(d); got != "m1:one m1:two" {
		t.Errorf("the platform heard %q", got)
	}
	d.Command(&thing.Command{ID: "1", Kind: thing.RawDown, Raw: []byte("do")})
	want(t, d, "do")
}
