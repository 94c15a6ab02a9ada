package away_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// cloud is a platform and its connector. It notes what happens, in order.
type cloud struct {
	mu     sync.Mutex
	seen   []string
	logins []upstream.Login
	refuse error
	hold   chan struct{}      // logins are not answered before it is closed
	slow   bool               // messages are not answered before answer is called
	unsaid []func(error)      // done of these
	there  map[string]*device // the newest login of each
	closed bool
}

func (c *cloud) note(what ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, strings.Join(what, " "))
}

func (c *cloud) Login(l upstream.Login, done func(upstream.Device, error)) {
	c.note("login", l.Device.DeviceName)
	c.mu.Lock()
	c.logins = append(c.logins, l)
	err, hold := c.refuse, c.hold
	c.mu.Unlock()
	go func() {
		if hold != nil {
			<-hold
		}
		if err != nil {
			done(nil, err)
			return
		}
		d := &device{c, l.Device.DeviceName}
		c.mu.Lock()
		if c.there == nil {
			c.there = map[string]*device{}
		}
		c.there[d.name] = d
		c.mu.Unlock()
		done(d, nil)
	}()
}

func (c *cloud) Close(context.Context) error {
	c.closed = true
	return nil
}

type device struct {
	c    *cloud
	name string
}

func (d *device) Publish(m *thing.Message, done func(error)) {
	if m.Kind == thing.Reply {
		d.c.note("reply", m.ID, m.State.String())
	} else {
		d.c.note("said", d.name, string(m.Raw))
	}
	d.c.mu.Lock()
	slow := d.c.slow
	if slow {
		d.c.unsaid = append(d.c.unsaid, done)
	}
	d.c.mu.Unlock()
	if !slow {
		done(nil)
	}
}

// answer answers messages, in their order.
func (c *cloud) answer() {
	c.mu.Lock()
	unsaid := c.unsaid
	c.slow, c.unsaid = false, nil
	c.mu.Unlock()
	for _, done := range unsaid {
		done(nil)
	}
}

func (d *device) Logout(done func(error)) {
	d.c.mu.Lock()
	newest := d.c.there[d.name] == d
	d.c.mu.Unlock()
	if newest {
		d.c.note("logout", d.name)
	}
	done(nil)
}

// take is what has happened since the last time.
func (c *cloud) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}

func (c *cloud) login() upstream.Login {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logins[len(c.logins)-1]
}

// world is a connector with devices that may be away, before a cloud.
type world struct {
	*away.Connector
	*cloud
	t *testing.T
}

func begin(t *testing.T, change func(*away.Config), options ...away.Option) *world {
	t.Helper()
	cfg := away.DefaultConfig()
	cfg.Hold, cfg.CommandTime, cfg.Commands = time.Minute, 30*time.Second, 3
	if change != nil {
		change(&cfg)
	}
	w := &world{cloud: &cloud{}, t: t}
	var err error
	if w.Connector, err = away.New(cfg, w.cloud, options...); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context(), upstream.Host{Logger: zap.NewNop()}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) close() {
	w.t.Helper()
	if err := w.Connector.Close(context.Background()); err != nil {
		w.t.Error(err)
	}
}

func (w *world) Login(l upstream.Login, done func(upstream.Device, error)) {
	w.Connector.Login(l, done)
}
func (w *world) Close(ctx context.Context) error { return w.Connector.Close(ctx) }

// want checks what the platform has seen.
func (w *world) want(seen ...string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.take(); !slices.Equal(got, seen) {
		w.t.Errorf("the platform saw %q, want %q", got, seen)
	}
}

// client is one time online as the bridge has it.
type client struct {
	upstream.Device
	mu       sync.Mutex
	commands []string
	lost     error
}

func (c *client) heard() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.commands, " ")
}

