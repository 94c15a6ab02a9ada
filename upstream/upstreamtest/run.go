package upstreamtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Run runs the suite. start makes a fresh platform; what it starts ends with the
// test that it is given.
func Run(t *testing.T, start func(testing.TB) *Platform) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"login brings online, logout takes offline", loginLogout},
		{"unknown device is refused", unknownRefused},
		{"login again after logout", loginAgain},
		{"done and messages keep their order", order},
		{"done of failures keeps its order", orderOfFailures},
		{"publishers at the same time", concurrent},
		{"every kind of message", kinds},
		{"messages are not kept", notKept},
		{"newer login supersedes", supersede},
		{"older login's pending done", supersedePending},
		{"commands and replies", commands},
		{"kick is told", kick},
		{"connection lost and mended", cut},
		{"login while the platform is away", loginWhileCut},
		{"close drains", closeDrains},
		{"closed", closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, begin(t, start))
		})
	}
}

func loginLogout(t *testing.T, w *world) {
	c := w.login(w.platform.Devices[0])
	w.untilOnline(c.id, true)
	if err := c.publish(number(1)); err != nil {
		t.Errorf("Publish: %v", err)
	}
	if err := c.logout(); err != nil {
		t.Errorf("Logout: %v", err)
	}
	w.untilOnline(c.id, false)
	if err := c.publish(number(2)); !errors.Is(err, upstream.ErrLoggedOut) {
		t.Errorf("Publish after Logout: %v, want ErrLoggedOut", err)
	}
	if err := c.logout(); err != nil {
		t.Errorf("second Logout: %v", err)
	}
	if got := w.numbers(c.id); slices.Contains(got, 2) {
		t.Error("a message published after Logout arrived")
	}
	if len(c.lost) > 0 {
		t.Errorf("Lost was called for a logout: %v", <-c.lost)
	}
}

func unknownRefused(t *testing.T, w *world) {
	for range 2 {
		err := w.newClient(w.platform.Unknown).login()
		var refused *upstream.RefusedError
		if !errors.As(err, &refused) {
			t.Fatalf("Login of an unknown device: %v, want a RefusedError", err)
		}
		if refused.Temporary || refused.Reason == "" {
			t.Errorf("refusal %+v: want it for good, with a reason", refused)
		}
	}
	w.login(w.platform.Devices[0]) // the others are not disturbed
}

func loginAgain(t *testing.T, w *world) {
	id := w.platform.Devices[0]
	for i := range 2 {
		c := w.login(id)
		left := make(chan error, 1)
		c.device.Logout(func(err error) { left <- err })
		next := w.login(id) // behind the logout
		if err := await(t, "done of Logout", left); err != nil {
			t.Errorf("Logout: %v", err)
		}
		if err := next.publish(number(i)); err != nil {
			t.Errorf("Publish after logging in again: %v", err)
		}
		w.untilOnline(id, true)
		if err := next.logout(); err != nil {
			t.Errorf("Logout: %v", err)
		}
	}
	w.untilOnline(id, false)
}

func order(t *testing.T, w *world) {
	const messages = 400
	devices := w.platform.Devices[:2]
	var clients []*client
	var ledgers []*ledger
	for _, id := range devices {
		clients = append(clients, w.login(id))
		ledgers = append(ledgers, newLedger(messages))
	}
	for n := range messages {
		for i, c := range clients {
			c.device.Publish(number(n), ledgers[i].done(n))
		}
	}
	for i, c := range clients {
		if got := len(ledgers[i].check(t)); got != messages {
			t.Errorf("%d of %d messages acknowledged", got, messages)
		}
		w.until("all messages", func() bool { return len(w.said[nameless(c.id)]) >= messages })
		got := w.numbers(c.id)
		if len(got) != messages || !slices.IsSorted(got) {
			t.Errorf("%d messages of %v arrived in the order %v", len(got), c.id, got)
		}
	}
}

// orderOfFailures publishes what the connector cannot take between what it can.
func orderOfFailures(t *testing.T, w *world) {
	const messages = 100
	c := w.login(w.platform.Devices[0])
	l := newLedger(messages)
	for n := range messages {
		m := number(n)
		if n%3 == 1 {
			m = &thing.Message{Kind: thing.Kind(200)}
		}
		c.device.Publish(m, l.done(n))
	}
	for _, n := range l.check(t) {
		if n%3 == 1 {
			t.Errorf("message %d of a kind that does not exist was acknowledged", n)
		}
	}
	if err := l.results[1][0]; !errors.Is(err, upstream.ErrUnsupported) {
		t.Errorf("Publish of a kind that does not exist: %v, want ErrUnsupported", err)
	}
}

