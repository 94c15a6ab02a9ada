package session_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for name, c := range map[string]struct {
		probes  int
		touches []time.Duration
		until   time.Duration
		want    []string
	}{
		"none":              {1, nil, 9 * second, nil},
		"one lost":          {1, nil, 15 * second, []string{"heartbeat lost 1"}},
		"too many":          {1, nil, 60 * second, []string{"heartbeat lost 1", "heartbeat lost 2", "timed out 2"}},
		"no probes":         {0, nil, 60 * second, []string{"heartbeat lost 1", "timed out 1"}},
		"touched in time":   {0, []time.Duration{9 * second, 18 * second, 27 * second}, 36 * second, nil},
		"back after a loss": {1, []time.Duration{11 * second}, 25 * second, []string{"heartbeat lost 1", "heartbeat lost 1"}},
		"back late": {
			1,
			[]time.Duration{19 * second},
			60 * second,
			[]string{"heartbeat lost 1", "heartbeat lost 1", "heartbeat lost 2", "timed out 2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, l := start(t, session.DefaultConfig())
				ch := newChannel()
				s := session.New("a", ch, session.Heartbeat(10*second, c.probes))
				open(t, m, s)
				m.Activate(s)
				began := time.Now()
				for _, at := range c.touches {
					time.Sleep(time.Until(began.Add(at))) //nolint:forbidigo // fake time
					s.Touch(time.Now().UnixMilli())
				}
				time.Sleep(time.Until(began.Add(c.until))) //nolint:forbidigo // fake time
				synctest.Wait()
				want := append(make([]string, 0, 8), "a/1 created", "a/1 online")
				timedOut := false
				for _, w := range c.want {
					want = append(want, "a/1 "+w)
					timedOut = timedOut || strings.HasPrefix(w, "timed")
				}
				expect(t, l, want...)
				if timedOut != (len(ch.closed) == 1) {
					t.Fatalf("channel closed %d times", len(ch.closed))
				}
				if timedOut {
					if err := <-ch.closed; !errors.Is(err, session.ErrHeartbeatTimeout) {
						t.Errorf("closed with %v", err)
					}
				}
			})
		})
	}
}

func TestHeartbeatTimesAreExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := session.DefaultConfig()
		m, l := start(t, cfg)
		s := session.New("a", nil, session.Heartbeat(10*time.Second, 5))
		open(t, m, s)
		m.Activate(s)
		began := time.Now()
		time.Sleep(2 * time.Minute) //nolint:forbidigo // fake time
		synctest.Wait()
		for i, e := range l.events[2:] {
			late := e.Time.Sub(began) - time.Duration(min(i+1, 6))*10*time.Second
			if late < 0 || late > cfg.Tick {
				t.Errorf("%s %d was %s late", e.Kind, e.Lost, late)
			}
		}
		if len(l.events) != 2+6+1 {
			t.Errorf("%d events", len(l.events))
		}
	})
}

// TestLoginIsNoSilence: what a device says while it is logged in waits behind
// the login.
func TestLoginIsNoSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, l := start(t, session.DefaultConfig())
		s := session.New("a", nil, session.Heartbeat(10*time.Second, 0))
		open(t, m, s)
		time.Sleep(time.Hour) //nolint:forbidigo // fake time
		m.Activate(s)
		time.Sleep(9 * time.Second) //nolint:forbidigo // fake time
		synctest.Wait()
		expect(t, l, "a/1 created", "a/1 online")
	})
}

func TestClosedAndTakenOverSessionsDoNotTimeOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := start(t, session.DefaultConfig())
		for range 2 {
			s := session.New("a", newChannel(), session.Heartbeat(time.Second, 0))
			open(t, m, s)
			m.Activate(s)
			if s.Epoch() == 2 {
				m.Close(s, errCause)
			}
		}
		time.Sleep(time.Minute) //nolint:forbidigo // fake time
		if st := m.Stats(); st.Timeouts != 0 || st.Lost != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// clock is a wall clock that can be set, over a monotonic one.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

// TestStoppedProcess: after a long stop of the process (or a wall clock set
// forward) devices have an interval to be heard again.
func TestStoppedProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &clock{}
		m, l := start(t, session.DefaultConfig(), session.WithClock(c.now))
		s := session.New("a", nil, session.Heartbeat(10*time.Second, 1))
		open(t, m, s)
		m.Activate(s)
		c.mu.Lock()
		c.offset = time.Hour
		c.mu.Unlock()
		time.Sleep(5 * time.Second) //nolint:forbidigo // fake time
		s.Touch(c.now().UnixMilli())
		time.Sleep(9 * time.Second) //nolint:forbidigo // fake time
		synctest.Wait()
		expect(t, l, "a/1 created", "a/1 online", "a/1 heartbeat lost 1")
		if m.Stats().Timeouts != 0 {
			t.Error("timed out")
		}
	})
}

