package route_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/route"
)

// A copy that was away gets what was said meanwhile, in its order.
func TestCopyComesBack(t *testing.T) {
	t.Parallel()
	ups := map[string]*cloud{"main": newCloud(), "copy": newCloud()}
	ups["copy"].refuse = func(login int) error {
		if login < 3 {
			return upstream.ErrNotConnected
		}
		return nil
	}
	r := begin(t, copying(func(cfg *route.Config) {
		cfg.Copies.RetryMin, cfg.Copies.RetryMax = time.Millisecond, 2*time.Millisecond
	}), ups)
	d, err := login(t, r, upstream.Login{Device: truck("a")})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for n := range 50 {
		want = append(want, strconv.Itoa(n))
		if err := say(t, d, raw(want[n])); err != nil {
			t.Fatal(err)
		}
	}
	c := ups["copy"]
	c.until(t, "all messages", func() bool { return len(c.said["a"]) == len(want) })
	if got := c.heard("a"); !slices.Equal(got, want) {
		t.Errorf("said %v", got)
	}
	if u := r.Stats().Upstreams[1]; u.CopyLogins != 4 || u.CopyLoginsFailed != 3 {
		t.Errorf("stats %+v", u)
	}
}

// Devices that a copy never takes leave room for those that it does.
func TestRefusedDevicesLeaveRoom(t *testing.T) {
	t.Parallel()
	for name, bound := range map[string]func(*route.CopyConfig){
		"messages": func(c *route.CopyConfig) { c.Queue = 20 },
		"bytes":    func(c *route.CopyConfig) { c.QueueBytes = 20_000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ups := map[string]*cloud{"main": newCloud(), "copy": newCloud()}
			ups["copy"].refuse = func(login int) error {
				if login == 0 {
					return &upstream.RefusedError{Reason: "too many", Temporary: true}
				}
				return nil
			}
			r := begin(t, copying(func(cfg *route.Config) {
				cfg.Copies.RetryMin, cfg.Copies.RetryMax = time.Hour, time.Hour
				bound(&cfg.Copies)
			}), ups)
			refused, err := login(t, r, upstream.Login{Device: truck("refused")})
			if err != nil {
				t.Fatal(err)
			}
			for range 100 {
				if err = say(t, refused, raw(strings.Repeat("x", 1000))); err != nil {
					t.Fatal(err)
				}
			}
			d, err := login(t, r, upstream.Login{Device: truck("a")})
			if err != nil {
				t.Fatal(err)
			}
			ups["copy"].untilOnline(t, "a", true)
			if err := say(t, d, raw("1")); err != nil {
				t.Fatal(err)
			}
			ups["copy"].until(t, "the message of the other device", func() bool { return len(ups["copy"].said["a"]) == 1 })
			if u := r.Stats().Upstreams[1]; u.CopiesDropped["full"] == 0 || u.CopiesPending < 2 {
				t.Errorf("stats %+v", u)
			}
		})
	}
}