func concurrent(t *testing.T, w *world) {
	const publishers, messages = 8, 50
	c := w.login(w.platform.Devices[0])
	all := make(chan error, publishers*messages)
	var running sync.WaitGroup
	for p := range publishers {
		running.Go(func() {
			for n := range messages {
				c.device.Publish(number(p*messages+n), func(err error) { all <- err })
			}
		})
	}
	running.Wait()
	for range publishers * messages {
		if err := await(t, "done of Publish", all); err != nil {
			t.Fatalf("Publish: %v", err)
		}
	}
	w.until("every message once", func() bool { return len(w.said[nameless(c.id)]) == publishers*messages })
	if got := len(w.numbers(c.id)); got != publishers*messages {
		t.Errorf("%d different messages arrived, want %d", got, publishers*messages)
	}
}

func kinds(t *testing.T, w *world) {
	id := w.platform.Devices[0]
	fields := []thing.Field{
		{Name: "count", Value: thing.Int(-7)}, {Name: "level", Value: thing.Decimal(605, 1)},
		{Name: "text", Value: thing.String("a \"quoted\" \u4f60\u597d\n")}, {Name: "on", Value: thing.Bool(true)},
	}
	messages := []thing.Message{
		{Kind: thing.Property, Fields: fields},
		{Kind: thing.Event, Name: "alarm", Fields: fields},
		{Kind: thing.Raw, Raw: []byte{0, 1, 0xfe, 0xff, '"'}},
	}
	if w.platform.Topic != nil {
		messages = append(messages, thing.Message{Kind: thing.Publication, Topic: w.platform.Topic(id), Raw: []byte("as it is")})
	}
	c := w.login(id)
	for _, qos := range []thing.QoS{thing.QoSDefault, thing.AtMostOnce, thing.AtLeastOnce} {
		for _, m := range messages {
			m.QoS = qos
			before := len(w.heard(id))
			err := c.publish(&m)
			if !slices.Contains(w.platform.Kinds, m.Kind) {
				if !errors.Is(err, upstream.ErrUnsupported) {
					t.Errorf("Publish of a %v: %v, want ErrUnsupported", m.Kind, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("Publish of a %v: %v", m.Kind, err)
				continue
			}
			w.until(fmt.Sprintf("a %v", m.Kind), func() bool { return len(w.said[nameless(id)]) > before })
			same(t, w.heard(id)[before], m)
		}
	}
}

// same compares what arrived with what was said.
func same(t *testing.T, got, want thing.Message) {
	t.Helper()
	if got.Kind != want.Kind || got.Name != want.Name || got.Topic != want.Topic || string(got.Raw) != string(want.Raw) {
		t.Errorf("arrived %+v, want %+v", got, want)
	}
	for _, f := range want.Fields {
		v, found := thing.Get(got.Fields, f.Name)
		if !found || v.String() != f.Value.String() {
			t.Errorf("%v: %s arrived as %v, want %v", got.Kind, f.Name, v, f.Value)
		}
	}
}

// notKept changes a message as soon as Publish returns.
func notKept(t *testing.T, w *world) {
	const messages = 100
	c := w.login(w.platform.Devices[0])
	l := newLedger(messages)
	m := number(0)
	for n := range messages {
		m.Fields[0].Value = thing.Int(int64(n))
		c.device.Publish(m, l.done(n))
		m.Fields[0].Value = thing.Int(-1)
	}
	l.check(t)
	w.until("all messages", func() bool { return len(w.said[nameless(c.id)]) >= messages })
	if got := w.numbers(c.id); len(got) != messages || slices.Contains(got, -1) {
		t.Errorf("arrived: %v", got)
	}
}

func supersede(t *testing.T, w *world) {
	older := w.login(w.platform.Devices[0])
	newer := w.login(w.platform.Devices[0])
	if err := older.publish(number(1)); !errors.Is(err, upstream.ErrSuperseded) {
		t.Errorf("Publish of the older login: %v, want ErrSuperseded", err)
	}
	if err := older.logout(); err != nil {
		t.Errorf("Logout of the older login: %v", err)
	}
	if err := newer.publish(number(2)); err != nil {
		t.Errorf("Publish of the newer login: %v", err)
	}
	w.until("the newer login's message", func() bool { return len(w.said[nameless(newer.id)]) > 0 })
	w.untilOnline(newer.id, true)
	if got := w.numbers(newer.id); !slices.Equal(got, []int64{2}) {
		t.Errorf("arrived: %v, want 2 alone", got)
	}
	if len(older.lost) > 0 {
		t.Errorf("Lost was called for a login that was superseded: %v", <-older.lost)
	}
	if w.platform.Command != nil {
		answer(newer, thing.Done, nil)
		command(t, w, newer, &thing.Command{Kind: thing.Service, Name: "ping"})
		if len(older.commands) > 0 {
			t.Error("the older login got the command")
		}
	}
}

// supersedePending logs in twice without waiting: the last one counts.
func supersedePending(t *testing.T, w *world) {
	const logins = 3
	type result struct {
		d   upstream.Device
		err error
	}
	done := make([]chan result, logins)
	for i := range logins {
		done[i] = make(chan result, 2)
		w.up.Login(upstream.Login{Device: w.platform.Devices[0]}, func(d upstream.Device, err error) { done[i] <- result{d, err} })
	}
	var last upstream.Device
	for i := range logins {
		r := await(t, "done of Login", done[i])
		switch {
		case i == logins-1 && r.err != nil:
			t.Fatalf("the last login: %v", r.err)
		case i == logins-1:
			last = r.d
		case r.err != nil && !errors.Is(r.err, upstream.ErrSuperseded):
			t.Errorf("login %d: %v, want ErrSuperseded or success", i, r.err)
		case r.err == nil:
			old := make(chan error, 1)
			r.d.Publish(number(1), func(err error) { old <- err })
			if err := await(t, "done of Publish", old); !errors.Is(err, upstream.ErrSuperseded) {
				t.Errorf("Publish of login %d: %v, want ErrSuperseded", i, err)
			}
		}
	}
	published := make(chan error, 1)
	last.Publish(number(2), func(err error) { published <- err })
	if err := await(t, "done of Publish", published); err != nil {
		t.Errorf("Publish of the last login: %v", err)
	}
}

// answer replies to the next command of a device.
func answer(c *client, state thing.State, fields []thing.Field) {
	go func() { // ends with the command, which the test waits for
		cmd := <-c.commands
		m := cmd.Reply(state)
		m.Fields, m.Code, m.Text, m.Raw = fields, 7, "because", cmd.Raw
		if state == thing.Done {
			m.Code, m.Text = 0, ""
		}
		c.device.Publish(&m, upstream.Ignore)
		c.commands <- cmd // for the test
	}()
}

func command(t *testing.T, w *world, c *client, cmd *thing.Command) thing.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	reply, err := w.platform.Command(ctx, c.id, cmd)
	if err != nil {
		t.Fatalf("command %v: %v", cmd.Kind, err)
	}
	got := await(t, "Command", c.commands)
	if got.Kind != cmd.Kind || got.Name != cmd.Name || string(got.Raw) != string(cmd.Raw) {
		t.Errorf("command arrived as %+v, want %+v", got, cmd)
	}
	for _, f := range cmd.Fields {
		if v, found := thing.Get(got.Fields, f.Name); !found || v.String() != f.Value.String() {
			t.Errorf("%s arrived as %v, want %v", f.Name, v, f.Value)
		}
	}
	return reply
}

func commands(t *testing.T, w *world) {
	if w.platform.Command == nil {
		t.Skip("the platform gives no commands")
	}
	c := w.login(w.platform.Devices[0])
	in := []thing.Field{{Name: "power", Value: thing.Int(1)}, {Name: "mode", Value: thing.String("eco")}}
	out := []thing.Field{{Name: "power", Value: thing.Int(3)}}
	for _, cmd := range []*thing.Command{
		{Kind: thing.SetProperties, Fields: in},
		{Kind: thing.GetProperties, Fields: []thing.Field{{Name: "power"}}},
		{Kind: thing.Service, Name: "restart", Fields: in},
	} {
		answer(c, thing.Done, out)
		reply := command(t, w, c, cmd)
		if v, _ := thing.Get(reply.Fields, "power"); reply.State != thing.Done || v.String() != "3" {
			t.Errorf("%v: the platform got %+v, want done with power 3", cmd.Kind, reply)
		}
		answer(c, thing.Refused, nil)
		if reply := command(t, w, c, cmd); reply.State == thing.Done {
			t.Errorf("%v: a refusal arrived as %+v", cmd.Kind, reply)
		}
	}
	if slices.Contains(w.platform.Kinds, thing.Raw) {
		answer(c, thing.Done, nil)
		reply := command(t, w, c, &thing.Command{Kind: thing.RawDown, Raw: []byte{1, 0, 0xff}})
		if string(reply.Raw) != "\x01\x00\xff" {
			t.Errorf("raw: the platform got %+v", reply)
		}
	}
}

func kick(t *testing.T, w *world) {
	if w.platform.Kick == nil {
		t.Skip("the platform kicks nobody")
	}
	c, other := w.login(w.platform.Devices[0]), w.login(w.platform.Devices[1])
	if err := w.platform.Kick(c.id); err != nil {
		t.Fatal(err)
	}
	if cause := await(t, "Lost", c.lost); cause == nil {
		t.Error("Lost was called without a cause")
	}
	w.untilOnline(c.id, false)
	if err := c.publish(number(1)); err == nil {
		t.Error("Publish after Lost succeeded")
	}
	if err := c.logout(); err != nil {
		t.Errorf("Logout after Lost: %v", err)
	}
	if err := other.publish(number(2)); err != nil {
		t.Errorf("Publish of another device: %v", err)
	}
	if len(c.lost) > 0 || len(other.lost) > 0 {
		t.Error("Lost was called again, or for another device")
	}
}

// cut publishes while the connection is lost and comes back: what was
// acknowledged is at the platform, in order, and the device is logged in again.
func cut(t *testing.T, w *world) {
	if w.platform.Cut == nil {
		t.Skip("the platform cannot be cut off")
	}
	const before, during, after = 200, 50, 50
	const messages = before + during + after
	var clients []*client
	var ledgers []*ledger
	for _, id := range w.platform.Devices[:3] {
		clients = append(clients, w.login(id))
		ledgers = append(ledgers, newLedger(messages))
	}
	publish := func(from, to int) {
		for n := from; n < to; n++ {
			for i, c := range clients {
				c.device.Publish(number(n), ledgers[i].done(n))
			}
		}
	}
	publish(0, before)
	w.platform.Cut() // with messages in flight
	publish(before, before+during)
	for _, c := range clients {
		w.untilOnline(c.id, false)
	}
	w.platform.Restore()
	for _, c := range clients {
		w.untilOnline(c.id, true)
	}
	publish(before+during, messages)
	for i, c := range clients {
		acknowledged := ledgers[i].check(t)
		if len(acknowledged) == 0 {
			t.Errorf("%v: nothing was acknowledged: %v", c.id, ledgers[i].results)
		}
		w.until("what was acknowledged", func() bool { return len(w.said[nameless(c.id)]) >= len(acknowledged) })
		got := w.numbers(c.id)
		for _, n := range acknowledged {
			if !slices.Contains(got, n) {
				t.Errorf("%v: message %d was acknowledged, but is not there", c.id, n)
			}
		}
		if !slices.IsSorted(got) {
			t.Errorf("%v: arrived in the order %v", c.id, got)
		}
		if err := c.publish(number(messages)); err != nil {
			t.Errorf("%v: Publish after all: %v", c.id, err)
		}
		if len(c.lost) > 0 {
			t.Errorf("%v: Lost was called for a connection of the connector's own: %v", c.id, <-c.lost)
		}
	}
}

// loginWhileCut logs in while the platform is away: it succeeds when that is
// back, or fails with ErrNotConnected.
func loginWhileCut(t *testing.T, w *world) {
	if w.platform.Cut == nil {
		t.Skip("the platform cannot be cut off")
	}
	first := w.login(w.platform.Devices[0])
	w.platform.Cut()
	w.untilOnline(first.id, false)
	done := make(chan error, 1)
	w.up.Login(upstream.Login{Device: w.platform.Devices[1]}, func(_ upstream.Device, err error) { done <- err })
	w.platform.Restore()
	if err := await(t, "done of Login", done); err != nil && !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("Login while the platform is away: %v, want nil or ErrNotConnected", err)
	}
	w.untilOnline(first.id, true)
	w.login(w.platform.Devices[2])
}

