package session_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/session"
)

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

// TestSilentAfterTheLogin: what a device says right after its login, which comes between two
// rounds of the sweep, does not put off that it is found silent.
func TestSilentAfterTheLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := session.DefaultConfig()
		m, l := start(t, cfg)
		s := session.New("a", newChannel(), session.Heartbeat(10*time.Second, 1))
		open(t, m, s)
		time.Sleep(cfg.Tick / 2) //nolint:forbidigo // fake time
		m.Activate(s)
		time.Sleep(5 * time.Millisecond) //nolint:forbidigo // fake time
		s.Touch(time.Now().UnixMilli())
		time.Sleep(20*time.Second + 2*cfg.Tick) //nolint:forbidigo // fake time
		synctest.Wait()
		expect(t, l, "a/1 created", "a/1 online", "a/1 heartbeat lost 1", "a/1 heartbeat lost 2", "a/1 timed out 2")
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

// TestClockSetForward: what was heard before the wall clock was set seems to be
// long ago. Nobody's heartbeat is lost by that, and who is silent is still found.
func TestClockSetForward(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, l := start(t, session.DefaultConfig())
		s := session.New("a", nil, session.Heartbeat(10*time.Second, 0))
		open(t, m, s)
		m.Activate(s)
		time.Sleep(5 * time.Second) //nolint:forbidigo // fake time
		s.Touch(time.Now().Add(-time.Hour).UnixMilli())
		time.Sleep(9 * time.Second) //nolint:forbidigo // fake time
		if st := m.Stats(); st.Lost != 0 || st.Timeouts != 0 {
			t.Errorf("%+v", st)
		}
		s.Touch(time.Now().UnixMilli())
		time.Sleep(11 * time.Second) //nolint:forbidigo // fake time
		synctest.Wait()
		expect(t, l, "a/1 created", "a/1 online", "a/1 heartbeat lost 1", "a/1 timed out 1")
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
