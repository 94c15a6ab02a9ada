package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// limited is unlimited but for what change sets.
func limited(change func(*server.Limits)) server.Limits {
	l := unlimited()
	change(&l)
	return l
}

// TestLimits breaks each limit of a connection and sees that another connection
// of the same server does not notice.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits server.Limits
		gate   bool // logins do not complete
		misuse func(c *client)
		cause  server.Cause
		count  string // in Stats.Closed
	}{
		"frame too long": {
			limits: limited(func(l *server.Limits) { l.MaxPending = 4096 }),
			misuse: func(c *client) { c.send("ECHO %s", strings.Repeat("x", 5000)) },
			cause:  server.CausePending,
		},
		"flood behind a login": {
			limits: limited(func(l *server.Limits) { l.MaxPending = 100 << 10 }),
			gate:   true,
			misuse: func(c *client) { c.send("HELLO slow\n%s", strings.Repeat("SAY x\n", 50_000)) },
			cause:  server.CausePending,
		},
		"no message": {
			limits: limited(func(l *server.Limits) { l.FirstMessage = 150 * time.Millisecond }),
			misuse: func(*client) {},
			cause:  server.CauseFirstMessage,
		},
		"slow loris": {
			limits: limited(func(l *server.Limits) { l.FirstMessage = 300 * time.Millisecond }),
			misuse: func(c *client) {
				go func() {
					for { // always one more byte, never a line
						if _, err := io.WriteString(c, "x"); err != nil {
							return
						}
						<-time.After(5 * time.Millisecond)
					}
				}()
			},
			cause: server.CauseFirstMessage,
		},
		"no login": {
			limits: limited(func(l *server.Limits) { l.Login = 150 * time.Millisecond; l.FirstMessage = time.Minute }),
			misuse: func(c *client) { c.send("ECHO a\n") },
			cause:  server.CauseLogin,
		},
		"login takes too long": {
			limits: limited(func(l *server.Limits) { l.Login = 150 * time.Millisecond }),
			gate:   true,
			misuse: func(c *client) { c.send("HELLO slow\n") },
			cause:  server.CauseLogin,
		},
		"idle": {
			limits: limited(func(l *server.Limits) { l.Idle = 150 * time.Millisecond }),
			misuse: func(c *client) { c.send("ECHO a\n") },
			cause:  server.CauseIdle,
		},
		"bytes": {
			limits: limited(func(l *server.Limits) { l.BytesPerSecond = 1000; l.Burst = 2 * time.Second }),
			misuse: func(c *client) { c.send("ECHO %s\n", strings.Repeat("x", 3000)) },
			cause:  server.CauseBytesRate,
		},
		"messages": {
			limits: limited(func(l *server.Limits) { l.MessagesPerSecond = 10; l.Burst = 10 * time.Second }),
			misuse: func(c *client) { c.send("%s", strings.Repeat("x\n", 150)) },
			cause:  server.CauseMessagesRate,
		},
		"damaged frames": {
			limits: limited(func(l *server.Limits) { l.MaxFaults = 5 }),
			misuse: func(c *client) { c.send("BAD\nBAD\nECHO a\nBAD\nBAD\nBAD\nECHO b\n") },
			cause:  server.CauseFaults,
		},
		"panics": {
			limits: limited(func(l *server.Limits) { l.MaxFaults = 0 }), // no limit of damaged frames
			misuse: func(c *client) { c.send("%s", strings.Repeat("BAD\n", 100)+strings.Repeat("PANIC\n", 100)) },
			cause:  server.CausePanic,
		},
		"dead stream": {
			limits: unlimited(),
			misuse: func(c *client) { c.send("ECHO a\nDIE\nECHO b\n") },
			cause:  server.CauseUnsynchronised,
		},
		"device that does not read": {
			limits: limited(func(l *server.Limits) { l.MaxOutbound = 64 << 10 }),
			misuse: func(c *client) { c.send("%s", strings.Repeat("BIG 100000\n", 400)) },
			cause:  server.CauseNotReading,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serve(t, c.limits)
			if c.gate {
				t.Cleanup(b.hold())
			}
			bad := b.dial(t)
			c.misuse(bad)
			b.wantEnd(t, c.cause)
			bad.wantClosed()
			good := b.dial(t)
			good.send("ECHO alive\n")
			good.want("alive")
			if n := b.stats().Closed[c.cause.String()]; n != 1 {
				t.Errorf("counted %d under %q, want 1", n, c.cause)
			}
		})
	}
}

