package session

import (
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
)

// Config says how large a [Memory] may become.
type Config struct {
	MaxSessions int           `conf:"maxSessions" doc:"devices that may be online at the same time; further ones are refused"`
	MaxEvents   int           `conf:"maxEvents" doc:"presence events that may wait for the listener; above, no device comes online any more"`
	Shards      int           `conf:"shards" doc:"independent parts of the session table, a power of two"`
	Tick        time.Duration `conf:"tick" doc:"how exactly heartbeats are timed"`
}

// DefaultConfig is a Memory for up to a million devices.
func DefaultConfig() Config {
	return Config{MaxSessions: 1_000_000, MaxEvents: 1 << 17, Shards: 64, Tick: 100 * time.Millisecond}
}

// Check returns all that cannot be, joined, each beginning with its key; nil
// when there is nothing.
func (c Config) Check() error {
	var errs []error
	if c.MaxSessions < 1 {
		errs = append(errs, fmt.Errorf("maxSessions is %d, want at least 1", c.MaxSessions))
	}
	if c.MaxEvents < 1 {
		errs = append(errs, fmt.Errorf("maxEvents is %d, want at least 1", c.MaxEvents))
	}
	if c.Shards < 1 || c.Shards&(c.Shards-1) != 0 || c.Shards > 1<<16 {
		errs = append(errs, fmt.Errorf("shards is %d, want a power of two up to %d", c.Shards, 1<<16))
	}
	if c.Tick < time.Millisecond || c.Tick > time.Minute {
		errs = append(errs, fmt.Errorf("tick is %s, want 1 ms to 1 min", c.Tick))
	}
	return errors.Join(errs...)
}

// MemoryOption gives a [Memory] what it works with.
type MemoryOption func(*Memory)

// WithListener tells l what happens to sessions.
func WithListener(l Listener) MemoryOption { return func(m *Memory) { m.listener = l } }

// WithClock makes now the time. It should carry a monotonic reading, as
// time.Now does, so that heartbeats do not mind when the wall clock is set.
func WithClock(now func() time.Time) MemoryOption { return func(m *Memory) { m.clock = now } }

// Memory is the [Manager] and [Directory] in the box: sessions are held in
// memory and do not survive the process. Its methods may be called from any
// goroutine.
//
// A timed out session's channel is closed with [ErrHeartbeatTimeout], whose
// owner then closes the session; see [Memory.OnTimeout].
type Memory struct {
	cfg      Config
	seed     maphash.Seed
	shards   []shard
	clock    func() time.Time
	began    time.Time
	listener Listener
	events   *notifier
	expired  func(*Session)
	epoch    atomic.Uint64
	count    atomic.Int64
	stopped  atomic.Bool

	life    sync.Mutex
	running bool           // guarded by life
	done    chan struct{}  // ends the sweep
	ended   sync.WaitGroup // of the sweep and the notifier, which Stop waits for
}

// shard is the sessions of some identities. It fills whole cache lines.
type shard struct {
	mu       sync.Mutex
	sessions map[string]*Session    // guarded by mu
	wheel    *wheel.Wheel[*Session] // guarded by mu; milliseconds since the Memory was made
	counts   counts                 // guarded by mu
	_        [128 - 8 - 8 - 8 - 48]byte
}

// counts are the shard's part of Stats.
type counts struct {
	opened, takeovers, closed, refused, lost, timeouts uint64
}

// NewMemory returns an empty manager. It reports every mistake in cfg at once.
func NewMemory(cfg Config, opts ...MemoryOption) (*Memory, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	m := &Memory{
		cfg:     cfg,
		seed:    maphash.MakeSeed(),
		shards:  make([]shard, cfg.Shards),
		clock:   time.Now,
		expired: func(s *Session) { s.CloseChannel(ErrHeartbeatTimeout) },
		done:    make(chan struct{}),
	}
	for _, o := range opts {
		o(m)
	}
	m.began = m.clock()
	m.events = newNotifier(m.listener, cfg.MaxEvents)
	for i := range m.shards {
		m.shards[i].sessions = map[string]*Session{}
		m.shards[i].wheel = wheel.New[*Session](0, cfg.Tick.Milliseconds())
	}
	return m, nil
}

// OnTimeout makes f what is done with a session that timed out, in place of
// closing its channel. f is called by the sweep, must not block, and sees to it
// that the session is closed. It is for whoever owns the sessions, before Start.
func (m *Memory) OnTimeout(f func(*Session)) { m.expired = f }

// Start begins to watch heartbeats and to tell the listener.
func (m *Memory) Start() {
	m.life.Lock()
	defer m.life.Unlock()
	if m.running || m.stopped.Load() {
		return
	}
	m.running = true
	m.ended.Go(m.sweeps)
	m.ended.Go(m.events.run)
}

// Stop ends what Start began, and waits until the listener has been told all
// that has happened before. Sessions are left as they are; no further ones are
// opened. The listener must not call it.
func (m *Memory) Stop() {
	m.stopped.Store(true)
	m.life.Lock()
	defer m.life.Unlock()
	if !m.running {
		return
	}
	m.running = false
	close(m.done)
	close(m.events.stop)
	m.ended.Wait()
}

