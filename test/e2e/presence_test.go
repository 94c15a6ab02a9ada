package e2e

import (
	"context"
	"testing"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/platform/api"
)

// TestTakeover connects a terminal a second time: the older connection ends, the
// newer one is the terminal, the platform has it online all the while.
func TestTakeover(t *testing.T) {
	t.Parallel()
	const phone = "13800138000"
	w := newWorld(t)
	first := w.online(phone, jt808.V2013)
	w.must(first.report(1, patience))
	second := w.online(phone, jt808.V2013)
	if err := first.gone(); err != nil {
		t.Fatal(err)
	}
	w.must(second.report(2, patience))
	if !w.device(phone).Online {
		t.Error("the platform has the terminal offline")
	}
	done := w.invoke(phone, "linkCheck", nil)
	_, serial := told[jt808.LinkCheck](second)
	second.say(&jt808.TerminalResponse{Serial: serial, Request: jt808.IDLinkCheck})
	if r := w.outcome(done); r.State != "done" {
		t.Errorf("the command ends with %+v", r)
	}
	await(t, "the takeover to be counted", func() bool { return w.listener().Closed["taken over"] == 1 })
	if n := w.bridge.Sessions().Len(); n != 1 {
		t.Errorf("there are %d sessions", n)
	}
}

// TestUnknown refuses terminals that nobody knows, here or at the platform.
func TestUnknown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, phone string }{
		{"here", unknownPhone},
		{"at the platform", "13800138000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			x, err := dial(t.Context(), t, w.addr().String(), "127.0.0.1", c.phone, jt808.V2013)
			w.must(err)
			serial, err := x.send(location(1))
			w.must(err)
			if result, err := x.answerTo(jt808.IDLocation, serial, patience); err != nil || result == jt808.ResultOK {
				t.Errorf("a report of a stranger is answered with %v, %v", result, err)
			}
			for i := range w.setup.jt808.Authentication.Attempts {
				result, err := x.register()
				if err != nil || result != jt808.RegisterTerminalUnknown {
					t.Fatalf("registration %d is answered with %d, %v", i+1, result, err)
				}
			}
			if err := x.gone(); err != nil {
				t.Errorf("after that many attempts: %v", err)
			}
			if n := w.bridge.Sessions().Len(); n != 0 {
				t.Errorf("there are %d sessions", n)
			}
		})
	}
}

// TestWrongCode lets nobody in who does not have the code of a registration.
func TestWrongCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.dial("13800138000", jt808.V2013)
	x.code = "no code of ours"
	if result, err := x.authenticate(); err != nil || result == jt808.ResultOK {
		t.Fatalf("answered with %v, %v", result, err)
	}
	w.must(x.login())
	again := w.dial("13800138000", jt808.V2013) // the code is good for the next connection
	again.code = x.code
	if result, err := again.authenticate(); err != nil || result != jt808.ResultOK {
		t.Fatalf("answered with %v, %v", result, err)
	}
	w.must(again.report(1, patience))
	other := w.dial("13800138001", jt808.V2013)
	other.code = x.code
	if result, err := other.authenticate(); err != nil || result == jt808.ResultOK {
		t.Fatalf("another terminal's code is answered with %v, %v", result, err)
	}
}

// TestKick ends sessions from the platform's side.
func TestKick(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		do     func(w *world, phone string) error
		undo   func(w *world, phone string) error
		state  string
		barred bool
	}{
		{name: "kick", do: func(w *world, phone string) error { return w.platform.Kick(truckProduct, phone) }, state: api.Offline},
		{
			name: "disable", do: func(w *world, phone string) error { return w.platform.Disable(truckProduct, phone) },
			undo:  func(w *world, phone string) error { return w.platform.Enable(truckProduct, phone) },
			state: api.Disabled, barred: true,
		},
		{
			name: "delete", do: func(w *world, phone string) error { return w.platform.Delete(truckProduct, phone) },
			undo: func(w *world, phone string) error {
				return w.platform.AddDevice(identity(phone), gatewayProduct+"/"+gatewayName)
			},
			state: api.Deleted, barred: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const phone, bystander = "13800138000", "13800138001"
			w := newWorld(t)
			x, other := w.online(phone, jt808.V2013), w.online(bystander, jt808.V2013)
			w.must(x.report(1, patience))
			w.must(c.do(w, phone))
			if err := x.gone(); err != nil {
				t.Fatalf("the terminal is still connected: %v", err)
			}
			if d := w.device(phone); d.State != c.state {
				t.Errorf("the platform has the terminal %s, want %s", d.State, c.state)
			}
			if c.barred {
				back := w.dial(phone, jt808.V2013)
				if result, err := back.register(); err != nil || result == jt808.RegisterOK {
					t.Errorf("the terminal comes back: %d, %v", result, err)
				}
				w.must(c.undo(w, phone))
			}
			w.must(w.online(phone, jt808.V2013).report(2, patience))
			w.must(other.report(1, patience)) // whom all that is no business of
		})
	}
}

// TestLogout takes a terminal offline that says good-bye.
func TestLogout(t *testing.T) {
	t.Parallel()
	const phone = "13800138000"
	w := newWorld(t)
	x := w.online(phone, jt808.V2013)
	serial, err := x.send(&jt808.Logout{})
	w.must(err)
	if result, err := x.answerTo(jt808.IDLogout, serial, patience); err != nil || result != jt808.ResultOK {
		t.Fatalf("answered with %v, %v", result, err)
	}
	offline(t, w, phone)
	if result, err := x.authenticate(); err != nil || result != jt808.ResultOK {
		t.Fatalf("the same connection logs in again: %v, %v", result, err)
	}
	w.must(x.report(1, patience))
}

// TestDisconnect takes a terminal offline whose connection ends.
func TestDisconnect(t *testing.T) {
	t.Parallel()
	const phone = "13800138000"
	w := newWorld(t)
	x := w.online(phone, jt808.V2013)
	w.must(x.conn.Close())
	offline(t, w, phone)
	r, err := w.platform.Invoke(t.Context(), truckProduct, phone, "linkCheck", nil)
	if err != nil || r.State != "offline" {
		t.Errorf("a command to nobody ends with %+v, %v", r, err)
	}
}

func offline(t *testing.T, w *world, phone string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.platform.WaitOffline(ctx, truckProduct, phone); err != nil {
		t.Fatal(err)
	}
}
