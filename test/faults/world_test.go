//go:build faults

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/harness"
	"github.com/linkspan/linkspan/simulate/jt808"
)

// patience is reached only when something is broken, or the machine very busy.
const patience = 2 * time.Minute

// world is a platform, a bridge and a fleet. It belongs to its test's goroutine.
type world struct {
	t                *testing.T
	rng              *rand.Rand
	plan             *plan
	ack              string
	dir              string // of logs and configurations
	data             string // the bridge's
	listen, admin    string
	platform, bridge *harness.Process // nil: there is none now
	proxy            *proxy           // nil: the bridge reaches the platform itself
	link             *link            // nil: the platform is on the loopback
	journal          *journal
	ledger           *harness.Ledger
	fleet            *jt808.Fleet
	stopFleet        context.CancelFunc
	running          sync.WaitGroup

	injected int     // faults
	kills    uint64  // of the platform
	excused  float64 // reports that may come again because the bridge was killed, or its cursor damaged
	damaged  float64 // records that the bridges that have gone reported lost
	cutOff   float64 // bytes that they found at the ends of files, in which nobody can count records
	least    float64 // the least space of a report in a file of the queue, in bytes; 0: not looked at
	again    float64 // reports that they had to say again

	untampered bool // the plan's command is over
	crowded    bool // terminals had more to say again than they say at once, before what is new
}

// plan is what a world is made of besides the usual.
type plan struct {
	bridge  string                                    // more of its configuration
	data    func(w *world) string                     // makes the bridge's data directory
	command func(w *world, cmd *exec.Cmd) *exec.Cmd   // that the bridge is started with
	network bool                                      // there is a proxy
	link    bool                                      // the platform has a network of its own
	fleet   func(c *jt808.Config)                     // changes the usual fleet
	arrived func(phone string, number int, at []byte) // is called for each first arrival
}

func newWorld(t *testing.T, name, ack string, seed uint64, p *plan) *world {
	t.Helper()
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, hash(name+ack))), plan: p, ack: ack, ledger: harness.NewLedger(), stopFleet: func() {}}
	w.dir = filepath.Join(*results, strings.NewReplacer(" ", "-", ",", "", "/", "-").Replace(name+" "+ack))
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(w.dir, 0o750); err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	if w.data = filepath.Join(temp, "data"); p.data != nil {
		w.data = p.data(w)
	}
	mqtt, api := harness.FreeAddress(t), harness.FreeAddress(t)
	if p.link {
		w.link = newLink(t)
		mqtt, api = w.link.there+":1883", w.link.there+":8800"
	}
	w.admin, w.listen = harness.FreeAddress(t), harness.FreeAddress(t)
	w.write("platform.conf", fmt.Sprintf(`
platform {
  mqttAddress = %q, apiAddress = %q, data = %q, received = %q
  autoRegister = true, autoSecret = secret-of-terminals, loginsPerMinute = 0
  devices = [ { productKey = gateways, deviceName = bridge, deviceSecret = secret-of-bridge } ]
}
`, mqtt, api, filepath.Join(temp, "platform"), filepath.Join(temp, "received")))
	endpoint := mqtt
	if p.network {
		w.proxy = newProxy(t, mqtt)
		endpoint = w.proxy.addr()
	}
	w.write("bridge.conf", fmt.Sprintf(`
upstream { type = aliyun, aliyun {
  endpoint = "tcp://%s", productKey = gateways, deviceName = bridge, deviceSecret = secret-of-bridge
  qos = 1, loginRate = 2000, loginsPerMinute = 0, requestTimeout = 2s, holdTimeout = 10s, reconnectMin = 100ms, reconnectMax = 1s
} }
devices { unknown = template, template { productKey = terminals, deviceName = "${identity}", deviceSecret = secret-of-terminals } }
listeners = [{ protocol = jt808, address = %q, jt808 { ack = %s, authentication.policy = accept } }]
data.directory = %q
queue { mode = on, minFree = 0, segmentSize = 1MiB, maxRecord = 64KiB, away = 1s, retry { min = 50ms, max = 1s } }
admin.address = %q
%s
`, endpoint, w.listen, ack, w.data, w.admin, p.bridge))
	w.journal = follow(t, filepath.Join(temp, "received"), p.arrived)
	t.Cleanup(w.end)
	w.startPlatform()
	w.startBridge()
	return w
}

