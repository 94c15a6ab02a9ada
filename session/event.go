package session

import (
	"fmt"
	"sync"
	"time"
)

// EventKind is what happened to a session.
type EventKind uint8

// What happens to sessions. A session is Created first; then it comes Online
// and later, once, goes Offline; or it is Discarded. A timed out session's
// owner closes it, so that Offline follows.
const (
	Created       EventKind = iota + 1 // it was opened; its device is not online yet
	WentOnline                         // the platform has logged the device in
	HeartbeatLost                      // an interval passed without traffic; Lost says how many in a row
	TimedOut                           // more heartbeats were lost than may be; its channel is closed now
	WentOffline                        // it has ended, for Cause
	Discarded                          // it has ended, for Cause, and never was online
)

// String is the kind's name in logs.
func (k EventKind) String() string {
	switch k {
	case Created:
		return "created"
	case WentOnline:
		return "online"
	case HeartbeatLost:
		return "heartbeat lost"
	case TimedOut:
		return "timed out"
	case WentOffline:
		return "offline"
	case Discarded:
		return "discarded"
	default:
		return fmt.Sprintf("event(%d)", uint8(k))
	}
}

// Event is one thing that happened to a session.
type Event struct {
	Kind    EventKind
	Session *Session
	Epoch   uint64    // of the session
	Time    time.Time // when it happened
	Lost    int       // HeartbeatLost, TimedOut: heartbeats lost in a row
	Cause   error     // WentOffline, Discarded
}

// Listener is told what happens to the sessions of a [Memory].
//
// It is called by one goroutine of the manager, one event at a time, in the
// order in which things happened: of one device always, across its sessions
// too. No lock is held, so it may call the manager, but for Stop. It must not
// block: events of all devices wait behind it, and when too many do no session
// is opened any more.
type Listener interface {
	Presence(e Event)
}

// ListenerFunc is a function as a [Listener].
type ListenerFunc func(e Event)

// Presence implements Listener.
func (f ListenerFunc) Presence(e Event) { f(e) }

// notifier brings events to the listener, in the order in which they are put.
type notifier struct {
	listener Listener // nil: nobody wants to know
	limit    int
	wake     chan struct{} // holds one token when queue may not be empty
	stop     chan struct{}

	mu      sync.Mutex
	queue   []Event // guarded by mu
	dropped uint64  // guarded by mu
	stopped bool    // guarded by mu; nothing is queued any more
}

func newNotifier(l Listener, limit int) *notifier {
	return &notifier{listener: l, limit: limit, wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// put queues e. The caller holds the lock under which e happened, which makes
// the order of events that of what they tell. Presence is never dropped:
// whoever would make more of it asks behind first.
func (n *notifier) put(e Event) {
	if n.listener == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped || e.Kind == HeartbeatLost && len(n.queue) >= n.limit {
		n.dropped++
		return
	}
	n.queue = append(n.queue, e)
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// behind says whether too many events wait.
func (n *notifier) behind() bool {
	if n.listener == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.queue) >= n.limit
}

func (n *notifier) stats() (waiting int, dropped uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.queue), n.dropped
}

// run tells the listener until stop is closed and nothing waits.
func (n *notifier) run() {
	var spare []Event
	for running := true; running; {
		select {
		case <-n.wake:
		case <-n.stop:
			running = false
		}
		for {
			n.mu.Lock()
			batch := n.queue
			n.queue = spare[:0]
			n.stopped = !running && len(batch) == 0
			n.mu.Unlock()
			for _, e := range batch {
				n.listener.Presence(e)
			}
			clear(batch)
			if spare = batch; cap(spare) > maxSpareEvents {
				spare = nil
			}
			if len(batch) == 0 {
				break
			}
		}
	}
}

const maxSpareEvents = 4096 // a longer queue is not kept for reuse
