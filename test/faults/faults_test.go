//go:build faults

package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	seed     = flag.Uint64("seed", 0, "chooses everything that is random; 0: another one each time")
	rounds   = flag.Int("rounds", 2, "how often each fault is made")
	length   = flag.Duration("length", time.Second, "mean time between faults")
	devices  = flag.Int("devices", 60, "terminals of each case")
	rate     = flag.Float64("rate", 4, "reports per second of each terminal")
	away     = flag.Duration("away", 20*time.Second, "how long the platform is away in TestAway")
	awayRate = flag.Float64("away-rate", 500, "reports per second of all terminals in TestAway")
	program  = flag.String("binary", "../../bin/linkspan", "the linkspan to test; make build makes it")
	results  = flag.String("results", "../../bin/faults", "directory for logs and the table")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	path, err := filepath.Abs(*program)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err == nil {
		*program = path
		*results, err = filepath.Abs(*results)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "no binary: run make build:", err)
		os.Exit(1) //nolint:forbidigo // what TestMain is for
	}
	fmt.Fprintf(os.Stdout, "seed %d\n", *seed)
	os.Exit(m.Run()) //nolint:forbidigo // what TestMain is for
}

// The modes of acknowledgement that promise something that faults could break.
const (
	stored    = "stored"
	delivered = "delivered"
)

// fault is a kind of fault.
type fault struct {
	name  string
	short []string // modes that the short form has; the long one has both
	plan  plan
	// inject makes the fault once, and leaves everything as it was.
	inject func(w *world)
	// final runs when all rounds are over, before the fleet ends; may be nil.
	final func(w *world)
	skip  func() string // why it cannot be made here; may be nil
	// reorders says that reports may arrive behind later ones of their terminal, for it says
	// them again itself: they were refused, or lost before they were acknowledged.
	reorders bool
}

var faults = []fault{
	{name: "none", short: []string{stored, delivered}, inject: func(w *world) { w.moment() }},
	{name: "kill bridge", short: []string{stored, delivered}, inject: func(w *world) {
		w.killBridge()
		w.moment()
		w.startBridge()
	}},
	{name: "kill platform", short: []string{stored, delivered}, inject: func(w *world) {
		w.killPlatform()
		w.moment()
		w.startPlatform()
	}},
	{name: "kill both", short: []string{stored, delivered}, inject: func(w *world) {
		first, second := w.killBridge, w.killPlatform
		up, last := w.startBridge, w.startPlatform
		if w.rng.IntN(2) == 0 {
			first, second = second, first
		}
		if w.rng.IntN(2) == 0 {
			up, last = last, up
		}
		first()
		time.Sleep(time.Duration(w.rng.IntN(200)) * time.Millisecond)
		second()
		w.moment()
		up()
		w.moment()
		last()
	}},
	{name: "network slow", short: []string{stored}, plan: plan{network: true}, inject: func(w *world) { w.network(slow, 2**length) }},
	{name: "network resets", short: []string{delivered}, plan: plan{network: true}, inject: func(w *world) {
		for range 3 {
			w.proxy.reset()
			w.injected++
			w.moment()
		}
	}},
	{name: "network stops", short: []string{stored}, plan: plan{network: true}, inject: func(w *world) {
		w.network(hold, 500*time.Millisecond) // everything goes on where it was
		w.moment()
		w.network(hold, 4*time.Second) // longer than the bridge waits for an answer
	}},
	{name: "network half open", short: []string{stored}, plan: plan{network: true}, inject: func(w *world) { w.network(halfOpen, *length) }},
	{name: "network to bridge lost", short: []string{delivered}, plan: plan{network: true}, inject: func(w *world) { w.network(mute, 3*time.Second) }},
	{name: "network to platform lost", short: []string{stored}, plan: plan{network: true}, inject: func(w *world) { w.network(deaf, 3*time.Second) }},
	linkDown, diskFull, readOnly, slowSync, failingSync, damage,
}

// network makes weather for a while.
func (w *world) network(kind weather, d time.Duration) {
	w.proxy.set(kind)
	w.injected++
	time.Sleep(d)
	w.proxy.set(fair)
}

// TestFaults is what the package is about.
func TestFaults(t *testing.T) {
	all := &table{}
	t.Run("all", func(t *testing.T) {
		for i := range faults {
			f := &faults[i]
			modes := []string{stored, delivered}
			if testing.Short() {
				modes = f.short
			}
			for _, ack := range modes {
				t.Run(f.name+", "+ack, func(t *testing.T) {
					t.Parallel()
					if f.skip != nil {
						if why := f.skip(); why != "" {
							all.skipped(f.name, ack, why)
							t.Skip(why)
						}
					}
					all.add(f.run(t, ack))
				})
			}
		}
	})
	if err := all.write(); err != nil {
		t.Error(err)
	}
}

// run is one case: load, faults, and what is left of both.
func (f *fault) run(t *testing.T, ack string) row {
	t.Helper()
	w := newWorld(t, f.name, ack, *seed, &f.plan)
	w.begin()
	for range *rounds {
		w.moment()
		f.inject(w)
		w.progress(*devices)
		w.arrivals(*devices)
	}
	if f.final != nil {
		f.final(w)
	}
	return w.judge(f)
}
