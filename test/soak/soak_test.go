//go:build soak

package soak

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/harness"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/simulate/jt808"
)

var (
	duration = flag.Duration("for", 10*time.Minute, "how long to measure, behind the warm-up")
	warmUp   = flag.Duration("warm-up", time.Minute, "time with all terminals online before the measurement")
	ramp     = flag.Duration("ramp", 20*time.Second, "time over which the terminals connect")
	devices  = flag.Int("devices", 20_000, "terminals")
	rate     = flag.Float64("rate", 0.1, "reports per second of each terminal")
	churn    = flag.Float64("churn", 300, "connections that all terminals together break off per minute")
	orders   = flag.Float64("commands", 10, "commands per second to all terminals")
	queue    = flag.Bool("queue", true, "keep messages on disk until the platform has them, and acknowledge what is stored")
	program  = flag.String("binary", "../../bin/linkspan", "the linkspan to test; make build makes it")
	results  = flag.String("results", "../../bin/soak", "directory for samples, result and logs")
	every    = flag.Duration("every", 5*time.Second, "time between samples")
)

const subDevices = 1500 // of one gateway: the vendor's limit

// TestSoak is what the package is about.
func TestSoak(t *testing.T) {
	if _, err := os.Stat(*program); err != nil {
		t.Fatalf("no binary (%v): run make build", err)
	}
	if err := os.MkdirAll(*results, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"platform.log", "bridge.log"} { // of an earlier run
		_ = os.Remove(filepath.Join(*results, name))
	}
	raiseFileLimit(t, *devices+2000)
	s := newSoak(t)

	idle := s.settled()
	fmt.Fprintf(os.Stdout, "idle    %s\n", s.describe(&idle))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var load sync.WaitGroup
	load.Go(func() {
		if err := s.fleet.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	harness.Await(t, "the terminals to be online", 5*time.Minute+*ramp, func() bool {
		s.alive()
		return s.fleet.Stats().Online >= *devices-*devices/50 // some are between two connections
	})
	commanding, enough := context.WithCancel(ctx)
	load.Go(func() { s.commands.run(commanding, s) })

	fmt.Fprintf(os.Stdout, "online  %d terminals, warming up for %s\n", *devices, *warmUp)
	s.watch(*warmUp, -*warmUp)
	s.samples = s.samples[:0]
	began := s.sample(0)
	s.watch(*duration, 0)
	ended := s.samples[len(s.samples)-1]

	// Now nothing new is said, and what is under way ends.
	enough()
	drain, stop := context.WithTimeout(ctx, 3*time.Minute)
	if err := s.fleet.Drain(drain); err != nil {
		t.Errorf("of all reports %d are not acknowledged: %v", s.fleet.Stats().Pending, err)
	}
	stop()
	harness.Await(t, "all commands to end", 2*time.Minute, func() bool { return s.commands.pending() == 0 })
	cancel()
	load.Wait()
	after := s.settled()
	fmt.Fprintf(os.Stdout, "gone    %s\n", s.describe(&after))

	s.judge(&idle, &after, &began, &ended)
	s.bridge.Stop()
	s.checker.close()
	s.platform.Stop()
}

// soak is one run.
type soak struct {
	t                *testing.T
	platform, bridge *harness.Process
	api              *api.Client
	admin            string
	data             string // the bridge's data directory
	fleet            *jt808.Fleet
	acked            *harness.Ledger
	phones           []string
	checker          *checker
	commands         commands
	began            time.Time
	samples          []sample
	noted            bool
}

// newSoak starts the platform and the bridge.
func newSoak(t *testing.T) *soak {
	t.Helper()
	mqtt, apiAddr, admin, listen := harness.FreeAddress(t), harness.FreeAddress(t), harness.FreeAddress(t), harness.FreeAddress(t)
	dir := t.TempDir()
	gateways := (*devices*5/4)/subDevices + 1
	var known, used strings.Builder
	for i := range gateways {
		id := fmt.Sprintf(`{ productKey = soakGateway, deviceName = bridge-%d, deviceSecret = "secret-of-gateway-%d" }`+"\n", i, i)
		known.WriteString(id)
		used.WriteString(id)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	platformConf := write("platform.conf", fmt.Sprintf(`
platform {
  mqttAddress = %q, apiAddress = %q
  autoRegister = true, autoSecret = secret-of-terminals, maxDevices = %d
  loginsPerMinute = 0, subDevices = %d, watchQueue = 1000000, pending = 10000
  devices = [ %s ]
}
`, mqtt, apiAddr, *devices+1000, subDevices, known.String()))
	ack, keep, data := "delivered", "", filepath.Join(dir, "data")
	if *queue {
		ack, keep = "stored", fmt.Sprintf("data.directory = %q\nqueue.mode = on", data)
	}
	bridgeConf := write("application.conf", fmt.Sprintf(`
upstream { type = aliyun, aliyun {
  endpoint = "tcp://%s", qos = 1, loginRate = 2000, loginsPerMinute = 0, maxDevicesPerGateway = %d
  gateways = [ %s ]
} }
devices { unknown = template, template { productKey = soakTruck, deviceName = "${identity}", deviceSecret = secret-of-terminals } }
bridge.sessions.maxSessions = %d
listeners = [{ name = terminals, protocol = jt808, address = %q, heartbeat { interval = 60s, probes = 2 }, jt808 { ack = %s } }]
admin.address = %q
%s
`, mqtt, subDevices, used.String(), 2**devices, listen, ack, admin, keep))

	s := &soak{t: t, data: data, api: api.NewClient("http://" + apiAddr), admin: "http://" + admin}
	t.Cleanup(s.api.Close)
	s.platform = harness.Start(t, *results, "platform", *program, "platform", "-c", platformConf)
	harness.Await(t, "the platform", patience, func() bool { s.platform.Alive(); return harness.Answers("http://" + apiAddr + "/api/v1/stats") })
	s.bridge = harness.Start(t, *results, "bridge", *program, "serve", "-c", bridgeConf)
	harness.Await(t, "the bridge", patience, func() bool { s.bridge.Alive(); return harness.Answers(s.admin + "/readyz") })
	s.checker = watch(t, "http://"+apiAddr)
	cfg := jt808.DefaultConfig()
	cfg.Target, cfg.Devices, cfg.Rate, cfg.Number = listen, *devices, *rate, jt808.NumberMileage
	cfg.ConnectRate = float64(*devices) / ramp.Seconds()
	cfg.Churn = *churn / float64(*devices)
	s.acked = harness.NewLedger()
	fleet, err := jt808.New(cfg, jt808.WithAcked(s.acked.Note))
	if err != nil {
		t.Fatal(err)
	}
	s.fleet = fleet
	s.phones = make([]string, 0, *devices)
	for _, d := range fleet.Devices(0, 0) {
		s.phones = append(s.phones, d.Phone)
	}
	return s
}

func (s *soak) alive() {
	s.t.Helper()
	s.platform.Alive()
	s.bridge.Alive()
}

// settled waits until the bridge has nobody and then for what is left of them to
// be collected, and is the state then.
func (s *soak) settled() sample {
	s.t.Helper()
	var now sample
	harness.Await(s.t, "the bridge to have nobody", 2*time.Minute, func() bool {
		now = s.measure(0)
		return now.values[connections] == 0 && now.values[sessions] == 0 && now.values[inFlight] == 0 && now.values[pending] == 0
	})
	last := math.Inf(1)
	for range 20 { // goroutines end a little later than what they were for
		time.Sleep(500 * time.Millisecond)
		now = s.measure(0)
		if now.values[goroutines] >= last {
			break
		}
		last = now.values[goroutines]
	}
	return now
}

// watch takes samples for so long.
func (s *soak) watch(length, from time.Duration) {
	s.t.Helper()
	s.began = time.Now()
	tick := time.NewTicker(*every)
	defer tick.Stop()
	lines := 0
	for at := range tick.C {
		since := at.Sub(s.began)
		s.alive()
		now := s.sample(from + since)
		if lines++; lines%max(1, int(30*time.Second / *every)) == 0 || since >= length {
			fmt.Fprintf(os.Stdout, "%7s %s\n", (from + since).Round(time.Second), s.describe(&now))
		}
		if since >= length {
			return
		}
	}
}

func (s *soak) sample(at time.Duration) sample {
	s.t.Helper()
	now := s.measure(at)
	s.samples = append(s.samples, now)
	return now
}

// measure is the state of everything now.
func (s *soak) measure(at time.Duration) sample {
	s.t.Helper()
	m, err := harness.Scrape(s.admin + "/metrics")
	if err != nil {
		s.alive()
		s.t.Fatalf("the bridge's metrics: %v", err)
	}
	for column, name := range map[int]string{connections: "linkspan_server_connections", sessions: "linkspan_session_sessions"} {
		if _, ok := m[name]; !ok && !s.noted {
			s.noted = true
			s.t.Errorf("the bridge has no metric %s (column %s)", name, columnNames[column])
		}
	}
	b, p, f := s.bridge.Usage(), s.platform.Usage(), s.fleet.Stats()
	v := sample{at: at}
	v.values = [columns]float64{
		goroutines: m["go_goroutines"], fds: b.Files, rss: b.Resident, heap: m["go_memstats_heap_inuse_bytes"],
		connections: m["linkspan_server_connections"], sessions: m["linkspan_session_sessions"],
		inFlight: m["linkspan_bridge_inflight_messages"], pending: m["linkspan_aliyun_messages_pending"],
		loopLag: m["linkspan_server_loop_lag_seconds"], bridgeCPU: b.CPU, platformRSS: p.Resident, platformCPU: p.CPU,
		sent: float64(f.Sent), acked: float64(f.Acked), open: float64(f.Pending),
		arrived: float64(s.checker.arrived.Load()), reconnects: float64(f.Connects),
		commandsGiven: float64(s.commands.total()), disk: harness.BytesIn(s.data),
	}
	return v
}

func (s *soak) describe(v *sample) string {
	x := v.values
	return fmt.Sprintf("goroutines %.0f  fds %.0f  rss %s  heap %s  sessions %.0f  in flight %.0f  lag %.0fms  sent %.0f  acknowledged %.0f  open %.0f  arrived %.0f  connects %.0f  commands %.0f",
		x[goroutines], x[fds], mib(x[rss]), mib(x[heap]), x[sessions], x[inFlight], 1000*x[loopLag], x[sent], x[acked], x[open], x[arrived], x[reconnects], x[commandsGiven])
}

// result is what is written to result.json.
type result struct {
	Devices   int               `json:"devices"`
	Rate      float64           `json:"rate"`
	Churn     float64           `json:"churn"`
	Seconds   float64           `json:"seconds"`
	CPUs      int               `json:"cpus"`
	Go        string            `json:"go"`
	Sent      uint64            `json:"sent"`
	Acked     uint64            `json:"acknowledged"`
	Refused   uint64            `json:"refused"`
	Dropped   uint64            `json:"dropped"` // by terminals, for want of room
	Skipped   uint64            `json:"skipped"` // not made because the simulator was late
	Arrived   uint64            `json:"arrived"`
	Twice     uint64            `json:"arrivedAgain"`
	Missing   int               `json:"missing"` // acknowledged and not arrived
	Connects  uint64            `json:"connects"`
	Lost      uint64            `json:"connectionsLost"` // by no doing of the fleet
	Commands  map[string]int    `json:"commands"`
	CPUMicros float64           `json:"bridgeCpuMicrosPerReport"`
	Trends    map[string]trend  `json:"trends"`
	Idle      map[string]string `json:"idleBeforeAndAfter"`
	Failed    bool              `json:"failed"`
}

// judge checks what there is to check and writes it down.
func (s *soak) judge(idle, after, began, ended *sample) {
	t := s.t
	f := s.fleet.Stats()
	// The watch is behind the acknowledgements by what is in its pipe.
	harness.Await(t, "the watch to be through", patience, func() bool {
		return s.checker.failure() != nil || s.checker.arrived.Load() >= f.Acked
	})
	if err := s.checker.failure(); err != nil {
		t.Error(err)
	}
	r := result{
		Devices: *devices, Rate: *rate, Churn: *churn, Seconds: (ended.at - began.at).Seconds(), CPUs: runtime.NumCPU(), Go: runtime.Version(),
		Sent: f.Sent, Acked: f.Acked, Refused: f.Refused, Dropped: f.Lost, Skipped: f.Skipped, Arrived: s.checker.arrived.Load(), Twice: s.checker.duplicates.Load(),
		Connects: f.Connects, Lost: f.ClosedByPeer + f.Silences, Commands: s.commands.counts(), Trends: map[string]trend{}, Idle: map[string]string{},
	}
	silent := 0
	for _, phone := range s.phones {
		acked := s.acked.Of(phone)
		missing := s.checker.missing(phone, acked)
		r.Missing += missing
		if missing > 0 && r.Missing < 100 {
			t.Errorf("terminal %s: %d reports were acknowledged and did not arrive", phone, missing)
		}
		if len(acked) == 0 {
			silent++
		}
	}
	if n := s.acked.Len(); n != f.Acked {
		t.Errorf("the fleet has %d acknowledged reports, its observer %d", f.Acked, n)
	}
	if f.Refused > 0 || f.Lost > 0 || f.BadFrames > 0 || f.StrayFrames > 0 {
		t.Errorf("of the reports %d were refused and %d lost; of the bridge's frames %d were damaged and %d for others", f.Refused, f.Lost, f.BadFrames, f.StrayFrames)
	}
	if silent > 0 {
		t.Errorf("%d terminals have had no report acknowledged", silent)
	}
	if r.Missing > 0 {
		t.Errorf("%d of %d acknowledged reports did not arrive", r.Missing, r.Acked)
	}
	if r.Lost > 0 {
		t.Errorf("%d connections were ended by the bridge (%d) or given up for want of answers (%d)", r.Lost, f.ClosedByPeer, f.Silences)
	}
	if want := *rate * float64(*devices) * r.Seconds; ended.values[acked]-began.values[acked] < 0.9*want {
		t.Errorf("%.0f reports were acknowledged in %.0fs, %.0f should have been: the load was not kept", ended.values[acked]-began.values[acked], r.Seconds, want)
	}
	s.judgeCommands(r.Commands)
	s.judgeTrends(&r)
	s.judgeEnd(&r, idle, after)
	if n := ended.values[acked] - began.values[acked]; n > 0 {
		r.CPUMicros = (ended.values[bridgeCPU] - began.values[bridgeCPU]) * 1e6 / n
	}
	r.Failed = t.Failed()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	r.print()
	if err := os.WriteFile(filepath.Join(*results, "result.json"), append(text, '\n'), 0o600); err != nil {
		t.Error(err)
	}
	if err := errors.Join(writeCSV(*results, s.samples), writePlots(*results, s.samples)); err != nil {
		t.Error(err)
	}
}

// print prints the result for people.
func (r *result) print() {
	fmt.Fprintf(os.Stdout, "\n%-16s %14s %14s %14s %14s\n", "in "+fmt.Sprint(time.Duration(r.Seconds)*time.Second), "least", "mean", "most", "growth")
	for _, l := range limits {
		x, show := r.Trends[columnNames[l.column]], func(v float64) string { return fmt.Sprintf("%.0f", v) }
		if l.column == rss || l.column == heap {
			show = mib
		}
		fmt.Fprintf(os.Stdout, "%-16s %14s %14s %14s %14s\n", columnNames[l.column], show(x.Min), show(x.Mean), show(x.Max), show(x.Growth))
	}
	fmt.Fprintf(os.Stdout, "\nreports   %d made, %d acknowledged, %d refused, %d dropped, %d skipped, %d arrived (and %d again), %d missing\n",
		r.Sent, r.Acked, r.Refused, r.Dropped, r.Skipped, r.Arrived, r.Twice, r.Missing)
	fmt.Fprintf(os.Stdout, "terminals %d, %d connections made, %d not ended by the fleet itself\n", r.Devices, r.Connects, r.Lost)
	fmt.Fprintf(os.Stdout, "commands  %v\n", r.Commands)
	fmt.Fprintf(os.Stdout, "bridge    %.1f µs of CPU for each report; before and after the fleet: %v\n", r.CPUMicros, r.Idle)
}

// judgeCommands wants an end of every command, and nearly all of them done:
// those of terminals that have just been disturbed may find them offline.
func (s *soak) judgeCommands(counts map[string]int) {
	total, good := 0, 0
	for state, n := range counts {
		total += n
		if state == "done" {
			good += n
		}
	}
	if *orders > 0 && total == 0 {
		s.t.Error("no command was given")
	}
	if bad := total - good; float64(bad) > 0.05*float64(total)+10 {
		s.t.Errorf("of %d commands %d were done: %v", total, good, counts)
	}
	if n := counts["timed out"]; float64(n) > 0.005*float64(total)+3 {
		s.t.Errorf("%d commands of %d had no end in time: %v", n, total, counts)
	}
}

func (s *soak) judgeTrends(r *result) {
	for column := range columnNames {
		r.Trends[columnNames[column]] = fit(s.samples, column)
	}
	for _, l := range limits {
		name := columnNames[l.column]
		if x := r.Trends[name]; x.Growth > l.part*x.Mean && x.Growth > l.absolute {
			s.t.Errorf("%s is not flat: it grows by %.0f over the measurement, its mean is %.0f", name, x.Growth, x.Mean)
		}
	}
}

// judgeEnd compares the bridge before the first terminal and after the last.
func (s *soak) judgeEnd(r *result, idle, after *sample) {
	for _, column := range []int{goroutines, fds, rss, heap} {
		r.Idle[columnNames[column]] = fmt.Sprintf("%.0f, %.0f", idle.values[column], after.values[column])
	}
	for _, l := range []struct {
		column int
		more   float64
	}{{goroutines, 10}, {fds, 5}} {
		if grown := after.values[l.column] - idle.values[l.column]; grown > l.more {
			s.t.Errorf("when all terminals are gone there are %.0f more %s than before they came", grown, columnNames[l.column])
		}
	}
}

// commands gives terminals something to do and counts how that ends. Its methods
// may be called from any goroutine.
type commands struct {
	mu    sync.Mutex
	ended map[string]int // by state
	under int
	begun int
}

func (c *commands) run(ctx context.Context, s *soak) {
	if *orders <= 0 {
		return
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / *orders))
	defer tick.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		phone := s.phones[rand.IntN(len(s.phones))]
		if !c.begin() {
			continue
		}
		running.Go(func() { c.end(give(context.WithoutCancel(ctx), s.api, phone, i)) })
	}
}

const maxCommands = 1000 // under way

func (c *commands) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under >= maxCommands {
		return false
	}
	c.under++
	c.begun++
	return true
}