// TestClockSetBack: a session that was seen in what is now the future still
// times out.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := start(t, session.DefaultConfig())
		s := session.New("a", nil, session.Heartbeat(10*time.Second, 1))
		open(t, m, s)
		m.Activate(s)
		s.Touch(time.Now().Add(24 * time.Hour).UnixMilli())
		time.Sleep(45 * time.Second) //nolint:forbidigo // fake time
		if m.Stats().Timeouts != 1 {
			t.Errorf("%+v", m.Stats())
		}
	})
}

func TestOnTimeoutReplacesClosing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := session.NewMemory(session.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		m.OnTimeout(func(s *session.Session) { m.Close(s, session.ErrHeartbeatTimeout) })
		m.Start()
		defer m.Stop()
		ch := newChannel()
		s := session.New("a", ch, session.Heartbeat(time.Second, 0))
		open(t, m, s)
		m.Activate(s)
		time.Sleep(3 * time.Second) //nolint:forbidigo // fake time
		if s.State() != session.Closed || len(ch.closed) != 0 {
			t.Errorf("%s, channel closed %d times", s.State(), len(ch.closed))
		}
	})
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

// TestListenerBehind: a listener that blocks stops new sessions, and loses no
// presence.
func TestListenerBehind(t *testing.T) {
	t.Parallel()
	cfg := session.DefaultConfig()
	cfg.MaxEvents = 10
	release, l := make(chan struct{}), &log{}
	m, err := session.NewMemory(cfg, session.WithListener(session.ListenerFunc(func(e session.Event) {
		<-release
		l.Presence(e)
	})))
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	opened := 0
	for i := 0; ; i++ {
		s := session.New(strconv.Itoa(i), nil)
		if _, err = m.Open(s); err != nil {
			break
		}
		m.Activate(s)
		m.Close(s, errCause)
		opened++
	}
	if !errors.Is(err, session.ErrListenerBehind) || opened > 10 {
		t.Fatalf("%d opened, then %v", opened, err)
	}
	close(release)
	m.Stop()
	if got := len(l.lines()); got != 3*opened {
		t.Errorf("%d events of %d sessions", got, opened)
	}
}

func TestListenerMayCallTheManager(t *testing.T) {
	t.Parallel()
	var m *session.Memory
	gone := make(chan struct{})
	m, err := session.NewMemory(session.DefaultConfig(), session.WithListener(session.ListenerFunc(func(e session.Event) {
		switch e.Kind {
		case session.WentOnline:
			m.Close(e.Session, errCause)
		case session.WentOffline:
			close(gone)
		default:
		}
	})))
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	defer m.Stop()
	s := session.New("a", nil)
	open(t, m, s)
	m.Activate(s)
	<-gone
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

// checker is a listener that knows what may follow what.
type checker struct {
	errs   []string
	last   map[string]uint64            // the newest epoch of an identity that was online
	states map[uint64]session.EventKind // by epoch
}

func (c *checker) Presence(e session.Event) {
	before := c.states[e.Epoch]
	ok := false
	switch e.Kind {
	case session.Created:
		ok = before == 0
	case session.WentOnline:
		id := e.Session.Identity()
		ok = before == session.Created && c.states[c.last[id]] != session.WentOnline && e.Epoch > c.last[id]
		c.last[id] = e.Epoch
	case session.WentOffline:
		ok = before == session.WentOnline && e.Cause != nil
	case session.Discarded:
		ok = before == session.Created && e.Cause != nil
	case session.HeartbeatLost, session.TimedOut:
		ok = before == session.WentOnline
	}
	if !ok {
		c.errs = append(c.errs, fmt.Sprintf("%s/%d: %s after %s", e.Session.Identity(), e.Epoch, e.Kind, before))
	}
	if e.Kind != session.HeartbeatLost && e.Kind != session.TimedOut {
		c.states[e.Epoch] = e.Kind
	}
}

// TestPresenceUnderChurn: however sessions of few devices come and go from many
// goroutines, presence is a proper story for each of them.
func TestPresenceUnderChurn(t *testing.T) {
	t.Parallel()
	c := &checker{last: map[string]uint64{}, states: map[uint64]session.EventKind{}}
	m, err := session.NewMemory(session.DefaultConfig(), session.WithListener(c))
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				s := session.New(strconv.Itoa((g+i)%3), nil, session.Heartbeat(time.Hour, 0))
				if _, err := m.Open(s); err != nil {
					continue // the listener may be behind
				}
				if i%5 != 0 {
					m.Activate(s)
				}
				if i%7 != 0 {
					runtime.Gosched()
					m.Close(s, errCause)
				}
			}
		})
	}
	wg.Wait()
	for s := range m.All() {
		m.Close(s, errCause)
	}
	m.Stop()
	if len(c.errs) > 0 {
		t.Fatalf("%d times out of order: %s", len(c.errs), c.errs[0])
	}
	for epoch, kind := range c.states {
		if kind != session.WentOffline && kind != session.Discarded {
			t.Errorf("session %d ended as %s", epoch, kind)
		}
	}
	if st := m.Stats(); st.Opened == 0 || int(st.Opened) != len(c.states) || st.Closed != st.Opened || m.Len() != 0 {
		t.Errorf("%+v with %d sessions told", st, len(c.states))
	}
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
