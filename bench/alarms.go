//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	adapter "github.com/linkspan/linkspan/adapters/gbt26875"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/simulate/gbt26875"
)

// alarms are how long fires take to the platform while panels tell their routine
// states. Times are in milliseconds.
type alarms struct {
	Panels    int       `json:"panels"`
	Rate      float64   `json:"rate"`      // routine states of a panel in a second
	Frames    float64   `json:"frames"`    // of all panels in a second
	Messages  float64   `json:"messages"`  // that the platform took, in a second
	CPU       float64   `json:"cpu"`       // share of a core
	Fires     int       `json:"fires"`     //
	P50       float64   `json:"p50"`       // from a fire's frame to the event at the platform
	P99       float64   `json:"p99"`       //
	Most      float64   `json:"most"`      //
	Confirmed float64   `json:"confirmed"` // p99 until the panel had its confirmation
	Memory    footprint `json:"memory"`    // of a panel
}

// startPanelsPlatform is the local platform with its API, which tells of events.
func startPanelsPlatform(string) (*role, error) {
	return startPlatformAt(func(c *platform.Config) { c.APIAddress = "127.0.0.1:0" },
		func(p *platform.Platform) string { return p.MQTTAddr() + " " + p.APIAddr() })
}

// startPanels is linkspan for fire alarm panels, which get a confirmation when the
// platform has what they have sent. The setting is the broker's address.
func startPanels(broker string) (*role, error) {
	up, count, err := platformConnector(broker, 1)
	if err != nil {
		return nil, err
	}
	plugin := adapter.New(adapter.Name)
	cfg := adapter.DefaultConfig()
	cfg.Ack = "delivered" // the panel repeats what the platform does not have
	open, err := plugin.New(cfg)
	if err != nil {
		return nil, err
	}
	return startLinkspan(up, "received", count, func(l *server.Listener) { l.Protocol, l.Open = adapter.Name, open })
}

// alarming measures fires at each rate of routine states.
func (b *bench) alarming(r *report) error {
	if !b.opts.wants(panelsName) {
		return nil
	}
	for _, rate := range b.opts.States {
		b.say("alarms, %g states a second of each panel", rate)
		one, err := b.raiseAlarms(rate)
		if err != nil {
			return err
		}
		r.Alarms = append(r.Alarms, one)
	}
	return nil
}

func (b *bench) raiseAlarms(rate float64) (one alarms, err error) {
	one = alarms{Panels: b.opts.Panels, Rate: rate}
	broker, err := b.startOn(b.loadCPU, panelsPlatformName, "")
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, broker.end()) }()
	mqtt, apiAddr, _ := strings.Cut(broker.addr, " ")
	linkspan, err := b.start(panelsName, mqtt)
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, linkspan.end()) }()
	before, err := linkspan.ask("settle")
	if err != nil {
		return one, err
	}
	f := &fires{at: map[string]time.Time{}}
	finish, err := f.watch(b.ctx, "http://"+apiAddr)
	if err != nil {
		return one, err
	}
	defer func() { err = errors.Join(err, finish()) }()

	cfg := gbt26875.DefaultConfig()
	cfg.Target, cfg.Devices, cfg.Rate, cfg.Numbers = linkspan.addr, one.Panels, rate, true
	cfg.Fires = 3600 * float64(b.opts.Fires) / float64(one.Panels)
	panels, err := gbt26875.New(cfg, gbt26875.WithAlarms(f.sent))
	if err != nil {
		return one, err
	}
	ctx, stop := context.WithCancel(b.ctx)
	done := make(chan error, 1)
	go func() { done <- panels.Run(ctx) }() // ends below
	err = b.alarmsOf(linkspan, panels, f, &one, &before)
	stop()
	return one, errors.Join(err, <-done)
}

