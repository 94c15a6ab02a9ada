package gbt26875_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/codec"
	wire "github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/simulate/gbt26875"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// centre is a small monitoring centre that does what a test says: it answers what
// panels send and remembers it.
type centre struct {
	t      testing.TB
	listen net.Listener
	packet net.PacketConn // instead, over UDP
	work   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed when anything has come
	conns   map[net.Conn]bool
	frames  []*wire.Frame // all, in the order in which they came
	damaged int           // frames and stretches that are none
	peers   map[wire.Address]func([]byte)
	answer  func(f *wire.Frame) (wire.Command, bool) // instead of a confirmation; 0: none
}

func newCentre(tb testing.TB) *centre {
	tb.Helper()
	c := &centre{t: tb, changed: make(chan struct{}), conns: map[net.Conn]bool{}, peers: map[wire.Address]func([]byte){}}
	tb.Cleanup(c.close)
	return c
}

func (c *centre) tcp() string {
	var err error
	if c.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		c.t.Fatal(err)
	}
	c.work.Go(func() {
		for {
			conn, err := c.listen.Accept()
			if err != nil {
				return
			}
			c.work.Go(func() { c.serve(conn) })
		}
	})
	return c.listen.Addr().String()
}

func (c *centre) udp() string {
	var err error
	if c.packet, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
		c.t.Fatal(err)
	}
	c.work.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := c.packet.ReadFrom(buf)
			if err != nil {
				return
			}
			decoder := wire.NewDecoder(wire.DefaultOptions())
			c.take(decoder, buf[:n], func(b []byte) { _, _ = c.packet.WriteTo(b, from) })
		}
	})
	return c.packet.LocalAddr().String()
}

func (c *centre) close() {
	if c.listen != nil {
		_ = c.listen.Close()
	}
	if c.packet != nil {
		_ = c.packet.Close()
	}
	c.disconnect()
	c.work.Wait()
}

// disconnect ends all connections.
func (c *centre) disconnect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
	}
}

func (c *centre) serve(conn net.Conn) {
	c.mu.Lock()
	c.conns[conn] = true
	c.mu.Unlock()
	defer func() {
		_ = conn.Close() // it may have ended
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
	}()
	decoder := wire.NewDecoder(wire.Options{Damaged: true})
	var in []byte
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		in = in[c.take(decoder, in, func(b []byte) { _, _ = conn.Write(b) }):]
	}
}

// take takes the frames in front of in, answers them and says how long they were.
func (c *centre) take(decoder codec.Decoder[*wire.Frame], in []byte, send func([]byte)) (used int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		close(c.changed)
		c.changed = make(chan struct{})
	}()
	for {
		f, n, err := decoder.Decode(in[used:])
		used += n
		switch {
		case errors.Is(err, codec.ErrIncomplete):
			return used
		case err != nil:
			c.damaged++
			continue
		}
		f = f.Clone()
		c.frames = append(c.frames, f)
		c.peers[f.Source] = send
		c.reply(f, send)
	}
}

func (c *centre) reply(f *wire.Frame, send func([]byte)) {
	if f.Command != wire.CommandSend {
		return
	}
	command := wire.CommandConfirm
	if f.Damaged {
		c.damaged++
		command = wire.CommandDeny
	}
	if c.answer != nil {
		if other, ok := c.answer(f); ok {
			command = other
		}
	}
	if command != 0 {
		out, err := wire.AppendFrame(nil, &wire.Frame{Header: f.Reply(command, wire.NewTime(time.Now()))})
		if err != nil {
			c.t.Error(err)
		}
		send(out)
	}
}

// tell sends a panel a control or a request.
func (c *centre) tell(to wire.Address, serial uint16, u wire.Unit) {
	c.t.Helper()
	h := wire.Header{Serial: serial, Version: wire.Version{Main: 1}, Time: wire.NewTime(time.Now()), Destination: to, Command: u.Type().Command()}
	out, err := wire.AppendUnit(nil, h, u)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers[to](out)
}

// until waits until what says so, under the lock, each time that something has
// come.
func (c *centre) until(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		done, changed := ok(), c.changed
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			c.t.Fatalf("nothing came of: %s", what)
		}
	}
}

// find waits for a frame.
func (c *centre) find(what string, match func(f *wire.Frame) bool) (found *wire.Frame) {
	c.t.Helper()
	c.until(what, func() bool {
		for _, f := range c.frames {
			if match(f) {
				found = f
				return true
			}
		}
		return false
	})
	return found
}

// parts are the states of parts in f, if it has such.
func parts(f *wire.Frame) []wire.PartState {
	if u, err := f.Parse(); err == nil {
		if s, ok := u.(*wire.PartStates); ok && f.Command == wire.CommandSend {
			return s.Objects
		}
	}
	return nil
}

// fire says whether f is a report of one part on fire alone.
func fire(f *wire.Frame) bool {
	p := parts(f)
	return len(p) == 1 && p[0].State.Has(wire.PartFire)
}

// of is the type of f's data, 0 without any.
func of(f *wire.Frame) wire.Type {
	if len(f.Data) == 0 {
		return 0
	}
	return wire.Type(f.Data[0])
}

var first = wire.NewAddress(1)

// quiet is one panel that says nothing by itself but hello.
func quiet(target string) gbt26875.Config {
	cfg := gbt26875.DefaultConfig()
	cfg.Target, cfg.Devices, cfg.Rate, cfg.Heartbeat, cfg.Fires, cfg.PartFaults, cfg.ConnectRate = target, 1, 0, 0, 0, 0, 0
	cfg.BackoffMin, cfg.BackoffMax = time.Millisecond, 10*time.Millisecond
	return cfg
}

// start runs a fleet until stop, or the test's end.
func start(tb testing.TB, cfg gbt26875.Config, opts ...gbt26875.Option) (f *gbt26875.Fleet, stop func()) {
	tb.Helper()
	f, err := gbt26875.New(cfg, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(stop)
	return f, stop
}

// raise lets something happen at the first panel.
func raise(tb testing.TB, f *gbt26875.Fleet, e gbt26875.Event, part int) {
	tb.Helper()
	if err := f.Raise(1, e, part); err != nil {
		tb.Fatal(err)
	}
}

// drained waits until everything is confirmed, ends the fleet and the centre, and sees that every
// report is accounted for.
func drained(tb testing.TB, c *centre, f *gbt26875.Fleet, stop func()) gbt26875.Snapshot {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := f.Drain(ctx); err != nil {
		tb.Fatalf("%v\n%v", err, f.Report())
	}
	stop()
	c.close() // whatever it has to remember, it does now
	s := f.Stats()
	if s.Sent != s.Acked+s.Refused+s.Lost+s.Pending || s.Connected != 0 {
		tb.Errorf("%+v", s)
	}
	var sum gbt26875.Device
	for _, d := range f.Devices(0, 0) {
		sum.Sent, sum.Acked, sum.Refused, sum.Lost, sum.Pending = sum.Sent+d.Sent, sum.Acked+d.Acked, sum.Refused+d.Refused, sum.Lost+d.Lost, sum.Pending+d.Pending
	}
	if sum.Sent != s.Sent || sum.Acked != s.Acked || sum.Refused != s.Refused || sum.Lost != s.Lost || uint64(sum.Pending) != s.Pending {
		tb.Errorf("panels: %+v, the fleet: %+v", sum, s)
	}
	return s
}
