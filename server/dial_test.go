package server_test

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// yard is devices that listen themselves.
type yard struct {
	net.Listener
	t *testing.T
}

func newYard(t *testing.T, address string) *yard {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &yard{l, t}
}

func (y *yard) accept() *client {
	y.t.Helper()
	c, err := y.Accept()
	if err != nil {
		y.t.Fatal(err)
	}
	y.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &client{Conn: c, t: y.t, r: bufio.NewReader(c)}
}

// dialler is a server that connects to those devices.
func dialler(t *testing.T, ends chan<- error, limits server.Limits, addresses ...string) (*server.Server, *cloud) {
	t.Helper()
	c := newCloud(t)
	l := listenerFor(t, c, ends, limits)
	l.Address, l.Connect = "", addresses
	l.Reconnect = server.DialConfig{Min: time.Millisecond, Max: 20 * time.Millisecond}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	return s, c
}

// A device that listens itself is connected to, and again after its connection
// has ended, however it ended.
func TestConnectToDevices(t *testing.T) {
	t.Parallel()
	ends := make(chan error, 8)
	one, two := newYard(t, "127.0.0.1:0"), newYard(t, "127.0.0.1:0")
	s, cloud := dialler(t, ends, unlimited(), one.Addr().String(), two.Addr().String())

	first, other := one.accept(), two.accept()
	first.send("HELLO a\n")
	first.want("OK")
	other.send("HELLO b\nTARGET\n")
	other.want("OK", two.Addr().String())
	if n := s.Stats().Listeners[0].Connections; n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	_ = first.Close()
	<-ends
	again := one.accept()
	again.send("HELLO a\nSAY hi\n")
	again.want("OK", "ACK hi")
	again.send("BYE\n") // the adapter ends it
	again.want("BYE")
	<-ends
	one.accept().want() // and it is connected to again
	if heard := cloud.heard("a"); len(heard) != 1 || heard[0] != "hi" {
		t.Errorf("the platform heard %q, want hi", heard)
	}
}

// A device that is away is tried again until it is there, and each failure is
// counted.
func TestConnectToDeviceThatIsAway(t *testing.T) {
	t.Parallel()
	away := newYard(t, "127.0.0.1:0")
	address := away.Addr().String()
	_ = away.Close()
	s, _ := dialler(t, nil, unlimited(), address)
	until(t, "failures are counted", func() bool { return s.Stats().Listeners[0].Refused["dial"] >= 2 })
	c := newYard(t, address).accept()
	c.send("ECHO here\n")
	c.want("here")
}

// A connection beyond a limit is refused, and tried again.
func TestConnectWithinLimits(t *testing.T) {
	t.Parallel()
	limits := unlimited()
	limits.MaxConnections = 1
	one, two := newYard(t, "127.0.0.1:0"), newYard(t, "127.0.0.1:0")
	s, _ := dialler(t, nil, limits, one.Addr().String(), two.Addr().String())
	go func() {
		for { // those of the second that are refused; ends when the listener closes
			c, err := two.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	go func() {
		for {
			c, err := one.Accept()
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
		}
	}()
	until(t, "refused by the limit", func() bool { return s.Stats().Listeners[0].Refused["connections"] > 1 })
}

// Close ends attempts under way and waits for none.
func TestCloseWhileConnecting(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	l := listenerFor(t, c, nil, unlimited())
	l.Address, l.Connect = "", []string{"127.0.0.1:1"}
	l.Reconnect = server.DialConfig{Min: time.Hour, Max: time.Hour}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	stop(t, s)
}

func TestConnectMistakes(t *testing.T) {
	t.Parallel()
	l := server.Listener{
		Name: "plc", Address: ":502", Connect: []string{"10.0.0.5", ":502", "a:0", "a:502", "a:502"}, ReusePort: true,
		Open: openChat(t, nil), Host: &protocol.Host{Uplink: newCloud(t)},
		Reconnect: server.DialConfig{Min: time.Minute, Max: time.Second},
	}
	_, err := server.New(server.Config{}, []server.Listener{l})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"address does not go with connect", "reusePort does not go", `connect "10.0.0.5"`, `connect ":502": the host is missing`,
		`connect "a:0": port "0" is not 1 to 65535`, `connect "a:502": is there twice`, "reconnect.max is 1s, less than reconnect.min",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}
