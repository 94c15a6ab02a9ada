package segment

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// told is what the log promised at a moment.
type told struct {
	stored   string // a record whose done was called
	finished string // one that was finished, so that it may come or not
}

// record is a short life of a log, with several segments, finished records, a restart and
// compaction, and all that was done to the disk meanwhile.
func record(t *testing.T, cfg Config) *simDisk {
	t.Helper()
	d := newSimDisk()
	n := 0
	for life := range 3 {
		l := mustOpen(t, d, cfg)
		for i := range 30 {
			payload := fmt.Sprintf("%d-%d-%s", life, i, strings.Repeat("x", n*37%3000))
			n++
			put(t, l, payload, Flags(i%2))
			d.note(told{stored: payload})
		}
		payloads, positions := all(l)
		for i, p := range positions {
			if i%3 != life {
				d.note(told{finished: payloads[i]})
				l.Finish(p)
			}
		}
		if life == 1 {
			l.house.Lock()
			for _, s := range l.snapshot() {
				l.compact(s, false)
			}
			l.house.Unlock()
		}
		mustClose(t, l)
	}
	return d
}

// checkCrash opens what a crash left, and wants all there that was promised.
func checkCrash(t *testing.T, files map[string]*simFile, cfg Config, promised []told, at string) {
	t.Helper()
	must, may := map[string]bool{}, map[string]bool{}
	var order []string
	for _, p := range promised {
		if p.stored != "" {
			must[p.stored], may[p.stored] = true, true
			order = append(order, p.stored)
		}
		delete(must, p.finished)
	}
	d := on(files)
	l, err := Open("q", cfg, withDisk(d.disk()))
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	got, _ := all(l)
	next := 0
	for _, payload := range got {
		delete(must, payload)
		i := slices.Index(order[next:], payload)
		if i < 0 {
			if slices.Contains(order, payload) {
				t.Fatalf("%s: %.20q came out of order or twice", at, payload)
			}
			continue // was being written
		}
		next += i + 1
	}
	if len(must) > 0 {
		t.Fatalf("%s: lost %.200q", at, slices.Collect(maps.Keys(must)))
	}
	put(t, l, "afterwards", 0)
	mustClose(t, l)
	l = mustOpen(t, d, cfg)
	wantRecords(t, l, append(got, "afterwards"))
	mustClose(t, l)
}

// After a kill -9 the disk has all that was written, up to any byte.
func TestKillAtAnyByte(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.Sync = SyncNone
	d := record(t, cfg)
	files := map[string]*simFile{}
	var promised []told
	random := rand.New(rand.NewPCG(1, 2))
	for i, op := range d.ops {
		if op.kind == "note" {
			promised = append(promised, op.note.(told))
			continue
		}
		cuts := []int{0, len(op.data)}
		for range 6 {
			cuts = append(cuts, random.IntN(len(op.data)+1))
		}
		if len(op.data) < 200 {
			cuts = cuts[:0]
			for n := range len(op.data) + 1 {
				cuts = append(cuts, n)
			}
		}
		for _, n := range cuts {
			state := cloneFiles(files)
			cut := op
			cut.data = op.data[:n]
			if n > 0 || op.kind != "write" {
				if err := apply(state, cut); err != nil {
					t.Fatal(err)
				}
			}
			checkCrash(t, state, cfg, promised, fmt.Sprintf("op %d (%s %s), byte %d", i, op.kind, op.path, n))
		}
		if err := apply(files, op); err != nil {
			t.Fatal(err)
		}
	}
}

// After a power cut the disk has what was synced, and of the rest anything.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	cfg := small()
	d := record(t, cfg)
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 7))
		cut := &powerCut{random: random, volatile: map[string]*simFile{}, durable: map[string]*simFile{}, synced: map[*simFile][]byte{}}
		var promised []told
		for i, op := range d.ops {
			if op.kind == "note" {
				promised = append(promised, op.note.(told))
				continue
			}
			cut.do(t, op)
			if i%3 == int(seed)%3 {
				checkCrash(t, cut.after(), cfg, promised, fmt.Sprintf("seed %d, op %d (%s %s)", seed, i, op.kind, op.path))
			}
		}
	}
}

