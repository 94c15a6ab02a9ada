package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// patience is reached only by what is broken: a machine with much else to do, and the race
// detector, make it minutes at times.
const patience = 3 * time.Minute

// cloud is a connector and its platform. It keeps to the contract of upstream;
// everything completes on a goroutine of its own.
type cloud struct {
	tb      testing.TB
	ops     chan func()
	running sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{} // closed when something below changes
	away     bool
	closed   bool                                      // no more is sent to ops
	login    func(name string) error                   // nil: everybody may
	refuse   func(name string, m *thing.Message) error // nil: everything is taken
	enter    func(name string, m *thing.Message)       // is called first thing by Publish; nil: nothing is
	resume   func()                                    // is called once, first thing by Resume; nil: nothing is
	diagnose func() string                             // of the queue
	hold     map[string]bool                           // devices whose messages are not answered
	held     []func()                                  // answers to them
	handles  map[string]*handle                        // by device name: who is logged in
	said     map[string][]thing.Message
	logins   map[string]int
	logouts  map[string]int
	replies  []thing.Message
}

func newCloud(tb testing.TB) *cloud {
	tb.Helper()
	c := &cloud{
		tb: tb, ops: make(chan func(), 1<<16), changed: make(chan struct{}), hold: map[string]bool{}, handles: map[string]*handle{},
		said: map[string][]thing.Message{}, logins: map[string]int{}, logouts: map[string]int{},
	}
	c.running.Go(func() {
		for f := range c.ops {
			f()
		}
	})
	return c
}

// Close implements upstream.Closer.
func (c *cloud) Close(context.Context) error {
	c.answer()
	c.mu.Lock()
	c.closed = true
	close(c.ops)
	c.mu.Unlock()
	c.running.Wait()
	return nil
}

// set changes what the cloud does.
func (c *cloud) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.changed)
	c.changed = make(chan struct{})
}

// until waits until something is true of the cloud.
func (c *cloud) until(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	late := time.After(patience)
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
			tb.Fatalf("never: %s; the queue has %s", what, c.diagnose())
		}
	}
}

// numbers are what a device has said, each once, in the order of their first coming.
func (c *cloud) numbers(name string) (list []int64) {
	for i := range c.said[name] {
		v, _ := thing.Get(c.said[name][i].Fields, "n")
		if n, ok := v.Int(); ok && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// heard is numbers, for who has not locked the cloud.
func (c *cloud) heard(name string) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.numbers(name)
}

// count is how many messages a device has said, those that came twice too.
func (c *cloud) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.said[name])
}

// handle is who is logged in.
func (c *cloud) handle(name string) *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handles[name]
}

// answer lets the answers go that were held.
func (c *cloud) answer() {
	c.mu.Lock()
	held := c.held
	c.held = nil
	clear(c.hold)
	c.mu.Unlock()
	for _, f := range held {
		f()
	}
}

// handle is one login. As a connector would, it takes no more after a message has
// failed, until it is told to.
type handle struct {
	c      *cloud
	login  upstream.Login
	over   error
	broken bool
	untold int // messages whose done was not called yet
}

func (c *cloud) Login(l upstream.Login, done func(upstream.Device, error)) {
	name := l.Device.DeviceName
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		done(nil, upstream.ErrClosed)
		return
	}
	defer c.mu.Unlock()
	var err error
	switch {
	case c.away:
		err = upstream.ErrNotConnected
	case c.login != nil:
		err = c.login(name)
	}
	c.logins[name]++
	if err != nil {
		c.ops <- func() { done(nil, err) }
		return
	}
	h := &handle{c: c, login: l}
	if old := c.handles[name]; old != nil {
		old.over = upstream.ErrSuperseded
	}
	c.handles[name] = h
	c.ops <- func() { done(h, nil); c.set(func() {}) }
}

func (h *handle) Publish(m *thing.Message, done func(error)) {
	c, name, ordered := h.c, h.login.Device.DeviceName, m.Kind != thing.Reply
	c.mu.Lock()
	enter := c.enter
	c.mu.Unlock()
	if enter != nil {
		enter(name, m)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		done(upstream.ErrClosed)
		return
	}
	defer c.mu.Unlock()
	err := h.over
	switch {
	case err != nil:
	case c.away || h.broken && ordered:
		err = upstream.ErrNotConnected
	case c.refuse != nil:
		err = c.refuse(name, m)
	}
	if ordered {
		h.untold++
		h.broken = h.broken || h.login.InOrder && upstream.Temporary(err)
	}
	if err == nil {
		c.said[name] = append(c.said[name], *m.Clone())
		if m.Kind == thing.Reply {
			c.replies = append(c.replies, *m.Clone())
		}
	}
	answer := func() {
		c.ops <- func() {
			c.set(func() {
				if ordered {
					h.untold--
				}
			})
			done(err)
			c.set(func() {})
		}
	}
	if c.hold[name] {
		c.held = append(c.held, answer)
		close(c.changed)
		c.changed = make(chan struct{})
		return
	}
	answer()
}

