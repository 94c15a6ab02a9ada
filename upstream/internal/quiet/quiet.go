// Package quiet keeps out of the log what a platform could fill it with.
package quiet

import (
	"sync/atomic"
	"time"
)

// For is how long a kind of line is kept out of the log after one.
const For = 10 * time.Second

// Line is one kind of line. The zero value is ready. It may be used from any
// goroutine.
type Line struct {
	next   atomic.Int64 // unix milliseconds
	silent atomic.Uint64
}

// Due says whether a line is to be logged now, and how many there were since the
// last one, itself among them.
func (l *Line) Due(now time.Time) (count uint64, ok bool) {
	ms := now.UnixMilli()
	next := l.next.Load()
	if ms < next || !l.next.CompareAndSwap(next, ms+For.Milliseconds()) {
		l.silent.Add(1)
		return 0, false
	}
	return l.silent.Swap(0) + 1, true
}
