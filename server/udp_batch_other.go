//go:build unix && !linux

package server

import "golang.org/x/sys/unix"

// spreads says whether the kernel spreads peers over sockets that share an
// address: here the last one would get them all.
const spreads = false

// batch is what one system call reads: one datagram. It belongs to its loop.
type batch struct {
	buffer []byte
	n      int
	flags  int
	from   unix.Sockaddr
}

func newBatch(maxDatagram int) *batch { return &batch{buffer: make([]byte, maxDatagram)} }

func (b *batch) size() int { return 1 }

// read reads a datagram, if one has arrived, and says how many these are: 0, too,
// when there is but what ICMP says of a datagram that we have sent. It does not
// wait.
func (b *batch) read(fd int) (n int) {
	var err error
	if b.n, _, b.flags, b.from, err = unix.Recvmsg(fd, b.buffer, nil, unix.MSG_DONTWAIT); err != nil {
		return 0
	}
	return 1
}

// datagram is the one that was read last; it is valid until the next read.
func (b *batch) datagram(int) (from address, local [16]byte, in []byte, whole bool) {
	switch a := b.from.(type) {
	case *unix.SockaddrInet4:
		from.ip, from.port = mapped(a.Addr), uint16(a.Port) //nolint:gosec // a port
	case *unix.SockaddrInet6:
		from.ip, from.port, from.scope = a.Addr, uint16(a.Port), a.ZoneId //nolint:gosec // a port
	}
	return from, local, b.buffer[:b.n], b.flags&unix.MSG_TRUNC == 0
}

// envelope is memory for sendFrom.
type envelope struct{}

// tellLocal makes the kernel say nothing here: it chooses the address that
// answers come from.
func tellLocal(int, bool) error { return nil }

func (s *udpSocket) sendFrom(_ [16]byte, to address, p []byte) error {
	return s.send(to, p, &s.scratch)
}

// flooded is not told here.
func (s *udpSocket) flooded() uint64 { return 0 }
