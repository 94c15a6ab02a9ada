package server

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/linkspan/linkspan/internal/wheel"
)

// loop is one event loop: the state that its connections share. All of it but
// what mu guards belongs to the loop's goroutine.
type loop struct {
	server *Server
	events executor

	now      time.Time // when the present callback began
	ms       int64     // the same, in milliseconds since the server was made
	conns    []*conn   // open, in no order; conn.index is the place
	watches  *wheel.Wheel[*conn]
	timers   *wheel.Wheel[*timer]
	tick     *time.Timer // asks for onTick at tickAt; runs only while a timer is set
	tickAt   int64       // never when tick does not run
	turn     func()      // onTick, made once
	offers   []*conn     // connections that a batch was for
	spare    []task      // an empty queue, for its memory
	counters []counters  // one for each listener; written by the loop, read by Stats
	lag      lag
	plain    []byte // what TLS has decrypted; made with the first connection that is encrypted
	draining bool   // what arrives is dropped: see Server.Drain

	mu     sync.Mutex
	phase  phase     // guarded by mu
	queue  []task    // guarded by mu
	queued time.Time // when queue got its first task; guarded by mu
}

// phase is how far a loop is from its end.
type phase uint8

const (
	running  phase = iota // tasks run on the loop
	stopping              // tasks wait for the loop's goroutine to end
	stopped               // the goroutine has ended; tasks run on one of their own
)

// task is a function that was handed to Do; afterwards its connection is
// offered what it holds. Without a connection it is the loop's own.
type task struct {
	conn *conn
	f    func()
}

const (
	never        = math.MaxInt64
	maxPerTick   = 4096 // timers handled in one turn, so that the others wait no longer
	maxSpare     = 8192 // a longer queue's memory is given back
	tickMillis   = int64(tickPeriod / time.Millisecond)
	lagWindow    = 10 * time.Second
	flushMillis  = tickMillis // how often a closing connection's output is looked at
	noConnection = -1
)

// executor runs functions on a loop's goroutine: gnet's event loop, or one of
// our own for UDP. Execute may be called from any goroutine.
type executor interface {
	Execute(ctx context.Context, task gnet.Runnable) error
}

func newLoop(s *Server, events executor) *loop {
	l := &loop{
		server:   s,
		events:   events,
		watches:  wheel.New[*conn](0, tickMillis),
		timers:   wheel.New[*timer](0, tickMillis),
		tickAt:   never,
		counters: make([]counters, len(s.listeners)),
	}
	l.turn = l.onTick
	l.enter()
	return l
}

// enter notes that a callback begins.
func (l *loop) enter() {
	l.now = time.Now()
	l.ms = l.now.Sub(l.server.made).Milliseconds()
}

// do queues f for c. However many are queued between two turns of the loop, it
// is woken once. It may be called from any goroutine.
func (l *loop) do(c *conn, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c == nil && l.phase != running {
		return // the loop's own timers have nothing left to do
	}
	l.queue = append(l.queue, task{c, f})
	if len(l.queue) > 1 {
		return
	}
	switch l.phase {
	case running:
		l.queued = time.Now()
		// The lock keeps the poller from being closed meanwhile.
		_ = l.events.Execute(context.Background(), l) // fails only when the engine has stopped
	case stopped:
		go l.drain() // ends by itself; Server.Close has returned
	case stopping:
	}
}

// Run runs what was queued. It implements gnet.Runnable.
func (l *loop) Run(context.Context) error {
	l.enter()
	l.mu.Lock()
	batch, queued := l.queue, l.queued
	l.queue, l.spare = l.spare, nil
	l.mu.Unlock()
	l.lag.note(l.now.Sub(l.server.made), l.now.Sub(queued))
	l.run(batch)
	clear(batch)
	if cap(batch) <= maxSpare {
		l.spare = batch[:0]
	}
	return nil
}