// With an fsync every now and then, a power cut takes what came since the last one,
// and not the file with all that was synced.
func TestPowerCutBetweenSyncs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.Sync, cfg.SyncInterval = SyncInterval, 50*time.Millisecond
		d := newSimDisk()
		l := mustOpen(t, d, cfg)
		put(t, l, "one", 0)
		<-time.After(time.Second)
		synctest.Wait()
		cut := &powerCut{volatile: map[string]*simFile{}, durable: map[string]*simFile{}, synced: map[*simFile][]byte{}}
		for _, op := range d.ops {
			cut.do(t, op)
		}
		if f := cut.durable[segmentPath(1)]; f == nil || !bytes.Contains(cut.synced[f], []byte("one")) {
			t.Error("the record is not on the disk a second later")
		}
		mustClose(t, l)
	})
}

// powerCut is a disk with a cache.
type powerCut struct {
	random   *rand.Rand
	volatile map[string]*simFile // as processes see it
	durable  map[string]*simFile // names that survive
	synced   map[*simFile][]byte // content that survives
}

func (c *powerCut) do(t *testing.T, op simOp) {
	t.Helper()
	if err := apply(c.volatile, op); err != nil {
		t.Fatal(err)
	}
	switch op.kind {
	case "sync":
		if f := c.volatile[op.path]; f != nil {
			c.synced[f] = slices.Clone(f.data)
		}
	case "syncDir":
		c.durable = maps.Clone(c.volatile)
	}
}

// after is what may be there when the power comes back: names as of the last sync
// of the directory or as they were at the end; blocks of files as synced, as written, or empty.
func (c *powerCut) after() map[string]*simFile {
	names := c.durable
	if c.random.IntN(2) == 0 {
		names = c.volatile
	}
	out := map[string]*simFile{}
	for path, f := range names {
		synced := c.synced[f]
		data := slices.Clone(synced)
		if c.random.IntN(3) > 0 && len(f.data) > len(synced) {
			data = slices.Clone(f.data[:len(synced)+c.random.IntN(len(f.data)-len(synced)+1)])
			copy(data, synced)
			for at := len(synced) &^ 511; at < len(data); at += 512 {
				if c.random.IntN(2) == 0 {
					clear(data[max(at, len(synced)):min(at+512, len(data))])
				}
			}
		}
		out[path] = &simFile{data: data}
	}
	return out
}

// After every error of the disk, whatever operation it hits, what was promised is
// there, and the log goes on.
func TestErrorAtAnyOperation(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("input/output error")
	cfg := small()
	for failAt := 0; ; failAt++ {
		d := newSimDisk()
		l := mustOpen(t, d, cfg)
		n, hit := 0, false
		d.setFault(func(op, _ string, size int) (int, error) {
			if op == "read" {
				return size, nil
			}
			n++
			if n-1 == failAt {
				hit = true
				return size / 2, errDisk
			}
			return size, nil
		})
		var promised []told
		for i := range 40 {
			payload := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 2900))
			if _, err := tryPut(l, payload, 0); err == nil {
				promised = append(promised, told{stored: payload})
			} else if e := (*IOError)(nil); !errors.As(err, &e) {
				t.Fatalf("failure of operation %d: %v is no *IOError", failAt, err)
			}
		}
		if len(promised) < 39 {
			t.Fatalf("failure of operation %d: only %d of 40 were stored", failAt, len(promised))
		}
		got, _ := all(l)
		if len(got) != len(promised) {
			t.Fatalf("failure of operation %d: %d can be read, want the %d that were stored", failAt, len(got), len(promised))
		}
		checkCrash(t, cloneFiles(d.files), cfg, promised, fmt.Sprintf("failure of operation %d", failAt))
		d.setFault(nil)
		if hit && l.Stats().Failures == 0 {
			t.Fatalf("failure of operation %d was not counted", failAt)
		}
		mustClose(t, l)
		if !hit {
			return
		}
	}
}
