package segment

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func wantFull(t *testing.T, err error, cause string) {
	t.Helper()
	var full *FullError
	if !errors.As(err, &full) || full.Cause != cause || !errors.Is(err, ErrFull) {
		t.Fatalf("the error is %v, want a *FullError by %s", err, cause)
	}
}

// fill appends until that is refused, and returns what was stored.
func fill(t *testing.T, l *Log, flags func(i int) Flags) (stored []string, err error) {
	t.Helper()
	for i := range 10_000 {
		payload := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 1000))
		if _, err = tryPut(l, payload, flags(i)); err != nil {
			return stored, err
		}
		stored = append(stored, payload)
	}
	t.Fatal("the log is never full")
	return nil, nil
}

func plain(int) Flags { return 0 }

func TestFullRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		l := mustOpen(t, newSimDisk(), cfg)
		stored, err := fill(t, l, plain)
		wantFull(t, err, FullMaxBytes)
		if st := l.Stats(); st.Bytes > cfg.MaxBytes+cfg.SegmentSize || st.Bytes < cfg.MaxBytes-2000 || st.Refused[FullMaxBytes] != 1 {
			t.Errorf("stats are %+v", st)
		}
		wantRecords(t, l, stored)
		_, positions := all(l)
		for _, p := range positions[:100] {
			l.Finish(p)
		}
		synctest.Wait()
		put(t, l, "there is room again", 0)
		mustClose(t, l)
	})
}

// One record of each segment that is not finished does not keep the rest on the disk.
func TestFullOfFinishedRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newSimDisk()
		l := mustOpen(t, d, small())
		stored, _ := fill(t, l, plain)
		reader := l.NewReader()
		rec, _ := reader.Next() // is in the middle of a segment that is rewritten
		_, positions := all(l)
		var want []string
		var kept []Position
		for i, p := range positions {
			if i%50 == 7 {
				want, kept = append(want, stored[i]), append(kept, p)
				continue
			}
			l.Finish(p)
		}
		<-time.After(3 * time.Second)
		synctest.Wait()
		if st := l.Stats(); st.Bytes > 400_000 || st.Compactions == 0 || st.Damaged != 0 || st.Records != int64(len(want)) {
			t.Errorf("stats are %+v", st)
		}
		wantRecords(t, l, want)
		var read []string
		for r, ok := reader.Next(); ok; r, ok = reader.Next() {
			read = append(read, string(r.Payload))
		}
		if !slices.Equal(read, want) {
			t.Errorf("a reader that was at %s went on with %d records, want %d", rec.Position, len(read), len(want))
		}
		for i, p := range kept {
			if b, err := l.Read(p, nil); err != nil || string(b) != want[i] {
				t.Errorf("Read(%s) is %.20q, %v", p, b, err)
			}
		}
		reader.Seek(kept[5])
		if r, _ := reader.Next(); r.Position.Compare(kept[5]) != 0 {
			t.Errorf("after Seek(%s) comes %s", kept[5], r.Position)
		}
		put(t, l, "there is room again", 0)
		mustClose(t, l)
		l = mustOpen(t, d, small())
		wantRecords(t, l, append(want, "there is room again"))
		if st := l.Stats(); st.Damaged != 0 || st.Records != int64(len(want)+1) {
			t.Errorf("stats after opening are %+v", st)
		}
		mustClose(t, l)
	})
}

func TestFullDropsOldest(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.Full = FullDropOldest
	l := mustOpen(t, newSimDisk(), cfg)
	var stored []string
	for i := range 3000 {
		stored = append(stored, fmt.Sprintf("%d-%s", i, strings.Repeat("x", 1000)))
		put(t, l, stored[i], 0)
	}
	got, _ := all(l)
	st := l.Stats()
	if len(got) < 800 || !slices.Equal(got, stored[3000-len(got):]) {
		t.Fatalf("%d records are left, want the newest", len(got))
	}
	if st.Dropped["full"] != uint64(3000-len(got)) || st.Bytes > cfg.MaxBytes || st.Records != int64(len(got)) {
		t.Errorf("stats are %+v with %d records", st, len(got))
	}
	mustClose(t, l)
}

