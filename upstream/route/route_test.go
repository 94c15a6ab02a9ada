package route_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/route"
)

func TestMistakesAreReportedTogether(t *testing.T) {
	t.Parallel()
	cfg := route.Config{
		Routes: []route.Rule{
			{Device: "**", To: "main", Copies: []string{"main", "nowhere", "archive", "archive"}},
			{To: "", CopyCommands: true},
		},
		Copies: route.CopyConfig{Queue: -1, QueueBytes: -1, RetryMin: time.Hour, CloseTimeout: -1},
	}
	_, err := route.New(cfg, map[string]upstream.Connector{"main": newCloud(), "archive": newCloud(), "spare": newCloud()})
	for _, want := range []string{
		"copies.queue ", "copies.queueBytes ", "copies.retryMin ", "copies.closeTimeout ",
		"routes.0.copies has main", `routes.0.copies is "nowhere", which is no upstream: want one of archive, main, spare`, "routes.0.copies has archive",
		`routes.1.to is ""`, "routes.1.copyCommands ", "routes.1 is never reached", "upstreams.spare is not used",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	var key *route.KeyError
	if !errors.As(err, &key) {
		t.Errorf("%T, want KeyErrors", err)
	}
	if _, err = route.New(route.Config{}, nil); err == nil || !strings.Contains(err.Error(), "routes has none") {
		t.Errorf("nothing at all: %v", err)
	}
}

// The first rule that fits decides.
func TestRoutes(t *testing.T) {
	t.Parallel()
	ups := map[string]*cloud{"a": newCloud(), "b": newCloud(), "c": newCloud(), "d": newCloud()}
	r := begin(t, route.Config{Routes: []route.Rule{
		{Listener: "yard-*", Product: "p?", To: "a"},
		{Device: "*-7", To: "b"},
		{Device: "0139*", To: "c"},
		{Product: "other", To: "d"},
	}}, ups)
	for i, c := range []struct {
		l  upstream.Login
		to string
	}{
		{upstream.Login{Listener: "yard-1", Device: auth.Identity{ProductKey: "pk"}}, "a"},
		{upstream.Login{Listener: "yard-1", Device: auth.Identity{ProductKey: "other"}}, "d"},
		{upstream.Login{Listener: "yard", Device: auth.Identity{ProductKey: "other"}}, "d"},
		{upstream.Login{Device: auth.Identity{ProductKey: "other", DeviceName: "x-7"}}, "b"},
		{upstream.Login{Name: "013912345678", Device: auth.Identity{ProductKey: "pk"}}, "c"},
		{upstream.Login{Name: "23912345678", Device: auth.Identity{ProductKey: "pk"}}, ""},
		{upstream.Login{Device: auth.Identity{ProductKey: "pk"}}, ""},
	} {
		if c.l.Device.DeviceName == "" {
			c.l.Device.DeviceName = fmt.Sprintf("truck-%d0", i)
		}
		_, err := login(t, r, c.l)
		if c.to == "" {
			if !errors.Is(err, route.ErrNoRoute) {
				t.Errorf("%+v: %v, want ErrNoRoute", c.l, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", c.l, err)
			continue
		}
		ups[c.to].untilOnline(t, c.l.Device.DeviceName, true)
	}
	if got := r.Stats(); got.Unrouted != 2 || got.Upstreams[0].Devices != 1 || got.Upstreams[3].Logins != 2 {
		t.Errorf("stats %+v", got)
	}
}

func copying(more ...func(*route.Config)) route.Config {
	cfg := route.Config{Routes: []route.Rule{{To: "main", Copies: []string{"copy"}}}}
	for _, change := range more {
		change(&cfg)
	}
	return cfg
}

// Both platforms get all messages of each device in their order, and see it come
// and go.
func TestCopies(t *testing.T) {
	t.Parallel()
	ups := map[string]*cloud{"main": newCloud(), "copy": newCloud()}
	r := begin(t, copying(), ups)
	const messages, devices = 300, 3
	var want []string
	for n := range messages {
		want = append(want, strconv.Itoa(n))
	}
	for i := range devices {
		d, err := login(t, r, upstream.Login{Device: truck(strconv.Itoa(i))})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, messages)
		m := raw("")
		for _, text := range want {
			m.Raw = append(m.Raw[:0], text...) // it is the caller's again
			d.Publish(&m, func(err error) { done <- err })
		}
		left := make(chan error, 1)
		d.Logout(func(err error) { left <- err })
		for range messages {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if err := <-left; err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range ups {
		for i := range devices {
			device := strconv.Itoa(i)
			c.until(t, "all messages", func() bool { return len(c.said[device]) == messages })
			c.untilOnline(t, device, false)
			if got := c.heard(device); !slices.Equal(got, want) {
				t.Errorf("%s: %s said %v", name, device, got)
			}
		}
	}
	ups["copy"].until(t, "the copies' done", func() bool { return r.Stats().Upstreams[1].CopiesPending == 0 })
	if u := r.Stats().Upstreams[1]; u.Copied != devices*messages || u.CopyDevices != 0 || u.CopyBytesPending != 0 || u.CopyLogins != devices {
		t.Errorf("stats %+v", u)
	}
}

// Nothing that a copy does disturbs the platform.
func TestPlatformIsUndisturbed(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for name, c := range map[string]struct {
		spoil func(*cloud)
		cause string // of drops
	}{
		"hangs":                   {func(c *cloud) { c.hang = hang }, "full"},
		"cannot be started":       {func(c *cloud) { c.start = errors.New("no certificate") }, "offline"},
		"refuses logins":          {func(c *cloud) { c.refuse = func(int) error { return &upstream.RefusedError{Code: 1, Reason: "no"} } }, "refused"},
		"is away":                 {func(c *cloud) { c.refuse = func(int) error { return upstream.ErrNotConnected } }, "full"},
		"takes no messages":       {func(c *cloud) { c.fails = upstream.ErrTimeout }, "failed"},
		"loses devices by itself": {func(c *cloud) { c.fails = errLose }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ups := map[string]*cloud{"main": newCloud(), "copy": newCloud()}
			c.spoil(ups["copy"])
			r := begin(t, copying(func(cfg *route.Config) { cfg.Copies.Queue = 10 }), ups)
			d, err := login(t, r, upstream.Login{Device: truck("a"), Lost: func(err error) { t.Errorf("Lost: %v", err) }})
			if err != nil {
				t.Fatal(err)
			}
			const messages = 100
			for n := range messages {
				if n == 50 && errors.Is(ups["copy"].fails, errLose) {
					ups["copy"].untilOnline(t, "a", true)
					ups["copy"].lose("a", errLose)
				}
				if err := say(t, d, raw(strconv.Itoa(n))); err != nil {
					t.Fatal(err)
				}
			}
			ups["main"].mu.Lock()
			if got := len(ups["main"].said["a"]); got != messages {
				t.Errorf("%d messages, want %d", got, messages)
			}
			ups["main"].mu.Unlock()
			if c.cause != "" {
				waitFor(t, "dropped messages", func() bool {
					sum, dropped := uint64(0), r.Stats().Upstreams[1].CopiesDropped
					for _, n := range dropped {
						sum += n
					}
					return sum >= messages/2 && dropped[c.cause] > 0
				})
			}
			if got := r.Stats().Upstreams[1].CopiesPending; got > 10 {
				t.Errorf("%d messages pending, more than the queue", got)
			}
		})
	}
}

var errLose = errors.New("connected elsewhere")

// waitFor waits for what a Stats will say.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never: %s", what)
		}
	}
}

