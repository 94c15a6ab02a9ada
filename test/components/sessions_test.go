package components

import (
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
)

// Table is a session manager with nothing to spare: one lock, no heartbeats, no
// listener.
type Table struct {
	mu    sync.Mutex
	open  map[string]*session.Session // guarded by mu
	epoch uint64                      // guarded by mu
}

// Open implements session.Manager.
func (t *Table) Open(s *session.Session) (*session.Session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !s.Enter(session.Opened) {
		return nil, session.ErrReused
	}
	t.epoch++
	s.Assign(t.epoch)
	old := t.open[s.Identity()]
	if old != nil {
		old.Enter(session.Closed)
	}
	if t.open == nil {
		t.open = map[string]*session.Session{}
	}
	t.open[s.Identity()] = s
	return old, nil
}

// Activate implements session.Manager.
func (t *Table) Activate(s *session.Session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[s.Identity()] == s && s.Enter(session.Online)
}

// Close implements session.Manager.
func (t *Table) Close(s *session.Session, _ error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[s.Identity()] != s {
		return false
	}
	delete(t.open, s.Identity())
	return s.Enter(session.Closed)
}

// Get implements session.Directory.
func (t *Table) Get(identity string) *session.Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[identity]
}

// Len implements session.Directory.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open)
}

// All implements session.Directory.
func (t *Table) All() iter.Seq[*session.Session] {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*session.Session
	for _, s := range t.open {
		all = append(all, s)
	}
	return func(yield func(*session.Session) bool) {
		for _, s := range all {
			if !yield(s) {
				return
			}
		}
	}
}

func TestAnotherSessionManager(t *testing.T) {
	t.Parallel()
	cloud, table := newCloud(), new(Table)
	b := start(t, cloud, everyone{}, bridge.WithSessions(table))
	first, second := newPipe(), newPipe()
	old, young := session.New("a", first), session.New("a", second)
	online(t, b, old)
	online(t, b, young)
	<-first.closed // the older one is taken over
	if b.Sessions() != bridge.Sessions(table) || table.Get("a") != young || young.Epoch() != 2 || old.State() != session.Closed {
		t.Errorf("%s and %s, epoch %d", old.State(), young.State(), young.Epoch())
	}
	if err := b.Online(t.Context(), young); !errors.Is(err, session.ErrReused) {
		t.Errorf("the same session again: %v", err)
	}
	if err := b.Publish(t.Context(), "a", bridge.Message{Payload: []byte("hello")}); err != nil {
		t.Error(err)
	}
	if err := b.Offline(t.Context(), "a"); err != nil || table.Len() != 0 {
		t.Errorf("%d sessions, %v", table.Len(), err)
	}
	expect(t, cloud.said, "a online", "a online", "a offline", "a: hello", "a offline")
}

// Shared is a manager that wraps the one in the box: it tells others which
// devices are here.
type Shared struct {
	*session.Memory

	here chan string
}

// Activate implements session.Manager.
func (m Shared) Activate(s *session.Session) bool {
	ok := m.Memory.Activate(s)
	if ok {
		m.here <- s.Identity()
	}
	return ok
}

// The clock and the listener are a manager's: a time that stands still until the
// test moves it.
func TestAnotherClockAndListener(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Unix(1e9, 0)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	events := make(chan string, 100)
	cfg := session.DefaultConfig()
	cfg.Tick = time.Millisecond
	memory, err := session.NewMemory(cfg, session.WithClock(clock), session.WithListener(session.ListenerFunc(func(e session.Event) {
		events <- e.Session.Identity() + " " + e.Kind.String()
	})))
	if err != nil {
		t.Fatal(err)
	}
	cloud, here := newCloud(), make(chan string, 1)
	b := start(t, cloud, everyone{}, bridge.WithSessions(Shared{memory, here}))
	channel := newPipe()
	online(t, b, session.New("a", channel, session.Heartbeat(time.Hour, 2)))
	expect(t, events, "a created", "a online")
	expect(t, here, "a")
	for range 3 { // one more than may be lost
		mu.Lock()
		now = now.Add(time.Hour)
		mu.Unlock()
		expect(t, events, "a heartbeat lost")
	}
	expect(t, events, "a timed out", "a offline")
	<-channel.closed
	expect(t, cloud.said, "a online", "a offline")
}

// Presence is a listener of the manager in the box.
type Presence struct{ events chan string }

// Presence implements session.Listener.
func (p Presence) Presence(e session.Event) {
	text := e.Session.Identity() + " " + e.Kind.String()
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	p.events <- text
}

func TestAnotherListener(t *testing.T) {
	t.Parallel()
	cloud, presence := newCloud(), Presence{make(chan string, 10)}
	b := start(t, cloud, everyone{}, bridge.WithListener(presence))
	online(t, b, session.New("a", nil))
	if err := b.Offline(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	expect(t, presence.events, "a created", "a online", "a offline: "+bridge.ErrLoggedOut.Error())
}
