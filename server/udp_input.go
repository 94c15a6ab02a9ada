package server

import (
	"encoding/binary"
	"time"
)

// Datagrams implements protocol.Datagrams.
func (c *conn) Datagrams() bool { return c.listener.datagrams }

// receiveDatagram gives the handler a datagram, or holds it behind those that it
// has not yet taken, which waits for a login.
func (c *conn) receiveDatagram(in []byte) {
	if !c.withinRates(len(in)) {
		return
	}
	if c.pending != nil {
		c.holdDatagram(in)
		return
	}
	if n, ok := c.takeDatagram(in); ok && n < len(in) {
		c.holdDatagram(in[n:])
	}
}

// offerDatagrams gives the handler what is held once more.
func (c *conn) offerDatagrams() {
	held := *c.pending
	at := 0
	for at < len(held) {
		size := int(binary.NativeEndian.Uint32(held[at:]))
		in := held[at+datagramHeader:][:size]
		n, ok := c.takeDatagram(in)
		if !ok {
			return // the connection ends, and what it holds with it
		}
		if n < size { // what is left takes the end of its place, with a header of its own
			at += n
			binary.NativeEndian.PutUint32(held[at:], uint32(size-n)) //nolint:gosec // not negative
			break
		}
		at += datagramHeader + size
	}
	c.hold(held[at:])
	c.loop.server.pending.Add(int64(-at))
}

// datagramHeader is the length of a datagram, before each that is held.
const datagramHeader = 4

// takeDatagram gives the handler a datagram. ok says that the connection goes on.
func (c *conn) takeDatagram(in []byte) (n int, ok bool) {
	n, messages, err := c.decode(in)
	c.count += uint32(messages)                                        //nolint:gosec // not negative
	add(&c.loop.counters[c.listener.index].messages, uint64(messages)) //nolint:gosec // not negative
	if err != nil {
		c.end(classify(err))
	}
	if perSecond := c.listener.limits.MessagesPerSecond; perSecond > 0 {
		c.pay(1, messages, perSecond)
	}
	return n, c.request.Load() == nil
}

// holdDatagram holds a datagram until a login is done, unless that is too much.
func (c *conn) holdDatagram(in []byte) {
	size := datagramHeader + len(in)
	held := 0
	if c.pending != nil {
		held = len(*c.pending)
	}
	server := c.loop.server
	if held+size > c.listener.limits.MaxPending || server.pending.Load()+int64(size) > int64(server.cfg.MaxPending) {
		c.dropped(dropPending)
		return
	}
	if c.pending == nil {
		c.pending = newBuffer(size)
	}
	var header [datagramHeader]byte
	binary.NativeEndian.PutUint32(header[:], uint32(len(in))) //nolint:gosec // not negative
	c.pending = appendBuffer(appendBuffer(c.pending, header[:]), in)
	server.pending.Add(int64(size))
}

// withinRates says whether a datagram of n bytes is, and drops it otherwise.
func (c *conn) withinRates(n int) bool {
	limits := &c.listener.limits
	now := c.loop.ms * int64(time.Millisecond)
	switch {
	case limits.MessagesPerSecond > 0 && c.paid[1]-now > int64(limits.Burst):
		c.dropped(dropMessagesRate)
		return false
	case limits.BytesPerSecond > 0 && c.paid[0]-now > int64(limits.Burst):
		c.dropped(dropBytesRate)
		return false
	case limits.BytesPerSecond > 0:
		c.pay(0, n, limits.BytesPerSecond)
	}
	return true
}