// A device that its platform loses or refuses is at no copy.
func TestLostAndRefused(t *testing.T) {
	t.Parallel()
	ups := map[string]*cloud{"main": newCloud(), "copy": newCloud()}
	no := &upstream.RefusedError{Code: 521, Reason: "deleted"}
	ups["main"].refuse = func(login int) error {
		if login == 0 {
			return no
		}
		return nil
	}
	r := begin(t, copying(), ups)
	if _, err := login(t, r, upstream.Login{Device: truck("a")}); !errors.Is(err, no) {
		t.Fatalf("login: %v", err)
	}
	lost := make(chan error, 2)
	d, err := login(t, r, upstream.Login{Device: truck("a"), Lost: func(cause error) { lost <- cause }})
	if err != nil {
		t.Fatal(err)
	}
	ups["copy"].untilOnline(t, "a", true)
	ups["main"].lose("a", no)
	if err := <-lost; !errors.Is(err, no) {
		t.Errorf("Lost: %v", err)
	}
	ups["copy"].untilOnline(t, "a", false)
	if err := say(t, d, raw("x")); !errors.Is(err, no) {
		t.Errorf("Publish after Lost: %v", err)
	}
	ups["copy"].mu.Lock()
	defer ups["copy"].mu.Unlock()
	if ups["copy"].logins != 1 || len(ups["copy"].said["a"]) > 0 {
		t.Errorf("the copy saw %d logins and %v", ups["copy"].logins, ups["copy"].said)
	}
}

// A device that comes by another way, to another platform, leaves the first.
func TestMoveToAnotherPlatform(t *testing.T) {
	t.Parallel()
	ups := map[string]*cloud{"a": newCloud(), "b": newCloud(), "copy": newCloud()}
	r := begin(t, route.Config{Routes: []route.Rule{
		{Listener: "one", To: "a", Copies: []string{"copy"}}, {To: "b", Copies: []string{"copy"}},
	}}, ups)
	older, err := login(t, r, upstream.Login{Listener: "one", Device: truck("a")})
	if err != nil {
		t.Fatal(err)
	}
	newer, err := login(t, r, upstream.Login{Listener: "two", Device: truck("a")})
	if err != nil {
		t.Fatal(err)
	}
	if err := say(t, older, raw("old")); !errors.Is(err, upstream.ErrSuperseded) {
		t.Errorf("Publish of the older login: %v", err)
	}
	ups["a"].untilOnline(t, "a", false)
	left := make(chan error, 1)
	older.Logout(func(err error) { left <- err })
	if err := <-left; err != nil {
		t.Errorf("Logout of the older login: %v", err)
	}
	if err := say(t, newer, raw("new")); err != nil {
		t.Error(err)
	}
	c := ups["copy"]
	c.until(t, "the newer login's message", func() bool { return slices.Contains(c.said["a"], "new") })
	c.untilOnline(t, "a", true)
	waitFor(t, "gauges", func() bool {
		s := r.Stats()
		return s.Upstreams[0].Devices == 0 && s.Upstreams[2].Devices == 1 && s.Upstreams[1].CopyDevices == 1
	})
}

