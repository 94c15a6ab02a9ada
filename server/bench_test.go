package server_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// The benchmarks' frames are 64 bytes: a length and a body; each is answered
// with 8 bytes.
const (
	frameSize  = 64
	answerSize = 8
)

type frameDecoder struct{}

func (frameDecoder) Decode(in []byte) (uint32, int, error) {
	if len(in) < 4 {
		return 0, 0, codec.ErrIncomplete
	}
	n := int(binary.BigEndian.Uint32(in))
	if len(in) < n {
		return 0, 0, codec.ErrIncomplete
	}
	return binary.BigEndian.Uint32(in[4:]), n, nil
}

func appendAnswer(dst []byte, n uint32) ([]byte, error) {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, answerSize), n), nil
}

type answerer struct{}

func (answerer) Received(c *protocol.Conn[uint32], n uint32) error { return c.Send(n) }

// bare is the same work on gnet alone.
type bare struct {
	gnet.BuiltinEventEngine
	engine gnet.Engine
	booted chan struct{}
	out    []byte
}

func (e *bare) OnBoot(g gnet.Engine) gnet.Action {
	e.engine = g
	close(e.booted)
	return gnet.None
}

func (e *bare) OnTraffic(c gnet.Conn) gnet.Action {
	in, _ := c.Peek(-1)
	done := 0
	e.out = e.out[:0]
	for {
		m, n, err := frameDecoder{}.Decode(in[done:])
		if err != nil {
			break
		}
		done += n
		e.out, _ = appendAnswer(e.out, m)
	}
	if done > 0 {
		_, _ = c.Discard(done)
		_, _ = c.Write(e.out)
	}
	return gnet.None
}

// BenchmarkFrames is the cost of a frame through the whole server on loopback,
// sent by batches of frames that are all answered before the next batch; bare
// is a gnet loop without a server. The device's side is in it, too: only the
// ratio of the two means anything.
func BenchmarkFrames(b *testing.B) {
	for _, batch := range []struct {
		name   string
		frames int
	}{{"burst", 512}, {"steady", 1}} {
		b.Run(batch.name+"/server", func(b *testing.B) { benchFrames(b, startFrames(b), batch.frames) })
		b.Run(batch.name+"/bare", func(b *testing.B) { benchFrames(b, startBare(b), batch.frames) })
	}
}

func startFrames(b *testing.B) string {
	b.Helper()
	p := protocol.Define("frames", struct{}{}, func(struct{}) (protocol.Protocol[uint32], error) {
		return protocol.Protocol[uint32]{
			Decoder: func() codec.Decoder[uint32] { return frameDecoder{} },
			Encoder: codec.AppendFunc[uint32](appendAnswer),
			Adapter: func() protocol.Adapter[uint32] { return answerer{} },
		}, nil
	})
	open, err := p.New(p.Config)
	if err != nil {
		b.Fatal(err)
	}
	l := listenerFor(b, newCloud(b), nil, server.DefaultLimits())
	l.Open = open
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		b.Fatal(err)
	}
	start(b, s)
	return s.Addr("test").String()
}

func startBare(b *testing.B) string {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := free.Addr().String() // gnet does not tell the port that it took
	_ = free.Close()
	e := &bare{booted: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- gnet.Run(e, "tcp://"+addr, gnet.WithNumEventLoop(1)) }()
	select {
	case err := <-ended:
		b.Fatal(err)
	case <-e.booted:
	}
	b.Cleanup(func() {
		_ = e.engine.Stop(b.Context())
		<-ended
	})
	return addr
}

func benchFrames(b *testing.B, addr string, frames int) {
	b.Helper()
	var c net.Conn
	until(b, "listening", func() bool {
		var err error
		c, err = net.Dial("tcp", addr)
		return err == nil
	})
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	out := make([]byte, frames*frameSize)
	for i := range frames {
		binary.BigEndian.PutUint32(out[i*frameSize:], frameSize)
	}
	in := make([]byte, frames*answerSize)
	b.ReportAllocs()
	rounds := 0
	for b.Loop() {
		if _, err := c.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, in); err != nil {
			b.Fatal(err)
		}
		rounds++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds*frames), "ns/frame")
}

// BenchmarkDo is the cost of a task from another goroutine, in batches as
// completions come in.
func BenchmarkDo(b *testing.B) {
	opened := make(chan protocol.Transport, 1)
	l := listenerFor(b, newCloud(b), nil, server.DefaultLimits())
	chat := l.Open
	l.Open = func(t protocol.Transport, h *protocol.Host) protocol.Handler {
		opened <- t
		return chat(t, h)
	}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		b.Fatal(err)
	}
	start(b, s)
	dial(b, s.Addr("test").String())
	t := <-opened
	const batch = 256
	done := make(chan struct{})
	ran := 0 // of the loop
	task := func() {
		if ran++; ran%batch == 0 {
			done <- struct{}{}
		}
	}
	b.ReportAllocs()
	rounds := 0
	for b.Loop() {
		for range batch {
			t.Do(task)
		}
		<-done
		rounds++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds*batch), "ns/task")
}
