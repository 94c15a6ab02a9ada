package route_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/route"
)

// cloud is a platform and its connector in one. A goroutine of its own makes
// every call back, as a network would.
type cloud struct {
	hang  chan struct{} // not nil: methods return when it is closed, and nothing comes of them
	start error         // of Start

	calls chan func()
	once  sync.Once
	ended chan struct{}

	mu      sync.Mutex
	changed chan struct{}
	refuse  func(login int) error
	fails   error // of publications
	logins  int
	online  map[string]*account
	said    map[string][]string
	replies []thing.Message
	closed  bool
}

type account struct {
	c     *cloud
	login upstream.Login
	err   error // guarded by c.mu
}

func newCloud() *cloud {
	return &cloud{
		calls: make(chan func(), 100_000), ended: make(chan struct{}), changed: make(chan struct{}),
		online: map[string]*account{}, said: map[string][]string{},
	}
}

func (c *cloud) Start(context.Context, upstream.Host) error {
	if c.start != nil {
		return c.start
	}
	c.once.Do(func() {
		go func() { // ends with Close
			defer close(c.ended)
			for call := range c.calls {
				call()
				c.mu.Lock()
				c.changes()
				c.mu.Unlock()
			}
		}()
	})
	return nil
}

func (c *cloud) Close(context.Context) error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if !first || c.start != nil {
		return nil //nolint:nilerr // there is nothing to end
	}
	close(c.calls)
	<-c.ended
	return nil
}

// later makes a call back. mu is held.
func (c *cloud) later(f func()) {
	if !c.closed {
		c.calls <- f
	}
}

func (c *cloud) changes() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cloud) Login(l upstream.Login, done func(upstream.Device, error)) {
	if c.hang != nil {
		<-c.hang
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.logins
	c.logins++
	c.changes()
	if c.refuse != nil {
		if err := c.refuse(n); err != nil {
			c.later(func() { done(nil, err) })
			return
		}
	}
	a := &account{c: c, login: l}
	if old := c.online[l.Device.DeviceName]; old != nil {
		old.err = upstream.ErrSuperseded
	}
	c.online[l.Device.DeviceName] = a
	c.later(func() { done(a, nil) })
}

func (a *account) Publish(m *thing.Message, done func(error)) {
	c := a.c
	if c.hang != nil {
		<-c.hang
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := a.err
	if err == nil {
		err = c.fails
	}
	switch {
	case err != nil:
	case m.Kind == thing.Reply:
		c.replies = append(c.replies, *m.Clone())
	default:
		c.said[a.login.Device.DeviceName] = append(c.said[a.login.Device.DeviceName], string(m.Raw))
	}
	c.changes()
	c.later(func() { done(err) })
}

func (a *account) Logout(done func(error)) {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if name := a.login.Device.DeviceName; c.online[name] == a {
		delete(c.online, name)
		a.err = upstream.ErrLoggedOut
	}
	c.changes()
	c.later(func() { done(nil) })
}

// lose ends a login from the platform's side.
func (c *cloud) lose(name string, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.online[name]
	delete(c.online, name)
	a.err = cause
	c.changes()
	c.later(func() { a.login.Lost(cause) })
}

// tell gives the device a command.
func (c *cloud) tell(name string, cmd *thing.Command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.online[name]
	c.later(func() { a.login.Command(cmd) })
}

// until waits until what is true of the platform.
func (c *cloud) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		c.mu.Lock()
		ok, changed := is(), c.changed
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// heard is what a device has said so far.
func (c *cloud) heard(device string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.said[device])
}

func (c *cloud) untilOnline(t *testing.T, name string, online bool) {
	t.Helper()
	c.until(t, "online or offline: "+name, func() bool { return (c.online[name] != nil) == online })
}

// begin starts a router in front of clouds.
func begin(t *testing.T, cfg route.Config, ups map[string]*cloud) *route.Router {
	t.Helper()
	connectors := map[string]upstream.Connector{}
	for name, c := range ups {
		connectors[name] = c
	}
	if cfg.Copies.CloseTimeout == 0 {
		cfg.Copies.CloseTimeout = 100 * time.Millisecond
	}
	r, err := route.New(cfg, connectors)
	if err != nil {
		t.Fatal(err)
	}
	host := upstream.Host{Logger: zaptest.NewLogger(t), Broadcast: func(*thing.Command) {}}
	if err := r.Start(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

func truck(name string) auth.Identity {
	return auth.Identity{ProductKey: "pk", DeviceName: name, DeviceSecret: "secret"}
}

// login logs in and waits.
func login(t *testing.T, r upstream.Connector, l upstream.Login) (upstream.Device, error) {
	t.Helper()
	type result struct {
		d   upstream.Device
		err error
	}
	done := make(chan result, 2)
	r.Login(l, func(d upstream.Device, err error) { done <- result{d, err} })
	select {
	case got := <-done:
		return got.d, got.err
	case <-time.After(10 * time.Second):
		t.Fatal("done of Login was never called")
		return nil, nil
	}
}

// say publishes and waits.
func say(t *testing.T, d upstream.Device, m thing.Message) error {
	t.Helper()
	done := make(chan error, 2)
	d.Publish(&m, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("done of Publish was never called")
		return nil
	}
}

func raw(text string) thing.Message { return thing.Message{Kind: thing.Raw, Raw: []byte(text)} }
