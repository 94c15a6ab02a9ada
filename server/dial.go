package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// DialConfig is how the server connects to devices that listen themselves
// (Listener.Connect).
type DialConfig struct {
	Timeout time.Duration `conf:"timeout" doc:"how long connecting to a device may take"`
	Min     time.Duration `conf:"min" doc:"pause after a connection has ended, and after the first attempt that failed; it doubles with each further one"`
	Max     time.Duration `conf:"max" doc:"longest pause between attempts"`
	Most    int           `conf:"most" doc:"devices that are being connected to at the same time"`
}

// DefaultDialConfig is the configuration of someone who wrote nothing.
func DefaultDialConfig() DialConfig {
	return DialConfig{Timeout: 10 * time.Second, Min: time.Second, Max: time.Minute, Most: 64}
}

func (c DialConfig) validate() error {
	errs := []error{
		between("reconnect.timeout", c.Timeout, time.Millisecond, time.Hour),
		between("reconnect.min", c.Min, time.Millisecond, time.Hour),
		between("reconnect.max", c.Max, time.Millisecond, 24*time.Hour),
		between("reconnect.most", c.Most, 1, 1<<12),
	}
	if c.Max < c.Min {
		errs = append(errs, fmt.Errorf("reconnect.max is %v, less than reconnect.min, which is %v", c.Max, c.Min))
	}
	return errors.Join(errs...)
}

// fill puts the defaults where zero makes no sense.
func (c *DialConfig) fill() {
	d := DefaultDialConfig()
	if c.Timeout == 0 {
		c.Timeout = d.Timeout
	}
	if c.Min == 0 {
		c.Min = d.Min
	}
	if c.Max == 0 {
		c.Max = max(d.Max, c.Min)
	}
	if c.Most == 0 {
		c.Most = d.Most
	}
}

// dials says whether the listener connects to its devices in place of listening.
func (l *Listener) dials() bool { return len(l.Connect) > 0 }

// validateConnect finds what does not go with connecting to devices.
func (l *Listener) validateConnect() error {
	var errs []error
	wrong := func(is bool, what string) {
		if is {
			errs = append(errs, errors.New(what+" does not go with connect: the server listens on nothing; remove one of the two"))
		}
	}
	wrong(l.Address != "", "address")
	wrong(l.TLS != nil, "tls")
	wrong(l.Proxy.on(), "proxyProtocol")
	wrong(l.Backlog != 0, "backlog")
	wrong(l.ReusePort, "reusePort")
	wrong(l.isUDP(), "network = udp")
	seen := map[string]bool{}
	for _, address := range l.Connect {
		host, port, err := net.SplitHostPort(address)
		n, badPort := strconv.ParseUint(port, 10, 16)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("connect %q: %w; want host:port", address, err))
		case host == "":
			errs = append(errs, fmt.Errorf("connect %q: the host is missing; want host:port", address))
		case badPort != nil || n == 0:
			errs = append(errs, fmt.Errorf("connect %q: port %q is not 1 to 65535", address, port))
		case seen[address]:
			errs = append(errs, fmt.Errorf("connect %q: is there twice", address))
		}
		seen[address] = true
	}
	return errors.Join(errs...)
}

// target is a device that listens itself. It is the business of one goroutine or
// event loop at a time: while it is dialled, connected, or waits for its timer.
type target struct {
	listener *listener
	address  string
	wait     time.Duration // before the next attempt, but for jitter
	failing  bool          // the last attempt failed; told once in the log
	timer    *time.Timer   // of the next attempt; guarded by Server.mu
}

// dialling is what the targets of all listeners share.
type dialling struct {
	ctx    context.Context //nolint:containedctx // of all attempts: they end with it
	cancel context.CancelFunc
}

// dialAll begins to connect to the targets of all listeners. s.mu is held.
func (s *Server) dialAll() {
	for _, l := range s.listeners {
		if !l.dials() {
			continue
		}
		l.targets = make([]target, len(l.Connect))
		for i, address := range l.Connect {
			t := &l.targets[i]
			*t = target{listener: l, address: address, wait: l.Reconnect.Min}
			s.schedule(t, time.Duration(rand.Int64N(int64(l.Reconnect.Min)))) //nolint:gosec // spreads them
		}
	}
}

// stopDialling ends all attempts and begins no more. s.deaf is set.
func (s *Server) stopDialling() {
	s.dialling.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		for i := range l.targets {
			if t := l.targets[i].timer; t != nil {
				t.Stop()
			}
		}
	}
}

// schedule connects to t when the pause is over, unless the server closes. s.mu is
// held.
func (s *Server) schedule(t *target, pause time.Duration) {
	if !s.deaf {
		t.timer = time.AfterFunc(pause, func() { s.due(t) })
	}
}

// due connects to t, and then to those that had to wait meanwhile. While as many are
// being connected to as may be, t waits itself, which costs no goroutine.
func (s *Server) due(t *target) {
	l := t.listener
	s.mu.Lock()
	if s.deaf {
		s.mu.Unlock()
		return
	}
	if l.dialling == l.Reconnect.Most {
		l.due = append(l.due, t)
		s.mu.Unlock()
		return
	}
	l.dialling++
	s.accepting.Add(1) // before deaf: Close waits
	s.mu.Unlock()
	defer s.accepting.Done()
	for ; t != nil; t = s.nextDue(l) {
		s.dial(t)
	}
}

// nextDue is who has waited longest for someone else to be connected to, nil if
// nobody does: then the caller is done.
func (s *Server) nextDue(l *listener) (t *target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf || len(l.due) == 0 {
		l.dialling--
		return nil
	}
	t, l.due[0] = l.due[0], nil
	l.due = l.due[1:]
	return t
}

func (s *Server) countDialled(l *listener) (dialling, due int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.dialling, len(l.due)
}

// dial connects to t once.
func (s *Server) dial(t *target) {
	l := t.listener
	dialer := net.Dialer{Timeout: l.Reconnect.Timeout, KeepAlive: -1}
	if period := l.limits.KeepAlive; period > 0 {
		dialer.KeepAlive = 0
		dialer.KeepAliveConfig = keepAlive(period)
	}
	socket, err := dialer.DialContext(s.dialling.ctx, "tcp", t.address)
	if err == nil {
		t.failing = false
		s.admit(l, socket.(*net.TCPConn), t) //nolint:forcetypeassert // tcp makes no other
		return
	}
	if s.dialling.ctx.Err() != nil {
		return
	}
	l.refused[CauseDial].Add(1)
	if !t.failing {
		t.failing = true
		if dropped, ok := s.refuseLog.allow(time.Now()); ok {
			s.log.Warn("cannot connect to a device; trying again"+suppressed(dropped), zap.String("listener", l.Name),
				zap.String("target", t.address), zap.NamedError("err", err))
		}
	}
	s.redial(t, false)
}

// redial connects to t again, later: sooner when it was of use.
func (s *Server) redial(t *target, useful bool) {
	if useful {
		t.wait = t.listener.Reconnect.Min
	}
	pause := t.wait/2 + time.Duration(rand.Int64N(int64(t.wait)/2+1)) //nolint:gosec // spreads devices that went together
	t.wait = min(2*t.wait, t.listener.Reconnect.Max)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schedule(t, pause)
}

// Target implements protocol.Dialled.
func (c *conn) Target() string {
	if c.target == nil {
		return ""
	}
	return c.target.address
}
