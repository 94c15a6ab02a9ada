package aliyun

import (
	"strconv"

	"github.com/linkspan/linkspan/upstream"
)

// Logout implements [upstream.Device]. What was published before is sent before
// the logout; it is not waited for, but done of it is still called.
func (h *handle) Logout(done func(error)) {
	d := h.lock()
	g := d.gw
	if d.current != h {
		g.mu.Unlock()
		done(nil)
		return
	}
	d.current, h.err = nil, upstream.ErrLoggedOut
	d.left = done
	g.logouts++
	switch d.state {
	case online:
		g.queueLogout(d)
	case registering, loggingIn, adding, subscribing: // goes on when the platform has answered
		g.failMessages(d, upstream.ErrNotConnected)
	default:
		g.drop(d, upstream.ErrNotConnected)
	}
	g.settle()
}

// queueLogout has the sender log a device out, after its messages. mu is held.
func (g *gateway) queueLogout(d *device) {
	d.state = leaving
	if g.link == nil {
		g.leftNow(d, nil)
		return
	}
	g.sayAll(d)
	if d.turn != nil { // behind it
		d.departs = true
		return
	}
	g.pushLogout(d, false)
}

// pushLogout puts the logout of a device into the sender's queue. mu is held.
func (g *gateway) pushLogout(d *device, alone bool) {
	g.queue.push(&outgoing{dev: d, logout: true, alone: alone, state: queued})
	if l := g.link.sleeping(); l != nil {
		l.wakeSender()
	}
}

// sendLogouts logs devices out, and says whether the link is still up.
func (l *link) sendLogouts(batch []*outgoing) bool {
	g := l.g
	devices := make([]*device, 0, len(batch))
	for _, m := range batch {
		devices = append(devices, m.dev)
	}
	if g.cfg.Subscribe == SubscribeDevice {
		for _, d := range devices {
			if !l.handOver(l.wire.unsubscribe(deviceFilters(g.cfg, d.name()))) {
				return false
			}
		}
	}
	g.mu.Lock()
	if g.link != l { // detach has ended these logouts
		g.mu.Unlock()
		return false
	}
	id := g.ask(logoutRequest, devices)
	g.mu.Unlock()
	payload := append([]byte(`{"id":"`), strconv.FormatUint(uint64(id), 10)...)
	payload = append(payload, `","params":`...)
	topic := g.topics.logout
	if len(devices) > 1 {
		topic = g.topics.batchLogout
		payload = append(payload, '[')
	}
	for i, d := range devices {
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = append(d.appendNames(payload), '}')
	}
	if len(devices) > 1 {
		payload = append(payload, ']')
	}
	return l.handOver(l.wire.control(topic, append(payload, '}')))
}

// leftNow ends a logout. mu is held.
func (g *gateway) leftNow(d *device, err error) {
	if done := d.left; done != nil {
		d.left = nil
		g.logouts--
		g.stats.logouts++
		g.later(func() { done(err) })
		g.checkDrained()
	}
	if d.state != leaving {
		return
	}
	d.state, d.departs, g.fullUntil = offline, false, 0
	if d.current != nil {
		g.wantLogin(d)
		return
	}
	g.forget(d)
}
