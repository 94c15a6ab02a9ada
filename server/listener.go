package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// acceptors is how many goroutines accept connections of one listener. Each
// waits for a loop to take its connection over, so that what the loops cannot
// take waits in the kernel's queue, and not here.
const acceptors = 16

// listener is one address that is listened on. Its counters may be used from
// any goroutine.
type listener struct {
	Listener
	index  int // in Server.listeners
	limits Limits
	proxy  *proxy // nil: no header is expected

	datagrams bool         // the listener's network is UDP
	socket    net.Listener // set by Start; nil for UDP
	sockets   []*udpSocket // set by Start; nil for TCP
	local     net.Addr     // set by Start
	open      atomic.Int64
	accepted  atomic.Uint64
	refused   [causes]atomic.Uint64
	targets   []target      // of a listener that dials; set by Start
	dialling  int           // attempts to connect under way; guarded by Server.mu
	due       []*target     // those that wait for one of them to end; guarded by Server.mu
	told      atomic.Uint64 // datagrams of SendTo
	toldBytes atomic.Uint64
}

// listen opens the socket of a listener of TCP that has an address.
func (l *listener) listen(ctx context.Context) error {
	if l.datagrams || l.dials() {
		return nil
	}
	config := net.ListenConfig{KeepAlive: -1}
	if period := l.limits.KeepAlive; period > 0 {
		config.KeepAlive = 0
		config.KeepAliveConfig = keepAlive(period)
	}
	if l.ReusePort {
		config.Control = shareAddress
	}
	socket, err := config.Listen(ctx, "tcp", l.Address)
	if err == nil && l.Backlog > 0 {
		if err = setBacklog(socket.(*net.TCPListener), l.Backlog); err != nil { //nolint:forcetypeassert // it is one
			_ = socket.Close()
		}
	}
	if err == nil {
		l.socket, l.local = socket, socket.Addr()
		return nil
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listener %q: address %s is in use; stop the process that has it (ss -ltnp shows it) or choose another: %w", l.Name, l.Address, err)
	}
	return fmt.Errorf("listener %q: cannot listen on %s: %w", l.Name, l.Address, err)
}

// keepAlive is how TCP probes a connection that is idle for so long.
func keepAlive(idle time.Duration) net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: idle, Interval: max(idle/4, time.Second), Count: 4}
}

const (
	shortestPause = 5 * time.Millisecond
	longestPause  = time.Second
)

