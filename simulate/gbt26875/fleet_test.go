package gbt26875_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	wire "github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/simulate/gbt26875"
)

func TestPanelsReport(t *testing.T) {
	t.Parallel()
	for _, network := range []string{gbt26875.NetworkTCP, gbt26875.NetworkUDP} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			c := newCentre(t)
			target := map[string]func() string{gbt26875.NetworkTCP: c.tcp, gbt26875.NetworkUDP: c.udp}[network]()
			cfg := quiet(target)
			cfg.Network, cfg.Devices, cfg.Rate = network, 8, 50
			cfg.Heartbeat, cfg.HeartbeatForm = 10*time.Millisecond, gbt26875.HeartbeatMixed
			f, stop := start(t, cfg)
			seen := func(what string, match func(*wire.Frame) bool) { c.find(what, match) }
			for _, u := range []wire.Type{wire.TypeSystemState, wire.TypePartState, wire.TypePartAnalog, wire.TypeDeviceState} {
				for n := range uint64(8) {
					seen(fmt.Sprintf("type %v of panel %d", u, n+1), func(f *wire.Frame) bool { return of(f) == u && f.Source == wire.NewAddress(n+1) })
				}
			}
			seen("a heartbeat without data", func(f *wire.Frame) bool { return f.Command == wire.CommandSend && len(f.Data) == 0 })
			seen("a heartbeat of a byte", func(f *wire.Frame) bool { return len(f.Data) == 1 && f.Data[0] == 0x16 })
			seen("a confirmation as a heartbeat", func(f *wire.Frame) bool { return f.Command == wire.CommandConfirm })
			s := drained(t, c, f, stop)
			if s.Resent+s.Lost+s.Refused+s.StrayAcks+s.BadFrames != 0 || s.Acked < 32 || s.Connects != 8 {
				t.Errorf("%v", f.Report())
			}
			for _, frame := range c.frames {
				at, ok := frame.Time.In(time.FixedZone("", 8*3600))
				if !ok || time.Since(at).Abs() > time.Minute || frame.Version.Main != 1 || frame.Destination.String() != cfg.Centre {
					t.Fatalf("frame %+v", frame)
				}
			}
		})
	}
}

// What is under way when the connection ends is told again, and told once to the
// observer.
func TestAlarms(t *testing.T) {
	t.Parallel()
	c := newCentre(t)
	cfg := quiet(c.tcp())
	cfg.Numbers = true
	var mu sync.Mutex
	var seen []gbt26875.Alarm
	f, stop := start(t, cfg, gbt26875.WithAlarms(func(a gbt26875.Alarm) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, a)
	}))
	c.find("hello", func(f *wire.Frame) bool { return of(f) == wire.TypeDeviceState })
	c.mu.Lock()
	c.answer = func(f *wire.Frame) (wire.Command, bool) { return 0, fire(f) }
	c.mu.Unlock()
	raise(t, f, gbt26875.EventFire, 3)
	got := parts(c.find("the fire", fire))[0]
	if got.Address != wire.NewPartAddress(1, 3) || got.Type != wire.PartHeatDetector || got.Description.String() != "1楼3号温感 #1" {
		t.Errorf("%+v %s", got, got.Description)
	}
	c.mu.Lock()
	c.answer = nil
	before := len(c.frames)
	c.mu.Unlock()
	c.disconnect()
	c.until("the fire once more, on another connection", func() bool { return slices.ContainsFunc(c.frames[before:], fire) })
	raise(t, f, gbt26875.EventMains, 0)
	c.find("the mains fault", func(f *wire.Frame) bool {
		return of(f) == wire.TypeDeviceState && wire.DeviceBits(f.Data[2]).Has(wire.DeviceMainsFault|wire.DeviceFire)
	})
	raise(t, f, gbt26875.EventNormal, 0)
	c.find("the end", func(f *wire.Frame) bool { p := parts(f); return len(p) == 1 && p[0].State == wire.PartNormal })
	s := drained(t, c, f, stop)
	if s.Fires != 1 || s.Reconnects != 1 || s.Refused != 0 {
		t.Errorf("%v", f.Report())
	}
	if len(seen) != 4 || seen[0].Number != 1 || seen[0].Part != 3 || seen[0].Address != first.String() || seen[0].Event != gbt26875.EventFire || seen[3].Event != gbt26875.EventNormal {
		t.Errorf("observed: %+v", seen)
	}
}

