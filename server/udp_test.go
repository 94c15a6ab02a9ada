package server_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// serveUDP serves the chat protocol over UDP; change may change the listener.
func serveUDP(tb testing.TB, limits server.Limits, change func(*server.Listener)) *bench {
	tb.Helper()
	b := &bench{cloud: newCloud(tb), ends: make(chan error, 1<<14)}
	l := listenerFor(tb, b.cloud, b.ends, limits)
	l.Network, l.UDP = server.UDP, server.DefaultUDPConfig()
	if change != nil {
		change(&l)
	}
	s, err := server.New(server.Config{Loops: 2}, []server.Listener{l})
	if err != nil {
		tb.Fatal(err)
	}
	start(tb, s)
	b.Server, b.addr = s, s.Addr("test").String()
	return b
}

// mote is a device that speaks UDP.
type mote struct {
	*net.UDPConn
	t testing.TB
}

func (b *bench) mote(tb testing.TB) *mote {
	tb.Helper()
	return moteAt(tb, b.addr)
}

func moteAt(tb testing.TB, addr string) *mote {
	tb.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &mote{c.(*net.UDPConn), tb}
}

// send sends one datagram.
func (m *mote) send(format string, args ...any) {
	m.t.Helper()
	if _, err := fmt.Fprintf(m, format, args...); err != nil {
		m.t.Errorf("send: %v", err)
	}
}

func (m *mote) datagram() string {
	m.t.Helper()
	buf := make([]byte, 1<<16)
	n, err := m.Read(buf)
	if err != nil {
		m.t.Fatalf("read: %v", err)
	}
	return string(buf[:n])
}

// want reads one datagram for each line.
func (m *mote) want(lines ...string) {
	m.t.Helper()
	for _, want := range lines {
		if got := m.datagram(); got != want+"\n" {
			m.t.Fatalf("got %.60q, want a datagram with %.60q", got, want+"\n")
		}
	}
}

// login brings the mote online.
func (m *mote) login(identity string) {
	m.t.Helper()
	m.send("HELLO %s\n", identity)
	m.want("OK")
}

// alive sends what is answered, behind all that was sent before.
func (m *mote) alive() {
	m.t.Helper()
	m.send("ECHO still here\n")
	m.want("still here")
}

func TestUDP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, listen, dial string }{
		{"IPv4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv6", "[::1]:0", "::1"},
		{"IPv4 of both", ":0", "127.0.0.1"},
		{"IPv6 of both", ":0", "::1"},
		{"another address of the machine", ":0", "127.1.2.3"},
		{"another address of the machine by IPv4", "0.0.0.0:0", "127.1.2.3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(c.dial, ":") && !hasIPv6() {
				t.Skip("no IPv6")
			}
			remotes := make(chan netip.AddrPort, 1)
			b := serveUDP(t, unlimited(), func(l *server.Listener) {
				l.Address = c.listen
				chat := l.Open
				l.Open = func(tr protocol.Transport, h *protocol.Host) protocol.Handler {
					remotes <- tr.Remote()
					return chat(tr, h)
				}
			})
			local, ok := b.Addr("test").(*net.UDPAddr)
			if !ok || local.Port == 0 {
				t.Fatalf("the address is %v", b.Addr("test"))
			}
			m := moteAt(t, net.JoinHostPort(c.dial, strconv.Itoa(local.Port)))
			m.login("m1")
			m.send("SAY one\n")
			m.want("ACK one")
			m.send("LATER 1\n")
			m.want("LATER")
			if got, want := (<-remotes).String(), m.LocalAddr().String(); got != want {
				t.Errorf("remote address %s, want %s", got, want)
			}
			if got := b.heard("m1"); !slices.Equal(got, []string{"one"}) {
				t.Errorf("the platform heard %q", got)
			}
			until(t, "all is counted", func() bool { return b.stats().Writes == 3 })
			s := b.stats()
			if s.Connections != 1 || s.Accepted != 1 || s.Reads != 3 || s.Writes != 3 || s.Messages != 3 || len(s.Dropped) > 0 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

func hasIPv6() bool {
	c, err := net.ListenPacket("udp", "[::1]:0")
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func TestUDPDatagramsKeepTheirBounds(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), nil)
	m := b.mote(t)
	m.send("ECHO one\nECHO two\n")
	m.want("one", "two") // each message in a datagram of its own
	m.send("ECHO cut sho")
	m.send("rt\nECHO three\n") // never goes with what was before
	m.want("three")
	m.send("DIE\nECHO lost\n") // ends this datagram alone
	m.send("BOOM")
	m.send("")
	m.send("BAD\nECHO four\n")
	m.want("four")
	if faults := b.stats().Faults; faults["damaged"] != 3 || faults["panic"] != 1 {
		t.Errorf("faults: %v", faults)
	}
}

