package away

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/internal/wheel"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// seat is a device at its platform: its login, and the commands that wait for it. There
// is one as long as there is either. It may be used from any goroutine. Whoever has
// locked mu and changed something unlocks it with leave.
type seat struct {
	c     *Connector
	at    key
	timer wheel.Timer[*seat] // the clock's

	mu      sync.Mutex
	name    string        // the device's own; guarded by mu
	entry   *entry        // the newest login; nil when there is none; guarded by mu
	handing bool          // somebody hands waiting commands over; guarded by mu
	waiting []*letter     // in the platform's order; guarded by mu
	armed   time.Duration // when the clock calls, 0: never; guarded by mu
	gone    bool          // it is nobody's seat any more; guarded by mu
}

// letter is a command that waits for its device. Its seat's mu guards it.
type letter struct {
	s     *seat
	cmd   *thing.Command
	until time.Duration // on the clock: when its time is over, or when it is forgotten, if it is late
	late  bool          // its time is over, and there was no login to tell the platform by
	gone  bool          // it does not wait any more
	size  int64         // of what is kept of it, in bytes
	disk  place
	pos   segment.Position // on the disk, once it is stored
	// overdue is its place among these, once it is late; guarded by their lock
	overdue *list.Element
}

// identity is the device as logs have it.
func (s *seat) identity() zap.Field { return zap.String("device", s.at.product+"/"+s.at.device) }

// leave does what follows from a change, and unlocks the seat.
func (s *seat) leave() {
	s.arm()
	if s.entry == nil && len(s.waiting) == 0 && !s.handing && !s.gone {
		s.gone = true
		s.c.mu.Lock()
		if s.c.seats[s.at] == s {
			delete(s.c.seats, s.at)
		}
		s.c.mu.Unlock()
	}
	s.mu.Unlock()
}

// arm sets the clock. While the device is there nothing happens by itself: its commands are on
// their way to it.
func (s *seat) arm() {
	var at time.Duration
	if e := s.entry; e == nil || e.phase != present {
		if e != nil && e.phase == absent {
			at = e.until
		}
		for _, l := range s.waiting {
			if at == 0 || l.until < at {
				at = max(l.until, 1)
			}
		}
	}
	switch at {
	case s.armed:
	case 0:
		s.c.clock.Stop(&s.timer)
	default:
		s.c.clock.Set(&s.timer, at)
	}
	s.armed = at
}

// add has l wait. The caller holds mu.
func (s *seat) add(l *letter) {
	s.waiting = append(s.waiting, l)
	s.c.waiting.Add(1)
	s.c.bytes.Add(l.size)
}

// take has l wait no more, and returns it. The caller holds mu.
func (s *seat) take(i int) *letter {
	l := s.waiting[i]
	s.waiting = slices.Delete(s.waiting, i, i+1)
	s.c.waiting.Add(-1)
	s.c.bytes.Add(-l.size)
	l.gone = true
	if l.late {
		s.c.overdue.remove(l)
	}
	s.finished(l)
	return l
}

// takeAll takes those that are wanted. The caller holds mu.
func (s *seat) takeAll(wanted func(*letter) bool) (taken []*letter) {
	for i := 0; i < len(s.waiting); {
		if wanted(s.waiting[i]) {
			taken = append(taken, s.take(i))
		} else {
			i++
		}
	}
	return taken
}

// has says whether a command with that ID waits: platforms repeat themselves. The
// caller holds mu.
func (s *seat) has(id string) bool {
	return id != "" && slices.ContainsFunc(s.waiting, func(l *letter) bool { return l.cmd.ID == id })
}

// abandon takes the commands that do not outlive the login, which is over. The caller holds mu.
func (s *seat) abandon() []*letter {
	return s.takeAll(func(l *letter) bool {
		return s.c.cfg.Keep == KeepHold || l.disk == nowhere && s.c.closing.Load()
	})
}