// A frame that is not confirmed is sent three times as it was; then the
// connection is given up.
func TestResend(t *testing.T) {
	t.Parallel()
	c := newCentre(t)
	c.answer = func(f *wire.Frame) (wire.Command, bool) { return 0, fire(f) }
	cfg := quiet(c.tcp())
	cfg.AckTimeout = 30 * time.Millisecond
	f, _ := start(t, cfg)
	c.find("hello", func(f *wire.Frame) bool { return of(f) == wire.TypeDeviceState })
	raise(t, f, gbt26875.EventFire, 1)
	var fires []*wire.Frame
	c.until("the fire on a second connection", func() bool {
		fires = nil
		for _, f := range c.frames {
			if fire(f) {
				fires = append(fires, f)
			}
		}
		return len(fires) > 3
	})
	for _, f := range fires[1:3] {
		if f.Header != fires[0].Header || string(f.Data) != string(fires[0].Data) {
			t.Errorf("repeated as %+v, it was %+v", f, fires[0])
		}
	}
	if fires[3].Serial == fires[0].Serial {
		t.Error("the same serial number on another connection")
	}
	if s := f.Stats(); s.Silences == 0 || s.Resent < 2 {
		t.Errorf("%+v", s)
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	c := newCentre(t)
	cfg := quiet(c.tcp())
	denials := 0
	c.answer = func(f *wire.Frame) (wire.Command, bool) {
		if fire(f) && parts(f)[0].Address == wire.NewPartAddress(1, 1) {
			denials++
			return wire.CommandDeny, denials == 1
		}
		return wire.CommandDeny, fire(f)
	}
	f, stop := start(t, cfg)
	c.find("hello", func(f *wire.Frame) bool { return of(f) == wire.TypeDeviceState })
	raise(t, f, gbt26875.EventFire, 1)
	raise(t, f, gbt26875.EventFire, 2)
	s := drained(t, c, f, stop)
	// The first was denied once, the second three times.
	if s.Refused != 1 || s.Denied != 4 || s.Resent != 3 || s.Acked != 2 || s.Silences != 0 {
		t.Errorf("%v", f.Report())
	}
}

// With a window of one there is one frame under way, and alarms overtake the rest.
func TestWindow(t *testing.T) {
	t.Parallel()
	c := newCentre(t)
	c.answer = func(*wire.Frame) (wire.Command, bool) { return 0, true }
	cfg := quiet(c.tcp())
	cfg.Rate, cfg.Pending = 100, 8
	f, _ := start(t, cfg)
	c.find("hello", func(f *wire.Frame) bool { return of(f) == wire.TypeDeviceState })
	deadline := time.Now().Add(patience)
	for f.Stats().Skipped == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the panel is never full")
		}
		f.Devices(0, 1)
	}
	raise(t, f, gbt26875.EventFire, 1)
	c.mu.Lock()
	if len(c.frames) != 1 {
		t.Errorf("%d frames under way", len(c.frames))
	}
	c.answer = nil
	hello := c.frames[0]
	out, err := wire.AppendFrame(nil, &wire.Frame{Header: hello.Reply(wire.CommandConfirm, hello.Time)})
	if err != nil {
		t.Error(err)
	}
	c.peers[first](out)
	c.mu.Unlock()
	c.until("what comes next", func() bool { return len(c.frames) > 1 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if !fire(c.frames[1]) {
		t.Errorf("after hello came %+v, not the fire", c.frames[1])
	}
}

// Many panels with all that happens by chance: every alarm that was sent arrives.
func TestFleet(t *testing.T) {
	t.Parallel()
	c := newCentre(t)
	cfg := quiet(c.tcp())
	cfg.Devices, cfg.Rate, cfg.Churn, cfg.Fires, cfg.PartFaults, cfg.Lasts, cfg.Numbers = 100, 2, 60, 3600, 3600, 100*time.Millisecond, true
	var mu sync.Mutex
	told := map[string]bool{}
	f, stop := start(t, cfg, gbt26875.WithAlarms(func(a gbt26875.Alarm) {
		if a.Event == gbt26875.EventFire {
			mu.Lock()
			defer mu.Unlock()
			told[fmt.Sprintf("%s #%d", a.Address, a.Number)] = true
		}
	}))
	c.until("fires and reconnects", func() bool {
		s := f.Stats()
		return s.Fires > 150 && s.Reconnects > 50
	})
	s := drained(t, c, f, stop)
	if s.Refused+s.Silences+s.BadFrames != 0 {
		t.Errorf("%v", f.Report())
	}
	came := map[string]bool{}
	for _, f := range c.frames {
		if fire(f) {
			text := parts(f)[0].Description.String()
			came[f.Source.String()+text[strings.Index(text, " #"):]] = true
		}
	}
	if len(told) < 100 {
		t.Errorf("%d fires", len(told))
	}
	for name := range told {
		if !came[name] {
			t.Errorf("fire %s never arrived", name)
		}
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "script")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := newCentre(t)
	cfg := quiet(c.tcp())
	cfg.Devices, cfg.Script = 3, path
	write("# nothing\n20ms 1 disconnect\n10ms 2-3 fault 2 # two of them\n\n 30ms * fire 1\n")
	f, stop := start(t, cfg)
	c.until("fires of all", func() bool {
		n := 0
		for _, f := range c.frames {
			if fire(f) {
				n++
			}
		}
		return n >= 3
	})
	if s := drained(t, c, f, stop); s.Fires != 3 || s.Broken != 1 {
		t.Errorf("%v", f.Report())
	}
	write("10 1 fire\n1s 4 fire\n1s 2-1 fire\n1s 1 burn\n1s 1 fire 17\n1s\n")
	_, err := gbt26875.New(cfg)
	for _, want := range []string{`:1: time "10"`, `:2: panels "4"`, `:3: panels "2-1"`, `:4: event "burn"`, `:5: part "17"`, ":6: want time"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %s", err, want)
		}
	}
}

