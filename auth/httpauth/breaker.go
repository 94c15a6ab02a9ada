package httpauth

import (
	"sync"
	"time"
)

// change is what a request's end made of a breaker.
type change uint8

const (
	unchanged change = iota
	opened           // no request is let through for a while
	closed           // all are again
)

// breaker lets no request through after some have failed in a row, but one from
// time to time to try. Its methods may be called from any goroutine.
type breaker struct {
	cfg BreakerConfig

	mu       sync.Mutex
	failures int       // guarded by mu; in a row
	open     bool      // guarded by mu
	probing  bool      // guarded by mu; the one request is under way
	until    time.Time // guarded by mu; when open: no request before
	pauses   uint64    // guarded by mu
	paused   uint64    // guarded by mu
}

// allow says whether a request may be made now, and whether it is the one that
// tries. One that was allowed ends with done.
func (b *breaker) allow(now time.Time) (ok, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return true, false
	case b.probing, now.Before(b.until):
		b.paused++
		return false, false
	default:
		b.probing = true
		return true, true
	}
}

// done notes the end of a request: whether the server answered, or the caller
// had no more interest in it, which says nothing of the server. probe is what
// allow said.
func (b *breaker) done(now time.Time, probe, answered, abandoned bool) change {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	switch {
	case answered:
		was := b.open
		b.failures, b.open = 0, false
		if was {
			return closed
		}
	case abandoned:
	case b.open: // the probe, or one that began before
		b.until = now.Add(b.cfg.Pause)
	default:
		b.failures++
		if b.cfg.Failures > 0 && b.failures >= b.cfg.Failures {
			b.open, b.until = true, now.Add(b.cfg.Pause)
			b.pauses++
			return opened
		}
	}
	return unchanged
}

func (b *breaker) stats() (pauses, paused uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pauses, b.paused
}
