package attempts_test

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/attempts"
	"github.com/linkspan/linkspan/internal/testclock"
)

var (
	here  = netip.MustParseAddr("192.0.2.1")
	there = netip.MustParseAddr("192.0.2.2")
)

func guard(t *testing.T, change func(*attempts.Config)) (*attempts.Guard, *testclock.Clock) {
	t.Helper()
	cfg := attempts.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	clock := testclock.New()
	g, err := attempts.New(cfg, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	return g, clock
}

func wait(t *testing.T, g *attempts.Guard, from netip.Addr, identity string) time.Duration {
	t.Helper()
	err := g.Admit(from, identity)
	if err == nil {
		return 0
	}
	var paused *attempts.PausedError
	if !errors.As(err, &paused) || !errors.Is(err, attempts.ErrPaused) || errors.Is(err, auth.ErrDenied) {
		t.Fatalf("got %v", err)
	}
	return paused.Wait
}

// Pauses begin after some failures, double, and end with a success.
func TestPauses(t *testing.T) {
	t.Parallel()
	g, clock := guard(t, func(c *attempts.Config) { c.Free, c.Pause, c.MaxPause = 3, time.Second, 5*time.Second })
	fail := func() { g.Outcome(here, "a", auth.ErrUnknownDevice) }
	fail()
	fail()
	if w := wait(t, g, here, "a"); w != 0 {
		t.Errorf("a pause of %s after two failures of three", w)
	}
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		fail()
		if w := wait(t, g, here, "a"); w != want {
			t.Errorf("a pause of %s, want %s", w, want)
		}
		clock.Advance(want)
		if w := wait(t, g, here, "a"); w != 0 {
			t.Errorf("still a pause of %s after %s", w, want)
		}
	}
	fail()
	if w := wait(t, g, there, "a"); w != 0 {
		t.Error("the same device has to pause elsewhere: it can be locked out by anybody")
	}
	if w := wait(t, g, here, "b"); w != 0 {
		t.Error("another device of the same address has to pause")
	}
	g.Outcome(here, "a", nil)
	if w := wait(t, g, here, "a"); w != 0 {
		t.Errorf("a pause of %s after a success", w)
	}
	if s := g.Stats(); s.Failed != 8 || s.Paused != 5 || s.Names != 0 {
		t.Errorf("counted %+v", s)
	}
}

// What is nobody's fault, or long ago, does not count.
func TestWhatDoesNotCount(t *testing.T) {
	t.Parallel()
	g, clock := guard(t, func(c *attempts.Config) { c.Free = 2 })
	for range 10 {
		g.Outcome(here, "a", errors.New("the platform is away"))
		g.Outcome(here, "b", auth.ErrUnknownDevice)
		clock.Advance(time.Hour)
	}
	if wait(t, g, here, "a") != 0 || wait(t, g, here, "b") != 0 {
		t.Error("somebody has to pause")
	}
	off, _ := guard(t, func(c *attempts.Config) { c.Free = 0 })
	for range 10 {
		off.Outcome(here, "a", auth.ErrUnknownDevice)
	}
	if wait(t, off, here, "a") != 0 {
		t.Error("pauses are off, and there is one")
	}
}

func TestBans(t *testing.T) {
	t.Parallel()
	g, clock := guard(t, func(c *attempts.Config) {
		c.PerAddress, c.Window, c.Ban, c.Trusted = 3, time.Minute, 10*time.Minute, []string{"10.0.0.0/8", "192.0.2.7"}
	})
	fail := func(from netip.Addr) {
		for i := range 3 {
			g.Outcome(from, strconv.Itoa(i), auth.ErrUnknownDevice)
		}
	}
	for _, a := range []string{"10.1.2.3", "192.0.2.7"} {
		from := netip.MustParseAddr(a)
		fail(from)
		if g.Banned(from) {
			t.Errorf("%s is banned, which is trusted", a)
		}
	}
	g.Outcome(there, "x", auth.ErrUnknownDevice)
	clock.Advance(2 * time.Minute) // and is forgotten
	g.Outcome(there, "x", auth.ErrUnknownDevice)
	g.Outcome(there, "x", auth.ErrUnknownDevice)
	fail(here)
	if !g.Banned(here) || g.Banned(there) {
		t.Errorf("banned: %v and %v, want true and false", g.Banned(here), g.Banned(there))
	}
	clock.Advance(10 * time.Minute)
	if g.Banned(here) {
		t.Error("banned for longer than ban")
	}
	six := netip.MustParseAddr("2001:db8::1")
	fail(six)
	if !g.Banned(netip.MustParseAddr("2001:db8::2")) {
		t.Error("another address of the same /64 is not banned")
	}
	if s := g.Stats(); s.Banned != 2 || s.Refused != 2 {
		t.Errorf("counted %+v", s)
	}
}