func TestRaiseRefuses(t *testing.T) {
	t.Parallel()
	f, err := gbt26875.New(quiet("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		panel int
		event gbt26875.Event
		part  int
	}{{0, gbt26875.EventFire, 1}, {2, gbt26875.EventFire, 1}, {1, 0, 1}, {1, gbt26875.EventDisconnect + 1, 1}, {1, gbt26875.EventFire, 17}, {1, gbt26875.EventFire, -1}} {
		if err := f.Raise(c.panel, c.event, c.part); !errors.Is(err, gbt26875.ErrEvent) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestRunEndsAtOnceWhateverIsGoingOn(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond} {
		c := newCentre(t)
		cfg := quiet(c.tcp())
		cfg.Devices, cfg.Rate, cfg.Fires = 200, 100, 3600
		f, err := gbt26875.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), after)
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if s := f.Stats(); s.Connected != 0 || s.Sent != s.Acked+s.Refused+s.Lost+s.Pending {
			t.Errorf("after %v: %+v", after, s)
		}
		if err := f.Run(t.Context()); !errors.Is(err, gbt26875.ErrRun) {
			t.Errorf("a second run: %v", err)
		}
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	if err := gbt26875.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	cfg := gbt26875.Config{Faults: gbt26875.Faults{BCD: 0.7, Noise: 0.7}, Sources: []string{"here"}}
	_, err := gbt26875.New(cfg)
	for _, key := range []string{"target", "firstAddress", "centre", "network", "devices", "parts", "heartbeatForm", "lasts", "ackTimeout", "pending", "window", "backoffMin", "sources", "faults"} {
		if err == nil || !strings.Contains(err.Error(), "simulate: "+key+":") {
			t.Errorf("error %v lacks %s", err, key)
		}
	}
	cfg = gbt26875.DefaultConfig()
	cfg.FirstAddress = "ffffffffffff"
	if _, err := gbt26875.New(cfg); err == nil || !strings.Contains(err.Error(), "there are no 10 addresses") {
		t.Errorf("addresses beyond the last: %v", err)
	}
}
