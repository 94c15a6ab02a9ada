package upstreamtest

import (
	"errors"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Run runs the suite. start makes a fresh platform; what it starts ends with the
// test that it is given.
func Run(t *testing.T, start func(testing.TB) *Platform) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*world)
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
		{"logout of the older behind the login of the newer", logoutBehindLogin},
		{"commands and replies", commands},
		{"kick is told", kick},
		{"connection lost and mended", cut},
		{"order of what is sent again", inOrder},
		{"login while the platform is away", loginWhileCut},
		{"close drains", closeDrains},
		{"closed", closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(begin(t, start))
		})
	}
}

func loginLogout(w *world) {
	t := w.t
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

func unknownRefused(w *world) {
	t := w.t
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

func loginAgain(w *world) {
	t := w.t
	id := w.platform.Devices[0]
	for i := range 2 {
		c := w.login(id)
		left := make(chan error, 1)
		c.device.Logout(func(err error) { left <- err })
		next := w.login(id) // behind the logout
		if err := await(w, "done of Logout", left); err != nil {
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

func supersede(w *world) {
	t := w.t
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
		command(w, newer, &thing.Command{Kind: thing.Service, Name: "ping"})
		if len(older.commands) > 0 {
			t.Error("the older login got the command")
		}
	}
}

// supersedePending logs in twice without waiting: the last one counts.
func supersedePending(w *world) {
	t := w.t
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
		r := await(w, "done of Login", done[i])
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
			if err := await(w, "done of Publish", old); !errors.Is(err, upstream.ErrSuperseded) {
				t.Errorf("Publish of login %d: %v, want ErrSuperseded", i, err)
			}
		}
	}
	published := make(chan error, 1)
	last.Publish(number(2), func(err error) { published <- err })
	if err := await(w, "done of Publish", published); err != nil {
		t.Errorf("Publish of the last login: %v", err)
	}
}

func kick(w *world) {
	t := w.t
	if w.platform.Kick == nil {
		t.Skip("the platform kicks nobody")
	}
	c, other := w.login(w.platform.Devices[0]), w.login(w.platform.Devices[1])
	if err := w.platform.Kick(c.id); err != nil {
		t.Fatal(err)
	}
	if cause := await(w, "Lost", c.lost); cause == nil {
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
