package bridge_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// world is a bridge with devices that come and go, and what must hold for it
// whatever happens in which order.
type world struct {
	b        *bridge.Bridge
	p        *platform
	presence *presence
	sessions []*session.Session
	results  []*result
	sent     map[string]*handle // commands, by the login that brought them
	commands int
}

func newWorld(p *platform) (*world, error) {
	p.manual = true
	w := &world{p: p, presence: newPresence(), sent: map[string]*handle{}}
	cfg := bridge.DefaultConfig()
	cfg.Sessions.Shards, cfg.DownlinkWorkers = 1, 1
	var err error
	if w.b, err = bridge.New(cfg, p, names{}, bridge.WithListener(w.presence)); err != nil {
		return nil, err
	}
	return w, w.b.Start(context.Background())
}

func (w *world) open(identity string) {
	s, r := session.New(identity, &endpoint{}), &result{}
	w.sessions = append(w.sessions, s)
	w.results = append(w.results, r)
	w.b.Uplink().Online(s, nil, r.done)
}

func (w *world) end(i int) { w.b.Uplink().Offline(w.sessions[i], errCause) }

// command has the platform send a command by its n-th login.
func (w *world) command(n int) {
	w.p.mu.Lock()
	h := w.p.all[n]
	ok := h.effective && h.logouts == 0 && w.p.current[h.login.Device.DeviceName] == h
	w.p.mu.Unlock()
	if !ok {
		return // a platform sends nothing to a device that it has not logged in
	}
	w.commands++
	id := fmt.Sprintf("%d by %d", w.commands, n)
	w.sent[id] = h
	h.login.Command(service(id))
}

// check lets everything finish and says what is wrong then.
func (w *world) check() (wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	w.p.finish()
	for i, r := range w.results {
		if r.times() != 1 {
			complain("done of session %d was called %d times", i, r.times())
		}
	}
	live := map[string]*session.Session{}
	for i, s := range w.sessions {
		current := w.b.Sessions().Get(s.Identity()) == s
		if current != (s.State() == session.Online) || !current && s.State() != session.Closed {
			complain("session %d is %s, current: %v", i, s.State(), current)
		}
		if current {
			live[s.Identity()] = s
		}
	}
	if w.b.Sessions().Len() != len(live) {
		complain("%d sessions in the table, %d online", w.b.Sessions().Len(), len(live))
	}
	for id, s := range live {
		h := w.p.current[id]
		if h == nil {
			complain("%s is online here and offline at the platform", id)
			continue
		}
		probe := &thing.Command{Name: "probe"} // reaches the session that the login belongs to
		h.login.Command(probe)
		if e := s.Channel().(*endpoint); len(e.commands) == 0 || e.commands[len(e.commands)-1] != probe {
			complain("%s is online at the platform as another session", id)
		}
		if e := s.Channel().(*endpoint); e.cause() != nil {
			complain("the channel of %s, which is online, was closed: %v", id, e.cause())
		}
	}
	for id := range w.p.current {
		if live[id] == nil {
			complain("%s is offline here and online at the platform", id)
		}
	}
	for _, s := range live {
		w.b.Uplink().Offline(s, errCause)
	}
	w.p.finish()
	if err := w.b.Close(context.Background()); err != nil {
		complain("close: %v", err)
	}
	w.checkEnd(complain)
	return wrong
}

// checkEnd checks what must hold once no device is online any more.
func (w *world) checkEnd(complain func(format string, args ...any)) {
	outcomes := map[string]int{}
	for n, h := range w.p.all {
		if want := map[bool]int{true: 1}[h.effective]; h.logouts != want && !h.lost {
			complain("login %d (effective: %v) was logged out %d times", n, h.effective, h.logouts)
		}
		for _, r := range h.replies() {
			id, _, _ := strings.Cut(r, " off")
			id, _, _ = strings.Cut(id, " done")
			outcomes[id]++
		}
		if len(h.late) > 0 && !h.lost {
			complain("login %d said %v after its logout", n, h.late)
		}
	}
	for id, h := range w.sent {
		if outcomes[id] != 1 && !h.lost && !h.overtaken || outcomes[id] > 1 {
			complain("command %s has %d outcomes", id, outcomes[id])
		}
	}
	wrongOrder := w.presence.errs
	for i, s := range w.sessions {
		if w.presence.online[s] != w.presence.gone[s] || w.presence.online[s] > 1 {
			complain("session %d was %d times online and %d times offline", i, w.presence.online[s], w.presence.gone[s])
		}
	}
	if len(wrongOrder) > 0 {
		complain("%v", wrongOrder)
	}
	if st := w.b.Stats(); st.InFlight != 0 || st.Untold != 0 {
		complain("%+v", st)
	}
}