func (w *world) online(name, listener string) *client {
	w.t.Helper()
	c := &client{}
	l := upstream.Login{
		Device: auth.Identity{ProductKey: "pk", DeviceName: name}, Name: name, Listener: listener,
		Command: func(cmd *thing.Command) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.commands = append(c.commands, cmd.ID)
		},
		Lost: func(cause error) { c.lost = cause },
	}
	done := make(chan error, 1)
	w.Login(l, func(d upstream.Device, err error) {
		c.Device = d
		done <- err
	})
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (c *client) say(text string) (err error) {
	c.Publish(&thing.Message{Kind: thing.Raw, Raw: []byte(text)}, func(e error) { err = e })
	return err
}

func (c *client) leave() { c.Device.(upstream.Leaver).Leave(upstream.Ignore) }

func wait(d time.Duration) { <-time.After(d) }

// A device that is back in time finds its login, and what it was told meanwhile in
// order, and the platform has noticed nothing.
func TestDeviceThatIsBackInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil)
		defer w.close()
		first := w.online("a", "x")
		_ = first.say("1")
		first.leave()
		tell := w.login().Command
		tell(&thing.Command{ID: "c1"})
		tell(&thing.Command{ID: "c2"})
		tell(&thing.Command{ID: "c1"}) // platforms repeat themselves
		wait(29 * time.Second)
		second := w.online("a", "x")
		_ = second.say("2")
		tell(&thing.Command{ID: "c3"})
		w.want("login a", "said a 1", "said a 2")
		if got := second.heard(); got != "c1 c2 c3" {
			t.Errorf("the device was told %q, want c1 c2 c3", got)
		}
		if err := first.say("late"); !errors.Is(err, upstream.ErrSuperseded) {
			t.Errorf("the old login says: %v, want %v", err, upstream.ErrSuperseded)
		}
		first.Logout(upstream.Ignore)
		w.want()
		second.Logout(upstream.Ignore)
		w.want("logout a")
		s := w.Stats()
		if s.Away != 0 || s.Back != 1 || s.Kept != 2 || s.Delivered != 2 || s.Waiting != 0 {
			t.Errorf("counted %+v", s)
		}
	})
}

// A device that does not come back is logged out, and the platform is told what
// became of its commands, if they are not to outlive that.
func TestDeviceThatStaysAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, func(c *away.Config) { c.Keep = away.KeepHold })
		defer w.close()
		w.online("a", "x").leave()
		tell := w.login().Command
		tell(&thing.Command{ID: "short", Deadline: time.Now().Add(5 * time.Second)})
		tell(&thing.Command{ID: "long"})
		tell(&thing.Command{ID: "late", Deadline: time.Now().Add(-time.Second)})
		w.want("login a", "reply late offline")
		wait(6 * time.Second)
		w.want("reply short timed out")
		wait(25 * time.Second)
		w.want("reply long timed out")
		tell(&thing.Command{ID: "last"})
		wait(29*time.Second + 200*time.Millisecond)
		w.want("reply last offline", "logout a")
		if s := w.Stats(); s.Away != 0 || s.Gone != 1 || s.Expired != 3 || s.Waiting != 0 {
			t.Errorf("counted %+v", s)
		}
	})
}

// One device cannot fill what belongs to all.
func TestWaitingCommandsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, func(c *away.Config) { c.MaxCommands = 4 })
		defer w.close()
		w.online("a", "x").leave()
		one := w.login().Command
		w.online("b", "x").leave()
		other := w.login().Command
		for _, id := range []string{"1", "2", "3", "4"} {
			one(&thing.Command{ID: id})
		}
		other(&thing.Command{ID: "5"})
		other(&thing.Command{ID: "6"})
		w.want("login a", "login b", "reply 4 failed", "reply 6 failed")
		if s := w.Stats(); s.Refused != 2 || s.Waiting != 4 || s.Away != 2 {
			t.Errorf("counted %+v", s)
		}
	})
}

