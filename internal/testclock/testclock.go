// Package testclock is a clock that tests set.
package testclock

import (
	"sync"
	"time"
)

// Clock stands still until it is advanced. It may be used from any goroutine.
type Clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

// New returns a clock that shows some time of 2001.
func New() *Clock { return &Clock{now: time.Unix(1e9, 0)} }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