func TestWithinLimits(t *testing.T) {
	t.Parallel()
	var err error
	for range 5 {
		var slowest time.Duration
		if slowest, err = withinLimits(t); err == nil {
			return
		}
		if slowest < 500*time.Millisecond {
			t.Fatal(err)
		}
		t.Logf("once more, this machine is busy: %v from one turn to the next: %v", slowest, err)
	}
	t.Fatal(err)
}

// withinLimits is a device that keeps within the limits for longer than each lasts, as
// long as the machine lets it: slowest is the longest time from one turn to the next.
func withinLimits(t *testing.T) (slowest time.Duration, err error) {
	t.Helper()
	b := serve(t, limited(func(l *server.Limits) {
		l.MaxPending, l.MaxFaults, l.FaultDecay = 4096, 3, 20*time.Millisecond
		l.FirstMessage, l.Login, l.Idle = time.Second, time.Second, 1200*time.Millisecond
		l.BytesPerSecond, l.MessagesPerSecond, l.Burst = 100_000, 1000, 10*time.Second
	}))
	last := time.Now()
	c := b.dial(t)
	turn := func(say string, want ...string) error {
		if _, failed := io.WriteString(c, say); failed != nil {
			return failed
		}
		for _, w := range want {
			if got, failed := c.r.ReadString('\n'); failed != nil || got != w+"\n" {
				return fmt.Errorf("got %.60q, %w, want %.60q", got, failed, w)
			}
		}
		now := time.Now()
		last, slowest = now, max(slowest, now.Sub(last))
		return nil
	}
	err = turn("HELLO m1\n", "OK")
	long := strings.Repeat("a", 3000)
	for range 20 { // for a second and a half: longer than every time limit, and each fault is forgiven
		if err == nil {
			err = turn("ECHO "+long+"\nBAD\nSAY x\n", long, "ACK x")
			<-time.After(75 * time.Millisecond) // no less: a ticker makes up for what was late
		}
	}
	if closed := b.stats().Closed; err == nil && len(closed) != 0 {
		err = fmt.Errorf("closed %v", closed)
	}
	slowest = max(slowest, time.Since(last))
	return slowest, err
}

// A protocol may know connections that are in order without a device online. Their
// time begins to count for nothing when it says so, even if limits were near.
func TestConnectionsThatNeedNoLogin(t *testing.T) {
	t.Parallel()
	b := serve(t, limited(func(l *server.Limits) { l.FirstMessage, l.Login = time.Minute, 300*time.Millisecond }))
	known := b.dial(t)
	known.send("WELCOME\nECHO in\n")
	known.want("in")
	for range 2 { // strangers of the same age, and of a second one
		stranger := b.dial(t)
		stranger.send("ECHO in\n")
		stranger.want("in")
		b.wantEnd(t, server.CauseLogin)
		stranger.wantClosed()
	}
	known.send("HELLO m1\nOUT\nECHO still\n") // logging out does not begin the time anew
	known.want("OK", "still")
	stranger := b.dial(t)
	b.wantEnd(t, server.CauseLogin)
	stranger.wantClosed()
	known.send("ECHO there\n")
	known.want("there")
	if n := b.stats().Closed[server.CauseLogin.String()]; n != 3 {
		t.Errorf("%d connections were closed for want of a login, want the three strangers", n)
	}
}

// Nor is a first message asked for.
func TestSilentConnectionsThatNeedNoLogin(t *testing.T) {
	t.Parallel()
	b := &bench{cloud: newCloud(t), ends: make(chan error, 16)}
	l := listenerFor(t, b.cloud, b.ends, limited(func(l *server.Limits) { l.FirstMessage, l.Login = 200*time.Millisecond, 200*time.Millisecond }))
	open, first := l.Open, true
	l.Open = func(tr protocol.Transport, h *protocol.Host) protocol.Handler {
		handler := open(tr, h)
		if !first {
			return handler
		}
		first = false
		return settled{handler}
	}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	b.Server, b.addr = s, s.Addr("test").String()
	known := b.dial(t)
	until(t, "the first connection is there", func() bool { return b.stats().Connections == 1 })
	for range 2 {
		stranger := b.dial(t)
		b.wantEnd(t, server.CauseFirstMessage)
		stranger.wantClosed()
	}
	known.send("ECHO there\n")
	known.want("there")
}

// settled is a handler that needs no login from the start.
type settled struct{ protocol.Handler }

func (settled) AwaitsLogin() bool { return false }

