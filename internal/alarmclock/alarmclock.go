// Package alarmclock is a timing wheel with a clock and a lock: very many deadlines
// of which few ever come, called by one goroutine.
//
//	c := alarmclock.New[*conn](100 * time.Millisecond)
//	go c.Run(done, (*conn).expired)
//	c.Set(&conn.timer, c.Now()+30*time.Second) // conn.timer.Value = conn
package alarmclock

import (
	"sync"
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
)

// batch is how many come before others may use the clock.
const batch = 512

// Clock calls those whose time has come. Its methods may be called from any
// goroutine, but for Run, which its owner calls once.
type Clock[T any] struct {
	began time.Time
	tick  time.Duration

	mu    sync.Mutex
	wheel *wheel.Wheel[T] // guarded by mu, and so are all its timers; milliseconds since began
}

// New returns a clock that shows 0 and is exact to a tick.
func New[T any](tick time.Duration) *Clock[T] {
	return &Clock[T]{began: time.Now(), tick: tick, wheel: wheel.New[T](0, tick.Milliseconds())}
}

// Now is the time on the clock, which does not mind when the wall clock is set.
func (c *Clock[T]) Now() time.Duration { return time.Since(c.began) }

// At is a wall time on the clock.
func (c *Clock[T]) At(t time.Time) time.Duration { return t.Sub(c.began) }

// Set makes the timer's Value due at that time on the clock, never earlier, and not
// when it was due before.
func (c *Clock[T]) Set(t *wheel.Timer[T], at time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.Add(t, (at + time.Millisecond - 1).Milliseconds())
}

// Stop makes it never due. It may be on its way to be called already.
func (c *Clock[T]) Stop(t *wheel.Timer[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.Remove(t)
}

// Run calls due with each Value whose time has come, without the clock's lock, until
// done is closed.
func (c *Clock[T]) Run(done <-chan struct{}, due func(T)) {
	var now []T
	collect := func(t *wheel.Timer[T]) { now = append(now, t.Value) }
	ticker := time.NewTicker(c.tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-done:
			return
		}
		for more := true; more; {
			c.mu.Lock()
			more = c.wheel.Advance(c.Now().Milliseconds(), batch, collect)
			c.mu.Unlock()
			for _, v := range now {
				due(v)
			}
			clear(now)
			now = now[:0]
		}
	}
}
