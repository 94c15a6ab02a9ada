package away

import (
	"sync/atomic"
	"time"

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
	s      *seat
	device upstream.Device // written once, before phase leaves joining
	storer upstream.Storer // device, if it keeps messages
	turn   atomic.Uint64   // which handle is the present one; changes under the seat's mu

	login upstream.Login // the present one; guarded by the seat's mu
	phase phase          // likewise
	until time.Duration  // on the clock: when being away is over; likewise
}

// fits says whether a login can go on with e. The caller holds the seat's mu.
func (e *entry) fits(l *upstream.Login) bool {
	have := &e.login
	return (e.phase == present || e.phase == absent) &&
		have.Device == l.Device && have.Name == l.Name && have.Listener == l.Listener && have.InOrder == l.InOrder
}

// loggedIn is called when the platform has answered.
func (e *entry) loggedIn(h *handle, d upstream.Device, err error, done func(upstream.Device, error)) {
	s := e.s
	s.mu.Lock()
	hands := false
	switch {
	case err != nil:
		e.phase = over
		if s.entry == e {
			s.entry = nil
		}
	default:
		e.device = d
		e.storer, _ = d.(upstream.Storer)
		if e.phase != over { // lost before it was told
			e.phase = present
			hands = s.hands(e)
		}
	}
	s.leave()
	if err != nil {
		done(nil, err)
		return
	}
	done(h.device(), nil)
	if hands {
		s.handOver()
	}
}

// takeOver makes l the present login of an entry that it fits. hands says that the caller is
// to call handOver, when l is done: if somebody does that already, they go on
// with l. The caller holds the seat's mu.
func (e *entry) takeOver(l upstream.Login) (h *handle, hands bool) {
	if e.phase == absent {
		e.s.c.counts.away.Add(-1)
		e.s.c.counts.back.Add(1)
	} else {
		e.s.c.counts.takenOver.Add(1)
	}
	e.phase, e.login = present, l
	return &handle{entry: e, turn: e.turn.Add(1)}, e.s.hands(e)
}

// leave makes the device one that is away, if that turn is the present one. It does not
// when the connector closes.
func (e *entry) leave(turn uint64) (left bool) {
	s := e.s
	s.mu.Lock()
	defer s.leave()
	if e.phase != present || e.turn.Load() != turn {
		return true
	}
	if s.c.closing.Load() || s.entry != e {
		return false
	}
	e.phase = absent
	s.c.counts.away.Add(1)
	e.until = s.c.clock.Now() + s.c.cfg.Hold
	return true
}

// end ends the login, if that turn is the present one.
func (e *entry) end(turn uint64) (left []*letter, mine bool) {
	e.s.mu.Lock()
	defer e.s.leave()
	if e.phase == over || e.turn.Load() != turn {
		return nil, false
	}
	return e.finish(), true
}

// finish ends the login, which is not over, and returns the commands that do not outlive it. The
// caller holds the seat's mu.
func (e *entry) finish() (left []*letter) {
	if e.phase == absent {
		e.s.c.counts.away.Add(-1)
	}
	e.phase = over
	if e.s.entry != nil && e.s.entry != e {
		return nil // commands wait for the newer login
	}
	e.s.entry = nil
	return e.s.abandon()
}

// release logs the device out if it is away, and says whether it was; then done is
// called.
func (e *entry) release(done func(error)) bool {
	e.s.mu.Lock()
	if e.phase != absent {
		e.s.mu.Unlock()
		return false
	}
	left := e.finish()
	e.s.leave()
	e.out(left, done)
	return true
}

// out logs out a device that was away, and whose login is over.
func (e *entry) out(left []*letter, done func(error)) {
	e.fail(left, thing.Offline, "the device is offline")
	e.device.Logout(done)
}

// lost is called when the platform has ended the login.
func (e *entry) lost(cause error) {
	s := e.s
	s.mu.Lock()
	if e.phase == over {
		s.mu.Unlock()
		return
	}
	was, tell := e.phase, e.login.Lost
	left := e.finish()
	s.leave()
	s.c.counts.untold.Add(uint64(len(left)))
	if was != absent {
		tell(cause)
	}
}