// Commands of copies are refused, or answered to whoever gave them.
func TestCommandsOfCopies(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprintf("allowed %v", allowed), func(t *testing.T) {
			t.Parallel()
			ups := map[string]*cloud{"main": newCloud(), "copy": newCloud()}
			r := begin(t, copying(func(cfg *route.Config) { cfg.Routes[0].CopyCommands = allowed }), ups)
			got := make(chan *thing.Command, 10)
			d, err := login(t, r, upstream.Login{Device: truck("a"), Command: func(c *thing.Command) { got <- c }})
			if err != nil {
				t.Fatal(err)
			}
			ups["copy"].untilOnline(t, "a", true)
			ups["copy"].tell("a", &thing.Command{ID: "set:1", Kind: thing.SetProperties})
			copied := ups["copy"]
			if !allowed {
				copied.until(t, "a refusal", func() bool { return len(copied.replies) == 1 })
				if m := copied.replies[0]; m.State != thing.Refused || m.ID != "set:1" || m.Text == "" {
					t.Errorf("answer %+v", m)
				}
			} else {
				m := (<-got).Reply(thing.Done)
				if err := say(t, d, m); err != nil {
					t.Error(err)
				}
				copied.until(t, "an answer", func() bool { return len(copied.replies) == 1 })
				if m := copied.replies[0]; m.State != thing.Done || m.ID != "set:1" {
					t.Errorf("answer %+v", m)
				}
			}
			ups["main"].tell("a", &thing.Command{ID: "0:2", Kind: thing.Service, Name: "unlock"})
			m := (<-got).Reply(thing.Done)
			if err := say(t, d, m); err != nil {
				t.Error(err)
			}
			if len(ups["main"].replies) != 1 || ups["main"].replies[0].ID != "0:2" {
				t.Errorf("the platform got %+v", ups["main"].replies)
			}
			copied.mu.Lock()
			defer copied.mu.Unlock()
			if len(copied.replies) != 1 || len(got) > 0 {
				t.Errorf("the copy got %+v; %d more commands", copied.replies, len(got))
			}
			if u := r.Stats().Upstreams[1]; allowed != (u.CopyCommands == 1) || allowed == (u.CopyCommandsRefused == 1) {
				t.Errorf("stats %+v", u)
			}
		})
	}
}

// A platform that does not start ends the start, and what has started.
func TestStartFails(t *testing.T) {
	t.Parallel()
	broken, whole := newCloud(), newCloud()
	broken.start = errors.New("no certificate")
	r, err := route.New(route.Config{Routes: []route.Rule{{Product: "a", To: "a"}, {To: "b"}}},
		map[string]upstream.Connector{"a": whole, "b": broken})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), upstream.Host{}); !errors.Is(err, broken.start) || !strings.Contains(err.Error(), "upstream b") {
		t.Errorf("Start: %v", err)
	}
	if !whole.closed {
		t.Error("the other one was not closed")
	}
	if _, err := login(t, r, upstream.Login{Device: truck("a")}); !errors.Is(err, upstream.ErrClosed) {
		t.Errorf("Login: %v", err)
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, copies := range []int{0, 1} {
		b.Run(fmt.Sprintf("copies %d", copies), func(b *testing.B) {
			rule := route.Rule{To: "main"}
			ups := map[string]upstream.Connector{"main": nothing{}}
			if copies > 0 {
				rule.Copies, ups["copy"] = []string{"copy"}, nothing{}
			}
			r, err := route.New(route.Config{Routes: []route.Rule{rule}}, ups)
			if err != nil {
				b.Fatal(err)
			}
			if err := r.Start(b.Context(), upstream.Host{}); err != nil {
				b.Fatal(err)
			}
			var d upstream.Device
			r.Login(upstream.Login{Device: truck("a")}, func(got upstream.Device, _ error) { d = got })
			m := raw("payload")
			b.ReportAllocs()
			for b.Loop() {
				d.Publish(&m, upstream.Ignore)
			}
			if err := r.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// nothing takes all and keeps none of it.
type nothing struct{}

func (nothing) Login(_ upstream.Login, done func(upstream.Device, error)) { done(nothing{}, nil) }
func (nothing) Publish(_ *thing.Message, done func(error))                { done(nil) }
func (nothing) Logout(done func(error))                                   { done(nil) }
