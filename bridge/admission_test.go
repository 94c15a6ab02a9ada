package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
)

// storm brings so many devices online through a listener.
func storm(b *bridge.Bridge, listener string, count int) (sessions []*session.Session, results []*result) {
	for i := range count {
		s, r := session.New(fmt.Sprint(listener, i), &endpoint{}, session.Via(listener)), &result{}
		b.Uplink().Online(s, nil, r.done)
		sessions, results = append(sessions, s), append(results, r)
	}
	return sessions, results
}

// through is how many of them have an outcome.
func through(results []*result) (n int) {
	for _, r := range results {
		n += r.times()
	}
	return n
}

func admitting(rate, burst, queue int) bridge.Config {
	cfg := bridge.DefaultConfig()
	cfg.LoginRate, cfg.LoginBurst, cfg.LoginQueue = rate, burst, queue
	return cfg
}

// A storm comes online at the rate that is allowed, and those that come through
// another listener need not wait for it to end.
func TestStormIsAdmittedAtARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		b := newBridge(t, p, admitting(100, 10, 2000))
		_, flood := storm(b, "flood", 1000)
		_, few := storm(b, "few", 5)
		synctest.Wait()
		if n := through(flood); n != 10 {
			t.Errorf("%d of the storm are through at once, want the burst of 10", n)
		}
		if n := b.Stats().WaitingLogins; n != 995 {
			t.Errorf("%d wait, want 995", n)
		}
		<-time.After(200 * time.Millisecond)
		synctest.Wait()
		if n := through(few); n != 5 {
			t.Errorf("%d of 5 at the quiet listener are through after 20 turns", n)
		}
		<-time.After(800 * time.Millisecond)
		synctest.Wait()
		if n := through(flood); n < 95 || n > 110 {
			t.Errorf("%d of the storm are through after a second, want about 105", n)
		}
		<-time.After(10 * time.Second)
		synctest.Wait()
		for _, r := range append(flood, few...) {
			if err := r.once(t); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.Stats().WaitingLogins; n != 0 {
			t.Errorf("%d wait at the end", n)
		}
	})
}

// A small burst does not take from the rate: those who wait come at it.
func TestRateWithASmallBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t, newPlatform(), admitting(5000, 1, 2000))
		_, results := storm(b, "a", 1000)
		synctest.Wait()
		if n := through(results); n != 1 {
			t.Errorf("%d are through at once, want the burst of 1", n)
		}
		<-time.After(250 * time.Millisecond) // 200 ms would do
		synctest.Wait()
		if n := through(results); n != 1000 {
			t.Errorf("%d of 1000 are through after 250 ms at 5000 a second", n)
		}
	})
}

// Whoever has gone costs those behind it no time.
func TestWhoHasGoneHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		b := newBridge(t, p, admitting(10, 1, 2000))
		gone, results := storm(b, "a", 1001)
		for _, s := range gone[1:] {
			b.Uplink().Offline(s, errCause)
		}
		_, last := storm(b, "b", 1)
		<-time.After(time.Second)
		synctest.Wait()
		if err := last[0].once(t); err != nil {
			t.Error(err)
		}
		for _, r := range results[1:] {
			if err := r.once(t); !errors.Is(err, errCause) {
				t.Fatalf("one that has gone: %v, want %v", err, errCause)
			}
		}
		if n := b.Stats().WaitingLogins; n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

func TestLoginQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t, newPlatform(), admitting(1, 1, 3))
		_, results := storm(b, "a", 6)
		synctest.Wait()
		for _, r := range results[4:] {
			if err := r.once(t); !errors.Is(err, bridge.ErrOverloaded) {
				t.Errorf("got %v, want %v", err, bridge.ErrOverloaded)
			}
		}
		if n := b.Stats().LoginFailures["overloaded"]; n != 2 {
			t.Errorf("%d counted, want 2", n)
		}
	})
}

// Close does not leave those who wait without an answer.
func TestCloseWhileDevicesWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t, newPlatform(), admitting(1, 1, 10))
		_, results := storm(b, "a", 4)
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for _, r := range results[1:] {
			if err := r.once(t); !errors.Is(err, bridge.ErrClosed) {
				t.Errorf("got %v, want %v", err, bridge.ErrClosed)
			}
		}
	})
}

// Devices that come and go while they wait take nobody's place.
func TestWhoHasGoneTakesNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t, newPlatform(), admitting(1, 1, 10))
		_, first := storm(b, "a", 4) // of whom three wait
		for i := range 1000 {
			sessions, results := storm(b, fmt.Sprint("flapping", i%3), 1)
			b.Uplink().Offline(sessions[0], errCause)
			if err := results[0].once(t); !errors.Is(err, errCause) {
				t.Fatalf("device %d: %v, want %v: it took no place", i, err, errCause)
			}
		}
		if n := b.Stats().WaitingLogins; n != 3 {
			t.Errorf("%d wait, want 3", n)
		}
		<-time.After(4 * time.Second)
		synctest.Wait()
		for _, r := range first {
			if err := r.once(t); err != nil {
				t.Error(err)
			}
		}
	})
}

// Who has waited too long is refused, and may come again; those in other rows, who
// have not, go on waiting.
func TestWaitForLoginIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := admitting(1, 1, 100)
		cfg.LoginWait = 10 * time.Second
		b := newBridge(t, newPlatform(), cfg)
		_, crowd := storm(b, "crowd", 50)
		<-time.After(5 * time.Second)
		_, later := storm(b, "later", 3)
		<-time.After(6500 * time.Millisecond) // 11.5 s since the crowd came
		synctest.Wait()
		in, refused := 0, 0
		for _, r := range crowd {
			switch {
			case r.times() == 0:
				t.Fatal("one of the crowd still waits")
			case r.once(t) == nil:
				in++
			case errors.Is(r.once(t), bridge.ErrOverloaded):
				refused++
			}
		}
		if in < 7 || in > 12 || in+refused != 50 {
			t.Errorf("of the crowd %d are online and %d refused, want about 9 and all others", in, refused)
		}
		for _, r := range later {
			if err := r.once(t); err != nil {
				t.Error(err)
			}
		}
		if s := b.Stats(); s.OverdueLogins != uint64(refused) || s.LoginFailures["overloaded"] != uint64(refused) || s.WaitingLogins != 0 {
			t.Errorf("counted %d overdue, %v, %d wait", s.OverdueLogins, s.LoginFailures, s.WaitingLogins)
		}
	})
}
