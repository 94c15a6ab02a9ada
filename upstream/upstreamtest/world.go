package upstreamtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// patience is how long anything may take when the platform does not say. It is
// reached only by what is broken.
const patience = 20 * time.Second

// world is a platform under watch, and a connector to it.
type world struct {
	t        testing.TB
	platform *Platform
	up       upstream.Connector
	close    func() error

	mu      sync.Mutex
	changed chan struct{} // closed when anything below changes
	online  map[auth.Identity]bool
	said    map[auth.Identity][]thing.Message
}

// nameless is an identity without its secret: the key of a device.
func nameless(id auth.Identity) auth.Identity {
	id.DeviceSecret = ""
	return id
}

// begin starts a platform and a connector, which end with the test.
func begin(tb testing.TB, start func(testing.TB) *Platform) *world {
	tb.Helper()
	w := &world{
		t: tb, platform: start(tb), changed: make(chan struct{}),
		online: map[auth.Identity]bool{}, said: map[auth.Identity][]thing.Message{},
	}
	if w.platform.Patience == 0 {
		w.platform.Patience = patience
	}
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() { // ends with the test
		defer close(watched)
		for {
			e, err := w.platform.Next(ctx)
			if err != nil {
				return
			}
			w.happened(e)
		}
	}()
	tb.Cleanup(func() { cancel(); <-watched })
	w.up = w.platform.Connector(tb)
	w.close = sync.OnceValue(func() error {
		c, ok := w.up.(upstream.Closer)
		if !ok {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), w.platform.Patience)
		defer cancel()
		return c.Close(ctx)
	})
	tb.Cleanup(func() {
		if err := w.close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	if s, ok := w.up.(upstream.Starter); ok {
		ctx, cancel := context.WithTimeout(context.Background(), w.platform.Patience)
		defer cancel()
		host := upstream.Host{Logger: zaptest.NewLogger(tb, zaptest.Level(zap.ErrorLevel)), Broadcast: func(*thing.Command) {}}
		if err := s.Start(ctx, host); err != nil {
			tb.Fatalf("Start: %v", err)
		}
	}
	return w
}

func (w *world) happened(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Kind {
	case Online, Offline:
		w.online[nameless(e.Device)] = e.Kind == Online
	case Said:
		w.said[nameless(e.Device)] = append(w.said[nameless(e.Device)], e.Message)
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// until waits until the platform has seen what is true of it.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	late := time.After(w.platform.Patience)
	for {
		w.mu.Lock()
		ok, changed := is(), w.changed
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-late:
			w.t.Fatalf("the platform never saw: %s", what)
		}
	}
}

func (w *world) untilOnline(id auth.Identity, online bool) {
	w.t.Helper()
	w.until(fmt.Sprintf("%v online: %v", id, online), func() bool { return w.online[nameless(id)] == online })
}

// heard is what a device has said so far.
func (w *world) heard(id auth.Identity) []thing.Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.said[nameless(id)])
}

// numbers are the values of property n in what a device has said, each once, in
// the order of their first coming.
func (w *world) numbers(id auth.Identity) []int64 { return numbersOf(w.heard(id)) }

func numbersOf(said []thing.Message) (list []int64) {
	seen := map[int64]bool{}
	for _, m := range said {
		v, found := thing.Get(m.Fields, numberName)
		n, isInt := v.Int()
		if found && isInt && !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	return list
}

const numberName = "n"

func number(n int) *thing.Message {
	return &thing.Message{
		Kind: thing.Property, QoS: thing.AtLeastOnce,
		Fields: []thing.Field{{Name: numberName, Value: thing.Int(int64(n))}},
	}
}

// client is a device's caller: what a bridge would be.
type client struct {
	w        *world
	id       auth.Identity
	device   upstream.Device
	inOrder  bool
	commands chan *thing.Command
	lost     chan error
}

func (w *world) newClient(id auth.Identity) *client {
	return &client{w: w, id: id, commands: make(chan *thing.Command, 100), lost: make(chan error, 100)}
}

// login logs in and waits.
func (c *client) login() error {
	type result struct {
		d   upstream.Device
		err error
	}
	done := make(chan result, 2)
	c.w.up.Login(upstream.Login{
		Device:  c.id,
		InOrder: c.inOrder,
		Command: func(cmd *thing.Command) { c.commands <- cmd },
		Lost:    func(cause error) { c.lost <- cause },
	}, func(d upstream.Device, err error) { done <- result{d, err} })
	r := await(c.w, "done of Login", done)
	if (r.d == nil) == (r.err == nil) {
		c.w.t.Errorf("Login: device %v with error %v", r.d, r.err)
	}
	c.device = r.d
	return r.err
}

// online logs a device in that may.
func (w *world) login(id auth.Identity) *client {
	w.t.Helper()
	c := w.newClient(id)
	if err := c.login(); err != nil {
		w.t.Fatalf("Login of %v: %v", id, err)
	}
	return c
}

// publish publishes and waits.
func (c *client) publish(m *thing.Message) error {
	c.w.t.Helper()
	done := make(chan error, 2)
	c.device.Publish(m, func(err error) { done <- err })
	return await(c.w, "done of Publish", done)
}

// logout logs out and waits.
func (c *client) logout() error {
	c.w.t.Helper()
	done := make(chan error, 2)
	c.device.Logout(func(err error) { done <- err })
	return await(c.w, "done of Logout", done)
}

// await waits for what has to come.
func await[T any](w *world, what string, from <-chan T) (v T) {
	w.t.Helper()
	select {
	case v = <-from:
	case <-time.After(w.platform.Patience):
		w.t.Fatalf("%s was never called", what)
	}
	return v
}

// ledger notes in which order done of numbered messages is called, and with
// what.
type ledger struct {
	mu      sync.Mutex
	order   []int
	results map[int][]error
	want    int
	full    chan struct{}
}

func newLedger(want int) *ledger {
	return &ledger{results: map[int][]error{}, want: want, full: make(chan struct{})}
}

func (l *ledger) done(n int) func(error) {
	return func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.order = append(l.order, n)
		l.results[n] = append(l.results[n], err)
		if len(l.order) == l.want {
			close(l.full)
		}
	}
}

// check waits for all and says whether each came once and in order. It returns
// the numbers that came with nil.
func (l *ledger) check(w *world) (acknowledged []int64) {
	w.t.Helper()
	await(w, "done of every message", l.full)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.IsSorted(l.order) {
		w.t.Errorf("done was not called in the order of the calls: %v", l.order)
	}
	for _, n := range l.order {
		if len(l.results[n]) != 1 {
			w.t.Errorf("done of message %d was called %d times", n, len(l.results[n]))
		}
		if l.results[n][0] == nil {
			acknowledged = append(acknowledged, int64(n))
		}
	}
	return acknowledged
}