func closeDrains(t *testing.T, w *world) {
	if _, ok := w.up.(upstream.Closer); !ok {
		t.Skip("the connector has nothing to close")
	}
	const messages = 300
	c := w.login(w.platform.Devices[0])
	l := newLedger(messages)
	for n := range messages {
		c.device.Publish(number(n), l.done(n))
	}
	if err := w.close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if got := len(l.check(t)); got != messages {
		t.Errorf("%d of %d messages acknowledged", got, messages)
	}
	w.until("all messages", func() bool { return len(w.said[nameless(c.id)]) >= messages })
	w.untilOnline(c.id, false)
}

func closed(t *testing.T, w *world) {
	if _, ok := w.up.(upstream.Closer); !ok {
		t.Skip("the connector has nothing to close")
	}
	c := w.login(w.platform.Devices[0])
	if err := w.close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := c.publish(number(1)); !errors.Is(err, upstream.ErrClosed) {
		t.Errorf("Publish after Close: %v, want ErrClosed", err)
	}
	if err := w.newClient(w.platform.Devices[1]).login(); !errors.Is(err, upstream.ErrClosed) {
		t.Errorf("Login after Close: %v, want ErrClosed", err)
	}
	if err := c.logout(); err != nil && !errors.Is(err, upstream.ErrClosed) {
		t.Errorf("Logout after Close: %v", err)
	}
	if len(c.lost) > 0 {
		t.Errorf("Lost was called by Close: %v", <-c.lost)
	}
}
