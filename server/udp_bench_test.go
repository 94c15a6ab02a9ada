package server_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// BenchmarkDatagrams is the cost of a datagram of 64 bytes and of its answer of
// 8, sent by batches that are all answered before the next one; bare is a gnet
// loop without a server. The device's side is in it, too: only the ratio of the
// two means anything, but for the allocations, of which that side makes none.
func BenchmarkDatagrams(b *testing.B) {
	for _, batch := range []struct {
		name   string
		frames int
	}{{"burst", 64}, {"steady", 1}} {
		b.Run(batch.name+"/server", func(b *testing.B) { benchDatagrams(b, startDatagrams(b), batch.frames) })
		b.Run(batch.name+"/bare", func(b *testing.B) { benchDatagrams(b, startBareUDP(b), batch.frames) })
	}
}

func startDatagrams(b *testing.B) string {
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
	l.Network, l.UDP, l.Open = server.UDP, server.DefaultUDPConfig(), open
	l.Limits.Login = 0
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		b.Fatal(err)
	}
	start(b, s)
	return s.Addr("test").String()
}

// startBareUDP serves the same on gnet alone.
func startBareUDP(b *testing.B) string {
	b.Helper()
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := free.LocalAddr().String() // gnet does not tell the port that it took
	_ = free.Close()
	e := &bare{booted: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- gnet.Run(e, "udp://"+addr, gnet.WithNumEventLoop(1), gnet.WithReusePort(true)) }()
	select {
	case err := <-ended:
		b.Fatal(err)
	case <-e.booted:
	}
	b.Cleanup(func() {
		_ = e.engine.Stop(context.Background())
		<-ended
	})
	return addr
}

func benchDatagrams(b *testing.B, addr string, frames int) {
	b.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	out := make([]byte, frameSize)
	binary.BigEndian.PutUint32(out, frameSize)
	in := make([]byte, answerSize)
	until(b, "listening", func() bool { // gnet says that it has booted before it reads
		if _, err := c.Write(out); err != nil {
			return false
		}
		_, err := c.Read(in)
		return err == nil
	})
	b.ReportAllocs()
	rounds := 0
	for b.Loop() {
		for range frames {
			if _, err := c.Write(out); err != nil {
				b.Fatal(err)
			}
		}
		for range frames {
			if _, err := c.Read(in); err != nil {
				b.Fatal(err)
			}
		}
		rounds++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds*frames), "ns/datagram")
}

// BenchmarkIdlePeers measures what 10,000 silent devices that are online by UDP
// cost: server, protocol and session, without a bridge. Time per operation means
// nothing here.
func BenchmarkIdlePeers(b *testing.B) {
	const count = 10_000
	s := serveUDP(b, server.DefaultLimits(), nil)
	buf := make([]byte, 16)
	join := func(identity string) {
		c, err := net.Dial("udp", s.addr)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = fmt.Fprintf(c, "HELLO %s\n", identity)
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "OK\n" {
			b.Fatalf("got %q, %v", buf[:n], err)
		}
	}
	join("warm")
	before := heap()
	for i := range count { // a port may come again: that device then logs in anew
		join(fmt.Sprint("m", i))
	}
	peers := float64(s.stats().Connections - 1)
	b.ReportMetric(float64(heap()-before)/peers, "heap-B/peer")
	b.ReportMetric(peers, "peers")
}

// TestPeerIsSmall keeps a silent peer within its budget.
func TestPeerIsSmall(t *testing.T) {
	t.Parallel()
	if server.PeerSize > 384 {
		t.Errorf("a peer takes %d bytes, want 384 at most", server.PeerSize)
	}
}
