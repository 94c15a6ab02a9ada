package session

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/internal/wheel"
)

// Session is one device's time online. Its methods may be called from any
// goroutine.
//
// What every message looks at stands first, in one line of the processor's cache: with
// many devices it has to be fetched each time.
type Session struct {
	identity string
	seen     atomic.Int64  // unix milliseconds; the only store of a heartbeat
	messages atomic.Uint64 // received
	bytes    atomic.Uint64 // received
	bound    atomic.Pointer[any]
	lost     atomic.Uint32 // heartbeats lost in a row; written by the manager's sweep
	state    atomic.Uint32 // State
	stored   bool          // what Stored said

	via       string // the listener's name
	channel   any
	interval  time.Duration // of heartbeats; 0: none are expected
	probes    uint32        // heartbeats that may be lost in a row
	epoch     atomic.Uint64 // written once, by the manager
	attrsLock sync.Mutex
	attrs     map[string]string // guarded by attrsLock; nil until the first Set

	timer  wheel.Timer[*Session] // of Memory's heartbeats; guarded by the lock of the session's shard
	looked int64                 // seen at the sweep's last look; guarded likewise
	_      [16]byte              // up to a multiple of 64, which Go aligns
}

// Option changes how a session is made.
type Option func(*Session)

// Heartbeat makes the session expect traffic of any kind in every interval. An
// interval without any is a lost heartbeat; when more than probes are lost in a
// row the session times out. An interval of 0 or less expects none. Intervals
// are kept to about a tenth of a second.
func Heartbeat(interval time.Duration, probes int) Option {
	return func(s *Session) { s.interval, s.probes = max(interval, 0), uint32(max(probes, 0)) } //nolint:gosec // not negative
}

// Via says through which listener the session came, by the listener's name in the
// configuration.
func Via(listener string) Option { return func(s *Session) { s.via = listener } }

// Stored makes messages of the session done as soon as they are safe on linkspan's
// own disk, if there is a queue that puts them there. Without it, and without such
// a queue, a message is done when the platform has it.
func Stored() Option { return func(s *Session) { s.stored = true } }

// New returns a session of the device that calls itself identity, reached
// through channel, which is the caller's own: a connection, a handler. If it is
// a [Channel] or an io.Closer it is closed when the session is taken over or
// times out.
func New(identity string, channel any, opts ...Option) *Session {
	s := &Session{identity: identity, channel: channel}
	s.timer.Value = s
	for _, o := range opts {
		o(s)
	}
	return s
}

// Channel is what a session's channel may be, to be closed with a cause. Close
// does not block and may be called from any goroutine, more than once.
type Channel interface{ Close(cause error) }

// CloseChannel closes the session's channel with that cause, if it can be
// closed.
func (s *Session) CloseChannel(cause error) {
	switch c := s.channel.(type) {
	case Channel:
		c.Close(cause)
	case io.Closer:
		_ = c.Close() // the session has ended anyway
	}
}

// Identity is the device's own name for itself: a phone number, a serial number.
func (s *Session) Identity() string { return s.identity }

// Via is what [Via] said; empty when nobody did.
func (s *Session) Via() string { return s.via }

// Stored is what [Stored] said.
func (s *Session) Stored() bool { return s.stored }

// Channel is what the session was made with.
func (s *Session) Channel() any { return s.channel }

// Epoch is the session's place in the order of all sessions of its manager,
// from 1; 0 before a manager has opened it.
func (s *Session) Epoch() uint64 { return s.epoch.Load() }

// Heartbeat is what [Heartbeat] said.
func (s *Session) Heartbeat() (interval time.Duration, probes int) {
	return s.interval, int(s.probes)
}

// Touch notes that the device was heard at now, in unix milliseconds. It is one
// atomic store: heartbeats cost no more than that.
func (s *Session) Touch(now int64) { s.seen.Store(now) }

// LastSeen is when the device was heard last.
func (s *Session) LastSeen() time.Time { return time.UnixMilli(s.seen.Load()) }

// Count adds to what was received from the device.
func (s *Session) Count(messages, bytes int) {
	s.messages.Add(uint64(messages)) //nolint:gosec // counts are not negative
	s.bytes.Add(uint64(bytes))       //nolint:gosec // likewise
}

// Counters are what a session has counted.
type Counters struct {
	Messages       uint64 // received
	Bytes          uint64 // received
	LostHeartbeats uint32 // in a row, now
}

// Counters is what the session has counted so far.
func (s *Session) Counters() Counters {
	return Counters{Messages: s.messages.Load(), Bytes: s.bytes.Load(), LostHeartbeats: s.lost.Load()}
}

// Set keeps a text with the session under a name; an empty value removes it.
func (s *Session) Set(name, value string) {
	s.attrsLock.Lock()
	defer s.attrsLock.Unlock()
	if value == "" {
		delete(s.attrs, name)
		return
	}
	if s.attrs == nil {
		s.attrs = make(map[string]string, 1)
	}
	s.attrs[name] = value
}

// Attribute is what was Set under that name, empty when nothing was.
func (s *Session) Attribute(name string) string {
	s.attrsLock.Lock()
	defer s.attrsLock.Unlock()
	return s.attrs[name]
}

// Bind keeps v with the session for whoever brings it online.
func (s *Session) Bind(v any) { s.bound.Store(&v) }

// Claim is Bind for the first who calls it: it does nothing and returns false
// when something is bound already. *v belongs to the session from then on, and must not
// be written any more: it may be part of what it refers to, which is found in one step
// less then.
func (s *Session) Claim(v *any) bool { return s.bound.CompareAndSwap(nil, v) }

// Bound is what was bound last, nil before.
func (s *Session) Bound() any {
	if p := s.bound.Load(); p != nil {
		return *p
	}
	return nil
}
