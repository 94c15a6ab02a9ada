package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/server"
)

// clientHello is the first flight of a device.
func clientHello(tb testing.TB) []byte {
	tb.Helper()
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(near, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS12}).HandshakeContext(ctx)
	}()
	hello := make([]byte, 16<<10)
	n, err := far.Read(hello)
	if err != nil {
		tb.Fatal(err)
	}
	cancel()
	_ = far.Close()
	_ = near.Close()
	<-done
	return hello[:n]
}

// flood opens connections that send p and then nothing.
func flood(tb testing.TB, b *tlsBench, count int, p []byte) {
	tb.Helper()
	for range count {
		c, err := net.Dial("tcp", b.addr)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = c.Close() })
		if _, err := c.Write(p); err != nil {
			tb.Fatal(err)
		}
	}
}

// Neither peers that say nothing nor peers that stall in their handshake keep a
// device out; and they cost no goroutine, or a bounded number.
func TestTLSHandshakeFlood(t *testing.T) {
	const silent, part, stalled = 400, 100, 150
	limits := unlimited()
	limits.Handshake = patience
	b := serveTLS(t, limits, nil)
	before := runtime.NumGoroutine()
	flood(t, b, silent, nil)
	hello := clientHello(t)
	flood(t, b, part, hello[:len(hello)-1])
	until(t, "connected", func() bool { return b.stats().Connections == silent+part })
	if n := runtime.NumGoroutine() - before; n > 20 {
		t.Errorf("%d goroutines for connections that have not said a whole hello", n)
	}
	flood(t, b, stalled, hello)
	c := b.secure(t, b.client())
	c.send("ECHO in\n")
	c.want("in")
	until(t, "all stall", func() bool { return b.Stats().Handshakes.Running == stalled })
	if n := runtime.NumGoroutine() - before; n > stalled+20 {
		t.Errorf("%d goroutines for %d handshakes", n, stalled)
	}
}

// When all places are taken by peers that stall, they give way.
func TestTLSPlacesAreGivenUp(t *testing.T) {
	t.Parallel()
	const places = 8
	limits := unlimited()
	limits.Handshake = time.Hour
	b := serveTLSWith(t, server.Config{Loops: 2, MaxHandshakes: places, HandshakeCPUs: 1}, limits, nil)
	flood(t, b, 3*places, clientHello(t))
	c := b.secure(t, b.client())
	c.send("ECHO in\n")
	c.want("in")
	if n := b.Stats().Handshakes; n.Running > places || n.GivenUp == 0 {
		t.Errorf("%d handshakes under way, %d gave way", n.Running, n.GivenUp)
	}
	until(t, "ends counted", func() bool { return b.stats().Closed["handshake"] > 0 })
}

