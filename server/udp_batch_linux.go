package server

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// spreads says whether the kernel spreads peers over sockets that share an
// address.
const spreads = true

// batchSize is how many datagrams one system call reads.
const batchSize = 32

// batch is what one system call reads (recvmmsg). It belongs to its loop.
type batch struct {
	limit   int
	buffer  []byte
	heads   [batchSize]messageHead
	vectors [batchSize]unix.Iovec
	names   [batchSize]unix.RawSockaddrInet6 // large enough for IPv4, too
	infos   [batchSize]info6                 // likewise
}

// messageHead is struct mmsghdr of <sys/socket.h>.
type messageHead struct {
	unix.Msghdr
	n uint32
}

func newBatch(maxDatagram int) *batch {
	b := &batch{limit: maxDatagram, buffer: make([]byte, batchSize*maxDatagram)}
	for i := range b.heads {
		v := &b.vectors[i]
		v.Base = &b.buffer[i*maxDatagram]
		v.SetLen(maxDatagram)
		h := &b.heads[i]
		h.Name = (*byte)(unsafe.Pointer(&b.names[i])) //nolint:gosec // as the kernel wants it
		h.Iov = v
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&b.infos[i])) //nolint:gosec // likewise
	}
	return b
}

func (b *batch) size() int { return batchSize }

// read reads the datagrams that have arrived, and says how many these are: 0, too,
// when there is but what ICMP says of a datagram that we have sent. It does not
// wait.
func (b *batch) read(fd int) (n int) {
	for i := range b.heads {
		b.heads[i].Namelen = unix.SizeofSockaddrInet6
		b.heads[i].SetControllen(int(unsafe.Sizeof(b.infos[i])))
	}
	got, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.heads[0])), //nolint:gosec // as the kernel wants it
		batchSize, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(got)
}

// datagram is one of those that were read last; it is valid until the next read.
func (b *batch) datagram(i int) (from address, local [16]byte, in []byte, whole bool) {
	h := &b.heads[i]
	name := &b.names[i]
	from.port = networkOrder(name.Port)
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name)) //nolint:gosec // the kernel has put it there
		from.ip = mapped(v4.Addr)
	} else {
		from.ip, from.scope = name.Addr, name.Scope_id
	}
	return from, b.infos[i].told(int(h.Controllen)), b.buffer[i*b.limit:][:h.n], h.Flags&unix.MSG_TRUNC == 0 //nolint:gosec // small
}

// flooded is how many datagrams the kernel has dropped because the socket's
// buffer was full.
func (s *udpSocket) flooded() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.fd < 0 {
		return 0
	}
	var info [9]uint32 // SK_MEMINFO_VARS of <linux/sock_diag.h>
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0) //nolint:gosec // as the kernel wants it
	if errno != 0 {
		return 0
	}
	return uint64(info[8]) // SK_MEMINFO_DROPS
}
