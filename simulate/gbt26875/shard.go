package gbt26875

import (
	"context"
	"math"
	"sync"
	"time"
)

// never is a time that does not come.
const never = math.MaxInt64

// rest is how long a shard sleeps at least: what becomes due meanwhile is done
// together, so that it does not go to sleep and wake up for each report.
const rest = int64(500 * time.Microsecond)

// shard does what is due for its panels. Its goroutine takes them off the
// heap one after the other; anyone may put them on it.
//
// A panel's lock is taken before the shard's, never behind it.
type shard struct {
	fleet *Fleet
	counters

	wake chan struct{} // something has become due before the time slept for

	mu    sync.Mutex
	heap  []*panel // by due; guarded by mu, and so are due and pos of all panels on it
	until int64    // what the goroutine sleeps for; 0: it does not
}

// run does what is due until ctx ends.
func (s *shard) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	w := newScratch()
	for ctx.Err() == nil {
		now := s.fleet.now()
		p, next := s.take(now)
		if p != nil {
			p.run(now, w)
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

// take takes the panel off the heap that is first due, if it is now;
// otherwise next is when to look again.
func (s *shard) take(now int64) (p *panel, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = 0
	if len(s.heap) == 0 {
		s.until = never
		return nil, never
	}
	if p = s.heap[0]; p.due > now {
		s.until = max(p.due, now+rest)
		return nil, s.until
	}
	s.remove(p)
	return p, 0
}

// set makes p due at that time, whether it was on the heap or not; never takes
// it off.
func (s *shard) set(p *panel, due int64) {
	s.mu.Lock()
	switch {
	case due == never:
		if p.pos >= 0 {
			s.remove(p)
		}
	case p.pos < 0:
		p.due, p.pos = due, len(s.heap)
		s.heap = append(s.heap, p)
		s.up(p.pos)
	case due != p.due:
		p.due = due
		s.down(s.up(p.pos))
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

func (s *shard) remove(p *panel) {
	i, last := p.pos, len(s.heap)-1
	s.place(i, s.heap[last])
	s.heap[last] = nil
	s.heap = s.heap[:last]
	p.pos = -1
	if i < last {
		s.down(s.up(i))
	}
}

func (s *shard) place(i int, p *panel) {
	s.heap[i], p.pos = p, i
}

// up moves the panel at i to where it belongs towards the front.
func (s *shard) up(i int) int {
	p := s.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if s.heap[parent].due <= p.due {
			break
		}
		s.place(i, s.heap[parent])
		i = parent
	}
	s.place(i, p)
	return i
}

// down moves the panel at i to where it belongs towards the back.
func (s *shard) down(i int) {
	p := s.heap[i]
	for {
		child := 2*i + 1
		if child >= len(s.heap) {
			break
		}
		if right := child + 1; right < len(s.heap) && s.heap[right].due < s.heap[child].due {
			child = right
		}
		if p.due <= s.heap[child].due {
			break
		}
		s.place(i, s.heap[child])
		i = child
	}
	s.place(i, p)
}