func TestFullDropsDroppable(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	cfg := small()
	cfg.Full = FullDropDroppable
	l := mustOpen(t, d, cfg)
	odd := func(i int) Flags { return Flags(i % 2) }
	stored, err := fill(t, l, odd)
	wantFull(t, err, FullMaxBytes)
	got, _ := all(l)
	var want []string
	for i, payload := range stored {
		if odd(i) == 0 || slices.Contains(got, payload) && i > len(stored)-70 {
			want = append(want, payload)
		}
	}
	if !slices.Equal(got, want) || len(want) < 850 {
		t.Errorf("%d of %d records are left, want the %d that may not be dropped", len(got), len(stored), len(want))
	}
	st := l.Stats()
	if st.Dropped["droppable"] != uint64(len(stored)-len(got)) || st.Dropped["full"] != 0 || st.Records != int64(len(got)) || st.Damaged != 0 {
		t.Errorf("stats are %+v with %d of %d records", st, len(got), len(stored))
	}
	mustClose(t, l)
	cfg.Full = FullRefuse
	l = mustOpen(t, d, cfg)
	wantRecords(t, l, got)
	mustClose(t, l)
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{FullRefuse, FullDropOldest} {
		d := newSimDisk()
		cfg := small()
		cfg.Full = policy
		l := mustOpen(t, d, cfg)
		used := 0
		d.setFault(func(op, path string, size int) (int, error) { // 300 KB
			switch op {
			case "write":
				if used+size > 300_000 {
					part := max(300_000-used, 0)
					used += part
					return part, syscall.ENOSPC
				}
				used += size
			case "remove":
				used -= len(d.files[path].data)
			case "truncate":
				used = 0
				for _, f := range d.files {
					used += len(f.data)
				}
			}
			return size, nil
		})
		var stored []string
		var refused error
		for i := range 600 {
			payload := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 1000))
			if _, err := tryPut(l, payload, 0); err != nil {
				refused = err
			} else {
				stored = append(stored, payload)
			}
		}
		got, _ := all(l)
		switch policy {
		case FullRefuse:
			wantFull(t, refused, FullDisk)
			if len(stored) < 250 || !slices.Equal(got, stored) || l.Stats().Refused[FullDisk] == 0 {
				t.Errorf("%s: %d were stored, %d can be read", policy, len(stored), len(got))
			}
		default:
			if refused != nil || len(stored) != 600 || len(got) < 150 || !slices.Equal(got, stored[600-len(got):]) {
				t.Errorf("%s: %v, %d were stored, %d can be read", policy, refused, len(stored), len(got))
			}
		}
		if n := l.Stats().Segments; n > 6 {
			t.Errorf("%s: %d segments of a full disk", policy, n)
		}
		d.setFault(nil)
		put(t, l, "there is space again", 0)
		mustClose(t, l)
		l = mustOpen(t, d, cfg)
		wantRecords(t, l, append(got, "there is space again"))
		mustClose(t, l)
	}
}

func TestMinFree(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	cfg := small()
	cfg.MinFree = 1 << 20
	l := mustOpen(t, d, cfg)
	put(t, l, "one", 0)
	d.mu.Lock()
	d.space = 1 << 20
	d.mu.Unlock()
	_, err := tryPut(l, "two", 0)
	wantFull(t, err, FullMinFree)
	d.mu.Lock()
	d.space = 2 << 20
	d.mu.Unlock()
	put(t, l, "three", 0)
	wantRecords(t, l, []string{"one", "three"})
	mustClose(t, l)
}

// When nothing can be written any more, records are refused one by one, and
// what is there can be read.
func TestDiskBecomesReadOnly(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	l := mustOpen(t, d, small())
	p := put(t, l, "one", 0)
	d.setFault(func(op, _ string, size int) (int, error) {
		if op == "read" {
			return size, nil
		}
		return 0, syscall.EROFS
	})
	for range 3 {
		_, err := tryPut(l, "two", 0)
		var e *IOError
		if !errors.As(err, &e) || !errors.Is(err, syscall.EROFS) {
			t.Errorf("the error is %v, want an *IOError", err)
		}
	}
	wantRecords(t, l, []string{"one"})
	l.Finish(p)
	if err := l.Close(); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Close is %v, want that the cursor could not be written", err)
	}
	if st := l.Stats(); st.Refused["io"] != 3 {
		t.Errorf("stats are %+v", st)
	}
	d.setFault(nil)
	l = mustOpen(t, d, small())
	wantRecords(t, l, []string{"one"}) // for it could not be written down that it was finished
	mustClose(t, l)
}