func TestMemoryOfAllConnections(t *testing.T) {
	t.Parallel()
	b := serveWith(t, server.Config{Loops: 2, MaxPending: 100_000}, unlimited())
	for range 3 {
		c := b.dial(t)
		c.send("%s", strings.Repeat("x", 40_000)) // 120 kB together
	}
	b.wantEnd(t, server.CauseMemory)
	until(t, "the others hold theirs", func() bool { return b.Server.Stats().PendingBytes == 80_000 })
}

func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg    server.Config
		limits server.Limits
		cause  server.Cause
	}{
		"of the server":   {server.Config{MaxConnections: 3}, unlimited(), server.CauseConnections},
		"of the listener": {server.Config{}, limited(func(l *server.Limits) { l.MaxConnections = 3 }), server.CauseConnections},
		"of an address":   {server.Config{}, limited(func(l *server.Limits) { l.MaxPerAddress = 3 }), server.CauseAddress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Loops = 1
			b := serveWith(t, c.cfg, c.limits)
			open := make([]*client, 3)
			for i := range open {
				open[i] = b.dial(t)
				open[i].send("ECHO in\n")
				open[i].want("in")
			}
			b.wantRefused(t)
			if n := b.stats().Refused[c.cause.String()]; n != 1 {
				t.Errorf("refused %v, want 1 for %v", b.stats().Refused, c.cause)
			}
			_ = open[0].Close()
			b.wantEnd(t, server.CausePeerClosed)
			until(t, "place is free", func() bool { return b.stats().Connections == 2 })
			again := b.dial(t)
			again.send("ECHO again\n")
			again.want("again")
			if s := b.stats(); s.Accepted != 4 || s.Connections != 3 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestAddressesAreForgotten(t *testing.T) {
	t.Parallel()
	b := serve(t, limited(func(l *server.Limits) { l.MaxPerAddress = 1 }))
	for range 50 {
		c := b.dial(t)
		c.send("ECHO in\n")
		c.want("in")
		_ = c.Close()
		b.wantEnd(t, server.CausePeerClosed)
		until(t, "place is free", func() bool { return b.stats().Connections == 0 })
	}
}

// faulty is a protocol that breaks at every place where the server calls it.
type faulty struct{ protocol.Handler }

func (faulty) Data([]byte) (int, int, error) { panic("handler") }

type lying struct{ protocol.Handler }

func (lying) Data(in []byte) (int, int, error) { return len(in) + 1, 0, nil }

func TestBrokenProtocols(t *testing.T) {
	t.Parallel()
	cl := newCloud(t)
	ends := make(chan error, 10)
	whole := openChat(t, ends)
	opens := map[string]protocol.Open{
		"open panics":        func(protocol.Transport, *protocol.Host) protocol.Handler { panic("open") },
		"data panics":        func(tr protocol.Transport, h *protocol.Host) protocol.Handler { return faulty{whole(tr, h)} },
		"data lies":          func(tr protocol.Transport, h *protocol.Host) protocol.Handler { return lying{whole(tr, h)} },
		"decoder never ends": stuckOpen(t),
	}
	listeners := make([]server.Listener, 0, len(opens)+1)
	for name, open := range opens {
		l := listenerFor(t, cl, ends, unlimited())
		l.Name, l.Open = name, open
		listeners = append(listeners, l)
	}
	listeners = append(listeners, listenerFor(t, cl, nil, unlimited()))
	s, err := server.New(server.Config{Loops: 1}, listeners)
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	good := dial(t, s.Addr("test").String())
	for name := range opens {
		c := dial(t, s.Addr(name).String())
		_, _ = io.WriteString(c, "ECHO x\n")
		c.wantClosed()
		good.send("ECHO %s\n", name)
		good.want(name)
	}
}

type stuck struct{}

func (stuck) Decode([]byte) (string, int, error) { return "", 0, nil }

func stuckOpen(t *testing.T) protocol.Open {
	t.Helper()
	p := protocol.Define("stuck", struct{}{}, func(struct{}) (protocol.Protocol[string], error) {
		return protocol.Protocol[string]{
			Decoder: func() codec.Decoder[string] { return stuck{} },
			Adapter: func() protocol.Adapter[string] { return silent{} },
		}, nil
	})
	open, err := p.New(p.Config)
	if err != nil {
		t.Fatal(err)
	}
	return open
}

type silent struct{}

func (silent) Received(*protocol.Conn[string], string) error { return nil }

func TestLog(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.DebugLevel)
	b := serve(t, limited(func(l *server.Limits) { l.MaxFaults = 2 }), server.WithLogger(zap.New(core)))
	c := b.dial(t)
	c.send("HELLO m1\n")
	c.want("OK")
	c.send("BAD\nPANIC\n")
	b.wantEnd(t, server.CausePanic)
	quiet := b.dial(t)
	_ = quiet.Close()
	b.wantEnd(t, server.CausePeerClosed)

	faults := logs.FilterMessage("damaged frame").All()
	if len(faults) != 1 || faults[0].ContextMap()["message"] != "4241440a" || faults[0].Level != zap.DebugLevel {
		t.Errorf("faults logged: %v", faults)
	}
	panics := logs.FilterMessage("panic in a codec or an adapter").All()
	if len(panics) != 1 || !strings.Contains(fmt.Sprint(panics[0].ContextMap()["stack"]), "Received") {
		t.Errorf("panics logged: %v", panics)
	}
	ends := logs.FilterMessage("connection ended").All()
	if len(ends) != 2 {
		t.Fatalf("ends logged: %v", ends)
	}
	bad, ok := ends[0].ContextMap(), ends[0].Level == zap.InfoLevel
	if !ok || bad["cause"] != "panic" || bad["identity"] != "m1" || bad["listener"] != "test" || bad["count"] != uint32(2) || bad["remote"] != c.LocalAddr().String() {
		t.Errorf("end logged at %v: %v", ends[0].Level, bad)
	}
	if ends[1].Level != zap.DebugLevel || ends[1].ContextMap()["cause"] != "peer closed" {
		t.Errorf("end of a healthy connection logged as %v", ends[1])
	}
}

func TestCauseTexts(t *testing.T) {
	t.Parallel()
	seen := map[string]server.Cause{}
	for c := server.CausePeerClosed; c <= server.CauseFiles; c++ {
		if other, taken := seen[c.String()]; taken || c.String() == "" || strings.HasPrefix(c.String(), "cause(") {
			t.Errorf("cause %d has the text %q, which %v has too", c, c, other)
		}
		seen[c.String()] = c
	}
	e := &server.CloseError{Cause: server.CauseIdle, Err: context.Canceled}
	for _, is := range []error{server.CauseIdle, context.Canceled, net.ErrClosed} {
		if !errors.Is(e, is) {
			t.Errorf("%v is not %v", e, is)
		}
	}
	if errors.Is(e, server.CauseLogin) {
		t.Errorf("%v is another cause", e)
	}
}

// Who logs in and out again must not keep a connection for ever.
func TestLoginIsDueAgainAfterLogout(t *testing.T) {
	t.Parallel()
	b := serve(t, limited(func(l *server.Limits) { l.Login = 300 * time.Millisecond }))
	c := b.dial(t)
	c.send("HELLO a\nLATER 600\n") // the limit is looked at meanwhile
	c.want("OK", "LATER")
	c.send("OUT\n")
	b.wantEnd(t, server.CauseLogin)
	c.wantClosed()
}

// The time begins anew as well when nothing has looked at it while the device was online.
func TestLoginIsDueAgainAfterAShortSession(t *testing.T) {
	t.Parallel()
	const limit, online = 900 * time.Millisecond, 500 * time.Millisecond
	b := serve(t, limited(func(l *server.Limits) { l.Login = limit }))
	c := b.dial(t)
	c.send("HELLO a\nLATER %d\n", online.Milliseconds())
	c.want("OK", "LATER")
	out := time.Now()
	c.send("OUT\n")
	b.wantEnd(t, server.CauseLogin)
	c.wantClosed()
	if took := time.Since(out); took < limit-50*time.Millisecond {
		t.Errorf("ended %v after the logout, want %v", took, limit)
	}
}

// One connection that holds what all may hold together does not have the others
// ended.
func TestMemoryIsNotTakenFromTheSmall(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	b := serveWith(t, server.Config{Loops: 2, MaxPending: limit}, unlimited())
	hog, small := b.dial(t), b.dial(t)
	hog.send("%s", strings.Repeat("x", limit))
	until(t, "held", func() bool { return b.Server.Stats().PendingBytes == limit })
	small.send("EC")
	until(t, "more is held than may be", func() bool { return b.Server.Stats().PendingBytes == limit+2 })
	small.send("HO a\n")
	small.want("a")
	small.send("E")
	until(t, "held again", func() bool { return b.Server.Stats().PendingBytes == limit+1 })
	hog.send("x")
	b.wantEnd(t, server.CauseMemory)
	hog.wantClosed()
	small.send("CHO b\n")
	small.want("b")
}
