package upstreamtest

import (
	"errors"
	"slices"

	"github.com/linkspan/linkspan/upstream"
)

// cut publishes while the connection is lost and comes back: what was
// acknowledged is at the platform, in order, and the device is logged in again.
func cut(w *world) {
	t := w.t
	if w.platform.Cut == nil {
		t.Skip("the platform cannot be cut off")
	}
	const before, during, after = 200, 50, 50
	const messages = before + during + after
	devices := w.platform.Devices[:3]
	clients, ledgers := make([]*client, 0, len(devices)), make([]*ledger, 0, len(devices))
	for _, id := range devices {
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
		acknowledged := ledgers[i].check(w)
		if len(acknowledged) == 0 {
			t.Errorf("%v: nothing was acknowledged: %v", c.id, ledgers[i].results)
		}
		w.until("what was acknowledged", func() bool { // messages that came twice count once
			said := numbersOf(w.said[nameless(c.id)])
			return !slices.ContainsFunc(acknowledged, func(n int64) bool { return !slices.Contains(said, n) })
		})
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
func loginWhileCut(w *world) {
	t := w.t
	if w.platform.Cut == nil {
		t.Skip("the platform cannot be cut off")
	}
	first := w.login(w.platform.Devices[0])
	w.platform.Cut()
	w.untilOnline(first.id, false)
	done := make(chan error, 1)
	w.up.Login(upstream.Login{Device: w.platform.Devices[1]}, func(_ upstream.Device, err error) { done <- err })
	w.platform.Restore()
	if err := await(w, "done of Login", done); err != nil && !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("Login while the platform is away: %v, want nil or ErrNotConnected", err)
	}
	w.untilOnline(first.id, true)
	w.login(w.platform.Devices[2])
}

func closeDrains(w *world) {
	t := w.t
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
	if got := len(l.check(w)); got != messages {
		t.Errorf("%d of %d messages acknowledged", got, messages)
	}
	w.until("all messages", func() bool { return len(w.said[nameless(c.id)]) >= messages })
	w.untilOnline(c.id, false)
}

func closed(w *world) {
	t := w.t
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