func (c *commands) end(r api.Result, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under--
	if c.ended == nil {
		c.ended = map[string]int{}
	}
	state := r.State
	switch {
	case err != nil:
		state = "error: " + err.Error()
	case state == "refused":
		state = fmt.Sprintf("refused %d", r.Code)
	}
	if _, ok := c.ended[state]; ok || len(c.ended) < 20 {
		c.ended[state]++
	} else {
		c.ended["other"]++
	}
}

func (c *commands) pending() int { c.mu.Lock(); defer c.mu.Unlock(); return c.under }
func (c *commands) total() int   { c.mu.Lock(); defer c.mu.Unlock(); return c.begun }

func (c *commands) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.ended)
}

// give gives one command and waits for its end.
func give(ctx context.Context, c *api.Client, phone string, i int) (api.Result, error) {
	const wait = 45 * time.Second
	ctx, cancel := context.WithTimeout(ctx, wait+15*time.Second)
	defer cancel()
	switch i % 4 {
	case 0:
		return c.Set(ctx, "soakTruck", phone, map[string]any{"heartbeatInterval": 60}, wait)
	case 1:
		return c.Get(ctx, "soakTruck", phone, []string{"heartbeatInterval"}, wait)
	case 2:
		return c.Invoke(ctx, "soakTruck", phone, "queryLocation", nil, wait)
	default:
		return c.Invoke(ctx, "soakTruck", phone, "text", map[string]any{"text": "请减速慢行"}, wait)
	}
}
