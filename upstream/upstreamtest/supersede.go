package upstreamtest

import (
	"slices"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// logoutBehindLogin takes a device over as a bridge does: the newer login
// first, then, while that may be pending, the logout of the older one. The
// platform is to see one device that stays online, and the newer login must
// outlive the older logout.
func logoutBehindLogin(w *world) {
	t := w.t
	current := w.login(w.platform.Devices[0])
	w.untilOnline(current.id, true)
	const rounds = 10
	for range rounds {
		newer := w.newClient(current.id)
		pending := make(chan error, 2)
		w.up.Login(newer.request(), func(d upstream.Device, err error) {
			newer.device = d
			pending <- err
		})
		left := make(chan error, 2)
		current.device.Logout(func(err error) { left <- err })
		if err := await(w, "done of Login", pending); err != nil {
			t.Fatalf("Login before the older one's Logout: %v", err)
		}
		if err := await(w, "done of Logout", left); err != nil {
			t.Errorf("Logout of the older login: %v", err)
		}
		if err := current.logout(); err != nil { // once more, with the newer login complete
			t.Errorf("second Logout of the older login: %v", err)
		}
		if len(current.lost) > 0 {
			t.Errorf("Lost was called for a login that was superseded: %v", <-current.lost)
		}
		current = newer
	}
	if err := current.publish(number(1)); err != nil {
		t.Errorf("Publish of the newest login: %v", err)
	}
	w.until("the newest login's message", func() bool { return len(w.said[nameless(current.id)]) > 0 })
	w.untilOnline(current.id, true)
	if got := w.numbers(current.id); !slices.Equal(got, []int64{1}) {
		t.Errorf("arrived: %v, want 1", got)
	}
	if len(current.lost) > 0 {
		t.Errorf("Lost was called for the newest login: %v", <-current.lost)
	}
	if err := current.logout(); err != nil {
		t.Errorf("Logout of the newest login: %v", err)
	}
	w.untilOnline(current.id, false)
}

// request is a login of c.
func (c *client) request() upstream.Login {
	return upstream.Login{
		Device:  c.id,
		Command: func(cmd *thing.Command) { c.commands <- cmd },
		Lost:    func(cause error) { c.lost <- cause },
	}
}
