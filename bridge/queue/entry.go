package queue

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// entry is one login of a device at the platform, for a client or for what a device
// has left behind.
type entry struct {
	lane     *lane
	identity auth.Identity
}

// login takes a login of the bridge's; the lane is locked.
func (l *lane) login(c *client) {
	var done func(upstream.Device, error)
	if old := l.client; old != nil {
		old.err = upstream.ErrSuperseded
		done, old.done = old.done, nil
	}
	l.client, l.sender, l.identity = c, c.sender, c.login.Device
	now := time.Now()
	l.admitAt, l.retryAt = now.Add(l.q.cfg.LoginWait), time.Time{}
	if l.q.refusals.of(l.key, l.identity, now) != nil {
		l.admitAt = time.Time{} // it waits for what the platform says this time
	}
	l.attempts, l.refusals, l.condemned = 0, 0, nil
	l.leave()
	if done != nil {
		done(nil, upstream.ErrSuperseded)
	}
	l.enter()
}

// enter logs the device in at the platform. Calls of Login for one device come one
// after the other: when one is under way its caller makes this one too.
func (l *lane) enter() {
	l.mu.Lock()
	if l.calling {
		l.again = true
		l.leave()
		return
	}
	l.calling = true
	for ok := true; ok; ok = l.again {
		l.again = false
		if l.client == nil && !l.backlog() || state(l.q.state.Load()) == closed {
			break
		}
		e := &entry{lane: l, identity: l.identity}
		prior := l.device
		l.entry, l.device = e, nil
		l.detain()
		if l.count > 0 {
			l.halt(unloading, 0)
		}
		login := upstream.Login{
			Device: l.identity, Name: l.sender.name, Listener: l.sender.listener,
			InOrder: true, Command: e.command, Lost: e.lost,
		}
		l.mu.Unlock()
		l.q.counts.logins.Add(1)
		l.q.up.Login(login, e.loggedIn)
		if prior != nil {
			prior.Logout(upstream.Ignore) // of a login that was replaced, unless the new one failed
		}
		l.mu.Lock()
	}
	l.calling = false
	l.leave()
}

// loggedIn goes on when the platform has decided.
func (e *entry) loggedIn(d upstream.Device, err error) {
	l, now := e.lane, time.Now()
	l.mu.Lock()
	l.q.refusals.note(l.key, e.identity, err, now)
	if l.entry != e { // the device has gone, or there is a newer one
		l.leave()
		if d != nil {
			d.Logout(upstream.Ignore)
		}
		return
	}
	c := l.client
	var done func(upstream.Device, error)
	if c != nil {
		done, c.done = c.done, nil
	}
	l.admitAt = time.Time{}
	switch {
	case err == nil:
		l.device = d
		l.attempts, l.refusals, l.condemned, l.resumeAt, l.probing = 0, 0, nil, time.Time{}, false
		l.leave()
		if done != nil {
			done(c, nil)
		}
	case upstream.Temporary(err):
		l.entry = nil
		l.halt(unloading, 0)
		l.retryAt = now.Add(l.pause())
		var no *upstream.RefusedError
		if done != nil {
			no = l.q.refusals.of(l.key, e.identity, now)
		}
		if no != nil {
			c.err = upstream.ErrLoggedOut
			l.client = nil
		}
		l.leave()
		switch {
		case no != nil:
			no.Reason += "; it cannot be asked now: " + err.Error()
			done(nil, no)
		case done != nil:
			l.q.counts.provisional.Add(1)
			done(c, nil)
		}
	default:
		l.entry = nil
		l.refused(err)
		if c != nil {
			c.err = upstream.ErrLoggedOut
			l.client = nil
		}
		l.leave()
		switch {
		case done != nil:
			done(nil, err)
		case c != nil && c.login.Lost != nil:
			c.login.Lost(err)
		}
	}
}

// refused notes that the device may not log in. After some times what it has stored
// is dead; that a connector says again what the platform has said is none of these.
func (l *lane) refused(err error) {
	var no *upstream.RefusedError
	repeated := errors.As(err, &no) && no.Repeated
	if !repeated {
		l.refusals++
	}
	l.halt(unloading, 0)
	if !l.backlog() {
		return
	}
	if !repeated && l.refusals >= l.q.cfg.Poison {
		l.condemned = fmt.Errorf("%w: %w", errLogin, err)
		return
	}
	l.retryAt = time.Now().Add(l.pause())
}

// lost is called when the platform ends the login.
func (e *entry) lost(cause error) {
	l := e.lane
	l.mu.Lock()
	if l.entry != e {
		l.mu.Unlock()
		return
	}
	l.entry, l.device = nil, nil
	l.halt(unloading, 0)
	c := l.client
	var done func(upstream.Device, error)
	if c != nil {
		done, c.done = c.done, nil
		c.err = upstream.ErrLoggedOut
		l.client = nil
	}
	if l.backlog() { // it may be somebody else's now, such as another node's
		l.retryAt = time.Now().Add(max(l.q.cfg.Away, l.q.cfg.Retry.Max))
	}
	l.leave()
	switch {
	case done != nil:
		done(nil, cause)
	case c != nil && c.login.Lost != nil:
		c.login.Lost(cause)
	}
}

// command is called when the platform tells the device something.
func (e *entry) command(cmd *thing.Command) {
	l := e.lane
	l.mu.Lock()
	c, d := l.client, l.device
	if l.entry != e {
		c = nil
	}
	l.mu.Unlock()
	switch {
	case c != nil && c.login.Command != nil:
		c.login.Command(cmd)
	case d != nil && cmd.ID != "":
		m := offline(cmd)
		d.Publish(&m, upstream.Ignore)
	}
}

// lookup finds out who devices are that have left something behind, until the
// connector ends.
func (q *Connector) lookup() {
	for l := q.lookups.pop(); l != nil; l = q.lookups.pop() {
		l.find()
	}
}

// find logs the device in that has left something behind.
func (l *lane) find() {
	q := l.q
	l.mu.Lock()
	identity, nameless := l.identity, l.key[:min(len(l.key), 1)] == "\x00"
	l.mu.Unlock()
	var err error
	if !nameless {
		identity, err = q.devices.Identity(l.key)
	} else if identity == (auth.Identity{}) { // of an earlier process
		err = auth.ErrUnknownDevice
	}
	l.mu.Lock()
	l.looking = false
	enter := false
	switch {
	case l.client != nil || l.entry != nil || l.device != nil: // it has come back meanwhile
	case err == nil:
		l.identity = identity
		enter = true
	case isDenied(err):
		l.refused(err)
	default:
		l.retryAt = time.Now().Add(l.pause())
		q.warn(&q.quiet.lookups, "identity of a device with stored messages not found out", zap.String("device", l.key), zap.NamedError("err", err))
	}
	if enter {
		l.mu.Unlock()
		l.enter()
		return
	}
	l.leave()
}
