package away_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// tell has the platform tell the device that logged in last something.
func (w *world) tell(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.login().Command(&thing.Command{ID: id})
	}
}

// heard checks what a device was told.
func (w *world) heard(c *client, want string) {
	w.t.Helper()
	synctest.Wait()
	if got := c.heard(); got != want {
		w.t.Errorf("the device was told %q, want %q", got, want)
	}
}

// Commands outlive the login of their device, however that ends, and are handed over
// in their order, whatever listener it comes back through.
func TestCommandsOutliveTheLogin(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, c *client){
		"held for too long":     func(*world, *client) { wait(61 * time.Second) },
		"lost":                  func(w *world, _ *client) { w.login().Lost(errors.New("kicked")) },
		"said goodbye meantime": func(_ *world, c *client) { c.Logout(upstream.Ignore) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, func(c *away.Config) { c.CommandTime = time.Hour })
				defer w.close()
				first := w.online("a", "x")
				first.leave()
				w.tell("c1", "c2")
				end(w, first)
				synctest.Wait()
				if s := w.Stats(); s.Away != 0 || s.Waiting != 2 || s.Untold != 0 {
					t.Errorf("counted %+v, want 2 that wait", s)
				}
				w.take()
				second := w.online("a", "y")
				w.tell("c3")
				w.heard(second, "c1 c2 c3")
				w.want("login a")
				if s := w.Stats(); s.Delivered != 2 || s.Waiting != 0 {
					t.Errorf("counted %+v", s)
				}
			})
		})
	}
}

// The platform is told at the next login that the time of a command was over, and the
// others are handed over.
func TestTimeOverWhileLoggedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, func(c *away.Config) { c.CommandTime = time.Hour })
		defer w.close()
		w.online("a", "x").leave()
		w.login().Command(&thing.Command{ID: "short", Deadline: time.Now().Add(2 * time.Minute)})
		w.tell("long")
		wait(3 * time.Minute)
		w.want("login a", "logout a")
		if s := w.Stats(); s.Expired != 1 || s.Overdue != 1 || s.Waiting != 1 || s.Untold != 0 {
			t.Errorf("counted %+v, want one that is overdue and one that waits", s)
		}
		second := w.online("a", "x")
		w.heard(second, "long")
		w.want("login a", "reply short timed out")
		if s := w.Stats(); s.Expired != 1 || s.Overdue != 0 || s.Waiting != 0 || s.Delivered != 1 {
			t.Errorf("counted %+v", s)
		}
	})
}

// That a command's time was over is forgotten some time later.
func TestOverdueCommandsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil, away.Remembering(time.Hour))
		defer w.close()
		w.online("a", "x").leave()
		wait(40 * time.Second)
		w.tell("c1")
		wait(2 * time.Minute)
		if s := w.Stats(); s.Overdue != 1 {
			t.Errorf("counted %+v, want one that is overdue", s)
		}
		wait(time.Hour)
		if s := w.Stats(); s.Overdue != 0 || s.Untold != 1 {
			t.Errorf("counted %+v, want none that is overdue", s)
		}
		w.online("a", "x")
		w.want("login a", "logout a", "login a")
	})
}

// Those whose time is over make room for others, the oldest first.
func TestOverdueCommandsMakeRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, func(c *away.Config) { c.MaxCommands, c.Commands, c.CommandTime = 3, 2, 70*time.Second })
		defer w.close()
		for _, name := range []string{"a", "b", "c"} {
			w.online(name, "x").leave()
			w.tell(name)
			wait(time.Second)
		}
		wait(2 * time.Minute)
		w.take()
		w.online("d", "x").leave()
		w.tell("d1", "d2", "d3") // the last is too much for one device
		w.want("login d", "reply d3 failed")
		if s := w.Stats(); s.Untold != 2 || s.Overdue != 1 || s.Waiting != 2 {
			t.Errorf("counted %+v, want two that are forgotten", s)
		}
		w.online("a", "x")
		w.online("c", "x")
		w.want("login a", "login c", "reply c timed out")
	})
}

