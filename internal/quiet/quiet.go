// Package quiet keeps out of the log what a peer could fill it with.
package quiet

import (
	"sync/atomic"
	"time"
)

// For is how long a kind of line is kept out of the log after one.
const For = 10 * time.Second

// began is what times are counted from, so that a wall clock that is set makes
// nothing louder or quieter.
var began = time.Now()

// Line is one kind of line. The zero value is ready. It may be used from any
// goroutine.
type Line struct {
	// Burst is how many lines may come at once, so that each of a handful is logged;
	// 0 is one. Afterwards there is one for each time For, and after a while without
	// any as many as before.
	Burst int

	next   atomic.Int64 // when all of the burst may come again, in nanoseconds since began, before it maybe; 0: there was no line yet
	silent atomic.Uint64
}

// Due says whether a line is to be logged now, and how many there were since the
// last one, itself among them.
func (l *Line) Due(now time.Time) (count uint64, ok bool) {
	elapsed := int64(now.Sub(began))
	most := elapsed + int64(max(l.Burst, 1))*int64(For)
	for {
		next := l.next.Load()
		after := elapsed + int64(For)
		if next != 0 {
			after = max(after, next+int64(For))
		}
		if next != 0 && after > most {
			l.silent.Add(1)
			return 0, false
		}
		if after == 0 {
			after = 1
		}
		if l.next.CompareAndSwap(next, after) {
			return l.silent.Swap(0) + 1, true
		}
	}
}
