package mqtt

import (
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/inorder"
)

// never is a time that does not come.
const never = math.MaxInt64

// login begins a login. mu is held, and released.
func (ln *lane) login(d *device, l *upstream.Login, done func(upstream.Device, error)) {
	defer ln.settle()
	h := &handle{dev: d, command: l.Command, lost: l.Lost, order: inorder.Login{Wanted: l.InOrder}, done: done, by: ln.c.now.Load() + ln.cfg.RequestTimeout.Milliseconds()}
	if ln.only != nil && !ln.turned {
		h.by = never
	}
	if ln.closing {
		ln.loginDone(h, upstream.ErrClosed)
		ln.forget(d)
		return
	}
	if old := d.current; old != nil {
		old.err = upstream.ErrSuperseded
		h.early, old.early = old.early, nil
		h.size, old.size = old.size, 0
		ln.count.superseded.Add(1)
		ln.loginDone(old, upstream.ErrSuperseded)
	}
	changed := d.secret != l.Device.DeviceSecret
	d.current, d.secret = h, l.Device.DeviceSecret
	ln.stay()
	switch {
	case ln.only != nil && changed && ln.link != nil:
		d.state = wanted
		ln.link.Close(errCredentials)
	case d.state == online:
		ln.loginDone(h, nil)
		return
	case d.state == offline:
		ln.wantLogin(d)
	}
	if h.done != nil {
		ln.logins = append(ln.logins, h)
	}
}

// stay undoes that the only device of the lane was about to leave. mu is held.
func (ln *lane) stay() {
	ln.leaving = false
	for _, done := range ln.left {
		ln.later(func() { done(nil) })
	}
	ln.left = nil
}

// wantLogin has a device logged in, in its turn. mu is held.
func (ln *lane) wantLogin(d *device) {
	d.state = wanted
	switch {
	case ln.link == nil || !ln.released: // release wants all that are wanted
	case ln.only != nil || ln.cfg.topics.presence == nil && (ln.cfg.wildcard || len(ln.cfg.topics.down) == 0):
		ln.begin(d) // the connection was paced, or there is nothing to ask for
	case !d.paced:
		d.paced = true
		ln.c.pace.add(d)
	}
}

// turn is that of a device to be logged in.
func (ln *lane) turn(d *device) {
	ln.mu.Lock()
	d.paced = false
	if d.state == wanted && ln.link != nil && ln.released {
		ln.begin(d)
	}
	ln.forget(d)
	ln.unlock()
}

// begin logs a device in. mu is held.
func (ln *lane) begin(d *device) {
	switch {
	case d.current == nil:
		d.state = offline
	case ln.cfg.wildcard || len(ln.cfg.topics.down) == 0:
		ln.goOnline(d)
	default:
		d.state = subscribing
		d.login++
		d.asked = 0
		v := d.values()
		ln.controls = append(ln.controls, &question{filters: ln.cfg.topics.filters(&v), dev: d, login: d.login})
	}
}

// subscribed goes on with a device whose subscription was answered; denied is a
// filter that the broker did not grant. mu is held.
func (ln *lane) subscribed(d *device, login uint32, denied string) {
	if d.state != subscribing || d.login != login || d.current == nil {
		return
	}
	if denied != "" {
		ln.lose(d, refused(codeDenied, "the broker does not let "+denied+" be subscribed: look at its access control list"))
		return
	}
	ln.goOnline(d)
}

// goOnline lets a device's caller begin. mu is held.
func (ln *lane) goOnline(d *device) {
	d.state = online
	if d.known {
		ln.count.relogins.Add(1)
	}
	d.known = true
	ln.say(d, true, upstream.Ignore)
	ln.loginDone(d.current, nil)
}

// say publishes whether a device is online; done is called when the broker has
// it. mu is held.
func (ln *lane) say(d *device, online bool, done func(error)) {
	d.announced = online
	if ln.cfg.topics.presence == nil {
		ln.later(func() { done(nil) })
		return
	}
	if old := d.notice; old != nil { // nobody has to know any more
		ln.finish(old, nil)
	}
	v := d.values()
	bridge := ln.clientID
	if ln.only != nil {
		bridge = ln.cfg.host
	}
	m := &outgoing{
		dev: d, topic: ln.cfg.topics.presence.with(&v), payload: presence(d, bridge, online, false),
		qos: 1, retain: true, presence: true, online: online,
		done: done,
	}
	ln.enqueue(m)
	d.notice = m
}

// sayBridge publishes whether the lane's own connection is up. mu is held.
func (ln *lane) sayBridge(online bool) {
	if ln.cfg.topics.bridge == nil {
		return
	}
	v := values{clientID: ln.clientID}
	m := &outgoing{
		dev: ln.self, topic: ln.cfg.topics.bridge.with(&v), payload: presence(nil, ln.clientID, online, false),
		qos: 1, retain: true, presence: true, online: online, urgent: online, done: upstream.Ignore,
	}
	ln.enqueue(m)
}

