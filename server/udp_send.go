package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/linkspan/linkspan/protocol"
)

// ErrNoListener is returned by SendTo when no UDP listener has that name.
var ErrNoListener = errors.New("server: no UDP listener of that name")

// SendTo sends p as one datagram from the socket of a UDP listener: to a
// broadcast address, to a multicast group, or to a device that has not yet said
// anything. An answer comes to the listener like any other datagram. Neither
// limits nor the guard against amplification apply: the caller knows the address.
//
// It may be called from any goroutine, between Start and Close. The error is
// ErrNoListener, protocol.ErrTooLong, net.ErrClosed, or the system's: EACCES is
// that of a broadcast address that UDPConfig.Broadcast does not allow.
func (s *Server) SendTo(listener string, to netip.AddrPort, p []byte) error {
	l, sockets := s.udpListener(listener)
	switch {
	case l == nil:
		return fmt.Errorf("%w: %q", ErrNoListener, listener)
	case len(sockets) == 0:
		return fmt.Errorf("server: %q: %w", listener, net.ErrClosed)
	case len(p) > l.UDP.MaxDatagram:
		return fmt.Errorf("%w: %d bytes, maxDatagram is %d", protocol.ErrTooLong, len(p), l.UDP.MaxDatagram)
	}
	at, err := addressOf(to)
	if err != nil {
		return err
	}
	if err := sockets[0].sendLocked(at, p); err != nil {
		if errors.Is(err, syscall.EACCES) && !l.UDP.Broadcast {
			return fmt.Errorf("server: send to %s: udp.broadcast is off: %w", to, err)
		}
		return fmt.Errorf("server: send to %s: %w", to, err)
	}
	l.told.Add(1)
	l.toldBytes.Add(uint64(len(p)))
	return nil
}

// udpListener finds a listener, and its sockets if it has started.
func (s *Server) udpListener(name string) (*listener, []*udpSocket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if l.Name == name && l.datagrams {
			return l, l.sockets
		}
	}
	return nil, nil
}

// sendLocked sends from any goroutine.
func (s *udpSocket) sendLocked(to address, p []byte) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.fd < 0 {
		return net.ErrClosed
	}
	return s.send(to, p, &sockaddr{})
}

// addressOf is the inverse of address.remote. A zone may be a name or a number.
func addressOf(to netip.AddrPort) (address, error) {
	if !to.IsValid() {
		return address{}, fmt.Errorf("server: %q is no address", to)
	}
	a := address{ip: to.Addr().As16(), port: to.Port()}
	zone := to.Addr().Zone()
	if zone == "" {
		return a, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		a.scope = uint32(n)
		return a, nil
	}
	nic, err := net.InterfaceByName(zone)
	if err != nil {
		return address{}, fmt.Errorf("server: zone %q: %w", zone, err)
	}
	a.scope = uint32(nic.Index) //nolint:gosec // not negative
	return a, nil
}
