//go:build faults

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// row is what came of one case.
type row struct {
	Fault, Ack          string
	Skipped             string // why
	Injected            int    // faults
	Sent, Acked         uint64
	Arrived             uint64 // each once
	Missing             int    // acknowledged and not arrived
	MayMiss             int    // of them, for the bridge has reported them lost
	Again, MayBeAgain   uint64
	Late                uint64 // behind later ones of the same terminal
	Damaged             int    // records that the bridge reported lost
	CutOff              int    // bytes that it reported where nobody can count records
	CaughtUp            time.Duration
	Failed, LateAllowed bool
}

// judge ends the load, waits until all that is stored is forwarded, and compares.
func (w *world) judge(f *fault) row {
	t := w.t
	t.Helper()
	calm := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.fleet.Drain(ctx); err != nil {
		t.Errorf("%d reports are not acknowledged: %v", w.fleet.Stats().Pending, err)
	}
	w.until("the queue to be empty", func(m map[string]float64) bool {
		waiting, there := m["linkspan_queue_waiting_messages"]
		return there && waiting == 0
	})
	caughtUp := time.Since(calm)
	s := w.fleet.Stats()
	w.stopFleet()
	w.running.Wait()
	w.settleAccount()
	w.bridge.Stop()
	w.platform.Stop() // all that it has received is in the file
	w.read()

	r := row{Fault: f.name, Ack: w.ack, Injected: w.injected, Sent: s.Sent, Acked: s.Acked, Damaged: int(w.damaged), CutOff: int(w.cutOff), CaughtUp: caughtUp, LateAllowed: f.reorders || w.crowded}
	var bad uint64
	r.Arrived, r.Again, r.Late, bad = w.journal.counts()
	r.MayMiss = w.mayMiss()
	r.MayBeAgain = uint64(w.excused + w.again + float64(s.Resent))
	for _, d := range w.fleet.Devices(0, 0) {
		missing := w.journal.missing(d.Phone, w.ledger.Of(d.Phone))
		if r.Missing += len(missing); len(missing) > 0 {
			t.Logf("%s: %d reports were acknowledged and are missing: %v", d.Phone, len(missing), missing[:min(len(missing), 20)])
		}
	}
	switch {
	case w.ledger.Len() != s.Acked:
		t.Errorf("the fleet has %d acknowledged reports, its observer %d", s.Acked, w.ledger.Len())
	case s.Acked == 0:
		t.Error("nothing was acknowledged")
	case r.Missing > r.MayMiss:
		t.Errorf("%d of %d acknowledged reports are missing; the bridge reported %d lost", r.Missing, s.Acked, r.MayMiss)
	}
	if r.Again > r.MayBeAgain {
		t.Errorf("%d reports arrived again, at most %d had to be said again", r.Again, r.MayBeAgain)
	}
	if r.Late > 0 && !r.LateAllowed {
		t.Errorf("%d reports arrived behind later ones of the same terminal", r.Late)
	}
	if bad > w.kills {
		t.Errorf("%d lines of the platform's file are damaged, it was killed %d times", bad, w.kills)
	}
	if s.Refused > 0 || s.BadFrames > 0 || s.StrayFrames > 0 {
		t.Errorf("%d reports were refused for good, %d frames of the bridge were damaged, %d for others", s.Refused, s.BadFrames, s.StrayFrames)
	}
	r.Failed = t.Failed()
	return r
}

// mayMiss is how many acknowledged reports may be missing: those that the bridge has
// reported lost. In what it has cut off are some only when the test has struck files:
// what was not finished when the bridge was killed was not acknowledged.
func (w *world) mayMiss() int {
	n := w.damaged
	if w.least > 0 {
		n += math.Floor(w.cutOff / w.least)
	}
	if w.ack == delivered {
		n = 0 // what is at the platform is not on this disk
	}
	return int(n)
}

// read waits until the file of the platform, which has ended, is read.
func (w *world) read() {
	last := uint64(math.MaxUint64)
	for {
		arrived, again, _, _ := w.journal.counts()
		if arrived+again == last {
			return
		}
		last = arrived + again
		time.Sleep(300 * time.Millisecond)
	}
}

// table is what came of all cases. Its methods may be called from any goroutine.
type table struct {
	mu   sync.Mutex
	rows []row
}

func (a *table) add(r row) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows = append(a.rows, r)
}

func (a *table) skipped(name, ack, why string) { a.add(row{Fault: name, Ack: ack, Skipped: why}) }

// write prints the table and writes it to table.md and table.json.
func (a *table) write() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	order := func(name string) int { return slices.IndexFunc(faults, func(f fault) bool { return f.name == name }) }
	slices.SortFunc(a.rows, func(x, y row) int {
		if d := order(x.Fault) - order(y.Fault); d != 0 {
			return d
		}
		return strings.Compare(y.Ack, x.Ack)
	})
	var b strings.Builder
	b.WriteString("| fault | ack | faults | acknowledged | missing | reported lost | cut off | arrived | again | allowed | out of order | caught up |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for i := range a.rows {
		r := &a.rows[i]
		if r.Skipped != "" {
			fmt.Fprintf(&b, "| %s | %s | skipped: %s |\n", r.Fault, r.Ack, r.Skipped)
			continue
		}
		late := strconv.FormatUint(r.Late, 10)
		if r.LateAllowed {
			late += " (allowed)"
		}
		verdict := ""
		if r.Failed {
			verdict = " **failed**"
		}
		fmt.Fprintf(&b, "| %s%s | %s | %d | %d | %d | %d | %d B | %d | %d | %d | %s | %.1f s |\n",
			r.Fault, verdict, r.Ack, r.Injected, r.Acked, r.Missing, r.Damaged, r.CutOff, r.Arrived, r.Again, r.MayBeAgain, late, r.CaughtUp.Seconds())
	}
	fmt.Fprintf(os.Stdout, "\nseed %d\n%s\n", *seed, b.String())
	text, err := json.MarshalIndent(struct {
		Seed uint64
		Rows []row
	}{*seed, a.rows}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*results, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(*results, "table.md"), []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(*results, "table.json"), append(text, '\n'), 0o600)
}