func TestUDPHoldsDatagramsBehindALogin(t *testing.T) {
	t.Parallel()
	limits := unlimited()
	limits.MaxPending = 100
	b := serveUDP(t, limits, func(l *server.Listener) { l.UDP.Sockets = 1 })
	release := b.hold()
	m := b.mote(t)
	m.send("HELLO m1\nSAY with it\n")
	m.send("SAY behind it\nSAY cut")
	m.send("SAY after it\n")
	m.send("SAY %s\n", strings.Repeat("x", 100)) // is too much
	m.send("SAY last\n")
	until(t, "all have arrived", func() bool { return b.stats().Reads == 5 })
	release()
	m.want("OK", "ACK with it", "ACK behind it", "ACK after it", "ACK last")
	s := b.Stats()
	if l := s.Listeners[0]; s.PendingBytes != 0 || l.Faults["damaged"] != 1 || l.Dropped["pending"] != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestUDPSizes(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), func(l *server.Listener) { l.UDP.MaxDatagram = 1000 })
	m := b.mote(t)
	m.login("m1")
	m.send("ECHO %s\n", strings.Repeat("x", 990)) // 996 bytes
	m.want(strings.Repeat("x", 990))
	m.send("ECHO %s\n", strings.Repeat("x", 1000))
	m.alive()
	if got := b.stats().Dropped; got["oversize"] != 1 {
		t.Errorf("dropped: %v", got)
	}
	m.send("BIG 2000\n")
	b.wantEnd(t, server.CauseProtocol, protocol.ErrTooLong)
	if got := b.stats().Dropped; got["oversize"] != 2 {
		t.Errorf("dropped: %v", got)
	}
}

// A listener's largest datagram is its own, however large those of others are.
func TestUDPSizesOfSeveralListeners(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	var listeners []server.Listener
	for name, size := range map[string]int{"small": 1000, "large": 4000} {
		l := listenerFor(t, c, nil, unlimited())
		l.Name, l.Network, l.UDP = name, server.UDP, server.DefaultUDPConfig()
		l.UDP.MaxDatagram = size
		listeners = append(listeners, l)
	}
	s, err := server.New(server.Config{Loops: 1}, listeners)
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	long := strings.Repeat("x", 2000)
	for name, lost := range map[string]uint64{"small": 1, "large": 0} {
		m := moteAt(t, s.Addr(name).String())
		m.send("ECHO %s\n", long)
		if lost == 0 {
			m.want(long)
		}
		m.alive()
		until(t, name+" has counted", func() bool { // a message is counted once it was answered
			for _, l := range s.Stats().Listeners {
				if l.Listener == name {
					return l.Dropped["oversize"] == lost && l.Messages == 2-lost
				}
			}
			return false
		})
	}
}

func TestUDPIsNoAmplifier(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), func(l *server.Listener) { l.UDP.Amplification = 3 })
	m := b.mote(t)
	m.send("BIG 1000\n")
	m.alive() // what is small passes
	m.login("m1")
	m.send("BIG 1000\n")
	m.want(strings.Repeat("x", 1000))
	m.send("OUT\n")
	m.send("BIG 1000\n")
	m.alive()
	if s := b.stats(); s.Dropped["amplification"] != 2 {
		t.Errorf("stats: %+v", s)
	}
}

func TestUDPAnswersInProportion(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), func(l *server.Listener) { l.UDP.Amplification = 2 })
	m := b.mote(t)
	m.send("BIG 4\nBIG 4\nBIG 5\n") // 18 bytes: 36 may be sent
	m.send("BIG 30\n")              // 14 more: 50 - 5 - 5 - 6 = 34
	m.send("BIG 30\n")              // 3 + 14 = 17, which is too little
	m.send("BIG 14\n")
	m.want("xxxx", "xxxx", "xxxxx", strings.Repeat("x", 30), strings.Repeat("x", 14))
	if got := b.stats().Dropped["amplification"]; got != 1 {
		t.Errorf("%d dropped, want 1", got)
	}
}

func TestUDPRatesDropAndEndNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*server.Limits){
		"messages rate": func(l *server.Limits) { l.MessagesPerSecond = 1 },
		"bytes rate":    func(l *server.Limits) { l.BytesPerSecond = 10 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := unlimited()
			limits.Burst = time.Hour
			change(&limits)
			b := serveUDP(t, limits, nil)
			m := b.mote(t)
			m.login("m1")
			until(t, "datagrams are dropped", func() bool {
				m.send("%s", strings.Repeat("SAY 12345\n", 700)) // the sixth is more than an hour's worth
				return b.stats().Dropped[name] > 0
			})
			if s := b.stats(); s.Connections != 1 || len(s.Closed) > 0 || s.Messages < 3500 || s.Messages > 7000 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

func TestUDPPeersEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*server.Limits)
		cause  server.Cause
	}{
		"idle":          {func(l *server.Limits) { l.Idle = 200 * time.Millisecond }, server.CauseIdle},
		"first message": {func(l *server.Limits) { l.FirstMessage = 200 * time.Millisecond }, server.CauseFirstMessage},
		"login":         {func(l *server.Limits) { l.Login = 200 * time.Millisecond }, server.CauseLogin},
		"faults":        {func(l *server.Limits) { l.MaxFaults = 1 }, server.CauseFaults},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := unlimited()
			c.change(&limits)
			b := serveUDP(t, limits, nil)
			m := b.mote(t)
			m.send("never a line")
			b.wantEnd(t, c.cause)
			until(t, "it is gone", func() bool { return b.stats().Connections == 0 })
			m.send("BYE\n")
			m.want("BYE") // is a new peer
			b.wantEnd(t, server.CauseProtocol, errBye)
		})
	}
}

