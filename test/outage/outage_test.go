package outage

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/direct"
	"github.com/linkspan/linkspan/upstream/aliyun/http2"
	"github.com/linkspan/linkspan/upstream/mqtt"
	"github.com/linkspan/linkspan/upstream/route"
)

var (
	away    = flag.Duration("away", time.Second, "how long platforms are away")
	devices = flag.Int("devices", 40, "devices of each kind of upstream")
	rate    = flag.Int("rate", 20, "messages of a device in a second")
)

// patience is reached only when something is broken.
const patience = time.Minute

// kind is a kind of upstream: how it reaches a platform that plays the role, and
// holds messages for so long.
type kind struct {
	name string
	role string
	make func(t *testing.T, addr string, p patient) upstream.Connector
}

// patient is how patient a connector is.
type patient struct{ hold, reconnectMin, reconnectMax time.Duration }

var kinds = []kind{
	{"aliyun", roleMQTT, gateway},
	{"aliyun-http2", roleHTTP2, func(t *testing.T, addr string, p patient) upstream.Connector {
		t.Helper()
		cfg, g := http2.DefaultConfig(), platformtest.Gateway()
		cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = g.ProductKey, g.DeviceName, g.DeviceSecret
		cfg.Endpoint, cfg.LoginsPerMinute = "http://"+addr, 0
		cfg.HoldTimeout, cfg.ReconnectMin, cfg.ReconnectMax = p.hold, p.reconnectMin, p.reconnectMax
		return made(t)(http2.New(cfg))
	}},
	{"aliyun-direct", roleMQTT, func(t *testing.T, addr string, p patient) upstream.Connector {
		t.Helper()
		cfg := direct.DefaultConfig()
		cfg.Endpoint = "tcp://" + addr
		cfg.HoldTimeout, cfg.ReconnectMin, cfg.ReconnectMax = p.hold, p.reconnectMin, p.reconnectMax
		return made(t)(direct.New(cfg))
	}},
	{"mqtt", roleBroker, shared},
	{"mqtt, a connection for each", roleBroker, func(t *testing.T, addr string, p patient) upstream.Connector {
		t.Helper()
		cfg := mqtt.DefaultConfig()
		cfg.Endpoint, cfg.Connections = []string{"tcp://" + addr}, mqtt.ConnectionsDevice
		cfg.HoldTimeout, cfg.ReconnectMin, cfg.ReconnectMax = p.hold, p.reconnectMin, p.reconnectMax
		return made(t)(mqtt.New(cfg))
	}},
	{"route", roleMQTT, gateway}, // and a copy
}

func gateway(t *testing.T, addr string, p patient) upstream.Connector {
	t.Helper()
	cfg, g := aliyun.DefaultConfig(), platformtest.Gateway()
	cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = g.ProductKey, g.DeviceName, g.DeviceSecret
	cfg.Endpoint, cfg.LoginsPerMinute = "tcp://"+addr, 0
	cfg.HoldTimeout, cfg.ReconnectMin, cfg.ReconnectMax = p.hold, p.reconnectMin, p.reconnectMax
	return made(t)(aliyun.New(cfg))
}

func shared(t *testing.T, addr string, p patient) upstream.Connector {
	t.Helper()
	cfg := mqtt.DefaultConfig()
	cfg.Endpoint = []string{"tcp://" + addr}
	cfg.HoldTimeout, cfg.ReconnectMin, cfg.ReconnectMax = p.hold, p.reconnectMin, p.reconnectMax
	return made(t)(mqtt.New(cfg))
}

// made is the outcome of a New.
func made(t *testing.T) func(upstream.Connector, error) upstream.Connector {
	t.Helper()
	return func(c upstream.Connector, err error) upstream.Connector {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// sender is a device that says numbers. Its methods may be called from any
// goroutine.
type sender struct {
	t      *testing.T
	name   string
	device upstream.Device

	mu      sync.Mutex
	next    int
	pending int
	ended   []int // in the order of done
	done    []int // of those without an error
	wrong   error
	idle    *sync.Cond
}

// say publishes the next number; what comes of it is told to then, if that is
// there.
func (s *sender) say(then chan<- error) {
	s.mu.Lock()
	n := s.next
	s.next++
	s.pending++
	s.mu.Unlock()
	m := &thing.Message{Kind: thing.Property, QoS: thing.AtLeastOnce, Fields: []thing.Field{{Name: "n", Value: thing.Int(int64(n))}}}
	s.device.Publish(m, func(err error) {
		s.mu.Lock()
		s.ended = append(s.ended, n)
		switch {
		case err == nil:
			s.done = append(s.done, n)
		case !errors.Is(err, upstream.ErrNotConnected) && !errors.Is(err, upstream.ErrTimeout) && !errors.Is(err, upstream.ErrOverloaded):
			s.wrong = err
		}
		if s.pending--; s.pending == 0 {
			s.idle.Broadcast()
		}
		s.mu.Unlock()
		if then != nil {
			then <- err
		}
	})
}

// settled waits for done of everything.
func (s *sender) settled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.pending > 0 {
		s.idle.Wait()
	}
}

// TestPlatformIsKilledUnderLoad is what the package is for.
func TestPlatformIsKilledUnderLoad(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			kill(t, &k)
		})
	}
}

