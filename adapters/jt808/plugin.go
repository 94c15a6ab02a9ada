package jt808

import (
	"crypto/rand"

	"github.com/linkspan/linkspan/adapters/internal/zone"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
)

// Name is what configurations call the protocol.
const Name = "jt808"

// Plugin is the protocol as listeners use it, with what New makes of no options.
var Plugin = New(Name)

func init() { protocol.Register(Plugin) }

// Option changes what listeners' adapters work with.
type Option func(*options)

type options struct{ sink Sink }

// WithSink gives multimedia to s instead of writing it into
// [Multimedia].Directory.
func WithSink(s Sink) Option { return func(o *options) { o.sink = s } }

// New is the protocol under another name, or with other collaborators: for
// programs that are built with one of their own. Its counters are those of all
// listeners that use it.
func New(name string, opts ...Option) protocol.Plugin {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	counters := &counters{}
	p := protocol.Define(name, DefaultConfig(), func(c Config) (protocol.Protocol[*jt808.Frame], error) {
		return build(c, o, counters)
	})
	p.Stats = func() any { return counters.stats() }
	return p
}

func build(c Config, o options, counters *counters) (protocol.Protocol[*jt808.Frame], error) {
	if err := c.validate(); err != nil {
		return protocol.Protocol[*jt808.Frame]{}, err
	}
	location, err := zone.Parse(c.Zone)
	if err != nil {
		return protocol.Protocol[*jt808.Frame]{}, err
	}
	key := []byte(c.Authentication.Key.Reveal())
	if len(key) == 0 {
		key = make([]byte, 32)
		rand.Read(key) //nolint:errcheck,gosec // never fails: it ends the process before
	}
	h := &host{
		config:   c,
		zone:     location,
		codes:    codes{key: key, lifetime: c.Authentication.Lifetime},
		waits:    c.Ack != ackReceived,
		sink:     o.sink,
		counters: counters,
	}
	if c.Ack != ackDelivered { // with received only long batches wait, and no longer than for the disk
		h.sessions = []session.Option{session.Stored()}
	}
	if h.sink == nil && c.Multimedia.Directory != "" {
		h.sink = newFileSink(c.Multimedia, counters)
	}
	frames := c.Frames
	frames.AllowEncrypted = true // they are refused with an answer
	return protocol.Protocol[*jt808.Frame]{
		Decoder: func() codec.Decoder[*jt808.Frame] { return jt808.NewDecoder(frames) },
		Encoder: codec.AppendFunc[*jt808.Frame](jt808.AppendFrame),
		Adapter: func() protocol.Adapter[*jt808.Frame] { return &adapter{host: h} },
	}, nil
}