// However many names are tried, what is remembered stays small.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	g, _ := guard(t, func(c *attempts.Config) { c.MaxEntries = 100 })
	for i := range 10_000 {
		g.Outcome(here, strconv.Itoa(i), auth.ErrUnknownDevice)
	}
	if n := g.Stats().Names; n > 100 {
		t.Errorf("%d names are remembered, want 100 at most", n)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	_, err := attempts.New(attempts.Config{Free: -1, MaxPause: time.Minute, Pause: time.Hour, Trusted: []string{"office"}}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"free is -1", "maxPause is 1m0s", "window is 0s", "maxEntries is 0", `trusted has "office"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

// Pauses double up to the longest, and never turn into none.
func TestPausesDoNotOverflow(t *testing.T) {
	t.Parallel()
	for _, first := range []time.Duration{time.Second, time.Minute, time.Hour, 100 * time.Hour} {
		g, _ := guard(t, func(c *attempts.Config) { c.Free, c.Pause, c.MaxPause = 1, first, 700*time.Hour })
		last := time.Duration(0)
		for n := range 80 {
			g.Outcome(here, "a", auth.ErrUnknownDevice)
			w := wait(t, g, here, "a")
			if w < last || n > 30 && w != 700*time.Hour {
				t.Errorf("first %s: after %d failures the pause is %s, it was %s", first, n+1, w, last)
				break
			}
			last = w
		}
	}
}

// An address that is trusted is never banned, whoever else is in its network.
func TestTrustedIPv6(t *testing.T) {
	t.Parallel()
	trusted, neighbour := netip.MustParseAddr("2001:db8::5"), netip.MustParseAddr("2001:db8::6")
	g, _ := guard(t, func(c *attempts.Config) { c.Free, c.PerAddress, c.Trusted = 0, 3, []string{trusted.String()} })
	for n := range 10 {
		g.Outcome(trusted, strconv.Itoa(n), auth.ErrUnknownDevice)
	}
	if g.Banned(neighbour) || g.Stats().Banned != 0 {
		t.Error("failures of a trusted address have banned its network")
	}
	for n := range 10 {
		g.Outcome(neighbour, strconv.Itoa(n), auth.ErrUnknownDevice)
	}
	if !g.Banned(neighbour) || g.Banned(trusted) || g.Admit(trusted, "x") != nil {
		t.Errorf("banned: the neighbour %v, the trusted address %v; want the first alone", g.Banned(neighbour), g.Banned(trusted))
	}
}

// Connections that are open when their address is banned do not go on guessing.
func TestBanOfOpenConnections(t *testing.T) {
	t.Parallel()
	for _, free := range []int{0, 5} {
		g, clock := guard(t, func(c *attempts.Config) { c.Free, c.PerAddress, c.Ban = free, 3, time.Minute })
		for n := range 3 {
			g.Outcome(here, strconv.Itoa(n), auth.ErrUnknownDevice)
		}
		if w := wait(t, g, here, "new"); w != time.Minute {
			t.Errorf("free = %d: another name may try in %s, want 1m", free, w)
		}
		if w := wait(t, g, there, "new"); w != 0 {
			t.Errorf("free = %d: another address has to wait %s", free, w)
		}
		clock.Advance(time.Minute)
		if w := wait(t, g, here, "new"); w != 0 {
			t.Errorf("free = %d: %s after the ban", free, w)
		}
	}
}

// admit is how many of so many attempts are let begin.
func admit(g *attempts.Guard, identity string, tries int) (n int) {
	for range tries {
		if g.Admit(here, identity) == nil {
			n++
		}
	}
	return n
}

// Many attempts at once get no more tries than one after the other: each counts as
// a failure until its outcome is known.
func TestAttemptsAtOnce(t *testing.T) {
	t.Parallel()
	g, clock := guard(t, func(c *attempts.Config) { c.Free, c.Pause = 5, time.Second })
	if n := admit(g, "a", 1000); n != 5 {
		t.Errorf("%d of 1000 attempts were let begin at once, want 5", n)
	}
	err := g.Admit(here, "a")
	if paused := (*attempts.PausedError)(nil); !errors.As(err, &paused) || !strings.Contains(err.Error(), "under way") {
		t.Errorf("a sixth: %v, want that too many are under way", err)
	}
	if g.Admit(there, "a") != nil || g.Admit(here, "b") != nil {
		t.Error("others have to wait as well")
	}
	g.Outcome(there, "a", nil)
	g.Outcome(here, "b", nil)
	for range 2 { // the platform was away: nobody's fault, so that two may try again
		g.Outcome(here, "a", errors.New("the platform is away"))
	}
	g.Outcome(here, "a", auth.ErrBadCredentials)
	if n := admit(g, "a", 10); n != 2 {
		t.Errorf("with one failure and two under way %d more were let begin, want 2", n)
	}
	for range 4 {
		g.Outcome(here, "a", auth.ErrBadCredentials)
	}
	if w := wait(t, g, here, "a"); w != time.Second {
		t.Errorf("after five failures the pause is %s, want 1s", w)
	}
	clock.Advance(time.Second)
	if n := admit(g, "a", 10); n != 1 {
		t.Errorf("after a pause %d were let begin, want 1", n)
	}
	g.Outcome(here, "a", nil)
	if s := g.Stats(); s.Trying != 0 || s.Crowded != 995+1+8+9 {
		t.Errorf("%d names with attempts under way, %d crowded out, want 0 and 1013", s.Trying, s.Crowded)
	}
}

// So it is when they come from everywhere at the same moment.
func TestAttemptsAtOnceInParallel(t *testing.T) {
	t.Parallel()
	g, _ := guard(t, func(c *attempts.Config) { c.Free, c.AtOnce = 3, 10 })
	var admitted atomic.Int32
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			if g.Admit(here, strconv.Itoa(i%2)) == nil {
				admitted.Add(1)
			}
		})
	}
	all.Wait()
	if n := admitted.Load(); n != 6 {
		t.Errorf("%d were let begin, want three of each of two names", n)
	}
}

func TestLoginsOfAnAddressAtOnce(t *testing.T) {
	t.Parallel()
	g, clock := guard(t, func(c *attempts.Config) { c.Free, c.AtOnce, c.Trusted = 0, 3, []string{"192.0.2.2"} })
	admitted := func(from netip.Addr, first int) (n int) {
		for i := range 100 {
			if g.Admit(from, strconv.Itoa(first+i)) == nil {
				n++
			}
		}
		return n
	}
	if n := admitted(here, 0); n != 3 {
		t.Errorf("%d logins of an address are under way, want 3", n)
	}
	if n := admitted(there, 0); n != 100 {
		t.Errorf("%d logins of a trusted address were let begin, want all 100", n)
	}
	g.Outcome(here, "0", nil)
	g.Outcome(here, "1", auth.ErrUnknownDevice)
	if n := admitted(here, 100); n != 2 {
		t.Errorf("%d more were let begin after two had ended, want 2", n)
	}
	clock.Advance(time.Hour) // nobody will say how those ended
	if n := admitted(here, 200); n != 3 {
		t.Errorf("%d were let begin after an hour, want 3", n)
	}
}
