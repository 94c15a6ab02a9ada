package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	_, err := server.New(server.Config{Loops: -1, MaxConnections: -2}, []server.Listener{
		{Name: "a", Address: "nowhere", Limits: server.Limits{Idle: -time.Second, MaxFaults: -1}},
		{Name: "a", Address: ":0", Open: openChat(t, nil), Host: &protocol.Host{}, TLS: &server.TLS{}},
	})
	for _, want := range []string{
		"loops is -1", "maxConnections is -2", `listener "a": address "nowhere"`, "protocol is missing",
		"idle is -1s", "maxFaults is -1", "another one has the same name", "uplink", "NewTLS",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	if _, err := server.New(server.DefaultConfig(), nil); err == nil {
		t.Error("a server without listeners was made")
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	cl := newCloud(t)
	free, used := listenerFor(t, cl, nil, unlimited()), listenerFor(t, cl, nil, unlimited())
	free.Name = "free"
	used.Name, used.Address = "used", taken.Addr().String()
	s, err := server.New(server.DefaultConfig(), []server.Listener{free, used})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Start(t.Context())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), `"used"`) || !strings.Contains(err.Error(), used.Address) {
		t.Errorf("error %v, want one that names the listener and its address", err)
	}
	if _, err := net.Dial("tcp", s.Addr("free").String()); err == nil {
		t.Error("the other listener still listens")
	}
	if err := s.Start(t.Context()); !errors.Is(err, server.ErrStarted) {
		t.Errorf("second Start: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestCloseWithoutStart(t *testing.T) {
	t.Parallel()
	s, err := server.New(server.DefaultConfig(), []server.Listener{listenerFor(t, newCloud(t), nil, unlimited())})
	if err != nil {
		t.Fatal(err)
	}
	if s.Addr("test") != nil || s.Addr("other") != nil {
		t.Error("an address before Start")
	}
	stop(t, s)
	if err := s.Start(t.Context()); !errors.Is(err, server.ErrStarted) {
		t.Errorf("Start after Close: %v", err)
	}
}

func TestGracefulClose(t *testing.T) {
	t.Parallel()
	b := serve(t, unlimited())
	const devices = 100
	clients := make([]*client, devices)
	for i := range clients {
		clients[i] = b.dial(t)
		clients[i].send("HELLO d%d\n", i)
		clients[i].want("OK")
	}
	slow := clients[0] // has not read its answer when the server closes
	const size = 8 << 20
	slow.send("BIG %d\n", size)
	until(t, "answered", func() bool { return b.stats().SentBytes > size })
	var wg sync.WaitGroup
	wg.Go(func() {
		got, err := io.ReadAll(slow.r)
		if len(got) != size+1 || err != nil {
			t.Errorf("the slow device read %d bytes, %v; want all that was written", len(got), err)
		}
	})
	for _, c := range clients[1:] {
		wg.Go(func() {
			if rest, err := io.ReadAll(c.r); len(rest) != 0 || err != nil {
				t.Errorf("a device read %q, %v; want the end", rest, err)
			}
			_ = c.Close()
		})
	}
	stop(t, b.Server)
	wg.Wait()
	for range devices {
		b.wantEnd(t, server.CauseShutdown)
	}
	if len(b.live) != 0 || b.outs != devices {
		t.Errorf("%d sessions live, %d ended", len(b.live), b.outs)
	}
	if s := b.stats(); s.Connections != 0 || s.Closed["shutdown"] != devices {
		t.Errorf("stats %+v", s)
	}
	if c, err := net.Dial("tcp", b.addr); err == nil {
		_ = c.Close()
		t.Error("the port still listens")
	}
	stop(t, b.Server) // does nothing
}

func TestCloseCutsOffWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	ends := make(chan error, 1)
	l := listenerFor(t, newCloud(t), ends, limited(func(l *server.Limits) { l.Linger = time.Minute }))
	s, err := server.New(server.DefaultConfig(), []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s.Addr("test").String())
	c.send("BIG %d\n", 32<<20) // and never reads it
	until(t, "answered", func() bool { return s.Stats().Listeners[0].SentBytes > 32<<20 })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = s.Close(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 connections were cut off") {
		t.Errorf("Close: %v", err)
	}
	if err := <-ends; !errors.Is(err, server.CauseShutdown) {
		t.Errorf("ended with %v", err)
	}
	if again := s.Close(t.Context()); !errors.Is(again, context.DeadlineExceeded) {
		t.Errorf("second Close: %v, want what the first found", again)
	}
}

// reopened is a fresh server on b's port.
func reopened(t *testing.T, b *bench) *server.Server {
	t.Helper()
	l := listenerFor(t, b.cloud, b.ends, limited(func(l *server.Limits) { l.Linger = 10 * time.Millisecond }))
	l.Address = b.addr
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	return s
}

func TestRestartOnTheSamePort(t *testing.T) {
	t.Parallel()
	b := serve(t, limited(func(l *server.Limits) { l.Linger = 10 * time.Millisecond }))
	for range 3 {
		c := b.dial(t)
		c.send("ECHO a\n")
		c.want("a")
		stop(t, b.Server)
		b.wantEnd(t, server.CauseShutdown)
		b.Server = reopened(t, b)
	}
	c := b.dial(t)
	c.send("ECHO b\n")
	c.want("b")
}

func TestLoginDuringClose(t *testing.T) {
	t.Parallel()
	b := serve(t, unlimited())
	release := b.hold()
	c := b.dial(t)
	c.send("HELLO late\n")
	until(t, "login seen", func() bool { return b.stats().Messages == 1 })
	stop(t, b.Server)
	b.wantEnd(t, server.CauseShutdown)
	release() // the platform answers when there is no loop any more
	until(t, "login undone", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.logins == 1 && b.outs == 1 && len(b.live) == 0
	})
}
