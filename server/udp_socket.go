package server

import "sync"

// udpSocket is one of the sockets of a UDP listener, with the peers that the
// kernel has given to it: it spreads addresses over the sockets, and leaves each
// where it is as long as there are as many sockets. All of it belongs to its
// loop, but for what mu guards.
type udpSocket struct {
	listener  *listener
	loop      *loop
	v6        bool // the socket's family is IPv6, perhaps with IPv4 mapped into it
	peers     map[address]*peer
	strangers strangers             // peers that were not yet seen online
	sources   map[source]*strangers // the same, by address, when those are limited
	scratch   sockaddr
	out       envelope

	mu sync.RWMutex
	fd int // closed when negative; written under mu, so that the loop may read it without
}

func newUDPSocket(l *listener, loop *loop, fd int, v6 bool) *udpSocket {
	return &udpSocket{listener: l, loop: loop, fd: fd, v6: v6, peers: map[address]*peer{}, sources: map[source]*strangers{}}
}

// countSockets adds what a UDP listener's sockets have counted themselves.
func (s *Server) countSockets(l *listener, stats *ListenerStats) {
	if !l.datagrams {
		return
	}
	_, sockets := s.udpListener(l.Name)
	flooded := uint64(0)
	for _, socket := range sockets {
		flooded += socket.flooded()
	}
	if flooded > 0 {
		stats.Dropped[dropFlooded] = flooded
	}
	stats.Writes += l.told.Load()
	stats.SentBytes += l.toldBytes.Load()
}

// receive takes a datagram, which it does not keep; local is where it went to, if
// that is known; whole says that it was not too large for the loop, which other listeners
// may have that take larger ones.
func (s *udpSocket) receive(from address, local [16]byte, in []byte, whole bool) {
	if !whole || len(in) > s.listener.UDP.MaxDatagram {
		s.drop(dropOversize, from)
		return
	}
	p := s.peers[from]
	if p == nil {
		if len(in) == 0 || s.loop.draining || s.loop.server.isClosing() {
			return
		}
		s.meet(from, local, in)
		return
	}
	p.local = local
	p.arrived(in)
}

// meet makes a peer of an address that nothing was received from before.
func (s *udpSocket) meet(from address, local [16]byte, in []byte) {
	p := &peer{home: s, address: from, local: local}
	c := &p.conn
	c.init(s.listener, from.remote())
	server := s.loop.server
	cause := server.reservePeer(c)
	for tries := 0; cause != 0 && tries < maxEvictions && s.evict(cause, from); tries++ {
		cause = server.reservePeer(c) // another loop may have been faster
	}
	if cause != 0 {
		server.countRefused(s.listener, c.remote, cause, nil)
		return
	}
	s.peers[from] = p
	s.remember(p)
	p.earn(len(in)) // so that its adapter may speak first
	c.open(s.loop, p)
	if !c.gone {
		c.arrived(in)
	}
}

// maxEvictions bounds the strangers that one new peer drives away.
const maxEvictions = 4

// arrived takes a datagram off the socket, which it does not keep.
func (p *peer) arrived(in []byte) {
	p.earn(len(in))
	p.conn.arrived(in)
}

// earn notes that the peer has sent n bytes more.
func (p *peer) earn(n int) { p.credit += int64(n) * int64(p.home.listener.UDP.Amplification) }

// reservePeer takes a place for c, or says why there is none. Peers have no
// place among the server's connections: they take no file descriptors.
func (s *Server) reservePeer(c *conn) Cause {
	l := c.listener
	s.peers.Add(1)
	cause := CauseConnections
	if l.open.Add(1) <= int64(l.limits.MaxConnections) {
		if cause = s.reserveAddress(c); cause == 0 {
			return 0
		}
	}
	l.open.Add(-1)
	s.peers.Add(-1)
	s.noteEmpty()
	return cause
}