// loginDone calls a login's done, once. mu is held.
func (ln *lane) loginDone(h *handle, err error) {
	done := h.done
	if done == nil {
		return
	}
	early := h.early
	ln.early -= h.size
	h.done, h.early, h.size = nil, nil, 0
	if err != nil {
		ln.count.unknown.Add(uint64(len(early)))
		ln.later(func() { done(nil, err) })
		return
	}
	ln.count.logins.Add(1)
	ln.count.commands.Add(uint64(len(early)))
	ln.later(func() {
		done(h, nil)
		for _, c := range early {
			h.command(c)
		}
	})
}

// giveUp ends a login that waits. mu is held.
func (ln *lane) giveUp(h *handle, err error) {
	d := h.dev
	if h.done == nil || d.current != h {
		return
	}
	h.err, d.current = err, nil
	ln.loginDone(h, err)
	ln.takeOff(d, err)
}

// lose ends a device's login from the broker's side. mu is held.
func (ln *lane) lose(d *device, err error) {
	h := d.current
	if h == nil {
		return
	}
	h.err, d.current = err, nil
	if h.done != nil {
		ln.count.refused.Add(1)
		ln.loginDone(h, err)
	} else {
		ln.count.lost.Add(1)
		if h.lost != nil {
			ln.later(func() { h.lost(err) })
		}
	}
	ln.takeOff(d, err)
}

// takeOff makes a device offline whose login has ended; what it has said and was
// not acknowledged fails. mu is held.
func (ln *lane) takeOff(d *device, err error) {
	ln.fail(d, err)
	ln.unsubscribe(d)
	d.state = offline
	if d.announced && ln.only == nil {
		ln.say(d, false, upstream.Ignore)
	}
	if ln.only != nil {
		ln.leaving = true
		ln.wake()
	}
	ln.forget(d)
}

// unsubscribe takes a device's subscription back. mu is held.
func (ln *lane) unsubscribe(d *device) {
	if ln.only != nil || ln.cfg.wildcard || len(ln.cfg.topics.down) == 0 || ln.link == nil || d.state != online && d.state != subscribing {
		return
	}
	v := d.values()
	ln.controls = append(ln.controls, &question{filters: ln.cfg.topics.filters(&v), leave: true})
}

// logout ends a login.
func (ln *lane) logout(h *handle, done func(error)) {
	ln.mu.Lock()
	d := h.dev
	switch {
	case ln.over:
		ln.mu.Unlock()
		done(nil)
		return
	case h.err != nil || d.current != h:
		ln.later(func() { done(nil) })
		ln.mu.Unlock()
		return
	}
	defer ln.settle()
	h.err, d.current = upstream.ErrLoggedOut, nil
	ln.count.logouts.Add(1)
	ln.unsubscribe(d)
	d.state = offline
	switch {
	case ln.only != nil && ln.link == nil: // the last will has told that it is offline
		ln.fail(d, upstream.ErrNotConnected)
		ln.later(func() { done(nil) })
		ln.wake()
	case ln.only != nil:
		ln.say(d, false, upstream.Ignore)
		ln.left = append(ln.left, done)
		ln.leaving = true
	case !d.announced:
		ln.later(func() { done(nil) })
	case ln.link == nil:
		ln.say(d, false, upstream.Ignore)
		ln.later(func() { done(nil) })
	default:
		ln.say(d, false, done)
	}
	ln.forget(d)
}

// wake ends a pause of run.
func (ln *lane) wake() {
	select {
	case ln.nudge <- struct{}{}:
	default:
	}
}

// forget removes a device that nothing is left of. mu is held.
func (ln *lane) forget(d *device) {
	if d.state == offline && d.current == nil && d.head == nil && d.saying == 0 && !d.delivering && !d.paced && ln.only == nil && ln.devices[d.key] == d {
		delete(ln.devices, d.key)
		ln.c.devices.Add(-1)
	}
}

// needed says whether the lane has to go on. One of a single device has not when
// that has logged out; then it is the connector's no more.
func (ln *lane) needed() bool {
	ln.c.mu.Lock()
	defer ln.c.mu.Unlock()
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.closing && ln.farewell {
		return false
	}
	if ln.only == nil || ln.only.current != nil {
		return true
	}
	delete(ln.c.own, ln.only.key)
	ln.over = true
	return false
}

// refusedBy acts on an attempt to connect that failed.
func (ln *lane) refusedBy(err error) {
	if ln.only == nil || !permanent(err) {
		return
	}
	ln.mu.Lock()
	ln.lose(ln.only, err)
	ln.settle()
}

// unstable ends the login of a device with a connection of its own that the
// broker ends again and again: it is connected elsewhere under the same
// identifier, or does what it may not. mu is held.
func (ln *lane) unstable() {
	if ln.only == nil || ln.short < maxShort {
		return
	}
	ln.short = 0
	ln.warn(&ln.c.quiet.unstable, "mqtt: device cannot keep its connection", zap.String("device", ln.only.names))
	ln.lose(ln.only, refused(CodeUnstable, "the broker ends the device's connection again and again: another client has the same identifier, or the device may not publish what it does"))
}

// now is the time in milliseconds.
func now() int64 { return time.Now().UnixMilli() }
