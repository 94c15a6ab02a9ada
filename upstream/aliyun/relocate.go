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

// moves has a device whose first login was refused with 428 logged in through the
// next gateway, and says whether there is one to try. Nothing of the device may be
// under way: its handle is not in anybody's hands yet. mu is held.
func (g *gateway) moves(d *device) bool {
	h := d.current
	if len(g.connector.gateways) < 2 || h == nil || h.done == nil || d.head != nil || d.delivering || d.left != nil {
		return false
	}
	d.state = moving
	g.later(func() { g.connector.move(d) })
	return true
}

// move takes a device to the next gateway that has room. No lock is held.
func (c *Connector) move(d *device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := d.gw
	g.mu.Lock()
	h := d.current
	if d.state != moving || h == nil || g.closing {
		if d.state == moving && h == nil {
			g.drop(d, upstream.ErrLoggedOut)
		}
		g.checkDrained()
		g.mu.Unlock()
		return
	}
	next := c.nextTo(g)
	if next == nil {
		err := refused(codeFull, "")
		g.stats.refused++
		d.current, h.err = nil, err
		g.loginDone(h, nil, err)
		g.drop(d, err)
		g.checkDrained()
		g.mu.Unlock()
		return
	}
	// Both are locked: the connector's mu keeps others from locking two.
	moved := newDevice(next, d.identity())
	moved.bare, moved.topology = d.bare, false
	d.current, d.state = nil, offline
	g.forget(d)
	g.mu.Unlock()

	next.devices[moved.name()] = moved
	moved.current, h.dev = h, moved
	moved.retryAt = time.Now().UnixMilli() + next.cfg.RequestTimeout.Milliseconds()
	next.stats.moved++
	next.log.Info("aliyun: device goes through this gateway, for the other is full", zap.String("device", moved.name()))
	next.wantLogin(moved)
	next.mu.Unlock()
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
