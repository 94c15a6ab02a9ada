package bridge_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

func service(id string) *thing.Command {
	return &thing.Command{ID: id, Kind: thing.Service, Name: "reboot"}
}

// goOnline brings a device online and returns its login.
func goOnline(t *testing.T, b *bridge.Bridge, p *platform, s *session.Session) *handle {
	t.Helper()
	if err := b.Online(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return p.last()
}

func reply(b *bridge.Bridge, s *session.Session, id string, state thing.State) error {
	var r result
	_ = b.Uplink().Publish(s, &thing.Message{Kind: thing.Reply, ID: id, State: state}, r.done)
	return r.errs[0]
}

func TestEveryCommandHasOneOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		cfg := bridge.DefaultConfig()
		cfg.MaxCommands = 4
		b := newBridge(t, p, cfg)
		e := &endpoint{}
		s := session.New("a", e)
		h := goOnline(t, b, p, s)
		for _, id := range []string{"done", "refused", "slow", "left", "excess", "done"} {
			h.login.Command(service(id))
		}
		h.login.Command(&thing.Command{Kind: thing.Service}) // nobody waits
		if len(e.commands) != 5 {
			t.Fatalf("%d commands delivered", len(e.commands))
		}
		if err := reply(b, s, "done", 0); err != nil {
			t.Error(err)
		}
		if err := reply(b, s, "refused", thing.Refused); err != nil {
			t.Error(err)
		}
		if err := reply(b, s, "done", thing.Done); !errors.Is(err, bridge.ErrNoCommand) {
			t.Errorf("a second reply: %v", err)
		}
		if err := reply(b, s, "", thing.Done); err != nil {
			t.Errorf("a reply that nobody waits for: %v", err)
		}
		h.login.Command(&thing.Command{ID: "short", Deadline: time.Now().Add(time.Second)})
		h.login.Command(&thing.Command{ID: "over", Deadline: time.Now()})
		time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
		if want := []string{"excess failed", "done done", "refused refused", "over timed out", "short timed out"}; !slices.Equal(h.replies(), want) {
			t.Errorf("replies %q, want %q", h.replies(), want)
		}
		time.Sleep(cfg.CommandTimeout - 2*time.Second - 200*time.Millisecond) //nolint:forbidigo // fake time
		h.login.Command(service("later"))
		if n := len(h.replies()); n != 5 {
			t.Errorf("%d replies before the time was over", n)
		}
		time.Sleep(time.Second) //nolint:forbidigo // fake time
		if r := h.replies(); len(r) != 7 || !slices.Contains(r, "slow timed out") || !slices.Contains(r, "left timed out") {
			t.Errorf("replies %q", r)
		}
		if err := reply(b, s, "slow", thing.Done); !errors.Is(err, bridge.ErrNoCommand) {
			t.Errorf("a late reply: %v", err)
		}
		if err := b.Offline(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if r := h.replies(); r[7] != "later offline" || len(r) != 8 {
			t.Errorf("replies %q", r)
		}
		h.login.Command(service("after"))
		if len(h.late) != 1 || h.late[0].ID != "after" || h.late[0].State != thing.Offline {
			t.Errorf("said after logout: %+v", h.late)
		}
		st := b.Stats()
		if st.LateReplies != 2 || st.Repeated != 1 || st.TooMany != 1 || st.Commands != 11 || st.Outcomes["timed out"] != 4 {
			t.Errorf("%+v", st)
		}
	})
}

// TestRepliesOfASessionTakenOver go out before the new session's login would
// make the platform refuse them.
func TestCommandsOfASessionTakenOver(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	b := newBridge(t, p, bridge.DefaultConfig())
	first := goOnline(t, b, p, session.New("a", &endpoint{}))
	first.login.Command(service("1"))
	second := goOnline(t, b, p, session.New("a", &endpoint{}))
	if want := []string{"1 offline"}; !slices.Equal(first.replies(), want) || len(second.replies()) != 0 {
		t.Errorf("replies %q and %q", first.replies(), second.replies())
	}
}

