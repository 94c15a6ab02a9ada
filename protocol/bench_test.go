package protocol_test

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

type fix struct{ lat, lon uint32 }

type fixDecoder struct{ m fix }

func (d *fixDecoder) Decode(in []byte) (*fix, int, error) {
	if len(in) < 8 {
		return nil, 0, codec.ErrIncomplete
	}
	d.m = fix{binary.BigEndian.Uint32(in), binary.BigEndian.Uint32(in[4:])}
	return &d.m, 8, nil
}

// fixes reports each fix and acknowledges it.
type fixes struct {
	msg    thing.Message
	fields [2]thing.Field
}

func (a *fixes) Received(c *protocol.Conn[*fix], m *fix) error {
	if c.Session() == nil {
		c.Online("x", nil, nil)
		return nil
	}
	a.fields[0] = thing.Field{Name: "lat", Value: thing.Decimal(int64(m.lat), 6)}
	a.fields[1] = thing.Field{Name: "lon", Value: thing.Decimal(int64(m.lon), 6)}
	a.msg = thing.Message{Kind: thing.Property, Fields: a.fields[:]}
	if err := c.Report(&a.msg, nil); err != nil {
		return err
	}
	return c.Send(m)
}

var fixPlugin = protocol.Define("fix", struct{}{}, func(struct{}) (protocol.Protocol[*fix], error) {
	return protocol.Protocol[*fix]{
		Decoder: func() codec.Decoder[*fix] { return &fixDecoder{} },
		Encoder: codec.AppendFunc[*fix](func(dst []byte, m *fix) ([]byte, error) { return append(dst, 0x80, 0x01), nil }),
		Adapter: func() protocol.Adapter[*fix] { return &fixes{} },
	}, nil
})

// loop is a transport and an uplink that do as little as can be, with queued Do.
type loop struct {
	mu        sync.Mutex
	queue     []func()
	published int
	written   int
}

func (l *loop) Write(p []byte) error { l.written += len(p); return nil }
func (l *loop) Do(f func())          { l.mu.Lock(); l.queue = append(l.queue, f); l.mu.Unlock() }
func (l *loop) Now() time.Time       { return time.Time{} }
func (l *loop) Close(error)          {}

func (l *loop) After(time.Duration, func()) func()                      { return func() {} }
func (l *loop) Fault(err error, _ []byte) error                         { return err }
func (l *loop) Remote() netip.AddrPort                                  { return netip.AddrPort{} }
func (l *loop) Online(_ *session.Session, _ []string, done func(error)) { go done(nil) }
func (l *loop) Offline(*session.Session, error)                         {}
func (l *loop) Publish(_ *session.Session, _ *thing.Message, done func(error)) error {
	l.published++
	if done != nil {
		done(nil)
	}
	return nil
}

// turn runs what was queued and says how much that was.
func (l *loop) turn() int {
	l.mu.Lock()
	queue := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, f := range queue {
		f()
	}
	return len(queue)
}

// BenchmarkConn is the cost of the layers between a read's bytes and the
// uplink: 32 messages in one read, each reported and acknowledged.
func BenchmarkConn(b *testing.B) {
	open, err := fixPlugin.New(fixPlugin.Config)
	if err != nil {
		b.Fatal(err)
	}
	l := &loop{}
	h := open(l, &protocol.Host{Uplink: l})
	const each = 32
	in := make([]byte, 8*each)
	if _, _, err := h.Data(in[:8]); err != nil {
		b.Fatal(err)
	}
	for l.turn() == 0 { // waits for the login
	}
	b.ReportAllocs()
	reads := 0
	for b.Loop() {
		if n, m, err := h.Data(in); n != len(in) || m != each || err != nil {
			b.Fatal(n, m, err)
		}
		reads++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(reads*each), "ns/message")
	if l.published != reads*each || l.written != 2*reads*each {
		b.Fatalf("%d published, %d bytes written, want %d and %d", l.published, l.written, reads*each, 2*reads*each)
	}
}
