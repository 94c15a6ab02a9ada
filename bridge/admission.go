package bridge

import (
	"container/list"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// admission lets devices that want to be online pass at a bounded rate, so that a
// storm of connections takes longer but harms nobody: neither the devices that are
// online, nor the checks of credentials, nor the platform. Those that have to wait
// wait in one row for each listener, whose turns come in a circle: a storm at one
// of them does not hold up the others.
//
// Whoever goes while it waits leaves the row at once, so that devices that come and
// go take nobody's place; whoever waits too long is refused.
//
// Its methods may be called from any goroutine; run is the bridge's, which ends it.
type admission struct {
	rate  float64 // a second; 0: everybody passes at once
	burst float64
	most  int           // that may wait
	limit time.Duration // that each may wait
	began time.Time
	wake  chan struct{} // holds a token when somebody has begun to wait
	late  atomic.Uint64 // that have waited too long

	mu      sync.Mutex
	tokens  float64         // guarded by mu
	counted time.Duration   // when tokens was right, since began; guarded by mu
	rows    map[string]*row // those in which somebody waits, by listener; guarded by mu
	circle  []*row          // the same, the one whose turn it is first; guarded by mu
	waiting int             // guarded by mu
	closed  bool            // guarded by mu
}

// row is who waits at one listener, in order.
type row struct {
	via   string
	links list.List // of *link
}

// front is who has waited longest.
func (r *row) front() *link {
	return r.links.Front().Value.(*link) //nolint:forcetypeassert // the list holds nothing else
}

// place is where a link waits. It is guarded by the admission's mu.
type place struct {
	row   *row // nil: nowhere
	at    *list.Element
	since time.Duration // since the admission began
}

func newAdmission(cfg Config) *admission {
	return &admission{
		rate: float64(cfg.LoginRate), burst: float64(cfg.LoginBurst), most: cfg.LoginQueue, limit: cfg.LoginWait, tokens: float64(cfg.LoginBurst),
		began: time.Now(), wake: make(chan struct{}, 1), rows: map[string]*row{},
	}
}

// pass says whether l may go on at once. Otherwise it waits, and run lets it go
// on, unless there is an error.
func (a *admission) pass(l *link) (now bool, err error) {
	if a.rate == 0 {
		return true, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return false, ErrClosed
	case a.waiting == 0 && a.take():
		return true, nil
	case l.at() == over: // gone, before it could be taken out of a row
		return false, nil
	case a.waiting >= a.most:
		return false, fmt.Errorf("%w: %d devices wait for their turn to log in, which is bridge.loginQueue", ErrOverloaded, a.waiting)
	}
	via := l.s.Via()
	r := a.rows[via]
	if r == nil {
		r = &row{via: via}
		a.rows[via] = r
		a.circle = append(a.circle, r)
	}
	l.join.place = place{row: r, at: r.links.PushBack(l), since: time.Since(a.began)}
	a.waiting++
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return false, nil
}

// take takes a token, if there is one. The caller holds mu. While somebody waits, what
// comes between two looks of run's is not lost, however small the burst is; they may be
// late.
func (a *admission) take() bool {
	now, most := time.Since(a.began), a.burst
	if a.waiting > 0 {
		most = max(most, 2*a.rate*a.pause().Seconds())
	}
	a.tokens = min(a.tokens+a.rate*(now-a.counted).Seconds(), most)
	a.counted = now
	if a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}

// leave ends the wait of a link that has gone, if it waits.
func (a *admission) leave(j *join) {
	if a.rate == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(j)
}

// remove takes a link out of its row, if it is in one, and says whether others are
// left there. The caller holds mu.
func (a *admission) remove(j *join) (others bool) {
	r := j.place.row
	if r == nil {
		return false
	}
	r.links.Remove(j.place.at)
	j.place = place{}
	a.waiting--
	if r.links.Len() > 0 {
		return true
	}
	delete(a.rows, r.via)
	for i, other := range a.circle { // as many as there are listeners
		if other == r {
			a.circle = append(a.circle[:i], a.circle[i+1:]...)
			break
		}
	}
	return false
}

// next is whose turn it is, nil if nobody waits or there is no token. Whoever is
// just going costs none.
func (a *admission) next() *link {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.waiting > 0 {
		r := a.circle[0]
		l := r.front()
		gone := l.at() == over
		if !gone && !a.take() {
			return nil
		}
		if a.remove(l.join) {
			a.circle = append(a.circle[1:], r)
		}
		if !gone {
			return l
		}
	}
	return nil
}

// overdue takes out of its row one that has waited too long; nil if none has.
func (a *admission) overdue() *link {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Since(a.began)
	for _, r := range a.circle {
		if l := r.front(); now-l.join.place.since >= a.limit {
			a.remove(l.join)
			return l
		}
	}
	return nil
}

// run lets those who wait go on when there are tokens, until done is closed.
func (a *admission) run(done <-chan struct{}) {
	for {
		select {
		case <-a.wake:
		case <-done:
			return
		}
		for a.length() > 0 {
			for l := a.next(); l != nil; l = a.next() {
				l.proceed()
			}
			for l := a.overdue(); l != nil; l = a.overdue() {
				a.late.Add(1)
				l.end(ending{cause: fmt.Errorf("bridge: %q was not logged in: %w: its turn did not come within %s, which is bridge.loginWait", l.s.Identity(), ErrOverloaded, a.limit)})
			}
			select {
			case <-time.After(a.pause()):
			case <-done:
				return
			}
		}
	}
}

// pause is how long it takes until there are tokens: for several, so that a high
// rate needs no turn for each.
func (a *admission) pause() time.Duration {
	return max(time.Duration(float64(time.Second)/a.rate), 10*time.Millisecond)
}

func (a *admission) length() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting
}

// close lets nobody wait any more. It returns those who do.
func (a *admission) close() (all []*link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for a.waiting > 0 {
		l := a.circle[0].front()
		a.remove(l.join)
		all = append(all, l)
	}
	return all
}
