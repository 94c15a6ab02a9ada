//go:build unix

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// openSockets opens up to n sockets on the listener's address. The descriptors
// are the caller's, also those that come with an error.
func (l *listener) openSockets(ctx context.Context, n int) (sockets []int, local net.Addr, err error) {
	if !spreads {
		n = 1
	}
	network, address := UDP, l.Address
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().Is4() {
		network = "udp4" // 0.0.0.0 means IPv4 alone
	}
	for i := range n {
		config := net.ListenConfig{Control: func(_, _ string, socket syscall.RawConn) error {
			return control(socket, func(fd int) error { return l.setOptions(fd, i > 0 || l.ReusePort) })
		}}
		conn, err := config.ListenPacket(ctx, network, address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return sockets, local, fmt.Errorf("address %s is in use; stop the process that has it (ss -lnup shows it) or choose another: %w", l.Address, err)
		}
		if err != nil {
			return sockets, local, fmt.Errorf("cannot listen on %s: %w", l.Address, err)
		}
		local = conn.LocalAddr()
		address = local.String() // of port 0 all take the same
		fd, err := l.detach(conn.(*net.UDPConn), n > 1)
		if err != nil {
			return sockets, local, fmt.Errorf("cannot listen on %s: %w", l.Address, err)
		}
		sockets = append(sockets, fd)
	}
	return sockets, local, nil
}

// setOptions prepares a socket that is not bound. The first one is bound without
// being shared: only then does the kernel say that another process has the
// address.
func (l *listener) setOptions(fd int, shared bool) error {
	broadcast := 0
	if l.UDP.Broadcast {
		broadcast = 1
	}
	errs := []error{unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, broadcast)}
	if shared {
		errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	}
	if n := l.UDP.ReadBuffer; n > 0 {
		errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, n))
	}
	if n := l.UDP.WriteBuffer; n > 0 {
		errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, n))
	}
	return errors.Join(errs...)
}

// detach takes the socket off the standard library's poller.
func (l *listener) detach(conn *net.UDPConn, shared bool) (fd int, err error) {
	defer func() { _ = conn.Close() }() // fd is a duplicate
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd = -1
	err = control(raw, func(open int) (err error) {
		if shared {
			if err = unix.SetsockoptInt(open, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
				return fmt.Errorf("setsockopt: %w", err)
			}
		}
		if fd, err = unix.FcntlInt(uintptr(open), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return fmt.Errorf("dup: %w", err)
		}
		return nil
	})
	return fd, err
}

// send sends p as one datagram, at once or not at all. The loop may call it, and
// others while they hold mu and the socket is open.
func (s *udpSocket) send(to address, p []byte, scratch *sockaddr) error {
	if s.v6 {
		scratch.v6.Addr, scratch.v6.Port, scratch.v6.ZoneId = to.ip, int(to.port), to.scope
		return unix.Sendto(s.fd, p, unix.MSG_DONTWAIT, &scratch.v6)
	}
	scratch.v4.Addr, scratch.v4.Port = [4]byte(to.ip[12:]), int(to.port)
	return unix.Sendto(s.fd, p, unix.MSG_DONTWAIT, &scratch.v4)
}

// sockaddr is memory for an address on its way to the kernel.
type sockaddr struct {
	v4 unix.SockaddrInet4
	v6 unix.SockaddrInet6
}
