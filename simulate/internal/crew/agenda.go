// Package crew is what simulated fleets of all protocols share: who is due when,
// how long things took, and writes that nobody waits for.
package crew

import (
	"context"
	"math"
	"sync"
	"time"
)

// Never is a time that does not come.
const Never = math.MaxInt64

// Rest is how long an agenda sleeps at least, in nanoseconds: what becomes due
// meanwhile is done together, so that it does not go to sleep and wake up for each
// report.
const Rest = int64(500 * time.Microsecond)

// Entry is a member's place on an agenda. The zero Entry, but for its Value, is not
// on it.
type Entry[T any] struct {
	Value T
	due   int64
	place int // on the heap, from 1; 0: not there
}

// Agenda is who is due when. Run takes members off it one after the other; anyone
// may put them on it. A member's lock is taken before the agenda's, never behind it.
type Agenda[T any] struct {
	wake chan struct{} // something has become due before the time slept for

	mu    sync.Mutex
	heap  []*Entry[T] // by due; guarded by mu, and so are due and place of all entries
	until int64       // what Run sleeps for; 0: it does not
}

// NewAgenda returns an empty agenda.
func NewAgenda[T any]() *Agenda[T] { return &Agenda[T]{wake: make(chan struct{}, 1)} }

// Run does what is due until ctx ends. now is the time in nanoseconds.
func (a *Agenda[T]) Run(ctx context.Context, now func() int64, do func(member T, now int64)) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		at := now()
		e, next := a.take(at)
		if e != nil {
			do(e.Value, at)
			continue
		}
		timer.Reset(time.Duration(min(next-at, int64(time.Hour))))
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-timer.C:
		}
	}
}

// take takes off who is first due, if it is now; otherwise next is when to look
// again.
func (a *Agenda[T]) take(now int64) (e *Entry[T], next int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = 0
	if len(a.heap) == 0 {
		a.until = Never
		return nil, Never
	}
	if e = a.heap[0]; e.due > now {
		a.until = max(e.due, now+Rest)
		return nil, a.until
	}
	a.remove(e)
	return e, 0
}

// Set makes e due at that time, whether it was on the agenda or not; Never takes it
// off.
func (a *Agenda[T]) Set(e *Entry[T], due int64) {
	a.mu.Lock()
	switch {
	case due == Never:
		if e.place > 0 {
			a.remove(e)
		}
	case e.place == 0:
		e.due = due
		a.heap = append(a.heap, e)
		a.put(len(a.heap)-1, e)
		a.up(len(a.heap) - 1)
	case due != e.due:
		e.due = due
		a.down(a.up(e.place - 1))
	}
	wake := due < a.until
	if wake {
		a.until = 0
	}
	a.mu.Unlock()
	if wake {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

func (a *Agenda[T]) remove(e *Entry[T]) {
	i, last := e.place-1, len(a.heap)-1
	a.put(i, a.heap[last])
	a.heap[last] = nil
	a.heap = a.heap[:last]
	e.place = 0
	if i < last {
		a.down(a.up(i))
	}
}

func (a *Agenda[T]) put(i int, e *Entry[T]) { a.heap[i], e.place = e, i+1 }

// up moves the entry at i to where it belongs towards the front.
func (a *Agenda[T]) up(i int) int {
	e := a.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if a.heap[parent].due <= e.due {
			break
		}
		a.put(i, a.heap[parent])
		i = parent
	}
	a.put(i, e)
	return i
}

// down moves the entry at i to where it belongs towards the back.
func (a *Agenda[T]) down(i int) {
	e := a.heap[i]
	for {
		child := 2*i + 1
		if child >= len(a.heap) {
			break
		}
		if right := child + 1; right < len(a.heap) && a.heap[right].due < a.heap[child].due {
			child = right
		}
		if e.due <= a.heap[child].due {
			break
		}
		a.put(i, a.heap[child])
		i = child
	}
	a.put(i, e)
}