// alarmsOf measures when all panels are there.
func (b *bench) alarmsOf(linkspan *child, panels *gbt26875.Fleet, f *fires, one *alarms, before *state) error {
	if err := b.until(func() (bool, error) {
		s, err := linkspan.ask("state")
		return s.Logins >= uint64(one.Panels), err //nolint:gosec // positive
	}); err != nil {
		return err
	}
	if err := b.pass(b.opts.Duration / 4); err != nil { // until everybody has said something
		return err
	}
	began, err := linkspan.ask("state")
	if err != nil {
		return err
	}
	f.begin()
	start := time.Now()
	if err = b.pass(b.opts.Duration); err != nil {
		return err
	}
	f.end()
	took := time.Since(start).Seconds()
	ended, err := linkspan.ask("state")
	if err != nil {
		return err
	}
	for waited := time.Duration(0); f.missing() > 0 && waited < patience; waited += 100 * time.Millisecond {
		if err = b.pass(100 * time.Millisecond); err != nil {
			return err
		}
	}
	one.Frames, one.Messages = float64(ended.Messages-began.Messages)/took, float64(ended.Payloads-began.Payloads)/took
	one.CPU = (ended.CPU - began.CPU).Seconds() / took
	one.Fires, one.P50, one.P99, one.Most = f.times()
	for _, k := range panels.Report().Kinds {
		if k.Kind == "alarm" {
			one.Confirmed = k.Latency.P99.Seconds() * 1000
		}
	}
	after, err := linkspan.ask("settle")
	if err != nil {
		return err
	}
	one.Memory = footprintOf(panelsName, one.Panels, before, &after)
	b.say("  %.0f frames/s, %.0f messages/s, %.1f %% of a core, %d fires: p50 %.1f ms, p99 %.1f ms, max %.1f ms, confirmed p99 %.1f ms; load %s",
		one.Frames, one.Messages, 100*one.CPU, one.Fires, one.P50, one.P99, one.Most, one.Confirmed, loadAverage())
	if n := f.missing(); n > 0 || one.Fires == 0 {
		return fmt.Errorf("%d fires did not arrive, %d did", n, one.Fires)
	}
	if s := panels.Stats(); ended.Failures > 0 || s.Silences > 0 || s.Skipped > 0 {
		return fmt.Errorf("%d messages failed, %d panels had no answer, %d states were not told for want of time", ended.Failures, s.Silences, s.Skipped)
	}
	return nil
}

// fires are the fires that panels have sent and the platform has got. Its methods
// may be called from any goroutine.
type fires struct {
	mu     sync.Mutex
	on     bool                 // fires count
	at     map[string]time.Time // when they were sent that have not arrived
	took   []time.Duration
	failed error
}

// sent notes a fire as it is sent.
func (f *fires) sent(a gbt26875.Alarm) {
	if a.Event != gbt26875.EventFire {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.on {
		f.at[fmt.Sprintf("%s #%d", a.Address, a.Number)] = a.At
	}
}

// fireNumber is in the description of a fire.
var fireNumber = regexp.MustCompile(`#[0-9]+`)

// got notes an event of the platform, by when the platform had it.
func (f *fires) got(m *api.Message) {
	number := fireNumber.Find(m.Data)
	if m.Name != "fire" || number == nil { // a fire of the panel as a whole has no number
		return
	}
	name := m.DeviceName + " " + string(number)
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, ok := f.at[name]; ok {
		delete(f.at, name)
		f.took = append(f.took, m.Time.Sub(at))
	}
}

func (f *fires) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = true
}

func (f *fires) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = false
}

// missing is how many have not arrived.
func (f *fires) missing() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.at)
}

// times are in milliseconds.
func (f *fires) times() (n int, p50, p99, most float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n = len(f.took); n == 0 {
		return 0, 0, 0, 0
	}
	slices.Sort(f.took)
	at := func(part float64) float64 { return f.took[int(part*float64(n-1))].Seconds() * 1000 }
	return n, at(0.50), at(0.99), at(1)
}

// watch takes events from the platform until finish is called.
func (f *fires) watch(ctx context.Context, url string) (finish func() error, err error) {
	client := api.NewClient(url)
	ctx, stop := context.WithCancel(ctx)
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { // ends with finish
		err := client.Watch(ctx, api.Selection{ProductKey: deviceProduct, Kinds: []string{api.KindEvent}}, func() { close(ready) }, func(m api.Message) error {
			f.got(&m)
			return nil
		})
		f.mu.Lock()
		f.failed = err
		f.mu.Unlock()
		done <- err
	}()
	finish = func() error {
		stop()
		client.Close()
		return <-done
	}
	select {
	case <-ready:
		return finish, nil
	case err := <-done:
		done <- err
		return nil, errors.Join(err, finish())
	}
}