// accept accepts connections until the socket is closed.
func (s *Server) accept(l *listener) {
	defer s.accepting.Done()
	pause := shortestPause
	for {
		socket, err := l.socket.Accept()
		if err == nil {
			pause = shortestPause
			s.admit(l, socket.(*net.TCPConn), nil) //nolint:forcetypeassert // a TCP listener makes no other
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Most likely out of file descriptors. What is not accepted waits in the
		// kernel's queue.
		l.refused[CauseFiles].Add(1)
		if dropped, ok := s.refuseLog.allow(time.Now()); ok {
			s.log.Warn("cannot accept connections"+suppressed(dropped), zap.String("listener", l.Name), zap.NamedError("err", err))
		}
		select {
		case <-s.closing:
			return
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		}
	}
}

// admit hands a connection to a loop, or refuses it. to is what was dialled, nil
// for a connection that was accepted.
func (s *Server) admit(l *listener, socket *net.TCPConn, to *target) {
	remote := withoutZone(socket.RemoteAddr())
	withoutZone(socket.LocalAddr())
	c := newConn(l, remote)
	c.target = to
	if cause, err := s.reserve(c); cause != 0 {
		s.countRefused(l, remote, cause, err)
		_ = socket.SetLinger(0) // a refused connection shall not linger in TIME_WAIT
		_ = socket.Close()
		if to != nil {
			s.redial(to, false)
		}
		return
	}
	if !l.limits.NoDelay { // the standard library has switched it on
		_ = socket.SetNoDelay(false)
	}
	_, err := s.engine.EnrollContext(socket, c) // closes socket; the loop has a duplicate
	switch {
	case c.loop != nil: // OnOpen was called, and OnClose gives the place back
		return
	case err == nil:
		err = errNotTaken
	}
	s.free(c)
	s.countRefused(l, remote, CauseFiles, err)
}

var errNotTaken = errors.New("server: the event loop could not take the connection")

func (s *Server) countRefused(l *listener, remote netip.AddrPort, cause Cause, err error) {
	l.refused[cause].Add(1)
	if dropped, ok := s.refuseLog.allow(time.Now()); ok {
		s.log.Warn("connection refused"+suppressed(dropped), zap.String("listener", l.Name),
			zap.Stringer("remote", remote), zap.Stringer("cause", cause), zap.NamedError("err", err))
	}
}

// withoutZone is a as a value. It takes the zone off a, for gnet overwrites the
// text of zones that it has not made when a connection closes.
func withoutZone(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	tcp.Zone = ""
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// reserve takes a place for c, or says why there is none.
func (s *Server) reserve(c *conn) (Cause, error) {
	l, from := c.listener, c.remote.Addr()
	if l.proxy.refuses(from) {
		return CauseProxy, errNotTrusted
	}
	if s.open.Add(1) > int64(s.maxConnections) {
		s.release()
		return CauseConnections, nil
	}
	if open := l.open.Add(1); l.limits.MaxConnections > 0 && open > int64(l.limits.MaxConnections) {
		l.open.Add(-1)
		s.release()
		return CauseConnections, nil
	}
	if l.proxy.trusts(from) { // a balancer's address is no device's
		return 0, nil
	}
	if cause := s.reserveAddress(c); cause != 0 {
		l.open.Add(-1)
		s.release()
		return cause, nil
	}
	return 0, nil
}

// reserveAddress counts c's address, unless it is beyond the limit or banned.
func (s *Server) reserveAddress(c *conn) Cause {
	if g := c.listener.Host.Guard; g != nil && c.target == nil && !c.listener.datagrams && g.Banned(c.remote.Addr()) {
		return CauseBanned
	}
	limit := c.listener.limits.MaxPerAddress
	c.addressed = limit > 0 && s.addresses.take(c.listener.index, c.remote.Addr(), limit)
	if limit > 0 && !c.addressed {
		return CauseAddress
	}
	return 0
}

// free gives a connection's place back.
func (s *Server) free(c *conn) {
	if c.addressed {
		s.addresses.give(c.listener.index, c.remote.Addr())
	}
	c.listener.open.Add(-1)
	if c.target != nil {
		s.redial(c.target, c.count > 0)
	}
	if c.listener.datagrams {
		s.peers.Add(-1)
		s.noteEmpty()
		return
	}
	s.release()
}

func (s *Server) release() {
	s.open.Add(-1)
	s.noteEmpty()
}

// present is how many connections there are, UDP peers among them.
func (s *Server) present() int64 { return s.open.Load() + s.peers.Load() }

// noteEmpty tells shutdown when there are none.
func (s *Server) noteEmpty() {
	if s.present() == 0 {
		select {
		case s.empty <- struct{}{}:
		default:
		}
	}
}

// addresses counts connections by listener and address. It holds no address
// without a connection. It may be used from any goroutine.
type addresses struct {
	mu    sync.Mutex
	count map[source]int // guarded by mu
}

type source struct {
	listener int
	network  netip.Addr
}

// sourceOf is the address itself or, for IPv6, its /64, all of which belongs to
// one customer.
func sourceOf(listener int, from netip.Addr) source {
	if from.Is6() {
		if network, err := from.WithZone("").Prefix(64); err == nil {
			from = network.Addr()
		}
	}
	return source{listener, from}
}

func (a *addresses) take(listener int, from netip.Addr, limit int) bool {
	key := sourceOf(listener, from)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count[key] >= limit {
		return false
	}
	if a.count == nil {
		a.count = map[source]int{}
	}
	a.count[key]++
	return true
}

func (a *addresses) give(listener int, from netip.Addr) {
	key := sourceOf(listener, from)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count[key]--; a.count[key] <= 0 {
		delete(a.count, key)
	}
}
