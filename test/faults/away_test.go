//go:build faults

package faults

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/harness"
	"github.com/linkspan/linkspan/simulate/jt808"
)

// TestAway has the platform away for long under load. All that was stored arrives
// afterwards, the memory of the bridge stays flat, and terminals that come online while
// it catches up are not kept waiting.
func TestAway(t *testing.T) {
	if !testing.Short() {
		t.Logf("the platform is away for %s at %.0f reports/s", *away, *awayRate)
	} else {
		t.Parallel()
	}
	const terminals = 200
	late := &latencies{told: map[string]map[int]time.Time{}}
	w := newWorld(t, "away", stored, *seed, &plan{
		bridge:  "queue { segmentSize = 64MiB, minFree = 256MiB }\nqueue.retry { min = 500ms, max = 5s }",
		arrived: late.arrived,
		fleet: func(c *jt808.Config) {
			c.Devices, c.Rate = terminals, *awayRate/terminals
		},
	})
	w.begin()
	time.Sleep(3 * time.Second)
	before := w.bridge.Usage().Resident
	w.killPlatform()
	began, most := time.Now(), 0.0
	for time.Since(began) < *away {
		time.Sleep(*away / 40)
		w.alive()
		most = max(most, w.bridge.Usage().Resident)
	}
	m := w.metrics()
	backlog, disk := m["linkspan_queue_waiting_messages"], harness.BytesIn(filepath.Join(w.data, "queue"))
	after := w.bridge.Usage().Resident

	// The load goes on, and newcomers watch how long their reports take.
	w.startPlatform()
	cfg := jt808.DefaultConfig()
	cfg.Target, cfg.Devices, cfg.Rate, cfg.Number, cfg.FirstPhone = w.listen, 20, 5, jt808.NumberMileage, "13900139001"
	cfg.Batch, cfg.Alarms = 0, 0
	newcomers, err := jt808.New(cfg, jt808.WithAcked(late.acked))
	if err != nil {
		t.Fatal(err)
	}
	back, _, _, _ := w.journal.counts()
	catching := time.Now()
	stopNewcomers := w.run(newcomers)
	defer stopNewcomers()
	var took time.Duration
	w.untilIn(patience+2**away, "the queue to be empty", func(m map[string]float64) bool {
		most = max(most, w.bridge.Usage().Resident)
		waiting, there := m["linkspan_queue_waiting_messages"]
		took = time.Since(catching)
		return there && waiting < *awayRate/2
	})
	done, _, _, _ := w.journal.counts()
	during := late.all()
	stopNewcomers()

	r := w.judge(&fault{name: "away"})
	middle, worst := at(during, 0.5), at(during, 1)
	text := fmt.Sprintf(`| what | figure |
| --- | --- |
| platform away | %s at %.0f reports/s |
| acknowledged, arrived, missing, arrived again | %d, %d, %d, %d |
| waiting when it came back | %.0f reports in %.0f MB on the disk |
| caught up | %.1f s: %.0f reports/s, with the load going on |
| live reports of others meanwhile, from acknowledgement to arrival | %d; median %s, longest %s |
| resident memory before, at the end of the outage, most | %.0f, %.0f, %.0f MiB |
`, *away, *awayRate, r.Acked, r.Arrived-uint64(len(late.all())), r.Missing, r.Again, backlog, disk/1e6, took.Seconds(), float64(done-back)/took.Seconds(),
		len(during), middle.Round(time.Millisecond), worst.Round(time.Millisecond), before/(1<<20), after/(1<<20), most/(1<<20))
	fmt.Fprintln(os.Stdout, text)
	if err := os.WriteFile(filepath.Join(*results, "away.md"), []byte(text), 0o600); err != nil {
		t.Error(err)
	}
	if want := 0.7 * away.Seconds() * *awayRate; backlog < want {
		t.Errorf("%.0f reports were stored while the platform was away, at least %.0f should have been: the load was not kept", backlog, want)
	}
	if grown := most - before; grown > 192<<20 {
		t.Errorf("the bridge's memory grew from %.0f to %.0f MiB", before/(1<<20), most/(1<<20))
	}
}

// latencies is how long reports of some terminals took from their acknowledgement to
// the platform. Its methods may be called from any goroutine.
type latencies struct {
	mu   sync.Mutex
	told map[string]map[int]time.Time // by phone and number
	took []time.Duration
}

func (l *latencies) acked(phone string, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told[phone] == nil {
		l.told[phone] = map[int]time.Time{}
	}
	l.told[phone][int(number)] = time.Now()
}

// arrived notes a report of terminals whose numbers begin as newcomers' do. The
// platform's clock is the test's.
func (l *latencies) arrived(phone string, number int, line []byte) {
	if phone[:3] != "139" {
		return
	}
	_, stamp, _ := bytes.Cut(line, []byte(`"time":"`))
	stamp, _, _ = bytes.Cut(stamp, []byte(`"`))
	when, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if told, known := l.told[phone][number]; known {
		l.took = append(l.took, max(0, when.Sub(told)))
	} else {
		l.took = append(l.took, 0) // it was there before the terminal was told
	}
}

func (l *latencies) all() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.took)
}

// at is the value that so large a part is not above.
func at(all []time.Duration, part float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(part*float64(len(all)-1))]
}