// TestEarlyCommands come between the platform's login and its completion: they
// are delivered after it, before others, or end with it.
func TestEarlyCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.manual = true
		b := newBridge(t, p, bridge.DefaultConfig())
		e := &endpoint{}
		var r result
		s := session.New("a", e)
		b.Uplink().Online(s, nil, r.done)
		h := p.last()
		h.login.Command(service("1"))
		h.login.Command(&thing.Command{Kind: thing.Service, Name: "no ID"})
		h.login.Command(&thing.Command{ID: "short", Deadline: time.Now().Add(time.Second)})
		time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
		e.told = func(cmd *thing.Command) {
			if r.times() != 1 {
				t.Error("a command came before the device knew that it was online")
			}
			if cmd.ID == "1" {
				h.login.Command(service("2")) // while early ones are handed over
			}
		}
		p.finish()
		var got []string
		for _, cmd := range e.commands {
			got = append(got, cmd.ID)
		}
		if !slices.Equal(got, []string{"1", "", "2"}) {
			t.Errorf("delivered %q", got)
		}
		if !slices.Equal(h.replies(), []string{"short timed out"}) {
			t.Errorf("replies %q", h.replies())
		}

		b.Uplink().Online(session.New("b", e), nil, func(error) {})
		ended := b.Sessions().Get("b")
		h = p.last()
		h.login.Command(service("3"))
		b.Uplink().Offline(ended, errCause)
		h.login.Command(service("4"))
		p.finish()
		h.login.Command(service("5"))
		got = h.replies()
		slices.Sort(got)
		if !slices.Equal(got, []string{"3 offline", "4 offline"}) || h.logouts != 1 || len(h.late) != 1 {
			t.Errorf("replies %q, %d logouts, %d later", got, h.logouts, len(h.late))
		}
	})
}

func TestLoginTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		p.manual = true
		b := newBridge(t, p, bridge.DefaultConfig())
		var r result
		s := session.New("a", nil)
		b.Uplink().Online(s, nil, r.done)
		time.Sleep(time.Minute - time.Second) //nolint:forbidigo // fake time
		if r.times() != 0 {
			t.Fatal("timed out early")
		}
		time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
		if r.once(t) == nil || s.State() != session.Closed || b.Stats().LoginFailures["timeout"] != 1 {
			t.Errorf("login ended with %v", r.once(t))
		}
		p.finish()
		if p.last().logouts != 1 || len(p.current) != 0 {
			t.Error("the late login was not undone")
		}
	})
}

func TestHeartbeatTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		presence := newPresence()
		b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithListener(presence))
		e := &endpoint{}
		s := session.New("a", e, session.Heartbeat(10*time.Second, 1))
		h := goOnline(t, b, p, s)
		time.Sleep(21 * time.Second) //nolint:forbidigo // fake time
		synctest.Wait()
		if !errors.Is(e.cause(), session.ErrHeartbeatTimeout) || h.logouts != 1 || s.State() != session.Closed ||
			!errors.Is(presence.causes[s], session.ErrHeartbeatTimeout) {
			t.Errorf("channel %v, %d logouts, session %s", e.cause(), h.logouts, s.State())
		}
	})
}

func TestLost(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	b := newBridge(t, p, bridge.DefaultConfig())
	e := &endpoint{}
	s := session.New("a", e)
	h := goOnline(t, b, p, s)
	h.login.Lost(errCause)
	h.login.Lost(errCause)
	if !errors.Is(e.cause(), errCause) || s.State() != session.Closed || h.logouts != 0 || len(p.all) != 1 || b.Stats().Lost != 1 {
		t.Errorf("channel %v, session %s, %d logouts, %d logins", e.cause(), s.State(), h.logouts, len(p.all))
	}
}

// handler is a downlink handler that says what it was told.
type handler struct {
	bridge.DirectDownlink
	pushed, broadcast chan *thing.Command
	err               error
	state             thing.State
}

func (h *handler) Push(_ *session.Session, cmd *thing.Command) (thing.State, error) {
	h.pushed <- cmd
	return h.state, h.err
}

func (h *handler) Broadcast(cmd *thing.Command) error {
	h.broadcast <- cmd
	return nil
}

// wait waits until ok is true for what is asynchronous in the bridge.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // polls for what has no event, with a deadline
	}
}

