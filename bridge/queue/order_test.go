package queue_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// numberOf is the number of a message of number's.
func numberOf(m *thing.Message) int64 {
	v, _ := thing.Get(m.Fields, "n")
	n, _ := v.Int()
	return n
}

// A message that is being handed over in the very moment in which the one before it
// fails does not come before it.
func TestHandedOverWhileOneFails(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		t.Helper()
		c := newCloud(t)
		q, _ := start(t, config(t, mode), c, names{})
		d := online(t, q, "d")
		d.store(0, 1)
		settled(t, q)
		told := make(chan struct{})
		once := sync.OnceFunc(func() { // the failure of 1 is told while 2 is on its way into the connector
			c.ops <- func() { close(told) }
			<-told
		})
		failed := false
		c.set(func() {
			c.enter = func(_ string, m *thing.Message) {
				if numberOf(m) == 2 {
					once()
				}
			}
			c.refuse = func(_ string, m *thing.Message) error {
				if numberOf(m) != 1 || failed {
					return nil
				}
				failed = true
				return upstream.ErrTimeout
			}
		})
		d.store(1, 30)
		settled(t, q)
		if got := c.heard("d"); !slices.Equal(got, upTo(30)) {
			t.Errorf("arrived in the order %v", got)
		}
	})
}

// Messages that fail here and there, some known at once and some late, and a device
// that logs in anew meanwhile: none comes before those in front of it.
func TestOrderOfWhatFails(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		t.Helper()
		c := newCloud(t)
		q, _ := start(t, config(t, mode), c, names{})
		d := online(t, q, "d")
		attempts := map[int64]int{}
		c.set(func() {
			c.refuse = func(_ string, m *thing.Message) error {
				n := numberOf(m)
				attempts[n]++
				switch {
				case n%17 == 3 && attempts[n] < 3:
					return upstream.ErrTimeout
				case n%29 == 5 && attempts[n] < 2:
					return &upstream.RefusedError{Code: 429, Reason: "too fast", Temporary: true}
				case n%31 == 7 && attempts[n] < 2:
					return upstream.ErrOverloaded
				default:
					return nil
				}
			}
		})
		const messages = 600
		for n := 0; n < messages; n += 20 {
			late := n%60 == 20
			c.set(func() { c.hold["d"] = late })
			d.store(n, n+10)
			if n%100 == 40 {
				d = online(t, q, "d")
			}
			if late {
				c.answer()
			}
			d.store(n+10, n+20)
		}
		c.until(t, "everything", func() bool { return len(c.numbers("d")) == messages })
		if got := c.heard("d"); !slices.Equal(got, upTo(messages)) {
			t.Errorf("arrived in the order %v", got)
		}
	})
}

// A device whose message neither the platform nor the log takes is not silent for ever.
func TestFailsWithFullLog(t *testing.T) {
	t.Parallel()
	cfg := config(t, queue.ModeSpill)
	cfg.SegmentSize, cfg.MaxBytes, cfg.MaxRecord = 64<<10, 128<<10, 16<<10
	c := newCloud(t)
	q, _ := start(t, cfg, c, names{})
	d, stuck := online(t, q, "d"), online(t, q, "stuck")
	d.store(0, 1)
	settled(t, q)
	n := 0
	store := func(d *device) error {
		n++
		m := number(n)
		m.Raw = make([]byte, 8000)
		done := make(chan error, 1)
		d.up.(upstream.Storer).Store(m, func(err error) { done <- err })
		return await(t, "done of Store", done)
	}
	failing := "stuck"
	c.set(func() {
		c.refuse = func(name string, _ *thing.Message) error {
			if name == "stuck" || name == failing {
				return upstream.ErrNotConnected
			}
			return nil
		}
	})
	for store(stuck) == nil {
	}
	c.set(func() { failing = "d" })
	for store(d) == nil {
	}
	c.set(func() { failing = "stuck" })
	began := time.Now()
	for err := errFault; err != nil; {
		if time.Since(began) > patience {
			t.Fatalf("the device is silent for ever: %v", err)
		}
		if err = store(d); err != nil && !errors.Is(err, upstream.ErrOverloaded) {
			t.Fatalf("message %d: %v", n, err)
		}
	}
}

// The device takes messages again before anybody sends some, and no other is sent
// until the one for which it does is: not by another goroutine either.
func TestNothingComesWhileTheDeviceIsResumed(t *testing.T) {
	t.Parallel()
	cfg := config(t, queue.ModeSpill)
	cfg.MaxRecord = 16 << 10
	c := newCloud(t)
	q, _ := start(t, cfg, c, names{})
	d := online(t, q, "d")
	d.store(0, 1)
	settled(t, q)
	large := func() error { // the log does not take it, so that nothing waits that would be sent first
		m := number(1)
		m.Raw = make([]byte, 20<<10)
		return await(t, "done", d.publish(m))
	}
	c.set(func() { c.away = true })
	if err := large(); err == nil {
		t.Fatal("a message is done that nobody took")
	}
	second := make(chan (<-chan error), 1)
	c.set(func() {
		c.away = false
		c.resume = func() { second <- d.publish(number(2)) }
	})
	began := time.Now()
	for len(second) == 0 {
		_ = large()
		if time.Since(began) > patience {
			t.Fatal("the device is never resumed")
		}
	}
	if err := await(t, "done", await(t, "the second message", second)); err != nil {
		t.Errorf("the second message: %v", err)
	}
	if got := c.heard("d"); !slices.Equal(got, upTo(3)) {
		t.Errorf("arrived in the order %v", got)
	}
}
