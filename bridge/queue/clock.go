package queue

import (
	"sync"
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
)

// tick is how exactly devices are timed.
const tick = 20 * time.Millisecond

// clock wakes devices. Its methods may be called from any goroutine; run is the
// connector's, which ends it.
type clock struct {
	began time.Time

	mu    sync.Mutex
	wheel *wheel.Wheel[*lane] // guarded by mu; milliseconds since began
}

func newClock() *clock {
	return &clock{began: time.Now(), wheel: wheel.New[*lane](0, tick.Milliseconds())}
}

// set wakes l at that time, and not when it was set for before.
func (c *clock) set(l *lane, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.Add(&l.timer, at.Sub(c.began).Milliseconds())
}

// clear lets l sleep.
func (c *clock) clear(l *lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.Remove(&l.timer)
}

// run wakes devices until done is closed.
func (c *clock) run(done <-chan struct{}) {
	var due []*lane
	collect := func(t *wheel.Timer[*lane]) { due = append(due, t.Value) }
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
			for i, l := range due {
				l.due(time.Now())
				due[i] = nil
			}
			due = due[:0]
		}
	}
}
