package session

import (
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
)

type timer = wheel.Timer[*Session]

// sweepChunk bounds how many sessions are looked at under one hold of a shard's
// lock.
const sweepChunk = 512

// sweep is what the sweeping goroutine keeps from one round to the next.
type sweep struct {
	m       *Memory
	now     time.Time
	shard   *shard
	expired []*Session
}

// since is the wheels' time. It comes from the monotonic clock.
func (m *Memory) since(now time.Time) int64 { return now.Sub(m.began).Milliseconds() }

// sweeps looks for lost heartbeats until Stop, which waits for it.
func (m *Memory) sweeps() {
	w := &sweep{m: m}
	check := w.check
	ticker := time.NewTicker(m.cfg.Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.round(check)
		case <-m.done:
			return
		}
	}
}

// round looks at the sessions whose time has come.
func (w *sweep) round(check func(*timer)) {
	w.now = w.m.clock()
	at := w.m.since(w.now)
	for i := range w.m.shards {
		w.shard = &w.m.shards[i]
		for more := true; more; {
			w.shard.mu.Lock()
			more = w.shard.wheel.Advance(at, sweepChunk, check)
			w.shard.mu.Unlock()
			for i, s := range w.expired {
				w.m.expired(s)
				w.expired[i] = nil
			}
			w.expired = w.expired[:0]
		}
	}
}

// check is called for a session that may not have been heard for an interval,
// under the lock of its shard. Having been heard costs a session no more than
// the store of Touch: here it is put off.
//
// A look finds at most one heartbeat lost, and none when the device was heard
// since the look before, so that a process that was stopped for a while, or a
// wall clock that was set forward, does not time out devices that are well: a
// dead one is found an interval later then. That a look may be late by the tick
// does not make a device well that was heard right after the look before.
func (w *sweep) check(t *timer) {
	s := t.Value
	wall, at := w.now.UnixMilli(), w.m.since(w.now)
	interval := max(s.interval.Milliseconds(), 1)
	seen := s.seen.Load()
	if seen > wall { // the wall clock was set back
		s.seen.CompareAndSwap(seen, wall)
		seen = wall
	}
	quiet := wall - seen
	heard := seen != s.looked
	s.looked = seen
	if heard && quiet >= interval+2*w.m.cfg.Tick.Milliseconds() { // the last look was an interval and a tick ago or less
		quiet = 0
	}
	if quiet < interval {
		s.lost.Store(0)
		w.shard.wheel.Add(t, at+interval-quiet)
		return
	}
	lost := min(int64(s.lost.Load())+1, quiet/interval)
	s.lost.Store(uint32(lost)) //nolint:gosec // grows by one an interval
	w.shard.counts.lost++
	e := Event{Kind: HeartbeatLost, Session: s, Epoch: s.Epoch(), Time: w.now, Lost: int(lost)}
	w.m.events.put(e)
	if lost > int64(s.probes) {
		w.shard.counts.timeouts++
		e.Kind = TimedOut
		w.m.events.put(e)
		w.expired = append(w.expired, s)
		return
	}
	next := (lost+1)*interval - quiet
	if next <= 0 {
		next = interval
	}
	w.shard.wheel.Add(t, at+next)
}
