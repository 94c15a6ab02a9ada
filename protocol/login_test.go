package protocol_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

func TestLoginIsABarrier(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3, 1000} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			d := connect(t, &script{received: echo})
			d.HoldLogins = true
			d.SendEach(size, []byte("m1\n1\n2\n3\n"))
			if got := said(d); got != "" {
				t.Errorf("platform heard %q before the login was done", got)
			}
			d.ReleaseLogins(nil)
			if got := said(d); got != "m1:1 m1:2 m1:3" {
				t.Errorf("platform heard %q", got)
			}
			if s := d.Online[0].Session; s.Counters().Messages != 3 || !s.LastSeen().Equal(protocoltest.Start) {
				t.Errorf("counters %+v, seen %v", s.Counters(), s.LastSeen())
			}
		})
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	var got error
	d := connect(t, &script{received: func(c *conn, line string) error {
		if got != nil {
			return c.Report(text(line), nil)
		}
		c.Online(line, nil, func(err error) { got = err })
		return nil
	}})
	d.Refuse = no
	d.Send([]byte("m1\nx\n"))
	if !errors.Is(got, no) || !errors.Is(d.Cause, protocol.ErrOffline) {
		t.Errorf("done got %v, cause %v; want the refusal, and a report without a session to fail", got, d.Cause)
	}
}

func TestLoginThatComesTooLateIsUndone(t *testing.T) {
	t.Parallel()
	for name, login := range map[string]func(c *conn, called *bool){
		"own":    func(c *conn, called *bool) { c.Online("m1", nil, func(error) { *called = true }) },
		"behind": func(c *conn, called *bool) { c.Attach("m1", nil, func(*session.Session, error) { *called = true }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var called bool
			d := connect(t, &script{received: func(c *conn, _ string) error { login(c, &called); return nil }})
			d.HoldLogins = true
			d.Send([]byte("x\n"))
			d.Hangup()
			d.ReleaseLogins(nil)
			if called || len(d.Online) != 1 || len(d.Offline) != 1 || !errors.Is(d.Offline[0].Cause, protocol.ErrClosed) {
				t.Errorf("done called: %v, online %v, offline %v", called, d.Online, d.Offline)
			}
		})
	}
}

func TestSecondLoginMeanwhile(t *testing.T) {
	t.Parallel()
	var first, second error
	d := connect(t, &script{received: func(c *conn, line string) error {
		first = errors.New("not yet")
		c.Online("a", nil, func(err error) { first = err })
		c.Online("b", nil, func(err error) { second = err })
		return nil
	}})
	d.Send([]byte("x\n"))
	if first != nil || !errors.Is(second, protocol.ErrBusy) || !slices.Equal(d.Live(), []string{"a"}) {
		t.Errorf("first %v, second %v, live %v", first, second, d.Live())
	}
}

func TestLoginAgainEndsTheFirst(t *testing.T) {
	t.Parallel()
	d := connect(t, &script{received: func(c *conn, line string) error { c.Online(line, nil, nil); return nil }})
	d.Send([]byte("a\na\nb\n"))
	if len(d.Offline) != 2 || d.Offline[0].Identity != "a" || !errors.Is(d.Offline[0].Cause, protocol.ErrRelogin) {
		t.Errorf("offline %+v", d.Offline)
	}
	if o := d.Offline[1]; o.Identity != "a" || !errors.Is(o.Cause, protocol.ErrReplaced) {
		t.Errorf("offline %+v", o)
	}
	if !slices.Equal(d.Live(), []string{"b"}) {
		t.Errorf("live %v", d.Live())
	}
}

// A device stays online as long as another one has only tried to log in on its
// connection.
func TestLoginOfAnotherThatFails(t *testing.T) {
	t.Parallel()
	for name, admit := range map[string]bool{"refused by the platform": true, "not admitted": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []error
			a := &script{received: func(c *conn, line string) error {
				if line == "say" {
					return c.Report(text(line), nil)
				}
				c.Online(line, nil, func(err error) { got = append(got, err) })
				return nil
			}}
			g := &gate{closed: map[string]bool{"b": !admit}}
			d := connect(t, a, through(g))
			d.Send([]byte("a\n"))
			no := errors.New("no")
			first := d.Online[0].Session
			if admit {
				d.HoldLogins = true
				d.Send([]byte("b\nsay\n"))
				if !slices.Equal(d.Live(), []string{"a"}) || len(d.Said) != 0 {
					t.Errorf("meanwhile live %v, said %v", d.Live(), d.Said)
				}
				d.CommandTo(first, &thing.Command{Name: "meanwhile"})
				d.ReleaseLogins(no)
			} else {
				no = errGate
				d.Send([]byte("b\nsay\n"))
				d.CommandTo(first, &thing.Command{Name: "meanwhile"})
			}
			if len(got) != 2 || !errors.Is(got[1], no) || len(d.Offline) != 0 || !slices.Equal(d.Live(), []string{"a"}) {
				t.Errorf("outcomes %v, offline %v, live %v", got, d.Offline, d.Live())
			}
			if len(d.Said) == 0 || d.Said[len(d.Said)-1].Identity != "a" {
				t.Errorf("said %v", d.Said)
			}
		})
	}
}

