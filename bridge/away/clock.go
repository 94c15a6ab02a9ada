package away

import (
	"sync"
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
)

// tick is how exactly devices and commands are timed.
const tick = 100 * time.Millisecond

// clock is when those who are away are looked at. Its methods may be called from
// any goroutine; run is the connector's, which ends it.
type clock struct {
	began time.Time

	mu    sync.Mutex
	wheel *wheel.Wheel[*entry] // guarded by mu; milliseconds since began
}

func newClock() *clock {
	return &clock{began: time.Now(), wheel: wheel.New[*entry](0, tick.Milliseconds())}
}

// now is the time on the clock. Unlike a time.Time it does not mind when the
// wall clock is set.
func (c *clock) now() time.Duration { return time.Since(c.began) }

// set makes the timer's entry due at that time.
func (c *clock) set(t *wheel.Timer[*entry], at time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.Add(t, (at + time.Millisecond - 1).Milliseconds())
}

func (c *clock) stop(t *wheel.Timer[*entry]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.Remove(t)
}

// run calls due of what is, until done is closed.
func (c *clock) run(done <-chan struct{}) {
	var due []*entry
	collect := func(t *wheel.Timer[*entry]) { due = append(due, t.Value) }
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
			more = c.wheel.Advance(c.now().Milliseconds(), 512, collect)
			c.mu.Unlock()
			for i, e := range due {
				e.due()
				due[i] = nil
			}
			due = due[:0]
		}
	}
}
