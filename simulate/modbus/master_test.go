package modbus_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/codec"
	wire "github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/simulate/modbus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// bridge is a listener that modems connect to.
type bridge struct {
	t      *testing.T
	listen net.Listener
}

func newBridge(t *testing.T) *bridge {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &bridge{t, l}
}

// master is one end of a connection, the other of which is a simulated line.
type master struct {
	t      *testing.T
	conn   net.Conn
	mode   wire.Mode
	number uint16
	in     []byte // not yet done with
	noise  []byte // that stood in front of responses
}

// accept waits for the next modem.
func (b *bridge) accept(mode wire.Mode) *master {
	b.t.Helper()
	_ = b.listen.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	conn, err := b.listen.Accept()
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return &master{t: b.t, conn: conn, mode: mode}
}

// start runs a fleet against b until the test ends, or stop is called.
func start(t *testing.T, b *bridge, change func(*modbus.Config), opts ...modbus.Option) (f *modbus.Fleet, stop func()) {
	t.Helper()
	cfg := modbus.DefaultConfig()
	if b != nil {
		cfg.Target = b.listen.Addr().String()
	}
	cfg.BackoffMin, cfg.BackoffMax = 10*time.Millisecond, 100*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	f, err := modbus.New(cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }() // stop waits for it
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return f, stop
}

// expectText waits for bytes that the line sends on its own.
func (m *master) expectText(want string) {
	m.t.Helper()
	for len(m.in) < len(want) {
		if !m.read(patience) {
			m.t.Fatalf("the line sent %q, want %q", m.in, want)
		}
	}
	if got := string(m.in[:len(want)]); got != want {
		m.t.Fatalf("the line sent %q, want %q", got, want)
	}
	m.in = m.in[len(want):]
}

// read reads more; it says whether there was some in time.
func (m *master) read(within time.Duration) bool {
	m.t.Helper()
	buf := make([]byte, 1024)
	_ = m.conn.SetReadDeadline(time.Now().Add(within))
	n, err := m.conn.Read(buf)
	m.in = append(m.in, buf[:n]...)
	var late net.Error
	if err != nil && (!errors.As(err, &late) || !late.Timeout()) {
		m.t.Fatalf("the line has ended: %v", err)
	}
	return n > 0
}

// send sends a request.
func (m *master) send(unit uint8, request wire.Request) *wire.Expect {
	m.t.Helper()
	pdu, err := request.Append(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	m.number++
	e := &wire.Expect{Resync: true}
	if err := e.Bind(m.mode, m.number, unit, pdu); err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.conn.Write(wire.AppendFrame(nil, m.mode, m.number, unit, pdu)); err != nil {
		m.t.Fatal(err)
	}
	return e
}

// wait waits for the response that e expects; ok is whether it came in time.
func (m *master) wait(e *wire.Expect, within time.Duration) (r wire.Response, ok bool) {
	m.t.Helper()
	until := time.Now().Add(within)
	for {
		reply, err := e.Match(m.in)
		m.noise = append(m.noise, m.in[:reply.Skipped]...)
		switch {
		case err == nil:
			response, bad := wire.ParseResponse(reply.PDU)
			if bad != nil {
				m.t.Fatal(bad)
			}
			response.Data = append([]byte(nil), response.Data...)
			m.in = m.in[reply.Skipped+reply.Size:]
			return response, true
		case !errors.Is(err, codec.ErrIncomplete):
			m.t.Fatal(err)
		}
		m.in = m.in[reply.Skipped:]
		if left := time.Until(until); left <= 0 || !m.read(left) {
			return wire.Response{}, false
		}
	}
}

// ask sends a request and waits for its response.
func (m *master) ask(unit uint8, request wire.Request) wire.Response {
	m.t.Helper()
	r, ok := m.wait(m.send(unit, request), patience)
	if !ok {
		m.t.Fatalf("no answer to %+v within %v; %x came", request, patience, m.noise)
	}
	return r
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %v", what, patience)
		case <-tick.C:
		}
	}
}
