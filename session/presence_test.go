package session_test

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/session"
)

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