// hash makes worlds of one seed different.
func hash(s string) (h uint64) {
	for _, c := range []byte(s) {
		h = h*31 + uint64(c)
	}
	return h
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// end ends what a failed test leaves.
func (w *world) end() {
	w.stopFleet()
	w.running.Wait()
}

func (w *world) startPlatform() {
	w.t.Helper()
	cmd := exec.Command(*program, "platform", "-c", filepath.Join(w.dir, "platform.conf"))
	if w.link != nil {
		cmd = w.link.within(cmd)
	}
	w.platform = harness.StartCommand(w.t, w.dir, "platform", cmd)
}

func (w *world) startBridge() {
	w.t.Helper()
	cmd := exec.Command(*program, "serve", "-c", filepath.Join(w.dir, "bridge.conf"))
	if w.plan.command != nil && !w.untampered {
		cmd = w.plan.command(w, cmd)
	}
	w.bridge = harness.StartCommand(w.t, w.dir, "bridge", cmd)
}

func (w *world) killPlatform() {
	w.t.Helper()
	w.platform.Kill()
	w.platform = nil
	w.injected++
	w.kills++
}

// killBridge kills the bridge, and notes what may come again for that: what the
// platform has and the cursor does not say, and what terminals have no answer to.
func (w *world) killBridge() {
	w.t.Helper()
	w.settleAccount()
	if f := w.fleet.Stats(); int(f.Pending) > 20*f.Devices {
		w.crowded = true
	}
	w.bridge.Kill()
	w.bridge = nil
	w.injected++
	w.excused += float64(w.journal.since(3*time.Second)) + float64(w.fleet.Stats().Pending)
}

// settleAccount takes over what a bridge that is about to go has counted.
func (w *world) settleAccount() {
	m, err := harness.Scrape("http://" + w.admin + "/metrics")
	if err != nil {
		return // it has not begun to listen
	}
	w.again += saidAgain(m)
	w.damaged += m["linkspan_queue_damaged_records_total"]
	w.cutOff += m["linkspan_queue_cut_off_bytes_total"]
}

// saidAgain is how many reports a bridge says it had to say again.
func saidAgain(m map[string]float64) float64 {
	return m["linkspan_queue_setbacks_total"] + m["linkspan_queue_possible_duplicates_total"] + m["linkspan_aliyun_messages_resent_total"]
}

// metrics is what the bridge counts now; nothing when it does not answer.
func (w *world) metrics() map[string]float64 {
	m, err := harness.Scrape("http://" + w.admin + "/metrics")
	if err != nil {
		w.bridge.Alive()
	}
	return m
}

// begin starts the fleet and waits until reports are acknowledged.
func (w *world) begin() {
	w.t.Helper()
	cfg := jt808.DefaultConfig()
	cfg.Target, cfg.Devices, cfg.Rate, cfg.Number = w.listen, *devices, *rate, jt808.NumberMileage
	cfg.Batch, cfg.Alarms = 0, 0 // which change the order, and are messages of their own
	cfg.AckTimeout, cfg.Retries, cfg.Pending = time.Minute, 5, 8192
	cfg.BackoffMin, cfg.BackoffMax = 50*time.Millisecond, 300*time.Millisecond
	cfg.Seed = w.rng.Uint64()
	if w.plan.fleet != nil {
		w.plan.fleet(&cfg)
	}
	fleet, err := jt808.New(cfg, jt808.WithAcked(w.ledger.Note))
	if err != nil {
		w.t.Fatal(err)
	}
	w.fleet = fleet
	w.stopFleet = w.run(fleet)
	w.progress(2 * cfg.Devices)
}

// run runs a fleet until it is told to stop.
func (w *world) run(fleet *jt808.Fleet) (stop context.CancelFunc) {
	ctx, stop := context.WithCancel(context.Background())
	w.running.Go(func() {
		if err := fleet.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	return stop
}

// progress waits until so many more reports are acknowledged.
func (w *world) progress(n int) {
	w.t.Helper()
	want := w.ledger.Len() + uint64(n)
	harness.Await(w.t, "reports to be acknowledged", patience, func() bool { w.alive(); return w.ledger.Len() >= want })
}

// arrivals waits until so many more reports arrive.
func (w *world) arrivals(n int) {
	w.t.Helper()
	before, _, _, _ := w.journal.counts()
	harness.Await(w.t, "reports to arrive", patience, func() bool {
		w.alive()
		now, _, _, _ := w.journal.counts()
		return now >= before+uint64(n)
	})
}

func (w *world) alive() {
	w.t.Helper()
	if w.platform != nil {
		w.platform.Alive()
	}
	if w.bridge != nil {
		w.bridge.Alive()
	}
}

// moment lets a random time pass, of -length on the average.
func (w *world) moment() { time.Sleep(time.Duration(w.rng.Float64() * 2 * float64(*length))) }

// until waits until a metric of the bridge says so.
func (w *world) until(what string, holds func(m map[string]float64) bool) {
	w.t.Helper()
	w.untilIn(patience, what, holds)
}

// untilIn is until with a patience of its own.
func (w *world) untilIn(most time.Duration, what string, holds func(m map[string]float64) bool) {
	w.t.Helper()
	harness.Await(w.t, what, most, func() bool {
		w.alive()
		m := w.metrics()
		return m != nil && holds(m)
	})
}
