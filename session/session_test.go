package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/linkspan/linkspan/session"
)

type closer struct{ times int }

func (c *closer) Close() error { c.times++; return errors.New("whatever") }

func TestChannelsAreClosed(t *testing.T) {
	t.Parallel()
	ch, io := newChannel(), &closer{}
	session.New("a", ch).CloseChannel(errCause)
	session.New("a", io).CloseChannel(errCause)
	session.New("a", nil).CloseChannel(errCause)
	session.New("a", 42).CloseChannel(errCause)
	if len(ch.closed) != 1 || !errors.Is(<-ch.closed, errCause) || io.times != 1 {
		t.Error("not closed once with the cause")
	}
}

func TestBindings(t *testing.T) {
	t.Parallel()
	s := session.New("a", nil)
	var first, second any = 1, 2
	if s.Bound() != nil || !s.Claim(&first) || s.Claim(&second) || s.Bound() != 1 {
		t.Errorf("bound to %v", s.Bound())
	}
	s.Bind(3)
	if s.Bound() != 3 {
		t.Errorf("bound to %v", s.Bound())
	}
}

func TestAttributesAndCounters(t *testing.T) {
	t.Parallel()
	s := session.New("a", nil, session.Heartbeat(-time.Second, -1))
	s.Set("version", "2019")
	s.Set("model", "x")
	s.Set("model", "")
	if s.Attribute("version") != "2019" || s.Attribute("model") != "" || s.Attribute("none") != "" {
		t.Error("attributes are not what was set")
	}
	s.Count(2, 100)
	s.Count(1, 50)
	if c := s.Counters(); c.Messages != 3 || c.Bytes != 150 {
		t.Errorf("%+v", c)
	}
	s.Touch(1500)
	if !s.LastSeen().Equal(time.UnixMilli(1500)) {
		t.Errorf("seen %s", s.LastSeen())
	}
	if interval, probes := s.Heartbeat(); interval != 0 || probes != 0 {
		t.Errorf("negative heartbeats became %s, %d", interval, probes)
	}
}

func TestStatesOnlyGrow(t *testing.T) {
	t.Parallel()
	s := session.New("a", nil)
	if !s.Enter(session.Online) || s.Enter(session.Opened) || s.Enter(session.Online) || !s.Enter(session.Closed) {
		t.Errorf("state is %s", s.State())
	}
}