func (l *loop) run(batch []task) {
	for i := range batch {
		t := &batch[i]
		if t.conn == nil {
			t.f()
			continue
		}
		if t.f != nil {
			t.conn.call(t.f)
		}
		if !t.conn.offered {
			t.conn.offered = true
			l.offers = append(l.offers, t.conn)
		}
	}
	for i, c := range l.offers {
		l.offers[i] = nil
		c.offered = false
		c.offer()
	}
	l.offers = l.offers[:0]
	if cap(l.offers) > maxSpare {
		l.offers = nil
	}
}

// drain runs what is queued after the loop has ended.
func (l *loop) drain() {
	l.enter()
	if l.tick != nil {
		l.tick.Stop()
	}
	for {
		l.mu.Lock()
		batch := l.queue // stays in the queue meanwhile, so that do starts no second drain
		if len(batch) == 0 {
			l.phase = stopped
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		l.run(batch)
		l.mu.Lock()
		l.queue = append([]task(nil), l.queue[len(batch):]...)
		l.mu.Unlock()
	}
}

// stop makes tasks wait for drain. After it nothing touches the poller.
func (l *loop) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = stopping
}

// add and remove keep the list of open connections.
func (l *loop) add(c *conn) {
	c.index = int32(len(l.conns)) //nolint:gosec // bounded by the file descriptors
	l.conns = append(l.conns, c)
}

func (l *loop) remove(c *conn) {
	if c.index == noConnection {
		return
	}
	last := len(l.conns) - 1
	moved := l.conns[last]
	l.conns[c.index] = moved
	moved.index = c.index
	l.conns[last] = nil
	l.conns = l.conns[:last]
	c.index = noConnection
}

// watch sets c's own timer.
func (l *loop) watch(c *conn, at int64) {
	l.watches.Add(&c.timer, at)
	l.arm(at)
}

// arm sees to it that onTick runs with the tick of the wheels that at falls
// into: not more often, for in between nothing fires, and not later.
func (l *loop) arm(at int64) {
	at = max((at+tickMillis-1)/tickMillis, l.ms/tickMillis+1) * tickMillis
	if at >= l.tickAt {
		return
	}
	l.tickAt = at
	wait := time.Duration(at-l.ms) * time.Millisecond
	if l.tick == nil {
		l.tick = time.AfterFunc(wait, func() { l.do(nil, l.turn) })
		return
	}
	l.tick.Reset(wait)
}

// onTick fires what is due.
func (l *loop) onTick() {
	l.tickAt = never
	more := l.watches.Advance(l.ms, maxPerTick, func(t *wheel.Timer[*conn]) { t.Value.onWatch() })
	more = l.timers.Advance(l.ms, maxPerTick, func(t *wheel.Timer[*timer]) { t.Value.fire() }) || more
	if more {
		l.do(nil, l.turn)
		return
	}
	if at, ok := l.watches.Next(); ok {
		l.arm(at)
	}
	if at, ok := l.timers.Next(); ok {
		l.arm(at)
	}
}

// endAll ends every connection.
func (l *loop) endAll() {
	for _, c := range append([]*conn(nil), l.conns...) {
		c.end(because(CauseShutdown, nil))
		c.settle()
	}
}

// lag is the longest time that a task waited for its loop, of the present and
// the last window. note is called by the loop, worst by anyone; both are told
// the time since the server was made.
type lag struct {
	window  atomic.Int64 // which one present is of
	present atomic.Int64
	last    atomic.Int64 // of the window before
}

func (g *lag) note(now, waited time.Duration) {
	if at, was := int64(now/lagWindow), g.window.Load(); at != was {
		last := int64(0)
		if at == was+1 {
			last = g.present.Load()
		}
		g.last.Store(last)
		g.present.Store(0)
		g.window.Store(at)
	}
	if int64(waited) > g.present.Load() {
		g.present.Store(int64(waited))
	}
}

func (g *lag) worst(now time.Duration) time.Duration {
	switch int64(now/lagWindow) - g.window.Load() {
	case 0:
		return time.Duration(max(g.present.Load(), g.last.Load()))
	case 1: // and no task since
		return time.Duration(g.present.Load())
	default:
		return 0
	}
}