// Resume implements upstream.Resumer.
func (h *handle) Resume() {
	h.c.mu.Lock()
	resume := h.c.resume
	h.c.resume = nil
	h.c.mu.Unlock()
	if resume != nil {
		resume()
	}
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	if h.untold > 0 {
		h.c.tb.Errorf("%s is resumed while done of %d messages was not called", h.login.Device.DeviceName, h.untold)
	}
	h.broken = false
}

func (h *handle) Logout(done func(error)) {
	c, name := h.c, h.login.Device.DeviceName
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		done(upstream.ErrClosed)
		return
	}
	defer c.mu.Unlock()
	if c.handles[name] == h {
		delete(c.handles, name)
		h.over = upstream.ErrLoggedOut
		c.logouts[name]++
	}
	c.ops <- func() { done(nil); c.set(func() {}) }
}

// lose ends a device's login.
func (c *cloud) lose(name string, cause error) {
	c.mu.Lock()
	h := c.handles[name]
	delete(c.handles, name)
	h.over = upstream.ErrLoggedOut
	c.mu.Unlock()
	h.login.Lost(cause)
}

// start makes a queue in front of c and starts it. It is closed by stop, or with the
// test.
func start(tb testing.TB, cfg queue.Config, c *cloud, devices queue.Devices) (q *queue.Connector, stop func()) {
	tb.Helper()
	q, err := queue.New(cfg, c, devices, queue.WithLogger(zaptest.NewLogger(tb, zaptest.Level(zap.FatalLevel))))
	if err != nil {
		tb.Fatal(err)
	}
	if err := q.Start(tb.Context(), upstream.Host{}); err != nil {
		tb.Fatal(err)
	}
	c.diagnose = func() string { return fmt.Sprintf("%+v", q.Stats()) }
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := q.Close(ctx); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	tb.Cleanup(stop)
	return q, stop
}

// device is a device's caller: what a bridge would be.
type device struct {
	tb       testing.TB
	name     string
	up       upstream.Device
	commands chan *thing.Command
	lost     chan error
}

// login logs a device in and waits.
func login(tb testing.TB, q *queue.Connector, name string) (*device, error) {
	tb.Helper()
	d := &device{tb: tb, name: name, commands: make(chan *thing.Command, 10), lost: make(chan error, 10)}
	done := make(chan error, 2)
	q.Login(upstream.Login{
		Device: auth.Identity{ProductKey: "p", DeviceName: name}, Name: name, Listener: "l",
		Command: func(c *thing.Command) { d.commands <- c },
		Lost:    func(cause error) { d.lost <- cause },
	}, func(up upstream.Device, err error) { d.up = up; done <- err })
	return d, await(tb, "done of Login", done)
}

func online(tb testing.TB, q *queue.Connector, name string) *device {
	tb.Helper()
	d, err := login(tb, q, name)
	if err != nil {
		tb.Fatalf("Login of %s: %v", name, err)
	}
	return d
}

func await[T any](tb testing.TB, what string, from <-chan T) (v T) {
	tb.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		tb.Fatalf("never: %s", what)
	}
	return v
}

func number(n int) *thing.Message {
	return &thing.Message{Kind: thing.Property, QoS: thing.AtLeastOnce, Fields: []thing.Field{{Name: "n", Value: thing.Int(int64(n))}}}
}

// store says numbers and waits until they are safe.
func (d *device) store(from, to int) {
	d.tb.Helper()
	done := make(chan error, to-from)
	for n := from; n < to; n++ {
		d.up.(upstream.Storer).Store(number(n), func(err error) { done <- err })
	}
	for range to - from {
		if err := await(d.tb, "done of Store", done); err != nil {
			d.tb.Fatalf("Store: %v", err)
		}
	}
}

// publish says a message and returns what becomes of it.
func (d *device) publish(m *thing.Message) <-chan error {
	done := make(chan error, 2)
	d.up.Publish(m, func(err error) { done <- err })
	return done
}

func (d *device) logout() {
	d.tb.Helper()
	done := make(chan error, 2)
	d.up.Logout(func(err error) { done <- err })
	if err := await(d.tb, "done of Logout", done); err != nil {
		d.tb.Errorf("Logout: %v", err)
	}
}

var errGoodbye = &upstream.RefusedError{Code: 521, Reason: "deleted"}

var errFault = errors.New("a fault of the test's")

// upTo are the numbers from 0 on.
func upTo(n int) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(i)
	}
	return list
}
