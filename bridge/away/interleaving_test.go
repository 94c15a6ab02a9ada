package away_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// join logs device a in, with that for what it is told.
func (w *world) join(command func(d upstream.Device, cmd *thing.Command)) upstream.Device {
	w.t.Helper()
	var d upstream.Device
	in := make(chan error, 1)
	w.Login(upstream.Login{
		Device: auth.Identity{ProductKey: "pk", DeviceName: "a"}, Name: "a", Listener: "x",
		Command: func(cmd *thing.Command) { command(d, cmd) }, Lost: func(error) {},
	}, func(device upstream.Device, err error) {
		d = device
		in <- err
	})
	if err := <-in; err != nil {
		w.t.Error(err)
	}
	return d
}

// A device that is taken over while it is told what waited is told the rest in order,
// one by one.
func TestTakenOverWhileHandingOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil)
		defer w.close()
		w.online("a", "x").leave()
		for _, id := range []string{"c1", "c2", "c3"} {
			w.login().Command(&thing.Command{ID: id})
		}
		var first, second []string
		hold, taken := make(chan struct{}), make(chan upstream.Device, 1)
		go w.join(func(_ upstream.Device, cmd *thing.Command) {
			first = append(first, cmd.ID)
			<-hold
		})
		synctest.Wait()
		slow := make(chan struct{})
		go func() {
			taken <- w.join(func(_ upstream.Device, cmd *thing.Command) {
				if cmd.ID == "c2" {
					<-slow
				}
				second = append(second, cmd.ID)
			})
		}()
		synctest.Wait()
		close(hold)
		synctest.Wait()
		close(slow)
		synctest.Wait()
		if !slices.Equal(first, []string{"c1"}) || !slices.Equal(second, []string{"c2", "c3"}) {
			t.Errorf("the device was told %q and %q, want c1, then c2 c3", first, second)
		}
		(<-taken).Logout(upstream.Ignore)
	})
}

// A device that is away again before it was told everything does not keep the rest
// for longer than commandTime.
func TestAwayAgainWhileHandingOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, func(c *away.Config) { c.Hold, c.CommandTime = time.Hour, 30*time.Second })
		defer w.close()
		w.online("a", "x").leave()
		w.login().Command(&thing.Command{ID: "c1"})
		w.login().Command(&thing.Command{ID: "c2"})
		w.join(func(d upstream.Device, _ *thing.Command) { d.(upstream.Leaver).Leave(upstream.Ignore) })
		w.want("login a")
		wait(31 * time.Second)
		w.want("reply c2 timed out")
	})
}

// A connection that breaks while linkspan closes leaves nobody logged in.
func TestLeaveAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil)
		c := w.online("a", "x")
		if err := w.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.leave()
		w.want("login a", "logout a")
	})
}

// A device that is removed while it is away does not stay logged in.
func TestRevokedWhileAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil)
		defer w.close()
		w.online("a", "x").leave()
		w.online("b", "x").leave()
		there := w.online("c", "x")
		if n := w.Revoke(slices.Values([]string{"a", "c", "nobody"})); n != 1 {
			t.Errorf("%d were logged out, want 1", n)
		}
		w.want("login a", "login b", "login c", "logout a")
		if s := w.Stats(); s.Away != 1 {
			t.Errorf("%d are away, want 1", s.Away)
		}
		there.Logout(upstream.Ignore)
		w.want("logout c")
		w.online("b", "x").Logout(upstream.Ignore)
		w.want("logout b")
	})
}

// A login that is kept in order does not go on with one that is not, nor the other way
// round: the connector behind would not know what its sender wants.
func TestOtherOrderIsAnotherLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil)
		defer w.close()
		w.online("a", "x").leave()
		in := make(chan upstream.Device, 1)
		w.Login(upstream.Login{
			Device: auth.Identity{ProductKey: "pk", DeviceName: "a"}, Name: "a", Listener: "x", InOrder: true,
			Command: func(*thing.Command) {}, Lost: func(error) {},
		}, func(d upstream.Device, _ error) { in <- d })
		d := <-in
		if !w.login().InOrder {
			t.Error("the connector behind does not know of the order")
		}
		d.Logout(upstream.Ignore)
	})
}