// Commands have a size, too, and it comes free with them.
func TestBytesOfWaitingCommandsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, func(c *away.Config) { c.MaxBytes = 2500 })
		defer w.close()
		w.online("a", "x").leave()
		tell := w.login().Command
		long := []byte(strings.Repeat("x", 1000))
		tell(&thing.Command{ID: "1", Raw: long})
		tell(&thing.Command{ID: "2", Fields: []thing.Field{{Name: "text", Value: thing.String(string(long))}}})
		tell(&thing.Command{ID: "3", Raw: long})
		tell(&thing.Command{ID: "4"})
		w.want("login a", "reply 3 failed")
		if s := w.Stats(); s.Refused != 1 || s.Waiting != 3 || s.Bytes < 2000 || s.Bytes > 2500 {
			t.Errorf("counted %+v", s)
		}
		back := w.online("a", "x")
		if got := back.heard(); got != "1 2 4" || w.Stats().Bytes != 0 {
			t.Errorf("the device was told %q, %d bytes are left", got, w.Stats().Bytes)
		}
	})
}

// A device that comes through another listener may be routed elsewhere: it is
// logged in anew, and told what has waited.
func TestAnotherListenerIsAnotherLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil)
		defer w.close()
		w.online("a", "x").leave()
		w.login().Command(&thing.Command{ID: "1"})
		second := w.online("a", "y")
		w.want("login a", "login a")
		if got := second.heard(); got != "1" {
			t.Errorf("the device was told %q, want 1", got)
		}
		if s := w.Stats(); s.Away != 0 || s.Waiting != 0 {
			t.Errorf("counted %+v", s)
		}
		second.Logout(upstream.Ignore)
		w.want("logout a")
		wait(2 * time.Minute)
		w.want()
	})
}

// When the platform ends the login of a device that is away, the next one is real.
func TestLostWhileAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, func(c *away.Config) { c.Keep = away.KeepHold })
		defer w.close()
		first := w.online("a", "x")
		first.leave()
		w.login().Command(&thing.Command{ID: "1"})
		w.login().Lost(errors.New("kicked"))
		if first.lost != nil {
			t.Error("a session that has ended was told")
		}
		second := w.online("a", "x")
		w.want("login a", "login a")
		w.login().Lost(errors.New("kicked"))
		if second.lost == nil {
			t.Error("the session was not told")
		}
		if s := w.Stats(); s.Untold != 1 || s.Waiting != 0 || s.Away != 0 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil)
		defer w.close()
		w.refuse = upstream.ErrNotConnected
		done := make(chan error, 1)
		w.Login(upstream.Login{Device: auth.Identity{DeviceName: "a"}}, func(_ upstream.Device, err error) { done <- err })
		if err := <-done; !errors.Is(err, upstream.ErrNotConnected) {
			t.Errorf("got %v", err)
		}
		w.refuse = nil
		w.online("a", "x")
		w.want("login a", "login a")
	})
}

// Close logs out who is away, and tells the platform of what waited.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil)
		w.online("a", "x").leave()
		w.login().Command(&thing.Command{ID: "1"})
		w.close()
		w.want("login a", "reply 1 offline", "logout a")
		if !w.closed {
			t.Error("the connector behind is not closed")
		}
	})
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	_, err := away.New(away.Config{Hold: -1, CommandTime: 10000 * time.Hour, Keep: "here", Commands: 0, MaxCommands: -1}, &cloud{})
	if err == nil {
		t.Fatal("no error")
	}
	cfg := away.DefaultConfig()
	cfg.Keep = away.KeepDisk
	if _, diskErr := away.New(cfg, &cloud{}); diskErr == nil || !strings.Contains(diskErr.Error(), "there is no disk") {
		t.Errorf("commands on no disk: %v", diskErr)
	}
	for _, want := range []string{"hold is -1ns", "commandTime is 10000h0m0s", `keep is "here"`, "commands is 0", "maxCommands is -1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}
