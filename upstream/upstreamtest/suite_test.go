package upstreamtest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

// faultVariable chooses what the connector in memory does wrong.
const faultVariable = "LINKSPAN_UPSTREAMTEST_FAULT"

// A connector that keeps the contract passes.
func TestRun(t *testing.T) {
	upstreamtest.Run(t, func(tb testing.TB) *upstreamtest.Platform {
		tb.Helper()
		return inMemory(os.Getenv(faultVariable))
	})
}

// One that breaks it is found out.
func TestRunFindsFaults(t *testing.T) {
	t.Parallel()
	if os.Getenv(faultVariable) != "" {
		t.Skip("is the inner run")
	}
	for fault, subtest := range map[string]string{
		"acknowledges what is lost":   "connection_lost_and_mended",
		"keeps the message":           "messages_are_not_kept",
		"takes strangers":             "unknown_device_is_refused",
		"does not supersede":          "newer_login_supersedes",
		"loses a message":             "done_and_messages_keep_their_order",
		"calls done the other way":    "done_and_messages_keep_their_order",
		"publishes after logout":      "login_brings_online,_logout_takes_offline",
		"older logout ends newer":     "newer_login_supersedes",
		"takes what it does not know": "done_of_failures_keeps_its_order",
		"tells of a kick twice":       "kick_is_told",
		"open after close":            "closed",
		"goes on after a failure":     "order_of_what_is_sent_again",
		"sends those behind a failed": "order_of_what_is_sent_again",
		"never resumes":               "order_of_what_is_sent_again",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRun$/^"+subtest+"$", "-test.v")
			cmd.Env = append(os.Environ(), faultVariable+"="+fault)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestRun/"+subtest) {
				t.Errorf("the suite passes a connector that %s: %v\n%s", fault, err, out)
			}
		})
	}
}

// memory is a platform and its connector in one: what the contract asks for and
// no more. A goroutine of its own makes every call back.
type memory struct {
	fault  string
	events chan upstreamtest.Event
	calls  chan func()
	ended  chan struct{}

	mu     sync.Mutex // guards what follows
	online map[auth.Identity]*device
	held   []func() // what waits for the platform to come back; some fail then
	away   bool
	closed bool
}

type device struct {
	m     *memory
	login upstream.Login
	id    auth.Identity
	last  []func(error)

	err     error // guarded by m.mu, as is the rest
	waiting int   // messages
	said    int   // messages
	failed  int   // with InOrder: the first that failed for now, until Resume; 0: none
	unlucky bool  // one that has waited failed
}

// fail notes that a message failed. m.mu is held.
func (d *device) fail(n int, err error) {
	if d.login.InOrder && upstream.Temporary(err) && (d.failed == 0 || n < d.failed) {
		d.failed = n
	}
}

// Resume implements upstream.Resumer.
func (d *device) Resume() {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if d.m.fault != "never resumes" {
		d.failed = 0
	}
}

// late is what becomes of a message that has waited: with InOrder the first of
// them fails. m.mu is held.
func (d *device) late(n int) (err error) {
	switch {
	case !d.login.InOrder:
	case !d.unlucky:
		d.unlucky, err = true, upstream.ErrTimeout
		d.fail(n, err)
	case n > d.failed && d.m.fault != "sends those behind a failed":
		err = upstream.ErrNotConnected
	}
	return err
}

func inMemory(fault string) *upstreamtest.Platform {
	m := &memory{
		fault: fault, events: make(chan upstreamtest.Event, 10_000), calls: make(chan func(), 10_000),
		ended: make(chan struct{}), online: map[auth.Identity]*device{},
	}
	ids := []auth.Identity{{ProductKey: "pk", DeviceName: "a"}, {ProductKey: "pk", DeviceName: "b"}, {ProductKey: "pk", DeviceName: "c"}}
	patience := time.Duration(0)
	if fault != "" {
		patience = time.Second // it is in vain
	}
	return &upstreamtest.Platform{
		Patience: patience,
		Devices:  ids, Unknown: auth.Identity{ProductKey: "pk", DeviceName: "unknown"},
		Connector: func(testing.TB) upstream.Connector {
			go func() { // ends with Close
				defer close(m.ended)
				for call := range m.calls {
					call()
				}
			}()
			return m
		},
		Next: func(ctx context.Context) (upstreamtest.Event, error) {
			select {
			case e := <-m.events:
				return e, nil
			case <-ctx.Done():
				return upstreamtest.Event{}, ctx.Err()
			}
		},
		Kick: m.kick, Cut: m.cut, Restore: m.restore,
		Topic: func(auth.Identity) string { return "any" },
		Kinds: []thing.Kind{thing.Property, thing.Event, thing.Raw, thing.Publication},
	}
}

