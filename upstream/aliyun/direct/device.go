package direct

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
	"github.com/linkspan/linkspan/upstream/internal/inorder"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// deviceState is where a device stands with the platform.
type deviceState uint8

const (
	offline     deviceState = iota // no connection, and none wanted
	waiting                        // for its turn to connect, or for retryAt
	connecting                     // a token or a connection is on its way
	subscribing                    // connected; subscriptions are on their way
	online                         // may publish
	leaving                        // is to be disconnected when nothing is left to be said
	ending                         // DISCONNECT is on its way, or the connection is being cut
)

// device is one device and its connection. It lives from its first login until it
// is offline with nothing left to say. All but the first two fields are guarded by
// mu. Callbacks are called by settle, without mu, one after the other.
type device struct {
	c     *Connector
	names alink.Name

	mu         sync.Mutex
	secret     auth.Secret
	token      *token  // of the last authentication by HTTPS
	current    *handle // the login that counts; nil when the device is logged out
	link       *mqttlink.Link
	left       []func(error) // of logouts that wait for the end of the connection
	calls      []func()      // for settle, in order
	controls   []control     // answers of the connector's own, to be sent before messages
	head, tail *outgoing     // published, done not yet called, in order
	unsent     *outgoing     // the first one to be sent over link
	lastErr    error         // why the last attempt to connect failed
	retryAt    int64         // waiting: milliseconds
	loginBy    int64         // when a first login fails for want of a connection: milliseconds
	since      int64         // of link, or of its last SUBSCRIBE: milliseconds
	recent
	paid       int64  // messages until then are paid for by messageRate: microseconds
	length     int32  // messages waiting or in flight
	inFlight   int32  // sent at QoS 1, not yet acknowledged
	rejected   int32  // messages refused that wait for their turn
	lastID     uint16 // MQTT packet identifier
	subs       uint8  // SUBSCRIBEs to be answered
	ask        uint8  // SUBSCRIBEs to be sent
	state      deviceState
	attempts   uint8 // connections in a row that failed or did not last
	short      uint8 // connections in a row that the platform has soon ended
	ever       bool  // was connected before
	queued     bool  // is in the connector's queue
	delivering bool  // somebody is in settle
	again      bool  // the connection that ends is followed by another
	refusing   bool  // the connector is closing
	slowed     bool  // the next message waits for messageRate
}

// control is an answer of the connector's own, at QoS 0.
type control struct {
	topic   string
	payload []byte
}

const (
	maxControls = 64   // of one device
	maxCalls    = 1024 // of one device
	maxEarly    = 64   // commands that come before done of the login is called
)

func newDevice(c *Connector, id auth.Identity) *device {
	return &device{c: c, names: alink.NameOf(id.ProductKey, id.DeviceName)}
}

// handle is one login of a device: what its caller holds. All fields but the
// first three are guarded by the device's mu.
type handle struct {
	dev     *device
	command func(*thing.Command)
	lost    func(cause error)
	order   inorder.Login

	done  func(upstream.Device, error) // of the login, until it was called
	err   error                        // why the handle is of no use any more
	early []*thing.Command             // came before done was called
}

// empty says whether nothing is left of the device. mu is held.
func (d *device) empty() bool {
	return d.state == offline && d.current == nil && d.head == nil && d.calls == nil && d.left == nil && !d.delivering
}

// login begins a login. mu is held.
func (d *device) login(l *upstream.Login, done func(upstream.Device, error)) {
	h := &handle{dev: d, command: l.Command, lost: l.Lost, order: inorder.Login{Wanted: l.InOrder}, done: done}
	if old := d.current; old != nil {
		old.err = upstream.ErrSuperseded
		h.early, old.early = old.early, nil
		d.c.counts.superseded.Add(1)
		d.loginDone(old, upstream.ErrSuperseded)
	}
	d.current = h
	changed := d.secret != l.Device.DeviceSecret
	d.secret = l.Device.DeviceSecret
	if changed {
		d.token = nil
	}
	now := time.Now().UnixMilli()
	d.loginBy = now + d.c.cfg.RequestTimeout.Milliseconds()
	switch d.state {
	case leaving: // it stays
		d.loggedOut()
		d.state = online
		fallthrough
	case online:
		if !changed {
			d.loginDone(h, nil)
			d.link.Wake()
			return
		}
		d.again = true
		d.cut(errChanged)
	case subscribing, connecting:
		if changed {
			d.again = true
			d.cut(errChanged)
		}
	case ending:
		d.again = true
	case offline:
		if earliest(d.paced, d.c.cfg.ConnectsPerMinute) > now {
			d.c.counts.limited.Add(1)
			d.refuseLogin(h, d.tooMany())
			return
		}
		d.attempts, d.short = 0, 0
		d.want(0)
	case waiting: // for its turn
	}
}

// loginDone calls a login's done, once. mu is held.
func (d *device) loginDone(h *handle, err error) {
	done := h.done
	if done == nil {
		return
	}
	early := h.early
	h.done, h.early = nil, nil
	if err != nil {
		d.c.counts.unknown.Add(uint64(len(early)))
		d.later(func() { done(nil, err) })
		return
	}
	d.c.counts.logins.Add(1)
	d.c.counts.commands.Add(uint64(len(early)))
	d.later(func() {
		done(h, nil)
		for _, c := range early {
			h.command(c)
		}
	})
}