// A storm of devices all get in, though few handshakes are under way at once.
func TestTLSStorm(t *testing.T) {
	t.Parallel()
	const devices = 100
	b := serveTLSWith(t, server.Config{Loops: 2, MaxHandshakes: 4, HandshakeCPUs: 1}, unlimited(), nil)
	var group sync.WaitGroup
	for i := range devices {
		group.Go(func() {
			raw, err := net.Dial("tcp", b.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = raw.Close() }()
			_ = raw.SetDeadline(time.Now().Add(patience))
			c := tls.Client(raw, b.client())
			if _, err := fmt.Fprintf(c, "ECHO %03d\n", i); err != nil {
				t.Error(err)
				return
			}
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := b.Stats().TLS[0].Handshakes; n != devices {
		t.Errorf("%d handshakes, want %d", n, devices)
	}
}

func TestTLSHandshakeLimits(t *testing.T) {
	t.Parallel()
	hello := clientHello(t)
	endless := append([]byte{22, 3, 1, 0x3f, 0xff}, bytes.Repeat([]byte{1}, 100)...)
	for _, v := range []struct {
		name  string
		sends []byte
		cause server.Cause
	}{
		{"silent", nil, server.CauseHandshake},
		{"part of a header", hello[:3], server.CauseHandshake},
		{"part of a hello", hello[:100], server.CauseHandshake},
		{"hello and nothing else", hello, server.CauseHandshake},
		{"endless record", endless, server.CauseHandshake},
		{"record too long", []byte{22, 3, 1, 0xff, 0xff}, server.CauseTLS},
		{"no hello", append([]byte{22, 3, 1, 0, 4}, 2, 0, 0, 0), server.CauseTLS},
		{"garbage", []byte{22, 3, 1, 0, 4, 0xff, 0xff, 0xff, 0xff}, server.CauseTLS},
		{"SSL 2", []byte{0x80, 0x2e, 1, 0, 2}, server.CauseTLS},
		{"too much", append(append([]byte(nil), hello...), make([]byte, 200<<10)...), 0}, // what fails first depends on time
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			limits := server.DefaultLimits()
			limits.Handshake = 300 * time.Millisecond
			b := serveTLS(t, limits, nil)
			c := b.dial(t)
			_, _ = c.Write(v.sends)
			c.wantClosed()
			until(t, "the end is counted", func() bool {
				closed := b.stats().Closed
				return closed[v.cause.String()] == 1 || v.cause == 0 && len(closed) == 1
			})
			until(t, "nothing is held", func() bool { s := b.Stats(); return s.PendingBytes == 0 && s.Handshakes.Running == 0 })
		})
	}
}

// A server that closes ends the handshakes that are under way.
func TestTLSCloseWhileHandshaking(t *testing.T) {
	t.Parallel()
	limits := unlimited()
	limits.Handshake = time.Hour
	b := serveTLSWith(t, server.Config{Loops: 2, MaxHandshakes: 8}, limits, nil)
	hello := clientHello(t)
	flood(t, b, 20, hello)
	flood(t, b, 20, hello[:50])
	until(t, "handshakes are under way", func() bool { return b.Stats().Handshakes.Running == 8 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
	if s := b.Stats(); s.Handshakes.Running != 0 || s.Handshakes.Waiting != 0 || s.PendingBytes != 0 {
		t.Errorf("left behind: %+v", s.Handshakes)
	}
}

// A device that goes away in its handshake leaves nothing behind.
func TestTLSDeviceGoesAway(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), nil)
	hello := clientHello(t)
	for _, n := range []int{0, 1, 5, 100, len(hello)} {
		c := b.dial(t)
		_, _ = c.Write(hello[:n])
		if n%2 == 1 {
			_ = c.Conn.(*net.TCPConn).SetLinger(0)
		}
		_ = c.Close()
	}
	until(t, "all ended", func() bool {
		s := b.Stats()
		return s.Listeners[0].Accepted == 5 && s.Listeners[0].Connections == 0 && s.Handshakes.Running == 0 && s.PendingBytes == 0
	})
}

// What a device has sent behind its handshake is no message any more when the
// server has been drained meanwhile.
func TestTLSDrainWhileHandshaking(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	a := newAuthority(t, "authority")
	b := &bench{cloud: newCloud(t), ends: make(chan error, 1)}
	l := listenerFor(t, b.cloud, b.ends, unlimited())
	l.TLS = server.TLSWith(&tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{a.issue("localhost")},
		VerifyConnection: func(tls.ConnectionState) error { // called when the device has all that it needs
			<-gate
			return nil
		},
	})
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	b.Server, b.addr = s, s.Addr("test").String()
	c, err := overTLS(t, b.dial(t).Conn, a.client())
	if err != nil {
		t.Fatal(err)
	}
	before := b.stats().ReceivedBytes
	c.send("HELLO one\n")
	until(t, "it has arrived", func() bool { return b.stats().ReceivedBytes > before })
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(gate)
	until(t, "the handshake is done", func() bool { return s.Stats().TLS[0].Handshakes == 1 })
	if err := s.Drain(t.Context()); err != nil { // the loop has gone on
		t.Fatal(err)
	}
	if n := b.stats().Messages; n != 0 {
		t.Errorf("%d messages after Drain", n)
	}
	stop(t, s)
	b.wantEnd(t, server.CauseShutdown)
}
