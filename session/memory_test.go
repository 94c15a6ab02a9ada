package session_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errCause = errors.New("cause")

// log is a listener that keeps what it was told.
type log struct {
	mu     sync.Mutex
	events []session.Event
}

func (l *log) Presence(e session.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *log) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := make([]string, 0, len(l.events))
	for _, e := range l.events {
		line := fmt.Sprintf("%s/%d %s", e.Session.Identity(), e.Epoch, e.Kind)
		if e.Lost > 0 {
			line += fmt.Sprintf(" %d", e.Lost)
		}
		if e.Cause != nil {
			line += ": " + e.Cause.Error()
		}
		lines = append(lines, line)
	}
	return lines
}

// channel notes with what it was closed.
type channel struct{ closed chan error }

func newChannel() *channel { return &channel{make(chan error, 10)} }

func (c *channel) Close(cause error) { c.closed <- cause }

func start(t *testing.T, cfg session.Config, opts ...session.MemoryOption) (*session.Memory, *log) {
	t.Helper()
	l := &log{}
	m, err := session.NewMemory(cfg, append([]session.MemoryOption{session.WithListener(l)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	t.Cleanup(m.Stop)
	return m, l
}

func open(t *testing.T, m session.Manager, s *session.Session) *session.Session {
	t.Helper()
	old, err := m.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return old
}

func expect(t *testing.T, l *log, want ...string) {
	t.Helper()
	if got := l.lines(); !slices.Equal(got, want) {
		t.Errorf("events:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestLifeOfASession(t *testing.T) {
	t.Parallel()
	m, l := start(t, session.DefaultConfig())
	s := session.New("a", nil)
	if s.State() != session.Fresh || s.Epoch() != 0 {
		t.Errorf("before: %s, epoch %d", s.State(), s.Epoch())
	}
	if old := open(t, m, s); old != nil {
		t.Errorf("took over %v", old)
	}
	if s.State() != session.Opened || s.Epoch() != 1 || m.Get("a") != s || m.Len() != 1 || s.LastSeen().IsZero() {
		t.Errorf("opened: %s, epoch %d", s.State(), s.Epoch())
	}
	if !m.Activate(s) || m.Activate(s) {
		t.Error("a session becomes active once")
	}
	if !m.Close(s, errCause) || m.Close(s, io.EOF) {
		t.Error("a session is closed once")
	}
	if s.State() != session.Closed || m.Get("a") != nil || m.Len() != 0 || m.Activate(s) {
		t.Error("a closed session is still there")
	}
	if _, err := m.Open(s); !errors.Is(err, session.ErrReused) || m.Len() != 0 {
		t.Errorf("opened again: %v", err)
	}
	never := session.New("b", nil)
	open(t, m, never)
	m.Close(never, errCause)
	m.Stop()
	expect(t, l, "a/1 created", "a/1 online", "a/1 offline: cause", "b/2 created", "b/2 discarded: cause")
}

func TestTakeover(t *testing.T) {
	t.Parallel()
	m, l := start(t, session.DefaultConfig())
	ch := newChannel()
	first, second, third := session.New("a", ch), session.New("a", nil), session.New("a", nil)
	open(t, m, first)
	m.Activate(first)
	if old := open(t, m, second); old != first {
		t.Fatalf("took over %v", old)
	}
	if m.Close(first, errCause) || m.Activate(first) || m.Get("a") != second {
		t.Error("a late close of the old session changed the new one")
	}
	if old := open(t, m, third); old != second || m.Len() != 1 {
		t.Fatalf("took over %v, %d sessions", old, m.Len())
	}
	m.Activate(third)
	m.Stop()
	if len(ch.closed) != 0 {
		t.Error("the manager closed the channel, which is the caller's to do")
	}
	taken := session.ErrTakenOver.Error()
	expect(
		t, l, "a/1 created", "a/1 online", "a/1 offline: "+taken, "a/2 created",
		"a/2 discarded: "+taken, "a/3 created", "a/3 online",
	)
	st := m.Stats()
	if st.Opened != 3 || st.Takeovers != 2 || st.Closed != 2 || st.Sessions != 1 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	cfg := session.DefaultConfig()
	cfg.MaxSessions, cfg.MaxEvents = 2, 8
	m, _ := start(t, cfg)
	a, b := session.New("a", nil), session.New("b", nil)
	open(t, m, a)
	open(t, m, b)
	c := session.New("c", nil)
	if _, err := m.Open(c); !errors.Is(err, session.ErrFull) {
		t.Fatalf("a third of two: %v", err)
	}
	open(t, m, session.New("a", nil)) // takes over: no further one
	m.Close(b, errCause)
	open(t, m, c) // a refused session may be tried again
	if st := m.Stats(); st.Refused != 1 || st.Sessions != 2 {
		t.Errorf("%+v", st)
	}
	m.Stop()
	if _, err := m.Open(session.New("d", nil)); !errors.Is(err, session.ErrStopped) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestConfigurationMistakesAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := session.NewMemory(session.Config{Shards: 3})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, key := range []string{"maxSessions", "maxEvents", "shards", "tick"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%q does not name %s", err, key)
		}
	}
}

// TestStartAndStopAreIdempotent, and a manager that never ran can be stopped.
func TestStartAndStopAreIdempotent(t *testing.T) {
	t.Parallel()
	m, _ := start(t, session.DefaultConfig())
	m.Start()
	m.Stop()
	m.Stop()
	m.Start()
	idle, err := session.NewMemory(session.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	idle.Stop()
}

// TestManagerModel compares Memory with a map.
func TestManagerModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := session.DefaultConfig()
		cfg.Shards = 1 << rapid.IntRange(0, 3).Draw(t, "shards")
		m, err := session.NewMemory(cfg)
		if err != nil {
			t.Fatal(err)
		}
		current := map[string]*session.Session{}
		var all []*session.Session
		epoch := uint64(0)
		pick := func(t *rapid.T) *session.Session {
			if len(all) == 0 {
				t.Skip()
			}
			return rapid.SampledFrom(all).Draw(t, "session")
		}
		t.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) {
				s := session.New(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "identity"), nil)
				old, err := m.Open(s)
				if err != nil || old != current[s.Identity()] || s.Epoch() <= epoch {
					t.Fatalf("took over %v: %v", old, err)
				}
				epoch = s.Epoch()
				current[s.Identity()] = s
				all = append(all, s)
			},
			"activate": func(t *rapid.T) {
				s := pick(t)
				want := current[s.Identity()] == s && s.State() == session.Opened
				if m.Activate(s) != want {
					t.Fatalf("Activate(%s) is not %v", s.State(), want)
				}
			},
			"close": func(t *rapid.T) {
				s := pick(t)
				want := current[s.Identity()] == s
				if m.Close(s, errCause) != want {
					t.Fatalf("Close is not %v", want)
				}
				if want {
					delete(current, s.Identity())
				}
			},
			"": func(t *rapid.T) {
				found := map[string]*session.Session{}
				for s := range m.All() {
					found[s.Identity()] = s
				}
				if len(found) != len(current) || m.Len() != len(current) {
					t.Fatalf("%d found, Len %d, want %d", len(found), m.Len(), len(current))
				}
				for id, s := range current {
					if m.Get(id) != s || found[id] != s || s.State() == session.Closed {
						t.Fatalf("%s is %v", id, m.Get(id))
					}
				}
			},
		})
	})
}

func TestAllStopsWhenAsked(t *testing.T) {
	t.Parallel()
	m, _ := start(t, session.DefaultConfig())
	for i := range 100 {
		open(t, m, session.New(strconv.Itoa(i), nil))
	}
	n := 0
	for range m.All() {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d seen", n)
	}
}
