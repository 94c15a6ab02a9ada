package away

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// phase is where a login is.
type phase uint8

const (
	joining phase = iota // the platform has not answered
	present              // the device is there
	absent               // the device is away
	over                 // logged out, lost, refused or superseded
)

// entry is one login at the platform, which several logins of the bridge's may
// share one after the other. It may be used from any goroutine.
type entry struct {
	c      *Connector
	device upstream.Device // written once, before phase leaves joining
	storer upstream.Storer // device, if it keeps messages
	turn   atomic.Uint64   // which handle is the present one; changes under mu

	timer wheel.Timer[*entry] // the clock's

	mu      sync.Mutex
	login   upstream.Login // the present one; guarded by mu, but for Device
	phase   phase          // guarded by mu
	handing bool           // somebody hands waiting commands over; guarded by mu
	until   time.Duration  // on the clock: when being away is over; guarded by mu
	waiting []waiting      // guarded by mu
}

// waiting is a command that waits for its device.
type waiting struct {
	cmd   *thing.Command
	until time.Duration // on the clock
}

// fits says whether a login can go on with e.
func (e *entry) fits(l *upstream.Login) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	have := &e.login
	return (e.phase == present || e.phase == absent) &&
		have.Device == l.Device && have.Name == l.Name && have.Listener == l.Listener
}

// name is the device's own.
func (e *entry) name() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.login.Name
}

// loggedIn is called when the platform has answered.
func (e *entry) loggedIn(h *handle, d upstream.Device, err error, done func(upstream.Device, error)) {
	e.mu.Lock()
	lost := e.phase == over // before it was told
	switch {
	case err != nil:
		e.phase = over
	default:
		e.device = d
		e.storer, _ = d.(upstream.Storer)
		if !lost {
			e.phase = present
		}
	}
	e.mu.Unlock()
	if err != nil {
		e.c.forget(e)
		done(nil, err)
		return
	}
	done(h.device(), nil)
}

// takeOver makes l the present login; nil if there is none to take over. hands says that
// the caller is to call handOver, when l is done: if somebody does that
// already, they go on with l.
func (e *entry) takeOver(l upstream.Login) (h *handle, hands bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch e.phase {
	case absent:
		e.c.counts.away.Add(-1)
		e.c.counts.back.Add(1)
	case present:
		e.c.counts.takenOver.Add(1)
	default:
		return nil, false
	}
	e.phase, e.login = present, l
	hands = !e.handing && len(e.waiting) > 0
	e.handing = e.handing || hands
	return &handle{entry: e, turn: e.turn.Add(1)}, hands
}

// handOver tells the device what has waited for it, in order; what comes
// meanwhile waits behind. Only one goroutine does that at a time.
func (e *entry) handOver() {
	for {
		e.mu.Lock()
		if e.phase != present || len(e.waiting) == 0 {
			e.handing = false
			e.mu.Unlock()
			return
		}
		next, tell := e.waiting[0], e.login.Command
		e.waiting = slices.Delete(e.waiting, 0, 1)
		e.mu.Unlock()
		e.c.waiting.Add(-1)
		if e.c.clock.Now() >= next.until {
			e.expire(next.cmd)
			continue
		}
		e.c.counts.delivered.Add(1)
		tell(next.cmd)
	}
}

// leave makes the device one that is away, if that turn is the present one. It does not
// when the connector closes.
func (e *entry) leave(turn uint64) (left bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase != present || e.turn.Load() != turn {
		return true
	}
	if e.c.closing.Load() {
		return false
	}
	e.phase = absent
	e.c.counts.away.Add(1)
	e.until = e.c.clock.Now() + e.c.cfg.Hold
	e.c.clock.Set(&e.timer, e.next())
	return true
}

// end ends the login, if that turn is the present one.
func (e *entry) end(turn uint64) (left []waiting, mine bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase == over || e.turn.Load() != turn {
		return nil, false
	}
	return e.finish(), true
}

// finish ends the login. The caller holds mu, and the login is not over.
func (e *entry) finish() (left []waiting) {
	if e.phase == absent {
		e.c.counts.away.Add(-1)
	}
	e.phase = over
	left, e.waiting = e.waiting, nil
	e.c.waiting.Add(-int64(len(left)))
	e.c.clock.Stop(&e.timer)
	return left
}

