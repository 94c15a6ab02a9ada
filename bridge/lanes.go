package bridge

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// PanicError is a panic of a user's auth.Provider or DownlinkHandler, as the
// error of the one call that it happened in: what devices and platforms send
// leads there, and it must not end the process.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // where
}

func (e *PanicError) Error() string { return fmt.Sprintf("bridge: panic: %v", e.Value) }

// guarded is f, with a panic of it as an error.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	return f()
}

// lanes run jobs that may block, in bounded numbers. Jobs of one lane begin in
// order; with one worker to a lane they also end so.
type lanes struct {
	queues  []chan func()
	workers int // to each lane
	running sync.WaitGroup

	mu     sync.RWMutex
	closed bool // guarded by mu
}

func newLanes(count, workers, depth int) *lanes {
	l := &lanes{queues: make([]chan func(), count), workers: workers}
	for i := range l.queues {
		l.queues[i] = make(chan func(), depth)
	}
	return l
}

// start makes the workers, which stop ends and waits for.
func (l *lanes) start() {
	for _, q := range l.queues {
		for range l.workers {
			l.running.Go(func() {
				for job := range q {
					job()
				}
			})
		}
	}
}

// submit queues job in the lane of that key. It returns false when the lane is
// full, or stopped.
func (l *lanes) submit(key uint64, job func()) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return false
	}
	select {
	case l.queues[key%uint64(len(l.queues))] <- job:
		return true
	default:
		return false
	}
}

// stop lets what is queued run, and waits for it until ctx is done.
func (l *lanes) stop(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		for _, q := range l.queues {
			close(q)
		}
	}
	l.mu.Unlock()
	ended := make(chan struct{})
	go func() { // ends with the workers
		l.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	select { // idle workers end at once, even if there is no time left
	case <-ended:
		return nil
	case <-time.After(lastWords):
		return ctx.Err()
	}
}

// lastWords is how long workers that have nothing to do take to end.
const lastWords = 100 * time.Millisecond

// waiting is the number of jobs that have not begun.
func (l *lanes) waiting() (n int) {
	for _, q := range l.queues {
		n += len(q)
	}
	return n
}
