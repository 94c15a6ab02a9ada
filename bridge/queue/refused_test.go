package queue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/upstream"
)

// wantRefused says whether a login failed as the platform has refused it before.
func wantRefused(t *testing.T, what string, err error, code int) {
	t.Helper()
	var no *upstream.RefusedError
	if !errors.Is(err, auth.ErrDenied) || !errors.As(err, &no) || no.Code != code || !no.Repeated {
		t.Errorf("%s: %v, want the refusal again", what, err)
	}
}

// A device that the platform has refused is not let in because the platform cannot be
// asked, or says that it comes too often: nobody would take what it says. Others are.
func TestRefusedDeviceStaysOut(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		t.Helper()
		c := newCloud(t)
		q, _ := start(t, config(t, mode), c, names{})
		say := func(err error) { c.set(func() { c.login = func(string) error { return err } }) }
		say(errGoodbye)
		if _, err := login(t, q, "d"); !errors.Is(err, auth.ErrDenied) {
			t.Errorf("the first login: %v", err)
		}
		say(&upstream.RefusedError{Code: 429, Temporary: true})
		_, err := login(t, q, "d")
		wantRefused(t, "too often", err, 521)
		c.set(func() { c.away = true })
		_, err = login(t, q, "d")
		wantRefused(t, "away", err, 521)
		if err == nil || !strings.Contains(err.Error(), upstream.ErrNotConnected.Error()) {
			t.Errorf("away: %v", err)
		}
		online(t, q, "other")
		if got := q.Stats(); got.Provisional != 1 || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
		c.set(func() { c.away, c.login = false, nil }) // it is enabled again
		d := online(t, q, "d")
		c.set(func() { c.away = true })
		d.store(0, 5)
		d = online(t, q, "d") // its last word was a yes
		d.store(5, 10)
		c.set(func() { c.away = false })
		c.until(t, "the messages", func() bool { return len(c.numbers("d")) == 10 })
	})
}

// A device that was admitted while the platform was away, and refused then, is not admitted
// again when the answer takes long: it waits for it.
func TestRefusedDeviceWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	cfg := config(t, queue.ModeOn)
	cfg.LoginWait = 20 * time.Millisecond
	q, _ := start(t, cfg, c, names{})
	c.set(func() { c.away = true })
	d := online(t, q, "d")
	c.set(func() { c.away, c.login = false, func(string) error { return errGoodbye } })
	if cause := await(t, "Lost", d.lost); !errors.Is(cause, auth.ErrDenied) {
		t.Errorf("Lost with %v", cause)
	}
	c.set(func() { c.login = nil })
	block := make(chan struct{})
	c.ops <- func() { <-block } // the platform does not answer
	done := make(chan error, 2)
	q.Login(upstream.Login{Device: auth.Identity{ProductKey: "p", DeviceName: "d"}, Name: "d", Listener: "l"}, func(_ upstream.Device, err error) { done <- err })
	other := online(t, q, "other") // provisionally, after loginWait
	select {
	case err := <-done:
		t.Errorf("the login ended before the platform had answered: %v", err)
	default:
	}
	close(block)
	if err := await(t, "done of Login", done); err != nil {
		t.Errorf("Login of a device that is enabled again: %v", err)
	}
	other.logout()
}

// That the platform has refused a device is said again to whoever asks, but is no further refusal:
// what it has stored is dead after as many as the platform has said itself.
func TestRepeatedRefusalsCondemnNobody(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	cfg := config(t, queue.ModeOn)
	cfg.Retry = queue.RetryConfig{Min: time.Millisecond, Max: 5 * time.Millisecond}
	q, _ := start(t, cfg, c, names{})
	c.set(func() { c.away = true })
	d := online(t, q, "d")
	d.store(0, 5)
	c.set(func() { c.away, c.login = false, func(string) error { return errGoodbye.Repeat() } })
	if cause := await(t, "Lost", d.lost); !errors.Is(cause, auth.ErrDenied) {
		t.Errorf("Lost with %v", cause)
	}
	tries := make(chan struct{}, 1000)
	c.set(func() {
		c.login = func(string) error {
			select {
			case tries <- struct{}{}:
			default:
			}
			return errGoodbye.Repeat()
		}
	})
	for range 3 * cfg.Poison {
		await(t, "another try", tries)
	}
	if got := q.Stats(); got.Waiting != 5 || got.Dead["login refused"] != 0 {
		t.Errorf("after repeated refusals: %+v", got)
	}
	c.set(func() { c.login = nil })
	c.until(t, "the messages", func() bool { return len(c.numbers("d")) == 5 })
}