// release logs a device out that is away, and says whether it was; then done is
// called.
func (e *entry) release(done func(error)) bool {
	e.mu.Lock()
	if e.phase != absent {
		e.mu.Unlock()
		return false
	}
	left := e.finish()
	e.mu.Unlock()
	e.out(left, done)
	return true
}

// out logs out a device that was away, and whose login is over.
func (e *entry) out(left []waiting, done func(error)) {
	e.c.forget(e)
	e.fail(left, thing.Offline, "the device is offline")
	e.device.Logout(done)
}

// lost is called when the platform has ended the login.
func (e *entry) lost(cause error) {
	e.mu.Lock()
	if e.phase == over {
		e.mu.Unlock()
		return
	}
	was, tell := e.phase, e.login.Lost
	left := e.finish()
	e.mu.Unlock()
	e.c.forget(e)
	e.c.counts.untold.Add(uint64(len(left)))
	if was != absent {
		tell(cause)
	}
}

// command is called when the platform tells the device something.
func (e *entry) command(cmd *thing.Command) {
	e.mu.Lock()
	if e.phase != absent && !e.handing {
		tell := e.login.Command
		e.mu.Unlock()
		tell(cmd)
		return
	}
	cfg, now := &e.c.cfg, e.c.clock.Now()
	until := now + cfg.CommandTime
	if !cmd.Deadline.IsZero() {
		until = min(until, now+time.Until(cmd.Deadline))
	}
	repeated := cmd.ID != "" && slices.ContainsFunc(e.waiting, func(w waiting) bool { return w.cmd.ID == cmd.ID })
	full := len(e.waiting) >= cfg.Commands || e.c.waiting.Load() >= int64(cfg.MaxCommands)
	if !repeated && !full && until > now {
		e.waiting = append(e.waiting, waiting{cmd, until})
		e.c.waiting.Add(1)
		if e.phase == absent {
			e.c.clock.Set(&e.timer, e.next())
		}
	}
	e.mu.Unlock()
	switch {
	case repeated:
	case until <= now:
		e.tell(cmd, thing.Offline, "the device is offline")
	case full:
		e.c.counts.refused.Add(1)
		e.tell(cmd, thing.Failed, "too many commands wait for the device, which is away")
	default:
		e.c.counts.kept.Add(1)
	}
}

// next is when something happens to an absent device by itself. The caller holds
// mu.
func (e *entry) next() time.Duration {
	at := e.until
	for _, w := range e.waiting {
		at = min(at, w.until)
	}
	return at
}

// due is called by the clock.
func (e *entry) due() {
	e.mu.Lock()
	if e.phase != absent {
		e.mu.Unlock()
		return
	}
	now := e.c.clock.Now()
	if now >= e.until {
		left := e.finish()
		e.mu.Unlock()
		e.c.counts.gone.Add(1)
		e.out(left, upstream.Ignore)
		return
	}
	var late []waiting
	e.waiting = slices.DeleteFunc(e.waiting, func(w waiting) bool {
		if now < w.until {
			return false
		}
		late = append(late, w)
		return true
	})
	e.c.waiting.Add(-int64(len(late)))
	e.c.clock.Set(&e.timer, e.next())
	e.mu.Unlock()
	for _, w := range late {
		e.expire(w.cmd)
	}
}

func (e *entry) expire(cmd *thing.Command) {
	e.c.counts.expired.Add(1)
	e.tell(cmd, thing.TimedOut, "the device did not come back in time")
}

// fail tells the platform that none of those commands reached the device.
func (e *entry) fail(all []waiting, state thing.State, text string) {
	for _, w := range all {
		e.c.counts.expired.Add(1)
		e.tell(w.cmd, state, text)
	}
}

// tell tells the platform how cmd ended.
func (e *entry) tell(cmd *thing.Command, state thing.State, text string) {
	if cmd.ID == "" {
		return
	}
	m := cmd.Reply(state)
	m.Text = text
	e.device.Publish(&m, upstream.Ignore)
}