// nesting is what happens while Login is called: the next events of a story.
type nesting struct {
	where  string // before the call is noted, after it, or not at all
	events int
}

// tell runs a story: each letter is one event, a digit the session or login that
// it is about. O: a device comes online; E: its session is ended by its
// connection; C: a login completes; L: the platform ends a login; M: the
// platform sends a command.
func tell(story []string, refused, inline int, nest nesting) []string {
	p := newPlatform()
	p.refuses = func(n int) bool { return refused>>n&1 == 1 }
	p.inline = func(n int) bool { return inline>>n&1 == 1 }
	w, err := newWorld(p)
	if err != nil {
		return []string{err.Error()}
	}
	next := 0
	var step func()
	hook := func(auth.Identity) {
		for i := 0; i < nest.events && next < len(story); i++ {
			step()
		}
	}
	switch nest.where {
	case "before":
		p.before = hook
	case "after":
		p.after = hook
	}
	step = func() {
		event, n := story[next][0], int(story[next][1]-'1')
		next++
		switch event {
		case 'O':
			w.open("a")
		case 'E':
			w.end(n)
		case 'C':
			p.release(func(c completion) bool { return c.of != nil && n < len(p.all) && c.of == p.all[n] })
		case 'L':
			if n < len(p.all) {
				p.lose(p.all[n])
			}
		case 'M':
			if n < len(p.all) {
				w.command(n)
			}
		}
	}
	for next < len(story) {
		step()
	}
	return w.check()
}

// stories are all orders of events in which what must come first does: a
// session opens before it ends and before its login completes, and sessions
// open one after another.
func stories(events []string) [][]string {
	var all [][]string
	var grow func(done, left []string)
	grow = func(done, left []string) {
		if len(left) == 0 {
			all = append(all, slices.Clone(done))
			return
		}
		for i, e := range left {
			if e[0] == 'O' && e[1] > '1' && !slices.Contains(done, "O"+string(e[1]-1)) ||
				e[0] != 'O' && !slices.Contains(done, "O"+e[1:]) {
				continue
			}
			grow(append(done, e), slices.Delete(slices.Clone(left), i, i+1))
		}
	}
	grow(nil, events)
	return all
}

// TestEveryInterleaving goes through all orders in which two or three sessions
// of one device, their logins and their ends can come, also within each other's
// calls of Login.
func TestEveryInterleaving(t *testing.T) {
	t.Parallel()
	nestings := []nesting{{}, {"before", 1}, {"before", 2}, {"after", 1}, {"before", 9}}
	for name, c := range map[string]struct {
		events   []string
		outcomes int // of logins: bits
		nestings []nesting
	}{
		"one":      {[]string{"O1", "C1", "E1", "M1", "L1"}, 1, nestings},
		"two":      {[]string{"O1", "C1", "E1", "O2", "C2", "E2"}, 3, nestings},
		"commands": {[]string{"O1", "C1", "M1", "O2", "C2", "M2"}, 3, nestings},
		"lost":     {[]string{"O1", "C1", "L1", "O2", "C2", "L2"}, 0, nestings},
		"three":    {[]string{"O1", "C1", "E1", "O2", "C2", "O3", "C3"}, 2, nestings},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, told := stories(c.events), 0
			for _, story := range all {
				for _, nest := range c.nestings {
					for bits := range (c.outcomes + 1) * 2 {
						refused, inline := bits>>1, -(bits & 1)
						told++
						if wrong := tell(story, refused, inline, nest); len(wrong) > 0 {
							t.Fatalf("%v, refused %b, inline %v, %d events %s the call of Login:\n%s",
								story, refused, inline != 0, nest.events, nest.where, strings.Join(wrong, "\n"))
						}
					}
				}
			}
			t.Logf("%d orders of events, %d stories", len(all), told)
		})
	}
}