func kill(t *testing.T, k *kind) {
	t.Helper()
	platform := startRemote(t, k.role)
	p := patient{hold: *away * 3 / 4, reconnectMin: min(time.Second, *away/20), reconnectMax: min(30*time.Second, *away/4)} // some of what waits fails, some does not
	up := k.make(t, platform.addr, p)
	var copies *remote
	if k.name == "route" {
		copies = startRemote(t, roleBroker)
		r, err := route.New(
			route.Config{Routes: []route.Rule{{To: "main", Copies: []string{"archive"}}}},
			map[string]upstream.Connector{"main": up, "archive": shared(t, copies.addr, patient{time.Minute, p.reconnectMin, p.reconnectMax})},
		)
		up = made(t)(r, err)
	}
	finish := begin(t, up)
	all := loginAll(t, up)
	load := func(d time.Duration) {
		tick := time.NewTicker(time.Second / time.Duration(*rate))
		defer tick.Stop()
		for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
			for _, s := range all {
				s.say(nil)
			}
		}
	}
	calm := min(*away/2, 5*time.Second)
	load(calm)
	outage := func(d time.Duration) (back time.Duration) {
		before, burst := len(platform.of(all[0].name)), sync.WaitGroup{}
		burst.Go(func() { // so that many are on their way
			for range 2 * *rate {
				for _, s := range all {
					s.say(nil)
				}
			}
		})
		for end := time.Now().Add(patience); len(platform.of(all[0].name)) == before && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		platform.kill()
		burst.Wait()
		load(d)
		platform.begin()
		began := time.Now()
		load(calm)
		return whenBack(all).Sub(began)
	}
	outage(*away / 4) // shorter than messages are held: what was on its way is sent again
	for _, s := range all {
		s.settled()
	}
	back := outage(*away)
	for _, s := range all {
		s.settled()
	}
	finish()
	platform.kill()
	said, done := judge(t, all, platform)
	if done == said || done == 0 {
		t.Errorf("%d of %d messages are said to have arrived: want some that failed, and some that did not", done, said)
	}
	if copies != nil {
		copies.kill()
		for _, s := range all {
			if got := copies.of(s.name); len(got) != s.next || !slices.IsSorted(got) {
				t.Errorf("%s: %d copies of %d messages, in order: %v", s.name, len(got), s.next, slices.IsSorted(got))
			}
		}
	}
	t.Logf("%d devices, away %v: %d messages, %d done, %d failed and were reported, %d came twice; a message of each device done after %v",
		len(all), *away, said, done, said-done, platform.twice, back.Round(time.Millisecond))
}

// begin starts a connector, and says how to end it.
func begin(t *testing.T, up upstream.Connector) (finish func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	log := zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	if s, ok := up.(upstream.Starter); ok {
		if err := s.Start(ctx, upstream.Host{Logger: log}); err != nil {
			t.Fatal(err)
		}
	}
	var once sync.Once
	finish = func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if c, ok := up.(upstream.Closer); ok {
				if err := c.Close(ctx); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		})
	}
	t.Cleanup(finish)
	return finish
}

func loginAll(t *testing.T, up upstream.Connector) []*sender {
	t.Helper()
	all := make([]*sender, *devices)
	outcomes := make(chan error, len(all))
	for i := range all {
		id := platformtest.Truck(i)
		s := &sender{t: t, name: id.DeviceName}
		s.idle = sync.NewCond(&s.mu)
		all[i] = s
		up.Login(upstream.Login{Device: id, Lost: func(cause error) { t.Errorf("%s is lost: %v", s.name, cause) }}, func(d upstream.Device, err error) {
			s.device = d
			outcomes <- err
		})
	}
	for range all {
		if err := <-outcomes; err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// whenBack waits until a message of every device is done, and says when that was.
func whenBack(all []*sender) time.Time {
	var each sync.WaitGroup
	for _, s := range all {
		each.Go(func() {
			for end := time.Now().Add(patience); time.Now().Before(end); {
				then := make(chan error, 1)
				s.say(then)
				if <-then == nil {
					return
				}
			}
			s.t.Errorf("%s does not come back", s.name)
		})
	}
	each.Wait()
	return time.Now()
}

// judge compares what devices were told with what has arrived.
func judge(t *testing.T, all []*sender, platform *remote) (said, done int) {
	t.Helper()
	for _, s := range all {
		said += s.next
		done += len(s.done)
		if s.wrong != nil {
			t.Errorf("%s: %v", s.name, s.wrong)
		}
		if len(s.ended) != s.next || !slices.IsSorted(s.ended) {
			t.Errorf("%s: done was called %d times for %d messages, in order: %v", s.name, len(s.ended), s.next, slices.IsSorted(s.ended))
		}
		got := platform.of(s.name)
		if !slices.IsSorted(got) {
			t.Errorf("%s: arrived in another order", s.name)
		}
		there := make(map[int]bool, len(got))
		for _, n := range got {
			there[n] = true
		}
		if missing := slices.DeleteFunc(slices.Clone(s.done), func(n int) bool { return there[n] }); len(missing) > 0 {
			t.Errorf("%s: %d messages are said to have arrived and have not: %s", s.name, len(missing), fmt.Sprint(missing[:min(len(missing), 20)]))
		}
	}
	return said, done
}
