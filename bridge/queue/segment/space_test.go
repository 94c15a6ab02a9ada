package segment

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// rewritten is how many compactions were begun.
func (d *simDisk) rewritten() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, op := range d.ops {
		if op.kind == "create" && strings.HasSuffix(op.path, segmentSuffix+tmpSuffix) {
			n++
		}
	}
	return n
}

// A full log in which there is nothing to drop is not rewritten for each record that
// it refuses.
func TestNothingToDropCostsLittle(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	cfg := small()
	cfg.Full = FullDropDroppable
	l := mustOpen(t, d, cfg)
	_, err := fill(t, l, plain)
	wantFull(t, err, FullMaxBytes)
	_, positions := all(l)
	for i := 0; i < len(positions); i += 40 { // one or two of each segment: too few to be worth it
		l.Finish(positions[i])
	}
	_, err = tryPut(l, strings.Repeat("x", 1000), Droppable)
	wantFull(t, err, FullMaxBytes)
	before := d.rewritten()
	for range 20 {
		_, err = tryPut(l, strings.Repeat("x", 1000), Droppable)
		wantFull(t, err, FullMaxBytes)
	}
	if n := d.rewritten() - before; n > 2 {
		t.Errorf("%d files were rewritten for 20 records that were refused", n)
	}
	for i, p := range positions { // when more is finished, it is worth it
		if i%4 != 0 {
			l.Finish(p)
		}
	}
	put(t, l, "there is room again", 0)
	mustClose(t, l)
}

// Segments half of whose records are finished, but hardly any of whose bytes, are
// looked at once.
func TestSparseButLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newSimDisk()
		l := mustOpen(t, d, small())
		for i := 0; ; i++ {
			if _, err := tryPut(l, strings.Repeat("x", 1+i%2*3000), 0); err != nil {
				wantFull(t, err, FullMaxBytes)
				break
			}
		}
		_, positions := all(l)
		for i := 0; i < len(positions); i += 2 {
			l.Finish(positions[i])
		}
		<-time.After(30 * time.Second)
		synctest.Wait()
		if n, most := d.rewritten(), l.Stats().Segments; n > most {
			t.Errorf("%d files of %d were rewritten in half a minute", n, most)
		}
		mustClose(t, l)
	})
}

// When there is no space for a new file, the oldest is dropped for it.
func TestDiskFullForANewFile(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	cfg := small()
	cfg.Full = FullDropOldest
	l := mustOpen(t, d, cfg)
	for i := range 100 { // a segment and a half
		put(t, l, fmt.Sprintf("%d-%s", i, strings.Repeat("x", 1000)), 0)
	}
	d.setFault(func(op, path string, size int) (int, error) {
		if op == "create" && filepath.Ext(path) == segmentSuffix && d.files[segmentPath(1)] != nil {
			return 0, syscall.ENOSPC
		}
		return size, nil
	})
	for i := range 100 {
		put(t, l, fmt.Sprintf("%d-%s", i, strings.Repeat("y", 1000)), 0)
	}
	if n := l.Stats().Dropped["full"]; n == 0 {
		t.Error("nothing was dropped")
	}
	mustClose(t, l)
}

// A reader that has a segment in memory which is dropped meanwhile counts nothing twice.
func TestReaderInADroppedSegment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.MaxAge = time.Minute
		l := mustOpen(t, newSimDisk(), cfg)
		for range 30 { // about a segment and a half
			put(t, l, strings.Repeat("x", 3000), 0)
		}
		r := l.NewReader()
		if _, ok := r.Next(); !ok {
			t.Fatal("there is no record")
		}
		<-time.After(2 * time.Minute)
		synctest.Wait()
		put(t, l, "young", 0)
		var read []string
		for rec, ok := r.Next(); ok; rec, ok = r.Next() {
			read = append(read, string(rec.Payload))
		}
		if !slices.Equal(read, []string{"young"}) {
			t.Errorf("%.100q were read, want the young one", read)
		}
		if st := l.Stats(); st.Dropped["age"] != 30 || st.Finished != 0 || st.Records != 1 {
			t.Errorf("stats are %+v, want 30 dropped, none finished, one left", st)
		}
		mustClose(t, l)
	})
}

// Close does not wait until everything is rewritten that could be.
func TestCloseDuringCompaction(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	cfg := small()
	cfg.CursorInterval = time.Millisecond
	l := mustOpen(t, d, cfg)
	_, _ = fill(t, l, plain)
	_, positions := all(l)
	entered, leave := make(chan struct{}), make(chan struct{})
	first := true
	d.setFault(func(op, path string, size int) (int, error) {
		if op == "create" && strings.HasSuffix(path, ".seg"+tmpSuffix) && first {
			first = false
			close(entered)
			d.mu.Unlock()
			<-leave
			d.mu.Lock()
		}
		return size, nil
	})
	for i, p := range positions {
		if i%10 != 0 {
			l.Finish(p)
		}
	}
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	<-l.committerDone
	<-l.keeper.quit
	close(leave)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if n := d.rewritten(); n != 1 {
		t.Errorf("%d files were rewritten, want the one that had been begun", n)
	}
}

// A directory whose numbers are used up takes nothing more, and loses nothing.
func TestNumbersUsedUp(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	d.files[filepath.Join("q", fmt.Sprintf("%020d.seg.damaged", uint32(1<<32-3)))] = &simFile{data: []byte("x")}
	l := mustOpen(t, d, small())
	stored := []string{"the last"}
	put(t, l, stored[0], 0)
	mustClose(t, l)
	l = mustOpen(t, d, small())
	if _, err := tryPut(l, "one more", 0); err == nil {
		stored = append(stored, "one more")
	}
	mustClose(t, l)
	l = mustOpen(t, d, small())
	wantRecords(t, l, stored)
	mustClose(t, l)
}
