package aliyun

import "time"

// The vendor's limit on the messages of a device in a second at QoS 1; at QoS 0 it
// is three times as much.
const (
	vendorRate = 10
	qos0Factor = 3
)

// throttleBurst is how far a device may be ahead of its rate: what it may say in
// one second.
const throttleBurst = time.Second

// queueOrWait gives the sender a message of a device that is online, or has it
// wait until the device is not faster than the platform takes. Messages keep their
// order. mu is held.
func (g *gateway) queueOrWait(d *device, m *outgoing) {
	if g.cfg.interval > 0 && (d.throttled || !g.mayGo(d, m.qos)) {
		if !d.throttled {
			d.throttled = true
			g.throttled = append(g.throttled, d)
		}
		g.stats.slowed++
		return // m.state is waiting
	}
	g.enqueue(m)
}

// mayGo counts a message of the device, if it may go now. mu is held.
func (g *gateway) mayGo(d *device, qos byte) bool {
	step := g.cfg.interval
	if qos == 0 {
		step /= qos0Factor
	}
	now := time.Duration(g.now.Load()) * time.Millisecond
	if d.paid < now {
		d.paid = now
	}
	if d.paid+step > now+throttleBurst {
		return false
	}
	d.paid += step
	return true
}

// unthrottle goes on with devices that were too fast, ten times a second. mu is
// held.
func (g *gateway) unthrottle() {
	keep := g.throttled[:0]
	for _, d := range g.throttled {
		if d.state == online && !g.goOn(d) {
			keep = append(keep, d)
			continue
		}
		d.throttled = false // a login begins with what waits
	}
	clear(g.throttled[len(keep):])
	g.throttled = keep
	if g.queue.head == nil {
		return
	}
	if l := g.link.sleeping(); l != nil {
		l.wakeSender()
	}
}

// sayAll queues what a device that leaves has still to say. mu is held.
func (g *gateway) sayAll(d *device) {
	if !d.throttled {
		return
	}
	for m := d.head; m != nil; m = m.next {
		if m.state == waiting {
			g.enqueue(m)
		}
	}
}

// goOn queues what a throttled device may say now, and says whether that is all.
// mu is held.
func (g *gateway) goOn(d *device) bool {
	for m := d.head; m != nil; m = m.next {
		if m.state != waiting {
			continue
		}
		if !g.mayGo(d, m.qos) {
			return false
		}
		g.enqueue(m)
	}
	return true
}