// fate is what becomes of a command.
type fate uint8

const (
	direct   fate = iota // the session is told
	kept                 // it waits
	repeated             // it waits already
	late                 // its time is over
	excess               // too many wait for the device, or it is too large to wait at all
	crowded              // too many wait for all of them
)

// command is called when the platform tells the device something.
func (e *entry) command(cmd *thing.Command) {
	c := e.s.c
	what := e.accept(cmd)
	for what.fate == crowded && c.overdue.evict() {
		what = e.accept(cmd)
	}
	switch what.fate {
	case direct:
		what.session(cmd)
	case kept:
		c.counts.kept.Add(1)
	case repeated:
	case late:
		e.s.c.tell(what.device, cmd, thing.Offline, "the device is offline")
	default:
		c.counts.refused.Add(1)
		e.s.c.tell(what.device, cmd, thing.Failed, "too many commands wait for the device, which is away")
	}
}

// decision is a fate, and who is to be told.
type decision struct {
	fate    fate
	session func(*thing.Command)
	device  upstream.Device // nil before the login is done
}

// accept decides what becomes of cmd, and has it wait if that is it.
func (e *entry) accept(cmd *thing.Command) decision {
	s, cfg := e.s, &e.s.c.cfg
	s.mu.Lock()
	if e.phase == over || s.gone || e.phase != absent && !s.handing && len(s.waiting) == 0 {
		defer s.mu.Unlock()
		return decision{fate: direct, session: e.login.Command}
	}
	defer s.leave()
	d := decision{device: e.device}
	now, size := s.c.clock.Now(), sizeOf(cmd)
	until := now + cfg.CommandTime
	if !cmd.Deadline.IsZero() {
		until = min(until, now+time.Until(cmd.Deadline))
	}
	switch {
	case s.has(cmd.ID):
		d.fate = repeated
	case until <= now:
		d.fate = late
	case size > cfg.MaxBytes, len(s.waiting) >= cfg.Commands && !s.dropOverdue():
		d.fate = excess
	case !s.c.room(size):
		d.fate = crowded
	default:
		d.fate = kept
		l := &letter{s: s, cmd: cmd, size: size, until: until}
		s.add(l)
		s.save(l)
	}
	return d
}

// room says whether a command of that size may wait beside all others.
func (c *Connector) room(size int64) bool {
	return c.waiting.Load() < int64(c.cfg.MaxCommands) && c.bytes.Load()+size <= c.cfg.MaxBytes
}

// sizeOf is what a command that waits takes, about, in bytes.
func sizeOf(cmd *thing.Command) int64 {
	return int64(commandSize + len(cmd.ID) + len(cmd.Name) + len(cmd.Topic) + len(cmd.Raw) + len(thing.AppendFields(nil, cmd.Fields)))
}

// commandSize is what a command takes without its content.
const commandSize = 100

// fail tells the platform that none of those commands reached the device.
func (e *entry) fail(all []*letter, state thing.State, text string) {
	for _, l := range all {
		if l.late {
			e.expire(l)
			continue
		}
		e.s.c.counts.expired.Add(1)
		e.s.c.tell(e.device, l.cmd, state, text)
	}
}

// expire tells the platform that the time of l was over before the device was there.
func (e *entry) expire(l *letter) {
	if !l.late { // otherwise it was counted then
		e.s.c.counts.expired.Add(1)
	}
	e.s.c.tell(e.device, l.cmd, thing.TimedOut, "the device did not come back in time")
}

// tell tells the platform how cmd ended, if there is a login to say it by.
func (c *Connector) tell(d upstream.Device, cmd *thing.Command, state thing.State, text string) {
	if d == nil {
		c.counts.untold.Add(1)
		return
	}
	if cmd.ID == "" {
		return
	}
	m := cmd.Reply(state)
	m.Text = text
	d.Publish(&m, upstream.Ignore)
}
