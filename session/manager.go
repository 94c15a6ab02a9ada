package session

import (
	"errors"
	"fmt"
	"iter"
)

// Manager holds one session for each device that is online or on its way
// there. Its methods may be called from any goroutine and do not block.
// [Memory] is the one in the box; one that wraps it or takes its place, to share
// presence with others, say, needs [Session.Assign] and [Session.Enter].
type Manager interface {
	// Open makes s, which is new, the current session of its identity, with an
	// epoch above all before, and returns the session that it takes over, if
	// any: that one has ended with ErrTakenOver, but for its channel, which is
	// for the caller to close. An error means that s was not opened.
	Open(s *Session) (old *Session, err error)
	// Activate notes that s is online: its platform has logged it in. It returns
	// false when s has ended or was active before.
	Activate(s *Session) bool
	// Close ends s, if it is still the current session of its identity, and says
	// whether it was: a late Close of an old session ends nothing.
	Close(s *Session, cause error) bool
}

// Directory finds sessions. Its methods may be called from any goroutine and do
// not block.
type Directory interface {
	// Get is the current session of that identity, nil when there is none.
	Get(identity string) *Session
	// Len is the number of sessions.
	Len() int
	// All goes over the sessions in no order. Those that are there all the time
	// come once; those that come or go meanwhile come once or not at all.
	All() iter.Seq[*Session]
}

// State is how far a session has come. States only grow.
type State uint32

// The states of a session.
const (
	Fresh  State = iota // no manager has opened it
	Opened              // current, and on its way online
	Online              // the platform has logged it in
	Closed              // over; it does not come back
)

// String is the state's name in logs and listings.
func (s State) String() string {
	switch s {
	case Fresh:
		return "fresh"
	case Opened:
		return "opened"
	case Online:
		return "online"
	case Closed:
		return "closed"
	default:
		return fmt.Sprintf("state(%d)", uint32(s))
	}
}

// State is how far the session has come.
func (s *Session) State() State { return State(s.state.Load()) }

// Enter is for managers: it moves the session on to that state, and says
// whether it was in an earlier one.
func (s *Session) Enter(to State) bool {
	for {
		from := s.state.Load()
		if from >= uint32(to) {
			return false
		}
		if s.state.CompareAndSwap(from, uint32(to)) {
			return true
		}
	}
}

// Assign is for managers: it gives the session its epoch, when it is opened.
func (s *Session) Assign(epoch uint64) { s.epoch.Store(epoch) }

// Why sessions end, and why they do not begin.
var (
	// ErrTakenOver is the cause of a session whose device came online again: by
	// another connection, or by the same one.
	ErrTakenOver = errors.New("session: taken over by a newer session of the device")
	// ErrHeartbeatTimeout is the cause of a session whose device was not heard
	// for more heartbeats in a row than it may lose.
	ErrHeartbeatTimeout = errors.New("session: heartbeats stopped")
	// ErrDisconnected is what the cause of a session is whose connection broke, as
	// errors.Is sees it: nobody has said goodbye, and the device may be back soon.
	ErrDisconnected = errors.New("session: disconnected")
	// ErrRevoked is the cause of a session whose device was removed from the
	// devices that the bridge knows, or was given another identity there. Its
	// channel is closed; a device that is still known may come back at once.
	ErrRevoked = errors.New("session: the device's identity has changed or was removed")
	// ErrReused is returned for a session that was opened before: make a new one.
	ErrReused = errors.New("session: was opened before; a session is one time online")
	// ErrFull is returned when there are as many sessions as there may be.
	ErrFull = errors.New("session: as many sessions as maxSessions allows")
	// ErrStopped is returned by a manager that was stopped.
	ErrStopped = errors.New("session: manager is stopped")
	// ErrListenerBehind is returned while too many events wait for the listener:
	// it blocks, or is too slow.
	ErrListenerBehind = errors.New("session: too many events wait for the listener")
)