// What the uplink refuses at once is told to those who do not wait.
func TestReportRefusedAtOnce(t *testing.T) {
	t.Parallel()
	full := errors.New("too much under way")
	var c *conn
	d := connect(t, &script{opened: func(opened *conn) error { c = opened; c.Online("a", nil, nil); return nil }})
	d.RefusePublish = full
	if err := c.Report(text("x"), nil); !errors.Is(err, full) {
		t.Errorf("without done: %v", err)
	}
	var got []error
	if err := c.Report(text("x"), func(err error) { got = append(got, err) }); err != nil || len(got) != 0 {
		t.Errorf("with done: %v, inline %v", err, got)
	}
	d.Run()
	if len(got) != 1 || !errors.Is(got[0], full) || len(d.Said) != 0 {
		t.Errorf("done got %v, the platform %v", got, d.Said)
	}
}

func TestAfterTheEnd(t *testing.T) {
	t.Parallel()
	var c *conn
	d := connect(t, &script{opened: func(opened *conn) error { c = opened; return nil }})
	d.Hangup()
	var online, attached error
	c.Online("a", nil, func(err error) { online = err })
	c.Attach("a", nil, func(_ *session.Session, err error) { attached = err })
	for what, err := range map[string]error{"Online": online, "Attach": attached, "Send": c.Send("x")} {
		if !errors.Is(err, protocol.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", what, err)
		}
	}
	if err := c.Report(text("x"), nil); !errors.Is(err, protocol.ErrOffline) || len(d.Tried) != 0 {
		t.Errorf("Report: %v, logins %v", err, d.Tried)
	}
}

// gateway attaches the devices named by its lines; "name=text" is a report.
func gateway(units map[string]*session.Session, failed *error) func(c *conn, line string) error {
	return func(c *conn, line string) error {
		name, report, is := strings.Cut(line, "=")
		if is {
			return c.ReportFor(units[name], text(report), nil)
		}
		c.Attach(name, nil, func(s *session.Session, err error) {
			units[name] = s
			if err != nil {
				*failed = err
			}
		})
		return nil
	}
}

func TestDevicesBehindOneConnection(t *testing.T) {
	t.Parallel()
	units := map[string]*session.Session{}
	var failed error
	var commanded []string
	d := connect(t, &script{received: gateway(units, &failed), command: func(c *conn, s *session.Session, cmd *thing.Command) error {
		commanded = append(commanded, s.Identity()+":"+cmd.Name)
		return nil
	}}, protocoltest.WithHost(func(h *protocol.Host) { h.MaxAttached = 2 }))
	d.Send([]byte("a\nb\n"))
	d.Send([]byte("c\n"))
	if !errors.Is(failed, protocol.ErrTooManyAttached) || !slices.Equal(d.Live(), []string{"a", "b"}) {
		t.Fatalf("third device: %v, live %v", failed, d.Live())
	}
	d.Advance(1e9)
	d.Send([]byte("a=1\nb=2\n"))
	if got := said(d); got != "a:1 b:2" {
		t.Errorf("platform heard %q", got)
	}
	if seen := units["b"].LastSeen(); !seen.Equal(d.Now()) {
		t.Errorf("b was last seen %v, want now: a report is a sign of life", seen)
	}
	d.CommandTo(units["b"], &thing.Command{Name: "on"})
	taken := errors.New("taken over")
	d.TakeOver(units["a"], taken) // it moved to another gateway: b is not disturbed
	d.CommandTo(units["a"], &thing.Command{Name: "late"})
	d.CommandTo(units["b"], &thing.Command{Name: "off"})
	if d.Closed || !slices.Equal(d.Live(), []string{"b"}) || !slices.Equal(commanded, []string{"b:on", "b:off"}) {
		t.Errorf("closed %v, live %v, commands %v", d.Closed, d.Live(), commanded)
	}
	d.Send([]byte("c\n")) // there is room again
	d.Hangup()
	if len(d.Offline) != 3 || len(d.Live()) != 0 {
		t.Errorf("offline %v, live %v", d.Offline, d.Live())
	}
}

func TestLoginsUnderWayCountAsAttached(t *testing.T) {
	t.Parallel()
	units := map[string]*session.Session{}
	var failed error
	d := connect(t, &script{received: gateway(units, &failed)},
		protocoltest.WithHost(func(h *protocol.Host) { h.MaxAttached = 1 }))
	d.HoldLogins = true
	d.Send([]byte("a\nb\n"))
	if len(d.Tried) != 1 || !errors.Is(failed, protocol.ErrTooManyAttached) {
		t.Errorf("%d logins tried, second: %v", len(d.Tried), failed)
	}
	failed = nil
	d.ReleaseLogins(errors.New("no"))
	d.HoldLogins = false
	d.Send([]byte("b\n"))
	if !slices.Equal(d.Live(), []string{"b"}) {
		t.Errorf("live %v: a refused login leaves its place", d.Live())
	}
}

// A platform's end of a login may overtake the login's completion: they come
// from different goroutines.
func TestFurtherDeviceThatEndsAsItComesOnline(t *testing.T) {
	t.Parallel()
	units := map[string]*session.Session{}
	var failed error
	d := connect(t, &script{received: gateway(units, &failed)},
		protocoltest.WithHost(func(h *protocol.Host) { h.MaxAttached = 1 }))
	d.HoldLogins = true
	d.Send([]byte("a\n"))
	taken := errors.New("taken over")
	d.Tried[0].Session.CloseChannel(taken)
	d.ReleaseLogins(nil)
	if !errors.Is(failed, taken) || units["a"] != nil || len(d.Live()) != 0 {
		t.Errorf("attached with %v, session %v, live %v; want no session, as it has ended", failed, units["a"], d.Live())
	}
	d.HoldLogins, failed = false, nil
	d.Send([]byte("b\n"))
	if failed != nil || !slices.Equal(d.Live(), []string{"b"}) {
		t.Errorf("the next device: %v, live %v: one that ended leaves its place", failed, d.Live())
	}
}