// TestRandomLives is a state machine over more devices and everything that can
// happen to them, with calls nested at random.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := newPlatform()
		w, err := newWorld(p)
		if err != nil {
			t.Fatal(err)
		}
		refused := rapid.Uint64().Draw(t, "refused")
		inline := rapid.Uint64().Draw(t, "inline")
		p.refuses = func(n int) bool { return refused>>(n%64)&1 == 1 && n%3 == 0 }
		p.inline = func(n int) bool { return inline>>(n%64)&1 == 1 && n%2 == 0 }
		depth := 0
		ids := rapid.SampledFrom([]string{"a", "b"})
		pick := func(t *rapid.T, n int, label string) int {
			if n == 0 {
				return -1
			}
			return rapid.IntRange(max(0, n-4), n-1).Draw(t, label)
		}
		actions := []func(){
			func() { w.open(ids.Draw(t, "device")) },
			func() {
				if i := pick(t, len(w.sessions), "session"); i >= 0 {
					w.end(i)
				}
			},
			func() { w.b.Kick(ids.Draw(t, "device"), errCause) },
			func() {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				_ = w.b.Offline(ctx, ids.Draw(t, "device"))
			},
			func() {
				if i := pick(t, len(p.todo), "completion"); i >= 0 {
					n := -1
					p.release(func(completion) bool { n++; return n == i })
				}
			},
			func() {
				if n := pick(t, len(p.all), "login"); n >= 0 {
					w.command(n)
				}
			},
			func() {
				if i := pick(t, len(w.sessions), "session"); i >= 0 {
					for _, cmd := range w.sessions[i].Channel().(*endpoint).commands {
						m := cmd.Reply(thing.Done)
						_ = w.b.Uplink().Publish(w.sessions[i], &m, nil)
					}
				}
			},
			func() {
				if id := ids.Draw(t, "device"); p.current[id] != nil {
					p.lose(p.current[id])
				}
			},
		}
		act := func() { actions[rapid.IntRange(0, len(actions)-1).Draw(t, "action")]() }
		nested := func(auth.Identity) {
			if depth++; depth < 4 {
				for range rapid.IntRange(0, 2).Draw(t, "nested") {
					act()
				}
			}
			depth--
		}
		p.before, p.after = nested, nested
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			act()
		}
		p.before, p.after = nil, nil
		if wrong := w.check(); len(wrong) > 0 {
			t.Fatal(strings.Join(wrong, "\n"))
		}
	})
}

// TestChurn does the same from many goroutines at once, against a platform that
// completes on goroutines of its own.
func TestChurn(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p := newPlatform()
	w, err := newWorld(p)
	if err != nil {
		t.Fatal(err)
	}
	p.manual = false
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				s, r := session.New(string(rune('a'+(g+i)%3)), &endpoint{}), &result{}
				mu.Lock()
				w.sessions, w.results = append(w.sessions, s), append(w.results, r)
				mu.Unlock()
				online := make(chan error, 1)
				w.b.Uplink().Online(s, nil, func(err error) { r.done(err); online <- err })
				if i%3 == 0 {
					<-online
				}
				_ = w.b.Uplink().Publish(s, &thing.Message{Kind: thing.Raw}, nil)
				switch i % 4 {
				case 0:
					w.b.Uplink().Offline(s, errCause)
				case 1:
					w.b.Kick(s.Identity(), errCause)
				}
			}
		})
	}
	wg.Wait()
	p.async.Wait()
	if wrong := w.check(); len(wrong) > 0 {
		t.Fatal(strings.Join(wrong, "\n"))
	}
}