func (m *Memory) shard(identity string) *shard {
	return &m.shards[maphash.String(m.seed, identity)&uint64(len(m.shards)-1)] //nolint:gosec // at least one
}

// Open implements [Manager]. It returns ErrReused, ErrFull, ErrListenerBehind or
// ErrStopped.
func (m *Memory) Open(s *Session) (old *Session, err error) {
	if m.stopped.Load() {
		return nil, ErrStopped
	}
	behind := m.events.behind()
	sh := m.shard(s.identity)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if behind {
		sh.counts.refused++
		return nil, ErrListenerBehind
	}
	old = sh.sessions[s.identity]
	if old == nil && m.count.Add(1) > int64(m.cfg.MaxSessions) {
		m.count.Add(-1)
		sh.counts.refused++
		return nil, ErrFull
	}
	if !s.Enter(Opened) {
		if old == nil {
			m.count.Add(-1)
		}
		return nil, ErrReused
	}
	now := m.clock()
	if old != nil {
		sh.counts.takeovers++
		m.finish(sh, old, ErrTakenOver, now)
	}
	sh.counts.opened++
	s.Assign(m.epoch.Add(1))
	s.seen.CompareAndSwap(0, now.UnixMilli())
	sh.sessions[s.identity] = s
	m.events.put(Event{Kind: Created, Session: s, Epoch: s.Epoch(), Time: now})
	return old, nil
}

// Activate implements [Manager]. Heartbeats are expected from now on.
func (m *Memory) Activate(s *Session) bool {
	sh := m.shard(s.identity)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.sessions[s.identity] != s || !s.Enter(Online) {
		return false
	}
	now := m.clock()
	if s.interval > 0 {
		s.looked = now.UnixMilli()
		s.seen.Store(s.looked) // while it logged in it was not listened to
		sh.wheel.Add(&s.timer, m.since(now)+s.interval.Milliseconds())
	}
	m.events.put(Event{Kind: WentOnline, Session: s, Epoch: s.Epoch(), Time: now})
	return true
}

// Close implements [Manager].
func (m *Memory) Close(s *Session, cause error) bool {
	sh := m.shard(s.identity)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.sessions[s.identity] != s {
		return false
	}
	delete(sh.sessions, s.identity)
	m.count.Add(-1)
	m.finish(sh, s, cause, m.clock())
	return true
}

// finish ends s, which is in sh. The caller holds the lock of sh.
func (m *Memory) finish(sh *shard, s *Session, cause error, now time.Time) {
	sh.counts.closed++
	sh.wheel.Remove(&s.timer)
	kind := Discarded
	if s.State() == Online {
		kind = WentOffline
	}
	s.Enter(Closed)
	m.events.put(Event{Kind: kind, Session: s, Epoch: s.Epoch(), Time: now, Cause: cause})
}

// Get implements [Directory].
func (m *Memory) Get(identity string) *Session {
	sh := m.shard(identity)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.sessions[identity]
}

// Len implements [Directory].
func (m *Memory) Len() int { return int(m.count.Load()) }

// All implements [Directory]. No lock is held while the loop's body runs.
func (m *Memory) All() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		var batch []*Session
		for i := range m.shards {
			sh := &m.shards[i]
			batch = batch[:0]
			sh.mu.Lock()
			for _, s := range sh.sessions {
				batch = append(batch, s)
			}
			sh.mu.Unlock()
			for _, s := range batch {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// Stats is what a [Memory] has counted.
type Stats struct {
	Sessions      int    `metric:"linkspan_session_sessions" doc:"sessions open now"`
	Opened        uint64 `metric:"linkspan_session_opened_total" doc:"sessions opened"`
	Closed        uint64 `metric:"linkspan_session_closed_total" doc:"sessions ended, taken over ones among them"`
	Takeovers     uint64 `metric:"linkspan_session_takeovers_total" doc:"sessions that a newer one of the same device took over"`
	Refused       uint64 `metric:"linkspan_session_refused_total" doc:"sessions not opened because there were too many, or too many events waited"`
	Lost          uint64 `metric:"linkspan_session_lost_heartbeats_total" doc:"intervals that passed without traffic"`
	Timeouts      uint64 `metric:"linkspan_session_timeouts_total" doc:"sessions whose heartbeats stopped"`
	Waiting       int    `metric:"linkspan_session_waiting_events" doc:"presence events that wait for the listener"`
	DroppedEvents uint64 `metric:"linkspan_session_dropped_events_total" doc:"events of lost heartbeats that found the listener too far behind"`
}

// Stats is what happened so far.
func (m *Memory) Stats() Stats {
	st := Stats{Sessions: m.Len()}
	st.Waiting, st.DroppedEvents = m.events.stats()
	for i := range m.shards {
		sh := &m.shards[i]
		sh.mu.Lock()
		c := sh.counts
		sh.mu.Unlock()
		st.Opened += c.opened
		st.Closed += c.closed
		st.Takeovers += c.takeovers
		st.Refused += c.refused
		st.Lost += c.lost
		st.Timeouts += c.timeouts
	}
	return st
}
