package server

import (
	"errors"
	"fmt"
	"time"
)

// The networks of a listener.
const (
	TCP = "tcp"
	UDP = "udp"
)

// UDPConfig is what is particular to a UDP listener. Its peers are virtual
// connections: one for each remote address, made by the first datagram from
// there and ended by Limits.Idle, by its protocol, or when its device logs in
// from another address. The other Limits hold for them as they do for TCP, but
// for those that make no sense without a stream: MaxOutbound, Linger, KeepAlive
// and NoDelay. What is beyond a rate, or does not fit behind a login that is
// under way, is dropped and counted, and ends nothing.
type UDPConfig struct {
	MaxDatagram   int  `conf:"maxDatagram,bytes" doc:"largest datagram that is received or sent; larger ones are dropped; 0: the default"`
	Sockets       int  `conf:"sockets" doc:"sockets that share the address (SO_REUSEPORT, Linux only), each on an event loop of its own; 0: one for each loop"`
	ReadBuffer    int  `conf:"readBuffer,bytes" doc:"what the kernel holds of datagrams that were not yet read, for each socket (SO_RCVBUF; net.core.rmem_max bounds it); 0: the system's default"`
	WriteBuffer   int  `conf:"writeBuffer,bytes" doc:"what the kernel holds of datagrams that were not yet sent, for each socket (SO_SNDBUF; net.core.wmem_max bounds it); 0: the system's default"`
	Broadcast     bool `conf:"broadcast" doc:"allow sending to broadcast addresses (SO_BROADCAST)"`
	Amplification int  `conf:"amplification" doc:"how many times the bytes that a peer has sent it may be sent before its device is online: whoever forges addresses shall not find an amplifier here; 0: no limit"`
}

// DefaultUDPConfig is the configuration of someone who wrote nothing.
func DefaultUDPConfig() UDPConfig {
	return UDPConfig{
		MaxDatagram:   8 << 10,
		ReadBuffer:    4 << 20,
		WriteBuffer:   1 << 20,
		Broadcast:     true,
		Amplification: 3,
	}
}

const (
	largestDatagram = 65507 // IPv4: 65535 less the headers of IP (20) and UDP (8)

	// What the limits of a UDP listener are unless somebody says so: nothing but
	// these bounds the peers that forged addresses make, and nothing else ends
	// those that have gone.
	defaultPeers    = 100_000
	defaultPeerIdle = 5 * time.Minute
)

func (c *UDPConfig) validate() error {
	return errors.Join(
		between("udp.maxDatagram", c.MaxDatagram, 0, largestDatagram),
		between("udp.sockets", c.Sockets, 0, maxLoops),
		between("udp.readBuffer", c.ReadBuffer, 0, maxBytes),
		between("udp.writeBuffer", c.WriteBuffer, 0, maxBytes),
		between("udp.amplification", c.Amplification, 0, 1<<16))
}

// isUDP says whether the listener's peers send datagrams.
func (l *Listener) isUDP() bool { return l.Network == UDP }

// validateNetwork finds what does not go with the listener's network.
func (l *Listener) validateNetwork() error {
	switch l.Network {
	case "", TCP:
		return nil
	case UDP:
		errs := []error{l.UDP.validate()}
		if l.TLS != nil {
			errs = append(errs, errors.New("tls is for TCP: a UDP listener has none, as DTLS is not supported; remove the section"))
		}
		if l.Proxy.on() {
			errs = append(errs, errors.New("proxyProtocol is for TCP: a UDP listener reads no headers; remove the section"))
		}
		return errors.Join(errs...)
	}
	return fmt.Errorf("network is %q, want %s or %s", l.Network, TCP, UDP)
}

// fillNetwork puts the defaults where zero makes no sense.
func (l *Listener) fillNetwork() {
	if l.Network == "" {
		l.Network = TCP
	}
	if !l.isUDP() {
		return
	}
	if l.UDP.MaxDatagram == 0 {
		l.UDP.MaxDatagram = DefaultUDPConfig().MaxDatagram
	}
	if l.Limits.MaxConnections == 0 {
		l.Limits.MaxConnections = defaultPeers
	}
	if l.Limits.Idle == 0 {
		l.Limits.Idle = defaultPeerIdle
	}
}
