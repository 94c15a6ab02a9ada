package bridge

import (
	"sync"
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
)

// tick is how exactly commands and logins are timed.
const tick = 100 * time.Millisecond

// clock is the deadlines of commands and logins. Its methods may be called from
// any goroutine; run is the bridge's, which ends it.
type clock struct {
	began time.Time

	mu    sync.Mutex
	wheel *wheel.Wheel[*pending] // guarded by mu; milliseconds since began
}

func newClock() *clock {
	return &clock{began: time.Now(), wheel: wheel.New[*pending](0, tick.Milliseconds())}
}

// add sets p to expire when that time has passed.
func (c *clock) add(p *pending, after time.Duration) {
	at := time.Since(c.began) + after
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.Add(&p.timer, at.Milliseconds())
}

// remove stops p, if there is one. It may be on its way to expire already.
func (c *clock) remove(p *pending) {
	if p == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.Remove(&p.timer)
}

// run lets what is due expire, until done is closed.
func (c *clock) run(done <-chan struct{}) {
	var due []*pending
	collect := func(t *wheel.Timer[*pending]) { due = append(due, t.Value) }
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-done:
			return
		}
		for more := true; more; {
			c.mu.Lock()
			more = c.wheel.Advance(time.Since(c.began).Milliseconds(), 512, collect)
			c.mu.Unlock()
			for i, p := range due {
				p.link.expired(p)
				due[i] = nil
			}
			due = due[:0]
		}
	}
}
