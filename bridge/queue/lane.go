package queue

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/internal/wheel"
	"github.com/linkspan/linkspan/upstream"
)

// lane is one device: its login, what is under way, and how much of it is stored.
// There is one as long as the device is logged in or has something stored. Whoever has
// locked mu and changed something unlocks it with leave, which does what follows
// from the change.
//
// Of the stored records (kept), some are in memory: a list in the order of the log, from
// head, of which those before next are sent. All others (skipped) lie behind them in
// the log, at from or later.
type lane struct {
	q     *Connector
	key   string
	timer wheel.Timer[*lane] // the clock's

	mu       sync.Mutex
	client   *client // the newest login of the bridge's; nil when there is none
	sender   sender
	identity auth.Identity
	entry    *entry          // the newest login at the platform; nil when there is none
	device   upstream.Device // of entry, once it is logged in
	calling  bool            // Login is being called
	again    bool            // and is to be called again
	looking  bool            // its identity is being looked up
	guest    bool            // it is logged in without a client

	storing int // records on their way to the disk
	kept    int
	skipped int
	from    segment.Position // no skipped record is before it
	taken   segment.Position // of the last record of the list
	passing bool             // the pass that goes on has left no record of the lane out
	left    int              // skipped records that the pass has not met

	head, tail, next *item
	count            int // of the list
	inflight         int // sent, and being buried
	failing          failure
	probing          bool // the last attempts failed: one record at a time, until one gets through
	broken           bool // a message failed for now: the device takes no more until it is told to

	directs      int  // messages on their way straight to the platform
	spilling     bool // one of them failed: what comes is held until all are answered
	held, unheld *item

	first, last *ticket
	releasing   bool

	attempts  int // failed in a row
	refusals  int // logins that were refused for good, in a row
	condemned error
	admitAt   time.Time // the client is admitted provisionally
	retryAt   time.Time // a login is tried
	resumeAt  time.Time // records are sent again
	armed     time.Time // when the clock wakes the lane
	working   bool      // it is in the work queue, or a worker has it
	hungry    bool      // it waits for a pass
	gone      bool      // it is nobody's lane any more
}

// failure is what becomes of the list of a lane once nothing of it is under way.
type failure uint8

const (
	healthy   failure = iota
	rewinding         // it is sent from its beginning
	unloading         // it is dropped from memory, to be read again; the first record may stay
)

// backlog says whether something of the device is stored, or about to be.
func (l *lane) backlog() bool { return l.kept > 0 || l.storing > 0 || l.held != nil }

// ready says whether records may be sent, or buried. Those that follow messages on
// their way straight to the platform wait until these are answered.
func (l *lane) ready() bool {
	return (l.device != nil || l.condemned != nil) && l.failing == healthy && l.resumeAt.IsZero() && l.directs == 0
}

// limit is how many records of the device may be in memory.
func (l *lane) limit() int {
	if l.probing {
		return 1
	}
	return l.q.cfg.Window.Device
}

// clear says whether a message may go straight to the platform.
func (l *lane) clear() bool {
	return l.reachable() && !l.backlog() && !l.spilling
}

// reachable says whether the device can be told something now, and it is known what of it
// is stored.
func (l *lane) reachable() bool {
	return l.device != nil && l.failing == healthy && l.resumeAt.IsZero() && l.q.scan.complete()
}

// leave does what follows from a change, and unlocks the lane.
func (l *lane) leave() {
	var out upstream.Device
	q := l.q
	if l.ready() {
		if l.next != nil && !l.working {
			l.working = true
			q.work.push(l)
		}
		if l.skipped > 0 && !l.hungry && !l.passing && l.count <= l.limit()/2 && q.scan.complete() && (l.first != nil || state(q.state.Load()) == running) {
			l.hungry = true
			q.scan.feed(l)
		}
	}
	if l.client == nil {
		out = l.alone()
	}
	if guest := l.client == nil && (l.device != nil || l.entry != nil); guest != l.guest {
		l.guest = guest
		if guest {
			q.guests.Add(1)
		} else {
			q.guests.Add(-1)
		}
	}
	l.arm()
	settled := l.first != nil && l.first.settled && !l.releasing
	l.mu.Unlock()
	if out != nil {
		out.Logout(upstream.Ignore)
	}
	if settled {
		l.release()
	}
}

// alone is leave of a device that is gone. It returns a device to be logged out.
func (l *lane) alone() (out upstream.Device) {
	q := l.q
	if l.backlog() || l.directs > 0 {
		waits := l.device != nil || l.entry != nil || l.calling || l.looking || l.condemned != nil || !l.retryAt.IsZero()
		if !waits && q.cfg.Guests > 0 && q.devices != nil && state(q.state.Load()) == running {
			l.retryAt = time.Now().Add(max(q.cfg.Away, tick))
		}
		return nil
	}
	out = l.device
	l.device, l.entry, l.condemned = nil, nil, nil
	l.retryAt, l.resumeAt, l.admitAt = time.Time{}, time.Time{}, time.Time{}
	if !l.calling && !l.looking && l.first == nil && !l.gone {
		l.gone = true
		q.mu.Lock()
		if q.lanes[l.key] == l {
			delete(q.lanes, l.key)
		}
		q.mu.Unlock()
	}
	return out
}

// arm sets the clock.
func (l *lane) arm() {
	var at time.Time
	for _, t := range [...]time.Time{l.admitAt, l.retryAt, l.resumeAt} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	switch {
	case at.Equal(l.armed):
	case at.IsZero():
		l.q.clock.Stop(&l.timer)
	default:
		l.q.clock.Set(&l.timer, l.q.clock.At(at))
	}
	l.armed = at
}