func TestDownlinkHandler(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state thing.State
		err   error
		want  string
	}{
		"done":        {thing.Done, nil, "1 done"},
		"refused":     {0, &thing.ReplyError{State: thing.Invalid, Text: "no"}, "1 invalid"},
		"failed":      {0, errCause, "1 failed"},
		"will answer": {0, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlatform()
				d := &handler{pushed: make(chan *thing.Command, 1), state: c.state, err: c.err}
				b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithDownlink(d))
				s := session.New("a", 42)
				h := goOnline(t, b, p, s)
				h.login.Command(service("1"))
				<-d.pushed
				synctest.Wait()
				if c.want == "" {
					if err := reply(b, s, "1", thing.Done); err != nil {
						t.Error(err)
					}
					c.want = "1 done"
				}
				if got := h.replies(); !slices.Equal(got, []string{c.want}) {
					t.Errorf("replies %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestWithoutDownlinkHandlerCommandsAreRefused(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	b := newBridge(t, p, bridge.DefaultConfig())
	h := goOnline(t, b, p, session.New("a", 42))
	h.login.Command(service("1"))
	if got := h.replies(); !slices.Equal(got, []string{"1 unsupported"}) || b.Stats().RefusedCommands != 1 {
		t.Errorf("replies %q", got)
	}
}

// writer is a channel of bytes.
type writer struct {
	bytes.Buffer
	deadlines int
}

func (w *writer) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() {
		w.deadlines++
	}
	return nil
}

func TestDirectDownlink(t *testing.T) {
	t.Parallel()
	w := &writer{}
	s := session.New("a", w)
	for _, kind := range []thing.CommandKind{thing.Notice, thing.RawDown} {
		state, err := bridge.DirectDownlink{}.Push(s, &thing.Command{Kind: kind, Raw: []byte("hi")})
		if state != thing.Done || err != nil {
			t.Errorf("%s: %s, %v", kind, state, err)
		}
	}
	if w.String() != "hihi" || w.deadlines != 2 {
		t.Errorf("wrote %q with %d deadlines", w.String(), w.deadlines)
	}
	var r *thing.ReplyError
	if _, err := (bridge.DirectDownlink{}).Push(s, service("1")); !errors.As(err, &r) || r.State != thing.Unsupported {
		t.Errorf("a service: %v", err)
	}
	if _, err := (bridge.DirectDownlink{}).Push(session.New("b", 42), &thing.Command{Kind: thing.Notice}); !errors.As(err, &r) {
		t.Errorf("no writer: %v", err)
	}
	if err := (bridge.DirectDownlink{}).Broadcast(service("1")); !errors.Is(err, bridge.ErrNoBroadcast) {
		t.Errorf("broadcast: %v", err)
	}
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	d := &handler{broadcast: make(chan *thing.Command, 1)}
	b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithDownlink(d))
	told := make(chan string, 10)
	for i := range 3 {
		id := fmt.Sprint(i) //nolint:perfsprint // a test
		goOnline(t, b, p, session.New(id, &endpoint{told: func(cmd *thing.Command) { told <- id + cmd.ID }}))
	}
	goOnline(t, b, p, session.New("other", 42))
	goOnline(t, b, p, session.New("another", 42))
	p.started.Broadcast(service("7"))
	got := []string{<-told, <-told, <-told}
	slices.Sort(got)
	if !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("told %q", got)
	}
	if cmd := <-d.broadcast; cmd.ID != "" || cmd.Name != "reboot" {
		t.Errorf("broadcast %+v", cmd)
	}
}

func TestBroadcastWithoutHandlerIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	b := newBridge(t, p, bridge.DefaultConfig())
	goOnline(t, b, p, session.New("a", 42))
	p.started.Broadcast(service("7"))
	wait(t, "the refusal", func() bool { return b.Stats().RefusedCommands == 1 })
}

// TestPushesAreBounded: a handler that blocks does not block the connector.
func TestPushesAreBounded(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	cfg := bridge.DefaultConfig()
	cfg.DownlinkWorkers, cfg.DownlinkQueue = 1, 1
	d := &handler{pushed: make(chan *thing.Command), state: thing.Done}
	b := newBridge(t, p, cfg, bridge.WithDownlink(d))
	h := goOnline(t, b, p, session.New("a", 42))
	h.login.Command(service("1"))
	wait(t, "the handler", func() bool { return b.Stats().WaitingPushes == 0 })
	h.login.Command(service("2"))
	h.login.Command(service("3"))
	if got := h.replies(); !slices.Equal(got, []string{"3 failed"}) {
		t.Errorf("replies %q", got)
	}
	<-d.pushed
	<-d.pushed
	wait(t, "replies", func() bool { return len(h.replies()) == 3 })
}

var _ auth.Provider = credentials{}
