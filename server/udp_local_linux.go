package server

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A socket that is bound to no address of the machine's gets datagrams for all of
// them. An answer has to come from the address that the datagram went to, or
// firewalls on the way and the device itself drop it; the kernel would choose the
// one that is nearest to the device. So it is asked to tell and told (IP_PKTINFO).

// info4 and info6 are control messages as the kernel wants them (cmsg(3)).
type (
	info4 struct {
		unix.Cmsghdr
		unix.Inet4Pktinfo
	}
	info6 struct {
		unix.Cmsghdr
		unix.Inet6Pktinfo
	}
)

// tellLocal makes the kernel say where a socket's datagrams went to.
func tellLocal(fd int, v6 bool) error {
	if v6 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
}

// told is the address in a control message; zero when there is none, or none that
// can be answered from.
func (i *info6) told(size int) (local [16]byte) {
	switch {
	case size >= unix.SizeofCmsghdr+unix.SizeofInet6Pktinfo && i.Level == unix.IPPROTO_IPV6 && i.Type == unix.IPV6_PKTINFO:
		return i.Addr
	case size >= unix.SizeofCmsghdr+unix.SizeofInet4Pktinfo && i.Level == unix.IPPROTO_IP && i.Type == unix.IP_PKTINFO:
		return mapped((*info4)(unsafe.Pointer(i)).Spec_dst) //nolint:gosec // the kernel has put it there
	}
	return local
}

// envelope is memory for what the kernel needs to send one datagram. It belongs
// to the loop.
type envelope struct {
	head   unix.Msghdr
	vector unix.Iovec
	name   unix.RawSockaddrInet6 // or IPv4's
	info   info6                 // or info4
}

// sendFrom is send from one of the machine's addresses.
func (s *udpSocket) sendFrom(local [16]byte, to address, p []byte) error {
	e := &s.out
	e.fill(s.v6, local, to)
	if len(p) > 0 {
		e.vector.Base = &p[0]
	}
	e.vector.SetLen(len(p))
	_, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&e.head)), unix.MSG_DONTWAIT) //nolint:gosec // as the kernel wants it
	e.vector.Base = nil
	if errno != 0 {
		return errno
	}
	return nil
}

func (e *envelope) fill(v6 bool, local [16]byte, to address) {
	e.head.Name = (*byte)(unsafe.Pointer(&e.name)) //nolint:gosec // as the kernel wants it
	e.head.Iov = &e.vector
	e.head.SetIovlen(1)
	e.head.Control = (*byte)(unsafe.Pointer(&e.info)) //nolint:gosec // as the kernel wants it
	if v6 {
		e.name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: to.ip, Scope_id: to.scope, Port: networkOrder(to.port)}
		e.head.Namelen = unix.SizeofSockaddrInet6
		e.info.Level, e.info.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		e.info.SetLen(unix.SizeofCmsghdr + unix.SizeofInet6Pktinfo)
		e.info.Addr = local
		e.head.SetControllen(int(unsafe.Sizeof(info6{})))
		return
	}
	*(*unix.RawSockaddrInet4)(unsafe.Pointer(&e.name)) = unix.RawSockaddrInet4{ //nolint:gosec // as the kernel wants it
		Family: unix.AF_INET, Addr: [4]byte(to.ip[12:]), Port: networkOrder(to.port),
	}
	e.head.Namelen = unix.SizeofSockaddrInet4
	info := (*info4)(unsafe.Pointer(&e.info)) //nolint:gosec // as the kernel wants it
	info.Level, info.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	info.SetLen(unix.SizeofCmsghdr + unix.SizeofInet4Pktinfo)
	info.Ifindex, info.Spec_dst = 0, [4]byte(local[12:])
	e.head.SetControllen(int(unsafe.Sizeof(info4{})))
}

// networkOrder is a port as it is in memory on its way.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}