// A device that has gone is told by ICMP; that must not disturb others.
func TestUDPSurvivesUnreachablePeers(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), func(l *server.Listener) { l.UDP.Sockets = 1 })
	gone, stays := b.mote(t), b.mote(t)
	stays.alive()
	for range 10 {
		gone.send("LATER 1\nLATER 1\nLATER 1\n")
	}
	_ = gone.Close()
	until(t, "all was answered", func() bool { return b.stats().Writes == 31 })
	stays.alive()
	if s := b.stats(); s.Connections != 2 {
		t.Errorf("stats: %+v", s)
	}
}

func TestUDPClose(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), nil)
	motes := make([]*mote, 20)
	for i := range motes {
		motes[i] = b.mote(t)
		motes[i].login(fmt.Sprint("m", i))
	}
	stop(t, b.Server)
	for range motes {
		b.wantEnd(t, server.CauseShutdown)
	}
	if s := b.stats(); s.Connections != 0 || s.Closed["shutdown"] != uint64(len(motes)) {
		t.Errorf("stats: %+v", s)
	}
	again, err := net.ListenPacket("udp", b.addr)
	if err != nil {
		t.Fatalf("the address is not free: %v", err)
	}
	_ = again.Close()
}

func TestUDPAddressInUse(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), nil)
	l := listenerFor(t, b.cloud, nil, unlimited())
	l.Network, l.UDP, l.Address = server.UDP, server.DefaultUDPConfig(), b.addr
	second, err := server.New(server.Config{Loops: 2}, []server.Listener{l})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Start: %v", err)
		stop(t, second)
	}
	b.mote(t).alive()
}

// A new process may listen beside an old one, and serves all when that has gone.
func TestUDPHandOver(t *testing.T) {
	t.Parallel()
	shared := func(l *server.Listener) { l.ReusePort = true }
	old := serveUDP(t, unlimited(), shared)
	successor := serveUDP(t, unlimited(), func(l *server.Listener) { shared(l); l.Address = old.addr })
	stop(t, old.Server)
	for range 10 {
		successor.mote(t).alive()
	}
	if n := successor.stats().Accepted; n != 10 {
		t.Errorf("%d peers, want 10", n)
	}
}

func TestUDPConfigIsChecked(t *testing.T) {
	t.Parallel()
	l := listenerFor(t, newCloud(t), nil, unlimited())
	l.Network, l.UDP = server.UDP, server.UDPConfig{MaxDatagram: 1 << 16, Sockets: -1, Amplification: -1}
	_, err := server.New(server.DefaultConfig(), []server.Listener{l})
	for _, want := range []string{"udp.maxDatagram", "udp.sockets", "udp.amplification"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v does not name %s", err, want)
		}
	}
	l.UDP, l.TLS, l.Proxy = server.DefaultUDPConfig(), &server.TLS{}, server.ProxyConfig{Mode: server.ProxyRequired}
	_, err = server.New(server.DefaultConfig(), []server.Listener{l})
	for _, want := range []string{"tls is for TCP", "proxyProtocol is for TCP"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v does not say that %s", err, want)
		}
	}
	l.Network = "sctp"
	if _, err := server.New(server.DefaultConfig(), []server.Listener{l}); err == nil || !strings.Contains(err.Error(), "sctp") {
		t.Errorf("New: %v", err)
	}
}

// One server may listen on the same port by TCP and by UDP.
func TestUDPBesideTCP(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	tcp := listenerFor(t, c, nil, unlimited())
	udp := listenerFor(t, c, nil, unlimited())
	udp.Name, udp.Network, udp.UDP = "udp", server.UDP, server.DefaultUDPConfig()
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{tcp, udp})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	d, m := dial(t, s.Addr("test").String()), moteAt(t, s.Addr("udp").String())
	d.send("HELLO d\n")
	d.want("OK")
	m.login("m")
	stop(t, s)
	d.wantClosed()
	if stats := s.Stats(); stats.Listeners[0].Closed["shutdown"] != 1 || stats.Listeners[1].Closed["shutdown"] != 1 {
		t.Errorf("stats: %+v", stats)
	}
	if err := s.Start(t.Context()); !errors.Is(err, server.ErrStarted) {
		t.Errorf("Start: %v", err)
	}
}
