package server

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
)

// eater is a handler that takes as many bytes of each datagram as it is told to.
type eater struct {
	takes []int // of the next calls; then all
	eaten [][]byte
	calls int
	err   error // of the next call
}

func (*eater) Opened() error             { return nil }
func (*eater) Session() *session.Session { return nil }
func (*eater) Closed(error)              {}

func (e *eater) Data(in []byte) (n, messages int, err error) {
	e.calls++
	n = len(in)
	if len(e.takes) > 0 {
		n = min(n, e.takes[0])
		e.takes = e.takes[1:]
	}
	e.eaten = append(e.eaten, bytes.Clone(in[:n]))
	return n, 1, e.err
}

// lonely is a peer of a socket that does not exist.
func lonely(h protocol.Handler, limits Limits) *peer {
	s := &Server{log: zap.NewNop(), dropLog: newLimitedLog(1, 1), endLog: newLimitedLog(1, 1), cfg: Config{MaxPending: 1 << 20}}
	ln := &listener{Listener: Listener{Network: UDP, Limits: limits, UDP: UDPConfig{MaxDatagram: largestDatagram}}, limits: limits, datagrams: true}
	s.listeners = []*listener{ln}
	l := newLoop(s, nil)
	p := &peer{home: newUDPSocket(ln, l, -1, false)}
	p.conn.init(ln, address{port: 1}.remote())
	p.conn.loop, p.conn.handler, p.conn.socket = l, h, p
	return p
}

// Whatever the handler leaves of each datagram comes again, in order, without a
// byte more or less, and never together with another one.
func TestHeldDatagramsStayApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := &eater{}
		p := lonely(h, Limits{MaxPending: 1 << 20})
		c := &p.conn
		var want, got []byte
		sent := rapid.IntRange(1, 20).Draw(t, "datagrams")
		for i := range sent {
			in := bytes.Repeat([]byte{byte(i)}, rapid.IntRange(1, 2000).Draw(t, "size"))
			want = append(want, in...)
			h.takes = rapid.SliceOfN(rapid.IntRange(0, 1500), 0, 3).Draw(t, "takes")
			c.receiveDatagram(in)
			if rapid.Bool().Draw(t, "offer") && c.pending != nil {
				c.offerDatagrams()
			}
			h.takes = nil
		}
		if c.pending != nil {
			c.offerDatagrams()
		}
		for _, part := range h.eaten {
			for _, b := range part {
				if b != part[0] {
					t.Fatalf("two datagrams in one call: %v", part)
				}
			}
			got = append(got, part...)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes of %d came through, or in another order", len(got), len(want))
		}
		if held := c.loop.server.pending.Load(); held != 0 || c.pending != nil {
			t.Fatalf("%d bytes are still counted as held", held)
		}
	})
}

// A connection that ends while datagrams are held gives all of them back.
func TestHeldDatagramsOfAnEndAreGivenBack(t *testing.T) {
	t.Parallel()
	h := &eater{takes: []int{0}}
	p := lonely(h, Limits{MaxPending: 1 << 20})
	c := &p.conn
	for i := range 5 {
		c.receiveDatagram(fmt.Append(nil, "datagram ", i))
	}
	h.takes = []int{100, 3} // the second is left in part
	c.offerDatagrams()
	h.err = errors.New("end")
	h.takes = []int{2}
	c.offerDatagrams()
	c.settle()
	if held := c.loop.server.pending.Load(); held != 0 || c.pending != nil || !c.ended {
		t.Errorf("ended %v, %d bytes are held", c.ended, held)
	}
}

// What does not fit is dropped, and what is held stays.
func TestHeldDatagramsAreBounded(t *testing.T) {
	t.Parallel()
	h := &eater{takes: []int{0}}
	p := lonely(h, Limits{MaxPending: 50})
	c := &p.conn
	for range 5 {
		c.receiveDatagram(make([]byte, 20)) // takes 24
	}
	if n := c.loop.counters[0].dropped[dropPending].Load(); n != 3 || c.loop.server.pending.Load() != 48 {
		t.Errorf("%d dropped, %d bytes held", n, c.loop.server.pending.Load())
	}
	c.offerDatagrams()
	if h.calls != 3 || c.request.Load() != nil {
		t.Errorf("%d calls, request %v", h.calls, c.request.Load())
	}
}

// What the kernel will not take gets lost, and nobody notices but the counter.
func TestPeerOutOfReach(t *testing.T) {
	t.Parallel()
	p := lonely(&eater{}, Limits{MaxOutbound: 1})
	p.home.listener.UDP.MaxDatagram = 10 // the socket is closed
	for _, local := range [][16]byte{{}, mapped([4]byte{127, 0, 0, 1})} {
		p.local = local
		if err := p.conn.Write([]byte("hello")); err != nil {
			t.Errorf("Write: %v", err)
		}
	}
	if err := p.conn.Write(make([]byte, 11)); !errors.Is(err, protocol.ErrTooLong) {
		t.Errorf("Write of too much: %v", err)
	}
	n := &p.conn.loop.counters[0]
	if got := n.dropped[dropUnreachable].Load(); got != 2 || n.dropped[dropOversize].Load() != 1 || n.writes.Load() != 0 {
		t.Errorf("%d dropped, %d writes", got, n.writes.Load())
	}
}

func TestAddressesOfPeers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := address{port: rapid.Uint16().Draw(t, "port")}
		if rapid.Bool().Draw(t, "IPv4") {
			a.ip = mapped([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "ip")))
		} else {
			a.ip = [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip"))
			a.ip[0] = 0xfe // not mapped
			a.scope = rapid.Uint32().Draw(t, "scope")
		}
		back, err := addressOf(a.remote())
		if err != nil || back != a {
			t.Fatalf("%+v is %s, which is %+v, %v", a, a, back, err)
		}
	})
}

// BenchmarkForgedDatagram is the cost of a datagram from an address that was
// never seen, with as many peers as there may be: the oldest is driven away.
func BenchmarkForgedDatagram(b *testing.B) {
	p := lonely(&eater{}, Limits{MaxPending: 1 << 20, MaxConnections: 1000, FirstMessage: DefaultLimits().FirstMessage})
	s := p.home
	s.listener.Open = func(protocol.Transport, *protocol.Host) protocol.Handler { return &eater{} }
	s.loop.server.closing = make(chan struct{})
	s.loop.server.empty = make(chan struct{}, 1)
	s.loop.tickAt = 0 // no timer runs
	in := make([]byte, 64)
	from := address{port: 1}
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		from.ip = mapped([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		from.port = uint16(n >> 24)
		s.receive(from, [16]byte{}, in, true)
	}
	if open := s.listener.open.Load(); open > 1000 {
		b.Errorf("%d peers", open)
	}
}
