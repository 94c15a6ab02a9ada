package segment

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// A view beside a process that deletes and rewrites files finds nothing damaged: it
// shows what it can still reach.
func TestViewBesideAProcess(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	cfg := small()
	cfg.Full = FullDropDroppable
	l := mustOpen(t, d, cfg)
	var stored []string
	for i := range 400 {
		stored = append(stored, fmt.Sprintf("%d-%s", i, strings.Repeat("x", 1000)))
		put(t, l, stored[i], Flags(i%2))
	}
	v, err := openView("q", d.disk(), nil)
	if err != nil {
		t.Fatal(err)
	}
	first, ok := v.Next()
	if !ok || string(first.Payload) != stored[0] {
		t.Fatalf("the first is %.10q", first.Payload)
	}
	_, positions := all(l)
	for _, p := range positions {
		if p.segment == 2 {
			l.Finish(p)
		}
	}
	l.house.Lock()
	l.removeComplete()
	for _, s := range l.snapshot() {
		if s.number == 3 && l.compact(s, true) == 0 {
			t.Error("the third segment was not rewritten")
		}
	}
	l.house.Unlock()
	var want, got []string
	for i, p := range positions {
		if i > 0 && p.segment != 2 && (p.segment != 3 || i%2 == 0) {
			want = append(want, stored[i])
		}
	}
	for rec, more := v.Next(); more; rec, more = v.Next() {
		got = append(got, string(rec.Payload))
	}
	if !slices.Equal(got, want) || len(v.Gaps()) != 0 {
		t.Errorf("%d records and %d gaps were found, want %d and none", len(got), len(v.Gaps()), len(want))
	}
	if err = v.Close(); err != nil {
		t.Error(err)
	}
	mustClose(t, l)
}

// A file that is deleted between the list and its opening is no reason to find no log.
func TestViewOfAFileThatGoes(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	l := mustOpen(t, d, small())
	put(t, l, "one", 0)
	mustClose(t, l)
	l = mustOpen(t, d, small())
	put(t, l, "two", 0)
	disk := d.disk()
	open := disk.open
	disk.open = func(path string, write bool) (file, error) {
		if path == segmentPath(1) {
			return nil, fs.ErrNotExist
		}
		return open(path, write)
	}
	v, err := openView("q", disk, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rec, ok := v.Next(); !ok || string(rec.Payload) != "two" {
		t.Errorf("the record is %q", rec.Payload)
	}
	if err = v.Close(); err != nil {
		t.Error(err)
	}
	mustClose(t, l)
}

// A large part that the disk does not read is one gap.
func TestGapsOfAView(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	l := mustOpen(t, d, small())
	for range 40 {
		put(t, l, strings.Repeat("x", 1000), 0)
	}
	mustClose(t, l)
	v, err := openView("q", d.disk(), nil)
	if err != nil {
		t.Fatal(err)
	}
	d.setFault(func(op, _ string, size int) (int, error) {
		if op == "read" && size >= recordsAt {
			return 0, fs.ErrInvalid
		}
		return size, nil
	})
	for _, ok := v.Next(); ok; _, ok = v.Next() {
	}
	if n := len(v.Gaps()); n != 1 {
		t.Errorf("%d gaps: %v", n, v.Gaps())
	}
	if err = v.Close(); err != nil {
		t.Error(err)
	}
}
