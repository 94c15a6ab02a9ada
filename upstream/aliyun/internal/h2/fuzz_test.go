package h2

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// fed is a connection on which a server says what it is given, and then closes.
type fed struct {
	net.Conn
	in io.Reader
}

func (f *fed) Read(p []byte) (int, error)     { return f.in.Read(p) }
func (*fed) Write(p []byte) (int, error)      { return len(p), nil }
func (*fed) Close() error                     { return nil }
func (*fed) SetWriteDeadline(time.Time) error { return nil }

// FuzzFrames feeds a connection what a hostile server may send. Every request has
// one end, and what is held stays within its bounds.
func FuzzFrames(f *testing.F) {
	var out bytes.Buffer
	framer := http2.NewFramer(&out, nil)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	seed := func(write func()) {
		out.Reset()
		_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5})
		write()
		f.Add(bytes.Clone(out.Bytes()))
	}
	fields := func(pairs ...string) []byte {
		block.Reset()
		for i := 0; i < len(pairs); i += 2 {
			_ = enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
		return block.Bytes()
	}
	seed(func() {
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "200"), EndHeaders: true})
		_ = framer.WriteData(1, true, []byte("body"))
		_ = framer.WriteWindowUpdate(3, 100)
		_ = framer.WriteGoAway(3, 0, nil)
	})
	seed(func() {
		b := fields(":method", "GET", "x-topic", "/a")
		_ = framer.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: b[:2]})
		_ = framer.WriteContinuation(1, true, b[2:])
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2, BlockFragment: fields(":status", "200"), EndHeaders: true})
		_ = framer.WriteData(2, true, []byte("pushed"))
		_ = framer.WriteRSTStream(3, http2.ErrCodeCancel)
		_ = framer.WritePing(false, [8]byte{})
	})
	seed(func() { _ = framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0}) })
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := limits()
		e := &bounded{t: t, limit: cfg.MaxBody, ended: make(chan struct{})}
		c := New(&fed{in: bytes.NewReader(data)}, cfg, e)
		c.Start()
		const requests = 5
		done := make(chan struct{}, 2*requests)
		taken := 0
		for i := range requests {
			if c.Do(&Request{Method: "POST", Path: "/", Body: make([]byte, i*10), Done: func(m Message, _ error) {
				if len(m.Body) > cfg.MaxBody {
					t.Errorf("a body of %d bytes", len(m.Body))
				}
				done <- struct{}{}
			}}) == nil {
				taken++
			}
		}
		<-e.ended
		if len(done) != taken {
			t.Errorf("%d requests have an end, of %d", len(done), taken)
		}
		if c.open != 0 || c.pushes != 0 || c.promised != 0 || c.held != 0 || len(c.streams) != 0 || len(c.blocked) != 0 || c.pending.n != 0 {
			t.Errorf("left open: %d, %d, %d, %d, %d, %d, %d", c.open, c.pushes, c.promised, c.held, len(c.streams), len(c.blocked), c.pending.n)
		}
	})
}

type bounded struct {
	t     *testing.T
	limit int
	ended chan struct{}
}

func (b *bounded) Pushed(m Message) {
	if len(m.Body) > b.limit {
		b.t.Errorf("a pushed body of %d bytes", len(m.Body))
	}
}

func (b *bounded) Ended(err error) {
	if err == nil {
		b.t.Error("the end has no cause")
	}
	close(b.ended)
}
