package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// TestDrain ends a server while the platform has not yet taken what a device said:
// the device gets its acknowledgement, and nothing that it says meanwhile counts.
func TestDrain(t *testing.T) {
	t.Parallel()
	b := serve(t, unlimited())
	d := b.dial(t)
	d.send("HELLO one\n")
	d.want("OK")
	release := b.hold() // the platform answers nothing, as it is busy with a login
	other := b.dial(t)
	other.send("HELLO two\nSAY held behind the login\n")
	until(t, "the login to be under way", func() bool { return b.stats().Messages == 2 })
	d.send("SAY before\n")
	until(t, "the message to be under way", func() bool { return len(b.heard("one")) == 1 })

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", b.addr); err == nil {
		t.Error("a drained server accepts connections")
		_ = c.Close()
	}
	d.send("SAY meanwhile\n")
	until(t, "the bytes to have arrived", func() bool {
		return b.stats().ReceivedBytes >= uint64(len("HELLO one\nHELLO two\nSAY held behind the login\nSAY before\nSAY meanwhile\n"))
	})
	release()
	d.want("ACK before")
	other.want("OK")
	if err := b.Drain(ctx); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := d.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection ends with %v", err)
	}
	for range 2 {
		b.wantEnd(t, server.CauseShutdown)
	}
	if got := b.heard("one"); !slices.Equal(got, []string{"before"}) {
		t.Errorf("the platform has %q", got)
	}
	if got := b.heard("two"); got != nil {
		t.Errorf("the platform has %q", got)
	}
	if err := b.Drain(ctx); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

// TestDrainTakesTheQueue ends a server while the kernel has connections for it
// that it has not accepted yet: they end in order, not by a reset.
func TestDrainTakesTheQueue(t *testing.T) {
	t.Parallel()
	gate, busy := make(chan struct{}), make(chan struct{})
	b := &bench{cloud: newCloud(t), ends: make(chan error, 1<<10)}
	l := listenerFor(t, b.cloud, b.ends, unlimited())
	l.Backlog = 100
	open := l.Open
	l.Open = func(transport protocol.Transport, h *protocol.Host) protocol.Handler {
		if transport.Remote().Addr().Is4() { // the only loop is held up by its first connection
			once(busy, gate)
		}
		return open(transport, h)
	}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	addr := s.Addr("test").String()
	clients := []*client{dial(t, addr)}
	<-busy
	for range 60 { // more than there are goroutines that accept
		clients = append(clients, dial(t, addr))
	}
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }() // ends when the loop goes on
	close(gate)
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	for i, c := range clients {
		if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("connection %d ends with %v", i, err)
		}
	}
	if n := s.Stats().Listeners[0].Accepted; n != uint64(len(clients)) {
		t.Errorf("%d of %d connections were accepted", n, len(clients))
	}
}

// A loop that is held up by an adapter holds up neither Drain nor Close for longer
// than they may take, also with connections in the kernel's queue.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	gate, busy := make(chan struct{}), make(chan struct{})
	b := &bench{cloud: newCloud(t), ends: make(chan error, 1<<10)}
	l := listenerFor(t, b.cloud, b.ends, unlimited())
	open := l.Open
	l.Open = func(transport protocol.Transport, h *protocol.Host) protocol.Handler {
		once(busy, gate)
		return open(transport, h)
	}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 40 { // more than there are goroutines that accept
		dial(t, s.Addr("test").String())
	}
	<-busy
	for _, end := range []func(context.Context) error{s.Drain, s.Close} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- end(ctx) }() // ends with the gate, at the latest
		select {
		case err := <-ended:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the end: %v", err)
			}
		case <-time.After(patience):
			t.Error("it does not return")
		}
	}
	close(gate)
	if err := s.Close(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v, want what the first one found", err)
	}
}

// once closes busy and waits for gate, the first time that it is called with them.
func once(busy, gate chan struct{}) {
	select {
	case <-busy:
	default:
		close(busy)
		<-gate
	}
}

// TestHandOver starts a second server on the address of a first one, ends the first
// one, and lets devices come and go all the time: none finds the address closed,
// and each gets an acknowledgement, from one of the servers.
func TestHandOver(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	begin := func(address string) *server.Server {
		l := listenerFor(t, cloud, nil, unlimited())
		l.Address, l.ReusePort = address, true
		s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
		if err != nil {
			t.Fatal(err)
		}
		start(t, s)
		return s
	}
	old := begin("127.0.0.1:0")
	address := old.Addr("test").String()
	alone := listenerFor(t, cloud, nil, unlimited())
	alone.Address = address
	if s, err := server.New(server.Config{Loops: 1}, []server.Listener{alone}); err != nil || !errors.Is(s.Start(t.Context()), syscall.EADDRINUSE) {
		t.Errorf("a listener that does not share the address gets it too: %v", err)
	}

	ended := make(chan struct{})
	var devices sync.WaitGroup
	for i := range 8 {
		devices.Go(func() {
			for n := 0; ; n++ {
				if err := visit(address, fmt.Sprintf("device-%d", i)); err != nil {
					t.Errorf("device %d, visit %d: %v", i, n, err)
					return
				}
				select {
				case <-ended:
					return
				default:
				}
			}
		})
	}
	until(t, "devices to be served", func() bool { return old.Stats().Listeners[0].Accepted > 50 })
	successor := begin(address)
	until(t, "both to be chosen", func() bool { return successor.Stats().Listeners[0].Accepted > 10 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := old.Drain(ctx); err != nil {
		t.Error(err)
	}
	if err := old.Close(ctx); err != nil {
		t.Error(err)
	}
	before := successor.Stats().Listeners[0].Accepted
	until(t, "the successor to serve alone", func() bool { return successor.Stats().Listeners[0].Accepted > before+50 })
	close(ended)
	devices.Wait()
}

// visit is a device that has one thing to say. A connection that ends is a reason
// to come again, one that is refused is not.
func visit(address, name string) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		c, err := net.Dial("tcp", address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		if err != nil {
			continue
		}
		_ = c.SetDeadline(end)
		answer := ""
		if _, err = fmt.Fprintf(c, "HELLO %s\nSAY x\n", name); err == nil {
			buf := make([]byte, len("OK\nACK x\n"))
			if _, err = io.ReadFull(c, buf); err == nil {
				answer = string(buf)
			}
		}
		_ = c.Close()
		if answer == "OK\nACK x\n" {
			return nil
		}
	}
	return errors.New("not served in time")
}