// What the platform says while the device logs in comes behind what has waited, and what
// it repeats is told once.
func TestCommandsDuringLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, func(c *away.Config) { c.CommandTime, c.Commands = time.Hour, 4 })
		defer w.close()
		w.online("a", "x").leave()
		w.tell("c1", "c2")
		wait(2 * time.Minute)
		w.hold = make(chan struct{})
		told := make(chan string, 10)
		go w.join(func(_ upstream.Device, cmd *thing.Command) { told <- cmd.ID })
		synctest.Wait()
		w.tell("c1", "c3", "c4", "c5") // the last is too much, and nobody can be told yet
		w.login().Command(&thing.Command{ID: "late", Deadline: time.Now().Add(-time.Second)})
		close(w.hold)
		synctest.Wait()
		w.tell("c6")
		close(told)
		if got := slices.Collect(func(yield func(string) bool) {
			for id := range told {
				yield(id)
			}
		}); !slices.Equal(got, []string{"c1", "c2", "c3", "c4", "c6"}) {
			t.Errorf("the device was told %q, want c1 c2 c3 c4 c6", got)
		}
		if s := w.Stats(); s.Untold != 2 || s.Waiting != 0 {
			t.Errorf("counted %+v", s)
		}
	})
}

// A login that fails leaves the commands where they are, or tells the platform of them by
// the login that there was.
func TestCommandsAndRefusedLogin(t *testing.T) {
	t.Parallel()
	for keep, want := range map[string]struct {
		heard   string
		replies []string
	}{
		away.KeepMemory: {heard: "c1"},
		away.KeepHold:   {replies: []string{"reply c1 offline"}},
	} {
		t.Run(keep, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, func(c *away.Config) { c.Keep = keep })
				defer w.close()
				w.online("a", "x").leave()
				w.tell("c1")
				w.refuse = upstream.ErrNotConnected
				refused := make(chan error, 1)
				w.Login(upstream.Login{Device: auth.Identity{ProductKey: "pk", DeviceName: "a"}, Name: "a", Listener: "y"},
					func(_ upstream.Device, err error) { refused <- err })
				if err := <-refused; !errors.Is(err, upstream.ErrNotConnected) {
					t.Errorf("got %v", err)
				}
				w.refuse = nil
				w.want(append([]string{"login a", "login a"}, append(want.replies, "logout a")...)...)
				w.heard(w.online("a", "x"), want.heard)
			})
		})
	}
}

// The commands of a device that was removed are nobody's.
func TestRevokedWhileLoggedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, func(c *away.Config) { c.CommandTime = time.Hour })
		defer w.close()
		for _, name := range []string{"a", "b"} {
			w.online(name, "x").leave()
			w.tell(name + "1")
		}
		wait(2 * time.Minute)
		w.take()
		if n := w.Revoke(slices.Values([]string{"a"})); n != 0 {
			t.Errorf("%d were logged out, want none", n)
		}
		if s := w.Stats(); s.Untold != 1 || s.Waiting != 1 {
			t.Errorf("counted %+v", s)
		}
		w.heard(w.online("a", "x"), "")
		w.heard(w.online("b", "x"), "b1")
	})
}

// Publish of a login that another one has taken over fails after what it has
// published before is answered.
func TestOrderOfASupersededLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil)
		defer w.close()
		w.slow = true
		first := w.online("a", "x")
		var order []string
		say := func(what string) {
			first.Publish(&thing.Message{Kind: thing.Raw}, func(err error) {
				if err != nil {
					what += " superseded"
				}
				order = append(order, what)
			})
		}
		say("1")
		say("2")
		w.online("a", "x")
		say("3")
		say("4")
		synctest.Wait()
		if len(order) > 0 {
			t.Errorf("%q is done before the platform has answered", order)
		}
		w.answer()
		synctest.Wait()
		say("5")
		if !slices.Equal(order, []string{"1", "2", "3 superseded", "4 superseded", "5 superseded"}) {
			t.Errorf("done in the order %q", order)
		}
	})
}
