package bridge_test

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
)

// table is the least that a session manager of somebody else's is.
type table struct {
	mu       sync.Mutex
	sessions map[string]*session.Session
	epoch    uint64
}

func (t *table) Open(s *session.Session) (*session.Session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !s.Enter(session.Opened) {
		return nil, session.ErrReused
	}
	t.epoch++
	s.Assign(t.epoch)
	old := t.sessions[s.Identity()]
	if old != nil {
		old.Enter(session.Closed)
	}
	t.sessions[s.Identity()] = s
	return old, nil
}

func (t *table) Activate(s *session.Session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[s.Identity()] == s && s.Enter(session.Online)
}

func (t *table) Close(s *session.Session, _ error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.Identity()] != s {
		return false
	}
	delete(t.sessions, s.Identity())
	return s.Enter(session.Closed)
}

func (t *table) Get(identity string) *session.Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[identity]
}

func (t *table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sessions)
}

func (t *table) All() iter.Seq[*session.Session] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Values(slices.Collect(maps.Values(t.sessions)))
}

func TestAnotherSessionManager(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	m := &table{sessions: map[string]*session.Session{}}
	b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithSessions(m))
	first, second := session.New("a", &endpoint{}), session.New("a", &endpoint{})
	goOnline(t, b, p, first)
	goOnline(t, b, p, second)
	if b.Sessions().Get("a") != second || first.State() != session.Closed || second.Epoch() != 2 ||
		!errors.Is(first.Channel().(*endpoint).cause(), session.ErrTakenOver) {
		t.Errorf("%s and %s", first.State(), second.State())
	}
	stranger := session.New("b", &endpoint{}) // opened by somebody else
	if _, err := m.Open(stranger); err != nil {
		t.Fatal(err)
	}
	if !b.Kick("b", errCause) || stranger.State() != session.Closed {
		t.Error("a session of somebody else's cannot be kicked")
	}
	if err := b.Close(t.Context()); err != nil || m.Len() != 0 {
		t.Errorf("%d sessions after Close: %v", m.Len(), err)
	}
}

// TestTheLogIsNotFlooded by what devices can cause.
func TestTheLogIsNotFlooded(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zap.WarnLevel)
	p := newPlatform()
	b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithLogger(zap.New(core)))
	for i := range 1000 {
		if err := b.Online(t.Context(), session.New(fmt.Sprintf("?%d", i), nil)); !errors.Is(err, bridge.ErrUnknownDevice) {
			t.Fatal(err)
		}
	}
	all := lines.All()
	if len(all) < 10 || len(all) > 12 {
		t.Fatalf("%d lines", len(all))
	}
	for i, line := range all[:10] { // each of a handful is named
		fields := line.ContextMap()
		if fields["identity"] != fmt.Sprintf("?%d", i) || fields["count"] != uint64(1) || fields["err"] == nil {
			t.Errorf("%v", fields)
		}
	}
	if b.Stats().LoginFailures["unknown device"] != 1000 {
		t.Errorf("%v", b.Stats().LoginFailures)
	}
}