// refuseLogin ends a login that fails. mu is held.
func (d *device) refuseLogin(h *handle, err error) {
	d.current, h.err = nil, err
	if h.done != nil {
		d.loginDone(h, err)
		return
	}
	d.c.counts.lost.Add(1)
	d.c.log.Info("aliyun-direct: device lost", zap.String("device", d.names.String()), zap.NamedError("cause", err))
	if lost := h.lost; lost != nil {
		d.later(func() { lost(err) })
	}
}

// want has the device connected after a pause. mu is held.
func (d *device) want(pause time.Duration) {
	now := time.Now().UnixMilli()
	d.state, d.retryAt = waiting, now+pause.Milliseconds()
	d.retryAt = max(d.retryAt, earliest(d.paced, d.c.cfg.ConnectsPerMinute))
	if d.retryAt <= now && !d.queued {
		d.queued = true
		d.c.enqueue(d)
	}
}

// backOff is the pause before the next attempt to connect. mu is held.
func (d *device) backOff() time.Duration {
	pause := min(d.c.cfg.ReconnectMin<<min(d.attempts, 20), d.c.cfg.ReconnectMax)
	if pause <= 0 {
		pause = d.c.cfg.ReconnectMax
	}
	if d.attempts < 255 {
		d.attempts++
	}
	return pause/2 + rand.N(pause/2+1) //nolint:gosec // no secret
}

// cut ends the connection. mu is held.
func (d *device) cut(cause error) {
	switch {
	case d.link != nil:
		d.state = ending
		d.link.Close(cause)
	case d.state == connecting:
		d.state = ending // live sees it
	}
}

// Logout implements [upstream.Device].
func (h *handle) Logout(done func(error)) {
	d := h.dev
	d.mu.Lock()
	if d.current != h {
		d.later(func() { done(nil) })
		d.settle()
		return
	}
	h.err = upstream.ErrLoggedOut
	d.current = nil
	d.loginDone(h, upstream.ErrLoggedOut)
	d.left = append(d.left, done)
	d.leave(upstream.ErrLoggedOut)
	d.settle()
}

// leave disconnects a device that nobody logs in any more, behind what it has
// said. err ends what cannot be said. mu is held.
func (d *device) leave(err error) {
	d.again = false
	switch d.state {
	case online:
		d.state = leaving
		d.loginBy = time.Now().UnixMilli() + d.c.cfg.RequestTimeout.Milliseconds()
	case subscribing, connecting:
		d.cut(err)
		d.failMessages(err)
	case waiting, offline:
		d.state = offline
		d.failMessages(err)
		d.loggedOut()
	case leaving, ending:
	}
}

// loggedOut calls done of the logouts. mu is held.
func (d *device) loggedOut() {
	for _, done := range d.left {
		d.c.counts.logouts.Add(1)
		d.later(func() { done(nil) })
	}
	d.left = nil
}

// later has settle make a call. mu is held.
func (d *device) later(call func()) { d.calls = append(d.calls, call) }

// refuse begins the end: nothing more is taken, and logins under way fail.
func (d *device) refuse() {
	d.mu.Lock()
	d.refusing = true
	if h := d.current; h != nil && h.done != nil {
		d.refuseLogin(h, upstream.ErrClosed)
		d.leave(upstream.ErrClosed)
	}
	d.settle()
}

// disconnect ends the connection in order.
func (d *device) disconnect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.again = false
	if d.link != nil && d.state != ending {
		d.state = ending
		d.link.Disconnect()
	} else {
		d.cut(upstream.ErrClosed)
	}
}

// hangUp ends the connection at once.
func (d *device) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != nil {
		d.link.Close(nil)
	}
}

// abandon ends what is left when the connector is closed.
func (d *device) abandon() {
	d.mu.Lock()
	if h := d.current; h != nil {
		d.current, h.err = nil, upstream.ErrClosed
		d.loginDone(h, upstream.ErrClosed)
	}
	d.state = offline
	d.failMessages(upstream.ErrClosed)
	d.loggedOut()
	d.settle()
}

// tick ends what takes too long, and keeps the connection alive.
func (d *device) tick(now time.Time) {
	ms := now.UnixMilli()
	d.mu.Lock()
	d.expire(ms)
	switch d.state {
	case waiting:
		if h := d.current; h != nil && h.done != nil && ms > d.loginBy {
			d.refuseLogin(h, notConnected(d.lastErr))
			d.leave(upstream.ErrNotConnected)
		} else if ms >= d.retryAt && !d.queued {
			d.queued = true
			d.c.enqueue(d)
		}
	case connecting:
		if h := d.current; h != nil && h.done != nil && ms > d.loginBy {
			d.refuseLogin(h, notConnected(d.lastErr))
			d.leave(upstream.ErrNotConnected)
		}
	case subscribing:
		if ms-d.since > d.c.cfg.RequestTimeout.Milliseconds() {
			d.link.Close(errUnanswered)
		}
	case leaving:
		if ms > d.loginBy { // acknowledgements that do not come
			d.state = ending
			d.link.Disconnect()
		}
	default:
	}
	l := d.link
	d.settle()
	if l != nil {
		l.Tick(now)
	}
}

// notConnected is ErrNotConnected with the reason.
func notConnected(why error) error {
	if why == nil {
		return upstream.ErrNotConnected
	}
	return fmt.Errorf("%w: %w", upstream.ErrNotConnected, why)
}
