package upstreamtest

import (
	"slices"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// inOrder is a login with InOrder whose messages fail for now.
func inOrder(w *world) {
	t := w.t
	if w.platform.Cut == nil {
		t.Skip("the platform cannot be cut off")
	}
	c, other := w.newClient(w.platform.Devices[0]), w.login(w.platform.Devices[1])
	c.inOrder = true
	if err := c.login(); err != nil {
		t.Fatalf("Login: %v", err)
	}
	if _, keeps := c.device.(upstream.Storer); keeps {
		t.Skip("the connector keeps what it cannot send")
	}
	again := c.resumer()
	for n := range 20 {
		if err := c.publish(number(n)); err != nil {
			t.Fatalf("Publish: %v", err)
		}
	}

	w.platform.Cut()
	w.untilOnline(c.id, false)
	first, inside := c.untilFailure(20)
	next := first + 1
	if !upstream.Temporary(inside) {
		t.Errorf("Publish while done of a failed message is being called: %v", inside)
	}
	stay := func(when string) {
		t.Helper()
		l := newLedger(40)
		for range 40 {
			c.device.Publish(number(next), l.done(next))
			next++
		}
		l.check(w)
		for n, errs := range l.results {
			if !upstream.Temporary(errs[0]) {
				t.Errorf("message %d behind one that failed, %s: %v", n, when, errs[0])
			}
		}
	}
	stay("while the platform is away")
	w.platform.Restore()
	w.untilOnline(c.id, true)
	stay("when the platform is back")
	if err := other.publish(number(0)); err != nil {
		t.Errorf("Publish of another device: %v", err)
	}
	if w.platform.Command != nil { // replies pass
		answer(c, thing.Done, nil)
		command(w, c, &thing.Command{Kind: thing.Service, Name: "ping"})
	}
	if got := w.numbers(c.id); slices.ContainsFunc(got, func(n int64) bool { return n > int64(first) }) {
		t.Errorf("message %d failed, arrived before Resume: %v", first, got)
	}
	again.Resume()
	c.sendAgain(again, first, next)
	underWay(w, c, again, next)
	w.until("the other's message", func() bool { return len(w.said[nameless(other.id)]) > 0 })
}

// resumer is the device of a login with InOrder.
func (c *client) resumer() upstream.Resumer {
	r, ok := c.device.(upstream.Resumer)
	if !ok {
		c.w.t.Fatal("the device of a login with InOrder is no upstream.Resumer")
	}
	return r
}

// quick is number at most once.
func quick(n int) *thing.Message {
	m := number(n)
	m.QoS = thing.AtMostOnce
	return m
}

// untilFailure says numbers that nothing waits for, one by one, until one fails. It
// returns that one, and what becomes of the next, which is published while done of
// the failed one is being called.
func (c *client) untilFailure(from int) (failed int, inside error) {
	for n := from; ; n++ {
		done, next := make(chan error, 2), make(chan error, 2)
		c.device.Publish(quick(n), func(err error) {
			if err != nil {
				c.device.Publish(number(n+1), func(err error) { next <- err })
			}
			done <- err
		})
		err := await(c.w, "done of Publish", done)
		if err == nil {
			continue
		}
		if !upstream.Temporary(err) {
			c.w.t.Errorf("Publish while the platform is away: %v", err)
		}
		return n, await(c.w, "done of Publish", next)
	}
}

// mostAttempts is more than a platform that is there can need.
const mostAttempts = 50

// sendAgain says the numbers again as a sender does that wants them in order, and
// checks in which they have arrived.
func (c *client) sendAgain(again upstream.Resumer, from, to int) {
	w := c.w
	w.t.Helper()
	for attempt := 0; from < to; attempt++ {
		if attempt == mostAttempts {
			w.t.Fatalf("message %d fails for ever", from)
		}
		l := newLedger(to - from)
		for n := from; n < to; n++ {
			c.device.Publish(number(n), l.done(n))
		}
		l.check(w)
		if from = c.firstFailure(l, from, to); from < to {
			again.Resume()
		}
	}
	w.until("what was acknowledged", func() bool { return slices.Contains(numbersOf(w.said[nameless(c.id)]), int64(to-1)) })
	if got := w.numbers(c.id); !slices.IsSorted(got) {
		w.t.Errorf("arrived in the order %v", got)
	}
}

// firstFailure is the first number of those that failed, and to when none did. All
// behind it have to.
func (c *client) firstFailure(l *ledger, from, to int) int {
	first := to
	for n := from; n < to; n++ {
		switch err := l.results[n][0]; {
		case err != nil && !upstream.Temporary(err):
			c.w.t.Errorf("message %d: %v", n, err)
		case err != nil:
			first = min(first, n)
		case first < n:
			c.w.t.Errorf("message %d was acknowledged, though %d in front of it failed", n, first)
		}
	}
	return first
}

// underWay has messages on their way when the connection is lost, of which some
// fail: all behind the first of them do.
func underWay(w *world, c *client, again upstream.Resumer, from int) {
	const messages = 300
	l := newLedger(messages)
	publish := func(n, count int) int {
		for i := range count {
			m := number(n)
			if i%20 == 10 { // several wait in front of it
				m = quick(n)
			}
			c.device.Publish(m, l.done(n))
			n++
		}
		return n
	}
	n := publish(from, messages/2)
	w.platform.Cut()
	n = publish(n, messages/4)
	w.untilOnline(c.id, false)
	to := publish(n, messages/4)
	w.platform.Restore()
	l.check(w)
	first := c.firstFailure(l, from, to)
	if first == to {
		return // they were all waited for
	}
	again.Resume()
	c.sendAgain(again, first, to)
}