// due is called when the clock wakes the lane.
func (l *lane) due(now time.Time) {
	l.mu.Lock()
	l.armed = time.Time{}
	isDue := func(at *time.Time) bool {
		if at.IsZero() || now.Before(*at) {
			return false
		}
		*at = time.Time{}
		return true
	}
	c := l.client
	var admit func(upstream.Device, error)
	if isDue(&l.admitAt) && c != nil && c.done != nil {
		admit, c.done = c.done, nil
		l.q.counts.provisional.Add(1)
	}
	isDue(&l.resumeAt)
	enter := isDue(&l.retryAt) && l.knock(now)
	l.leave()
	if admit != nil {
		admit(c, nil)
	}
	if enter {
		l.enter()
	}
}

// knock says whether the lane is to be logged in now; a device that is gone is
// looked up before.
func (l *lane) knock(now time.Time) bool {
	q := l.q
	switch {
	case l.device != nil || l.entry != nil || state(q.state.Load()) != running:
		return false
	case l.client != nil:
		return true
	case !l.backlog() || l.looking:
		return false
	case q.guests.Load() >= int64(q.cfg.Guests):
		l.retryAt = now.Add(q.cfg.Retry.Min)
		return false
	}
	l.looking = true
	q.lookups.push(l)
	return false
}

// pause is the next pause of the lane's back-off.
func (l *lane) pause() time.Duration {
	r := l.q.cfg.Retry
	d := r.Min << min(l.attempts, 20)
	if d <= 0 || d > r.Max {
		d = r.Max
	}
	l.attempts++
	return d/2 + rand.N(d/2+1) //nolint:gosec // no secret
}

// halt stops the sending of the list; see failure. A pause above 0 is kept before it
// goes on.
func (l *lane) halt(f failure, pause time.Duration) {
	l.failing = max(l.failing, f)
	l.detain()
	if pause > 0 {
		l.resumeAt = time.Now().Add(pause)
	}
	l.recover()
}

// recover deals with the list of a lane that has halted, once nothing of it is
// under way.
func (l *lane) recover() {
	if l.inflight > 0 {
		return
	}
	switch l.failing {
	case healthy:
		return
	case rewinding:
		for it := l.head; it != nil; it = it.next {
			it.sent = false
		}
		l.next = l.unfinished(l.head)
	case unloading:
		l.unload()
	}
	l.failing = healthy
}

// unfinished is the first item from it on that is not finished.
func (l *lane) unfinished(it *item) *item {
	for it != nil && it.finished {
		it = it.next
	}
	return it
}

// unload drops the list from memory: its records are skipped now. The first stays
// when it is to be tried alone, unless too many do: so a device that is stuck costs no
// reading.
func (l *lane) unload() {
	q := l.q
	var probe *item
	first := true
	it := l.head
	l.passing = false
	l.head, l.tail, l.next, l.count, l.taken = nil, nil, nil, 0, segment.Position{}
	for it != nil {
		next := it.next
		switch {
		case it.finished:
			it.release()
		case l.probing && probe == nil && first && q.memory.records.Load() <= q.memory.maxRecords/4 && q.memory.bytes.Load() <= q.memory.maxBytes/4:
			probe = it
		default:
			if first {
				l.from = it.pos
				first = false
			}
			l.skipped++
			q.memory.give(len(it.payload))
			it.release()
		}
		it = next
	}
	if probe != nil {
		probe.sent = false
		l.push(probe)
	}
}

// push puts a record at the end of the list.
func (l *lane) push(it *item) {
	it.next = nil
	if l.tail == nil {
		l.head = it
	} else {
		l.tail.next = it
	}
	l.tail = it
	if l.next == nil {
		l.next = it
	}
	l.count++
	l.taken = it.pos
}

// finish is done with a record of the list; err is for whoever waits for it.
func (l *lane) finish(it *item, err error) {
	it.finished = true
	l.kept--
	l.q.counts.waiting.Add(-1)
	l.q.memory.give(len(it.payload))
	l.q.log.Finish(it.pos)
	if t := l.waiting(it.pos); t != nil {
		l.settle(t, err)
	}
	for l.head != nil && l.head.finished {
		h := l.head
		l.head = h.next
		if l.next == h {
			l.next = h.next
		}
		if l.head == nil {
			l.tail = nil
		}
		l.count--
		h.release()
	}
}

// busy says whether something of the device is on its way that can still arrive, and
// whether any of that is not stored.
func (l *lane) busy() (onTheWay, notStored bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	forwards := l.device != nil && l.resumeAt.IsZero()
	return l.storing > 0 || forwards && (l.first != nil || l.count > 0 || l.directs > 0),
		l.storing > 0 || forwards && l.directs > 0
}

// close ends what waits when nothing can come any more.
func (l *lane) close() {
	l.mu.Lock()
	for t := l.first; t != nil; t = t.next {
		if !t.settled {
			l.settle(t, upstream.ErrClosed)
			if t.stored {
				l.q.counts.left.Add(1)
			}
		}
	}
	c := l.client
	l.client, l.device, l.entry = nil, nil, nil
	var done func(upstream.Device, error)
	if c != nil {
		done, c.done = c.done, nil
		c.err = upstream.ErrClosed
	}
	l.mu.Unlock()
	if done != nil {
		done(nil, upstream.ErrClosed)
	}
	l.release()
}