// vacate is abandon when there is no login to tell the platform by.
func (s *seat) vacate() {
	s.mu.Lock()
	var left []*letter
	if s.entry == nil {
		left = s.abandon()
	}
	s.leave()
	s.c.counts.untold.Add(uint64(len(left)))
}

// hands says whether the caller, who has made e present, is to call handOver. The
// caller holds mu.
func (s *seat) hands(e *entry) bool {
	hands := s.entry == e && !s.handing && len(s.waiting) > 0
	s.handing = s.handing || hands
	return hands
}

// handOver tells the device what has waited for it, in order; what comes
// meanwhile waits behind. Only one goroutine does that at a time.
func (s *seat) handOver() {
	c := s.c
	for {
		s.mu.Lock()
		e := s.entry
		if e == nil || e.phase != present || len(s.waiting) == 0 {
			s.handing = false
			s.leave()
			return
		}
		next, tell := s.take(0), e.login.Command
		over := c.clock.Now() >= next.until
		s.mu.Unlock()
		if next.late || over {
			e.expire(next)
			continue
		}
		c.counts.delivered.Add(1)
		tell(next.cmd)
	}
}

// due is called by the clock.
func (s *seat) due() {
	c := s.c
	s.mu.Lock()
	s.armed = 0
	now, e := c.clock.Now(), s.entry
	if s.gone || e != nil && e.phase == present {
		s.leave()
		return
	}
	held := e != nil && e.phase == absent
	forgotten := len(s.takeAll(func(l *letter) bool { return l.late && now >= l.until }))
	var expired []*letter
	overdue := 0
	if held {
		expired = s.takeAll(func(l *letter) bool { return now >= l.until })
	} else {
		overdue = s.expire(now)
	}
	var left []*letter
	ends := held && now >= e.until
	if ends {
		left = e.finish()
	}
	s.leave()
	c.counts.untold.Add(uint64(forgotten))
	if overdue > 0 {
		c.counts.expired.Add(uint64(overdue))
		c.warn(&c.quiet.overdue, "the time of commands is over and their device is logged out; the platform is told when it logs in", s.identity())
	}
	if forgotten > 0 {
		c.warn(&c.quiet.forgotten, "commands of a device that did not log in again are forgotten, the platform was not told that their time was over", s.identity())
	}
	for _, l := range expired {
		e.expire(l)
	}
	if ends {
		c.counts.gone.Add(1)
		e.out(left, upstream.Ignore)
	}
}

// expire makes commands late whose time is over while there is no login to tell the
// platform by. The caller holds mu.
func (s *seat) expire(now time.Duration) (count int) {
	for _, l := range s.waiting {
		if !l.late && now >= l.until {
			l.late = true
			l.until += s.c.remembers
			s.c.overdue.add(l)
			count++
		}
	}
	return count
}

// dropOverdue makes room by forgetting the oldest command that is late, and says
// whether there was one. The caller holds mu.
func (s *seat) dropOverdue() bool {
	i := slices.IndexFunc(s.waiting, func(l *letter) bool { return l.late })
	if i < 0 {
		return false
	}
	s.take(i)
	s.c.counts.untold.Add(1)
	return true
}

// release is entry.release of the newest login.
func (s *seat) release(done func(error)) bool {
	s.mu.Lock()
	e := s.entry
	s.mu.Unlock()
	return e != nil && e.release(done)
}

// revoke logs the device out if it has one of these names and is away, and drops its
// commands unless it is there. It says whether it was away.
func (s *seat) revoke(names map[string]bool) (was bool) {
	s.mu.Lock()
	e := s.entry
	if !names[s.name] || e != nil && e.phase == present {
		s.mu.Unlock()
		return false
	}
	left := s.takeAll(func(*letter) bool { return true })
	if was = e != nil && e.phase == absent; was {
		e.finish()
	}
	s.leave()
	if was {
		e.out(left, upstream.Ignore)
		return true
	}
	s.c.counts.untold.Add(uint64(len(left)))
	return false
}
