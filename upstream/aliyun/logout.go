package aliyun

import (
	"strconv"

	"go.uber.org/zap"

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

// tellLost tells a login that the platform has ended it. mu is held.
func (g *gateway) tellLost(h *handle, cause error) {
	g.stats.lost++
	g.log.Info("aliyun: device lost", zap.String("device", h.dev().name()), zap.NamedError("cause", cause))
	if lost := h.lost; lost != nil {
		g.later(func() { lost(cause) })
	}
}

// sessionEnded takes a device off that the platform has no session of any more,
// for good or, when the reaction says so, for now. mu is held.
func (g *gateway) sessionEnded(d *device, code int, message string) {
	err := refused(code, message)
	h := d.current
	switch {
	case d.state != online && d.state != subscribing:
		return // a login or a logout is under way and finds out by itself
	case lookUp(code).reaction != giveUp && h != nil:
		g.log.Info("aliyun: session lost, logging in again", zap.String("device", d.name()), zap.NamedError("err", err))
		g.stats.sessions++
		g.offlineForNow(d)
		g.loginAfterLoss(d)
		return
	}
	if code == codeDisabled || code == codeDeleted { // after others the next login may be taken
		g.lastWord(d, err)
	}
	g.offlineForNow(d)
	if h != nil {
		d.current, h.err = nil, err
		if h.done != nil {
			g.loginDone(h, nil, err)
		} else {
			g.tellLost(h, err)
		}
	}
	g.drop(d, err)
}
