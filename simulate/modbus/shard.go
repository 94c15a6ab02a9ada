package modbus

import (
	"container/heap"
	"context"
	"math"
	"sync"
	"time"
)

// never is a time that does not come.
const never = math.MaxInt64

// rest is how long a shard sleeps at least: what becomes due meanwhile is done
// together.
const rest = int64(500 * time.Microsecond)

// shard does what is due for its links. Its goroutine takes them off the heap one
// after the other; anyone may put them on it. A link's lock is taken before the
// shard's, never behind it.
type shard struct {
	fleet *Fleet
	wake  chan struct{} // something has become due before the time slept for

	mu    sync.Mutex
	heap  links // guarded by mu, and so are due and pos of all links
	until int64 // what the goroutine sleeps for; 0: it does not
}

// run does what is due until ctx ends.
func (s *shard) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := s.fleet.now()
		l, next := s.take(now)
		if l != nil {
			l.run(now)
			continue
		}
		timer.Reset(time.Duration(min(next-now, int64(time.Hour))))
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// take takes the link off the heap that is first due, if it is now; otherwise
// next is when to look again.
func (s *shard) take(now int64) (l *link, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = 0
	if len(s.heap) == 0 {
		s.until = never
		return nil, never
	}
	if l = s.heap[0]; l.due > now {
		s.until = max(l.due, now+rest)
		return nil, s.until
	}
	heap.Pop(&s.heap)
	return l, 0
}

// set makes l due at that time, whether it was on the heap or not; never takes it
// off.
func (s *shard) set(l *link, due int64) {
	s.mu.Lock()
	switch {
	case due == never:
		if l.pos >= 0 {
			heap.Remove(&s.heap, l.pos)
		}
	case l.pos < 0:
		l.due = due
		heap.Push(&s.heap, l)
	case due != l.due:
		l.due = due
		heap.Fix(&s.heap, l.pos)
	}
	wake := due < s.until
	if wake {
		s.until = 0
	}
	s.mu.Unlock()
	if wake {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// links is a heap by due.
type links []*link

func (h links) Len() int           { return len(h) }
func (h links) Less(i, j int) bool { return h[i].due < h[j].due }
func (h links) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].pos, h[j].pos = i, j }

func (h *links) Push(x any) {
	l := x.(*link)
	l.pos = len(*h)
	*h = append(*h, l)
}

func (h *links) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.pos = -1
	return l
}
