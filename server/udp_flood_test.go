package server_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// A flood of strangers takes the places of strangers, oldest first, and none of
// a device that is online; it keeps no new device out.
func TestUDPStrangersMakeRoom(t *testing.T) {
	t.Parallel()
	limits := unlimited()
	limits.MaxConnections = 8
	b := serveUDP(t, limits, func(l *server.Listener) { l.UDP.Sockets = 1 })
	devices := make([]*mote, 3)
	for i := range devices {
		devices[i] = b.mote(t)
		devices[i].login(fmt.Sprint("m", i))
	}
	for range 50 {
		b.mote(t).alive()
	}
	late := b.mote(t)
	late.login("late")
	for _, m := range append(devices, late) {
		m.send("SAY I am here\n")
		m.want("ACK I am here")
	}
	s := b.stats()
	if s.Connections != 8 || s.Closed["evicted"] != 54-8 || len(s.Refused) > 0 {
		t.Errorf("stats: %+v", s)
	}
	for range 54 - 8 {
		b.wantEnd(t, server.CauseEvicted)
	}
}

// When only devices that are online are there, there is no room.
func TestUDPFull(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*server.Limits)
		cause  string
	}{
		"listener": {func(l *server.Limits) { l.MaxConnections = 3 }, "connections"},
		"address":  {func(l *server.Limits) { l.MaxPerAddress = 3 }, "address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := unlimited()
			c.change(&limits)
			b := serveUDP(t, limits, func(l *server.Listener) { l.UDP.Sockets = 1 })
			devices := make([]*mote, 3)
			for i := range devices {
				devices[i] = b.mote(t)
				devices[i].alive()
			}
			stranger := b.mote(t)
			stranger.alive() // in the place of the first
			until(t, "one was driven away", func() bool { return b.stats().Closed["evicted"] == 1 })
			for i, m := range append(devices[1:], stranger) {
				m.login(fmt.Sprint("m", i))
			}
			devices[0].send("ECHO nobody answers\n")
			until(t, "it is refused", func() bool { return b.stats().Refused[c.cause] == 1 })
			stranger.send("BYE\n")
			stranger.want("BYE")
			until(t, "there is room", func() bool { return b.stats().Connections == 2 })
			devices[0].alive()
		})
	}
}

// Loops that share the places of a listener lose none and take none too many.
func TestUDPFloodOfManySockets(t *testing.T) {
	t.Parallel()
	limits := unlimited()
	limits.MaxConnections, limits.MaxPerAddress = 16, 12
	b := serveUDP(t, limits, nil)
	for range 20 {
		for range 20 {
			b.mote(t).send("ECHO x\nBAD\n")
		}
	}
	until(t, "all were handled", func() bool {
		s := b.stats()
		return s.Accepted+s.Refused["address"] == 400 && s.Closed["evicted"]+uint64(s.Connections) == s.Accepted
	})
	if n := b.stats().Connections; n > 12 {
		t.Errorf("%d peers, want at most 12", n)
	}
	stop(t, b.Server)
	if s := b.stats(); s.Connections != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestUDPSendTo(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), nil)
	for name, addr := range map[string]string{"unicast": "127.0.0.1:0", "broadcast": "127.255.255.255:0"} {
		t.Run(name, func(t *testing.T) {
			c, err := net.ListenPacket("udp4", addr)
			if err != nil {
				t.Skip(err)
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(patience))
			if err = b.SendTo("test", netip.MustParseAddrPort(c.LocalAddr().String()), []byte("who is there")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			n, from, err := c.ReadFrom(buf)
			if err != nil || string(buf[:n]) != "who is there" || from.String() != b.addr {
				t.Errorf("got %q from %v, %v", buf[:n], from, err)
			}
		})
	}
	for name, c := range map[string]struct {
		listener string
		to       netip.AddrPort
		size     int
		want     error
	}{
		"no listener": {"other", netip.MustParseAddrPort("127.0.0.1:9"), 1, server.ErrNoListener},
		"too long":    {"test", netip.MustParseAddrPort("127.0.0.1:9"), 1 << 16, protocol.ErrTooLong},
		"no address":  {"test", netip.AddrPort{}, 1, nil},
		"no zone":     {"test", netip.MustParseAddrPort("[fe80::1%nowhere]:9"), 1, nil},
	} {
		if err := b.SendTo(c.listener, c.to, make([]byte, c.size)); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stop(t, b.Server)
	if err := b.SendTo("test", netip.MustParseAddrPort("127.0.0.1:9"), nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestUDPBroadcastMayBeOff(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), func(l *server.Listener) { l.UDP.Broadcast = false })
	err := b.SendTo("test", netip.MustParseAddrPort("127.255.255.255:9"), []byte("x"))
	if runtime.GOOS == "linux" && (err == nil || !strings.Contains(err.Error(), "udp.broadcast is off")) {
		t.Errorf("SendTo: %v", err)
	}
}

// Drain leaves the peers what they are waiting for, and takes nothing new.
func TestUDPDrain(t *testing.T) {
	t.Parallel()
	b := serveUDP(t, unlimited(), nil)
	m := b.mote(t)
	m.login("m1")
	m.send("LATER 100\n")
	until(t, "it has arrived", func() bool { return b.stats().Messages == 2 })
	if err := b.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.send("ECHO too late\n")
	b.mote(t).send("ECHO new\n")
	m.want("LATER")
	if s := b.stats(); s.Messages != 2 || s.Accepted != 1 {
		t.Errorf("stats: %+v", s)
	}
}

// What the kernel drops while a loop is busy is counted, too.
func TestUDPCountsWhatTheKernelDrops(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	busy, release := make(chan struct{}), make(chan struct{})
	b := serveUDP(t, unlimited(), func(l *server.Listener) {
		l.UDP.Sockets, l.UDP.ReadBuffer = 1, 4096
		chat := l.Open
		first := true // of the loop
		l.Open = func(tr protocol.Transport, h *protocol.Host) protocol.Handler {
			if first {
				first = false
				close(busy)
				<-release
			}
			return chat(tr, h)
		}
	})
	m := b.mote(t)
	m.send("ECHO first\n")
	<-busy
	for range 100 {
		m.send("ECHO %s\n", strings.Repeat("x", 500))
	}
	dropped := b.stats().Dropped["receive buffer"]
	close(release)
	if dropped == 0 || dropped > 100 {
		t.Errorf("%d dropped, want most of 100", dropped)
	}
	until(t, "the others were handled", func() bool { return b.stats().Messages == 101-dropped })
}
