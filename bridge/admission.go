package bridge

import (
	"sync"
	"time"
)

// admission lets devices that want to be online pass at a bounded rate, so that a
// storm of connections takes longer but harms nobody: neither the devices that are
// online, nor the checks of credentials, nor the platform. Those that have to wait
// wait in one row for each listener, whose turns come in a circle: a storm at one
// of them does not hold up the others.
//
// Its methods may be called from any goroutine; run is the bridge's, which ends it.
type admission struct {
	rate  float64 // a second; 0: everybody passes at once
	burst float64
	most  int // that may wait
	began time.Time
	wake  chan struct{} // holds a token when somebody has begun to wait

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
	links []*link
}

func newAdmission(cfg Config) *admission {
	return &admission{
		rate: float64(cfg.LoginRate), burst: float64(cfg.LoginBurst), most: cfg.LoginQueue, tokens: float64(cfg.LoginBurst),
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
	case a.waiting >= a.most:
		return false, ErrOverloaded
	}
	via := l.s.Via()
	r := a.rows[via]
	if r == nil {
		r = &row{via: via}
		a.rows[via] = r
		a.circle = append(a.circle, r)
	}
	r.links = append(r.links, l)
	a.waiting++
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return false, nil
}

// take takes a token, if there is one. The caller holds mu.
func (a *admission) take() bool {
	now := time.Since(a.began)
	a.tokens = min(a.tokens+a.rate*(now-a.counted).Seconds(), a.burst)
	a.counted = now
	if a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}

// next is whose turn it is, nil if nobody waits or there is no token. Whoever has
// gone meanwhile costs none.
func (a *admission) next() *link {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.waiting > 0 {
		r := a.circle[0]
		l := r.links[0]
		if l.at() != over && !a.take() {
			return nil
		}
		r.links[0] = nil
		r.links = r.links[1:]
		a.waiting--
		a.circle = a.circle[1:]
		if len(r.links) > 0 {
			a.circle = append(a.circle, r)
		} else {
			delete(a.rows, r.via)
		}
		if l.at() != over {
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
	for _, r := range a.circle {
		all = append(all, r.links...)
	}
	a.rows, a.circle, a.waiting = nil, nil, 0
	return all
}
