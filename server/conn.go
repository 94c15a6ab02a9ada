package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
	"github.com/linkspan/linkspan/protocol"
)

// conn is one connection, as its protocol's transport. All of it belongs to its
// loop, but for the methods Do and Close. There is one for each connection,
// idle or not: it is kept small.
//
// A connection ends in two steps that come in either order: its protocol ends
// (ended: the handler's Closed has run), and its socket is closed (gone).
//
// It takes 256 bytes, which Go aligns to lines of the processor's cache. What every
// read looks at stands in the first two: with many connections they have to be fetched
// each time.
type conn struct {
	socket   socket
	stage    stage // nil: what arrives is the protocol's
	loop     *loop // set in OnOpen
	listener *listener
	handler  protocol.Handler // nil until begin

	request atomic.Pointer[CloseError] // why it is to end; the first one stays
	pending *[]byte                    // has arrived and is not decoded; nil when empty
	active  int64                      // loop.ms of the last bytes; after the end: when the socket is closed at the latest
	bytes   uint64                     // received
	tcp     tcpSocket                  // what socket is, mostly
	count   uint32                     // messages received
	faults  uint16                     // not yet forgiven
	panics  uint8
	calls   uint8 // of the handler that are under way: 0, or more when Write closes the socket
	flags

	target  *target // what was dialled; nil for connections that were accepted
	remote  netip.AddrPort
	timer   wheel.Timer[*conn] // the next look at the time limits, or at a closing socket
	timers  *timer             // of After
	opened  int64              // loop.ms of OnOpen
	offline int64              // loop.ms since when no device is online, unless one is
	paid    [2]int64           // bytes and messages: when what was received is within the rate, in ns since the server was made
	forgave int64              // loop.ms up to which faults are forgiven
	index   int32              // in loop.conns
}

type flags struct {
	offered    bool // in loop.offers
	online     bool // its device was seen online
	wrote      bool // something was sent
	halfClosed bool // nothing more is sent
	ended      bool // the handler is closed
	gone       bool // the socket is closed: it must not be used
	addressed  bool // its address was counted
}

func newConn(l *listener, remote netip.AddrPort) *conn {
	c := &conn{}
	c.init(l, remote)
	return c
}

func (c *conn) init(l *listener, remote netip.AddrPort) {
	c.listener, c.remote, c.index = l, remote, noConnection
	c.timer.Value = c
}

// Write implements protocol.Peer.
func (c *conn) Write(p []byte) error {
	if c.gone && c.request.Load() == nil {
		return nil // the peer is heard to the end (unheard), and may have closed its side alone
	}
	if c.gone || c.ended {
		return net.ErrClosed
	}
	c.wrote = true
	if !c.listener.datagrams { // peers count what leaves
		c.countWrite(p)
	}
	if err := c.socket.write(p); err != nil {
		if errors.Is(err, errDropped) {
			return nil
		}
		return err
	}
	return c.limitOutbound(c.socket)
}

// limitOutbound ends the connection when too much waits to leave.
func (c *conn) limitOutbound(s socket) error {
	out := s.outbound()
	if out <= c.listener.limits.MaxOutbound {
		return nil
	}
	c.end(because(CauseNotReading, fmt.Errorf("%d bytes wait for it, maxOutbound is %d", out, c.listener.limits.MaxOutbound)))
	return c.request.Load()
}

// countWrite counts what is written to the socket.
func (c *conn) countWrite(p []byte) {
	n := &c.loop.counters[c.listener.index]
	add(&n.writes, 1)
	add(&n.bytesOut, uint64(len(p)))
}

// Close implements protocol.Peer.
func (c *conn) Close(cause error) {
	if c.request.CompareAndSwap(nil, classify(cause)) {
		c.loop.do(c, nil)
	}
}

// end is Close on the loop, where settle comes soon.
func (c *conn) end(e *CloseError) { c.request.CompareAndSwap(nil, e) }

// Remote implements protocol.Peer.
func (c *conn) Remote() netip.AddrPort { return c.remote }

// Do implements protocol.Scheduler.
func (c *conn) Do(f func()) { c.loop.do(c, f) }

// Now implements protocol.Scheduler.
func (c *conn) Now() time.Time { return c.loop.now }

// After implements protocol.Scheduler.
func (c *conn) After(d time.Duration, f func()) (stop func()) {
	if c.ended {
		return func() {}
	}
	t := &timer{conn: c, f: f, next: c.timers}
	t.node.Value = t
	if c.timers != nil {
		c.timers.prev = t
	}
	c.timers = t
	at := c.loop.ms + int64((max(d, 0)+time.Millisecond-1)/time.Millisecond)
	c.loop.timers.Add(&t.node, at)
	c.loop.arm(at)
	return t.stop
}

// timer is one call of After. It belongs to its connection's loop.
type timer struct {
	node       wheel.Timer[*timer]
	conn       *conn
	f          func() // nil once it has fired or was stopped
	next, prev *timer // of the connection
}

func (t *timer) stop() {
	if t.f == nil {
		return
	}
	t.f = nil
	t.conn.loop.timers.Remove(&t.node)
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		t.conn.timers = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
}

func (t *timer) fire() {
	f := t.f
	t.stop()
	if f != nil && !t.conn.ended {
		t.conn.call(f)
		t.conn.settle()
	}
}

// call runs f as a callback of the connection. A panic of it is a fault.
func (c *conn) call(f func()) {
	c.calls++
	defer func() {
		c.calls--
		if r := recover(); r != nil {
			c.panicked(r)
		}
	}()
	f()
}

// panicked counts a panic that reached the server.
func (c *conn) panicked(r any) {
	if cause := c.Fault(&protocol.PanicError{Value: r, Stack: debug.Stack()}, nil); cause != nil {
		c.end(classify(cause))
	}
}

// settle ends the connection if that was asked for. It is called at the end of
// every callback, never inside the handler.
func (c *conn) settle() {
	if c.ended || c.calls > 0 {
		return
	}
	c.watchLogin()
	if e := c.request.Load(); e != nil {
		c.terminate(e)
	}
}

// watchLogin notes whether the device is online. When it has logged out the time for a
// login begins anew.
func (c *conn) watchLogin() {
	switch {
	case c.handler == nil:
	case c.handler.Session() != nil:
		c.online = true
	case c.online:
		c.online, c.offline = false, c.loop.ms
		c.checkTimes()
	}
}
