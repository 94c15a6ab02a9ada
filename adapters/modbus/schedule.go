package modbus

import (
	"math"
	"time"
)

// never is later than all times.
const never = math.MaxInt64

// step does what can be done now, and sets the timer for what comes next.
func (l *line) step() {
	at := int64(0)
	for at == 0 {
		switch l.stage {
		case nameless:
			at = l.stepNameless()
		case working:
			if at = l.stepWorking(); at > 0 {
				at = min(at, l.idle())
			}
		default:
			return
		}
	}
	l.wake(at)
}

// wake sets the timer, unless it fires before. It may fire too early: then there
// is nothing to do but to set it again, which is cheaper than to move it with
// every answer.
func (l *line) wake(at int64) {
	if at == never || l.wakeAt != 0 && l.wakeAt <= at {
		return
	}
	if l.stopTimer != nil {
		l.stopTimer()
	}
	l.wakeAt = at
	if l.onWake == nil {
		l.onWake = func() {
			l.wakeAt, l.stopTimer = 0, nil
			l.enter(l.c)
			l.step()
		}
	}
	l.stopTimer = l.c.After(time.Duration(max(at-l.now, 1))*time.Millisecond, l.onWake)
}

// stepWorking does one thing, and returns 0; or when there is something to do.
func (l *line) stepWorking() int64 {
	switch {
	case l.x.active && l.now < l.x.deadline:
		return l.meanwhile(l.x.deadline)
	case l.x.active:
		l.timedOut()
		return 0
	case l.now < l.freeAt:
		if l.x.again || len(l.queue) > 0 || l.run.unit != nil || l.config.Direct.Enabled {
			return l.freeAt
		}
		_, _, due := l.next()
		return max(due, l.freeAt)
	case l.x.again:
		l.x.again = false
		l.send()
		return 0
	case l.commandAt() <= l.now:
		l.stepCommand()
		return 0
	case l.run.unit != nil:
		l.sendPoll()
		return 0
	case l.config.Direct.Enabled:
		return l.commandAt()
	}
	u, group, due := l.next()
	if due > l.now {
		return min(due, l.commandAt())
	}
	l.beginRun(u, group, due)
	return 0
}

// meanwhile is when the timer is to fire while an answer is awaited: with the next
// poll, if that is due before, for it has to fire then as soon as there is an
// answer.
func (l *line) meanwhile(deadline int64) int64 {
	if l.config.Direct.Enabled {
		return deadline
	}
	if _, _, due := l.next(); due > l.now {
		return min(due, deadline)
	}
	return deadline
}

// next is the poll that is due first. Units that do not answer, and those that
// the platform does not take, wait; a unit whose login is under way is not asked,
// for its values would be lost.
func (l *line) next() (u *unit, group int, due int64) {
	due = never
	for i := range l.units {
		have := &l.units[i]
		if have.attaching {
			continue
		}
		least := have.retryAt
		if have.session == nil {
			least = max(least, have.loginAt)
		}
		for g, at := range have.due {
			if at = max(at, least); at < due {
				u, group, due = have, g, at
			}
		}
	}
	return u, group, due
}

// run is a poll under way: the requests of a group, one after the other.
type run struct {
	unit    *unit // nil: there is none
	group   int
	request int   // the next one
	late    int64 // how late it has begun; -1: that does not count
	fields  *scratch
}

// end lets go of what the run holds.
func (r *run) end() {
	if r.fields != nil {
		r.fields.giveBack()
	}
	*r = run{}
}

// beginRun makes a group the poll under way. Of a unit that has not answered the
// shortest is asked: its first request alone.
func (l *line) beginRun(u *unit, group int, due int64) {
	l.run = run{unit: u, group: group, late: l.now - due}
	if u.failures > 0 {
		l.run.late = -1
	}
	l.counters.polls.Add(1)
	l.plan(u, group)
}

// plan sets when the group is due after this time: at its place in the interval,
// so that the polls of a fleet are spread over it. A poll that the line had no
// time for is left out.
func (l *line) plan(u *unit, group int) {
	interval := u.profile.Groups[group].Interval.Milliseconds()
	due := &u.due[group]
	place := l.place(u, group, interval)
	if (*due-place)%interval == 0 {
		*due += interval
		if late := l.now - *due; late >= 0 {
			missed := late/interval + 1
			l.counters.skipped.Add(uint64(missed)) //nolint:gosec // positive
			*due += missed * interval
		}
		return
	}
	from := l.now + interval/2 // of the next place
	*due = from + (interval-(from-place)%interval)%interval
}
