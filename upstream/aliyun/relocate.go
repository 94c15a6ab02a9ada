package aliyun

import (
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/upstream"
)

// fullFor is how long a gateway that the platform calls full (428) gets no more
// devices, when there are others.
const fullFor = time.Minute

// full notes that the platform takes no more devices under the gateway. mu is
// held.
func (g *gateway) full() {
	g.fullUntil = time.Now().Add(fullFor).UnixMilli()
	g.stats.full++
}

// moves has a device whose login was refused with 428 logged in through the next
// gateway, and says whether there is one to try. mu is held.
func (g *gateway) moves(d *device) bool {
	if len(g.connector.gateways) < 2 || d.current == nil || d.left != nil || d.delivering {
		return false // delivering: a message must not be done before those in front of it
	}
	d.state = moving
	g.later(func() { g.connector.move(d) })
	return true
}

// move takes a device to the next gateway that has room, with its login and what
// it has still to say. No lock is held.
func (c *Connector) move(d *device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := d.gw
	g.mu.Lock()
	defer g.mu.Unlock()
	h := d.current
	switch {
	case d.state != moving:
		return
	case h == nil:
		g.drop(d, upstream.ErrLoggedOut)
	case g.closing, d.delivering:
		g.stays(d)
	default:
		next := c.nextTo(g)
		if next == nil {
			g.stays(d)
			break
		}
		// Both are locked: the connector's mu keeps others from locking two.
		g.hand(d, next)
		next.mu.Unlock()
	}
	g.checkDrained()
}

// stays goes on with a device for which there is no other gateway. mu is held.
func (g *gateway) stays(d *device) {
	h := d.current
	if h.done == nil {
		g.pauseLogin(d)
		return
	}
	err := refused(codeFull, "")
	g.stats.refused++
	d.current, h.err = nil, err
	g.loginDone(h, nil, err)
	g.drop(d, err)
}

// hand gives a device to another gateway. mu is held, and that of next.
func (g *gateway) hand(d *device, next *gateway) {
	moved := newDevice(next, d.identity())
	moved.bare, moved.attempts, moved.lostAt, moved.losses = d.bare, d.attempts, d.lostAt, d.losses
	moved.retryAt = time.Now().UnixMilli() + next.cfg.RequestTimeout.Milliseconds()
	for d.head != nil {
		moved.push(g.handMessage(d.pop(), moved))
	}
	h := d.current
	d.current, d.state = nil, offline
	g.forget(d)
	next.devices[moved.name()] = moved
	moved.current = h
	h.at.Store(moved)
	next.stats.moved++
	next.log.Info("aliyun: device goes through this gateway, for the other is full", zap.String("device", moved.name()))
	next.wantLogin(moved)
}

// handMessage is a copy of a message for another gateway: the connection that it
// was sent over may still hold the one that there is, and its end means nothing
// any more. Both gateways' mu are held.
func (g *gateway) handMessage(m *outgoing, moved *device) *outgoing {
	c := &outgoing{
		dev: moved, by: m.by, done: m.done, err: m.err, topic: m.topic, payload: m.payload, deadline: m.deadline, until: m.until, id: m.id, qos: m.qos,
		state: m.state, sent: m.sent, answered: m.answered, acked: m.acked, rejected: m.rejected, reply: m.reply,
		held: true, // so is payload
	}
	next := moved.gw
	switch {
	case m.rejected:
		g.rejected--
		next.rejected++
	case m.state != finished:
		g.pending--
		g.bytes -= int64(len(m.payload))
		next.pending++
		next.bytes += int64(len(m.payload))
	}
	m.state = finished
	return c
}

// nextTo finds a gateway behind g that has room and is not full, and locks it.
// c.mu is held, and g's.
func (c *Connector) nextTo(g *gateway) *gateway {
	at := 0
	for i := range c.gateways {
		if c.gateways[i] == g {
			at = i
		}
	}
	for i := 1; i < len(c.gateways); i++ {
		next := c.gateways[(at+i)%len(c.gateways)]
		next.mu.Lock()
		if next.hasRoom() && next.link != nil && !next.closing {
			return next
		}
		next.mu.Unlock()
	}
	return nil
}

// hasRoom says whether the gateway may be given one more device. That the platform
// has called it full counts only where there is another. mu is held.
func (g *gateway) hasRoom() bool {
	full := len(g.connector.gateways) > 1 && time.Now().UnixMilli() < g.fullUntil
	return len(g.devices) < g.cfg.MaxDevicesPerGateway && !full
}