func (m *memory) tell(kind upstreamtest.EventKind, id auth.Identity, msg *thing.Message) {
	e := upstreamtest.Event{Kind: kind, Device: id}
	if msg != nil {
		e.Message = *msg
	}
	m.events <- e
}

func (m *memory) Login(l upstream.Login, done func(upstream.Device, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fail := func(err error) {
		if m.closed {
			go done(nil, err) // ends at once
			return
		}
		m.calls <- func() { done(nil, err) }
	}
	switch {
	case m.closed && m.fault != "open after close":
		fail(upstream.ErrClosed)
		return
	case l.Device.DeviceName == "unknown" && m.fault != "takes strangers":
		fail(&upstream.RefusedError{Code: 404, Reason: "unknown"})
		return
	case m.closed:
		go done(&device{m: m}, nil) // ends at once
		return
	}
	d := &device{m: m, login: l, id: l.Device}
	if old := m.online[d.id]; old != nil && m.fault != "does not supersede" {
		old.err = upstream.ErrSuperseded
	}
	m.online[d.id] = d
	m.whenThere(func() {
		m.tell(upstreamtest.Online, d.id, nil)
		m.calls <- func() { done(d, nil) }
	})
}

// whenThere does something when the platform is not away. mu is held.
func (m *memory) whenThere(f func()) {
	if m.away {
		m.held = append(m.held, f)
		return
	}
	f()
}

func (d *device) Publish(msg *thing.Message, done func(error)) {
	m := d.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		go done(upstream.ErrClosed) // ends at once
		return
	}
	c := msg
	if m.fault != "keeps the message" {
		c = msg.Clone()
	}
	err := d.err
	if err == nil && (c.Kind < thing.Property || c.Kind > thing.Publication) && m.fault != "takes what it does not know" {
		err = upstream.ErrUnsupported
	}
	if m.away && m.fault == "acknowledges what is lost" {
		m.calls <- func() { done(nil) }
		return
	}
	d.said++
	number := d.said
	if err == nil && (m.away && c.QoS == thing.AtMostOnce || d.failed > 0 && m.fault != "goes on after a failure") {
		err = upstream.ErrNotConnected
	}
	d.fail(number, err)
	if err != nil && d.waiting == 0 { // nothing is in front of it
		m.calls <- func() { done(err) }
		return
	}
	waits := m.away
	if waits {
		d.waiting++
	}
	m.whenThere(func() {
		if waits {
			d.waiting--
		}
		if waits && err == nil {
			err = d.late(number)
		}
		n, _ := thing.Get(c.Fields, "n")
		lost := m.fault == "loses a message" && n.String() == "7"
		if err == nil && !lost {
			m.calls <- func() { m.tell(upstreamtest.Said, d.id, c) } // late, as a network is
		}
		if m.fault == "calls done the other way" {
			if d.last = append(d.last, done); len(d.last) == 2 {
				first, second := d.last[0], d.last[1]
				d.last = nil
				m.calls <- func() { second(nil); first(nil) }
			}
			return
		}
		m.calls <- func() { done(err) }
	})
}

func (d *device) Logout(done func(error)) {
	m := d.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		go done(nil) // ends at once
		return
	}
	if m.online[d.id] == d || m.fault == "older logout ends newer" {
		delete(m.online, d.id)
		if m.fault != "publishes after logout" {
			d.err = upstream.ErrLoggedOut
		}
		m.whenThere(func() { m.tell(upstreamtest.Offline, d.id, nil) })
	}
	m.whenThere(func() { m.calls <- func() { done(nil) } })
}

func (m *memory) kick(id auth.Identity) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.online[id]
	delete(m.online, id)
	d.err = &upstream.RefusedError{Code: 1, Reason: "kicked"}
	m.tell(upstreamtest.Offline, id, nil)
	times := 1
	if m.fault == "tells of a kick twice" {
		times = 2
	}
	for range times {
		m.calls <- func() { d.login.Lost(d.err) }
	}
	return nil
}

func (m *memory) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = true
	for id := range m.online {
		m.tell(upstreamtest.Offline, id, nil)
	}
}

func (m *memory) restore() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = false
	for id := range m.online {
		m.tell(upstreamtest.Online, id, nil)
	}
	for _, f := range m.held {
		f()
	}
	m.held = nil
}

func (m *memory) Close(context.Context) error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.restoreNow()
	close(m.calls)
	m.mu.Unlock()
	<-m.ended
	for id := range m.online {
		m.tell(upstreamtest.Offline, id, nil)
	}
	return nil
}

// restoreNow drops what still waits. mu is held.
func (m *memory) restoreNow() { m.held, m.away = nil, false }
