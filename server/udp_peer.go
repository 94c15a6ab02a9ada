package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"syscall"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/protocol"
)

// peer is a virtual connection: a remote address that has sent datagrams to one
// of our sockets. All of it belongs to the socket's loop. It costs no descriptor,
// no goroutine and no timer object.
type peer struct {
	conn      conn
	home      *udpSocket
	address   address
	local     [16]byte // where its last datagram went to; zero: the socket has one address, or it cannot be answered from
	credit    int64    // bytes that it may be sent as long as its device is not online
	strangers [2]place // in the socket's lists of strangers
}

// address is a remote address as the key of a map: a quarter smaller than a
// netip.AddrPort, without a pointer, and made without looking a zone up.
type address struct {
	ip    [16]byte // IPv4 is mapped into IPv6
	scope uint32   // number of the IPv6 zone; 0: none
	port  uint16
}

// mapped is an IPv4 address within IPv6.
func mapped(v4 [4]byte) (ip [16]byte) {
	ip[10], ip[11] = 0xff, 0xff
	copy(ip[12:], v4[:])
	return ip
}

func (a address) addr() netip.Addr {
	ip := netip.AddrFrom16(a.ip).Unmap()
	if a.scope != 0 {
		ip = ip.WithZone(strconv.FormatUint(uint64(a.scope), 10))
	}
	return ip
}

func (a address) remote() netip.AddrPort { return netip.AddrPortFrom(a.addr(), a.port) }

// String is the address as logs show it.
func (a address) String() string { return a.remote().String() }

// write implements socket: p leaves as one datagram, at once or not at all.
func (p *peer) write(b []byte) error {
	config := &p.home.listener.UDP
	if len(b) > config.MaxDatagram {
		p.home.drop(dropOversize, p.address)
		return fmt.Errorf("%w: %d bytes, maxDatagram is %d", protocol.ErrTooLong, len(b), config.MaxDatagram)
	}
	if config.Amplification > 0 && !p.online() {
		if int64(len(b)) > p.credit {
			p.home.drop(dropAmplification, p.address)
			return errDropped
		}
		p.credit -= int64(len(b))
	}
	err := p.send(b)
	if err == nil {
		p.conn.countWrite(b)
		return nil
	}
	switch {
	case errors.Is(err, syscall.EMSGSIZE):
		p.home.drop(dropOversize, p.address)
		return fmt.Errorf("%w: %d bytes: %w", protocol.ErrTooLong, len(b), err)
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOBUFS):
		p.home.drop(dropWouldBlock, p.address)
	default: // no route, a firewall's rule: for a while, perhaps
		p.home.drop(dropUnreachable, p.address)
	}
	return errDropped
}

// send sends b from the address that the peer has sent to, or from any when that
// is none to answer from: of a group, or one that the machine no longer has.
func (p *peer) send(b []byte) error {
	if p.local != ([16]byte{}) {
		err := p.home.sendFrom(p.local, p.address, b)
		if err == nil || !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, syscall.ENETUNREACH) {
			return err
		}
		p.local = [16]byte{}
	}
	return p.home.send(p.address, b, &p.home.scratch)
}

// errDropped says that a datagram got lost on its first step already: its
// sender shall not notice, as it would not further down the way.
var errDropped = errors.New("server: datagram dropped")

// online says whether one of the peer's devices is.
func (p *peer) online() bool { return p.conn.handler != nil && p.conn.handler.Session() != nil }

func (p *peer) outbound() int    { return 0 }
func (p *peer) closeWrite() bool { return false } // there is nothing to wait for

// close implements socket. The next datagram from the address makes a new peer.
func (p *peer) close() {
	delete(p.home.peers, p.address)
	p.home.forget(p)
	p.conn.socketClosed(because(CausePeerClosed, nil))
}

// drop is why a datagram was dropped.
type drop uint8

const (
	dropOversize drop = iota
	dropAmplification
	dropWouldBlock
	dropUnreachable
	dropPending
	dropBytesRate
	dropMessagesRate
	drops
)

var dropTexts = [drops]string{
	dropOversize:      "oversize",
	dropAmplification: "amplification",
	dropWouldBlock:    "would block",
	dropUnreachable:   "unreachable",
	dropPending:       "pending",
	dropBytesRate:     "bytes rate",
	dropMessagesRate:  "messages rate",
}

// dropFlooded is the cause of what the kernel dropped because its buffer was full.
const dropFlooded = "receive buffer"

// drop counts a datagram from or to an address.
func (s *udpSocket) drop(why drop, remote address) {
	add(&s.loop.counters[s.listener.index].dropped[why], 1)
	server := s.loop.server
	if dropped, ok := server.dropLog.allow(s.loop.now); ok {
		server.log.Warn("datagram dropped"+suppressed(dropped), zap.String("listener", s.listener.Name),
			zap.Stringer("remote", remote), zap.String("cause", dropTexts[why]))
	}
}

// dropped counts a datagram that conn's listener will not take.
func (c *conn) dropped(why drop) {
	if p, ok := c.socket.(*peer); ok {
		p.home.drop(why, p.address)
	}
}
