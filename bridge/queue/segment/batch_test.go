package segment

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestBatchWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.Commit = CommitConfig{Count: 10, Bytes: 1 << 20, Interval: 5 * time.Millisecond}
		l := mustOpen(t, newSimDisk(), cfg)
		stored := 0
		add := func(n int) {
			for range n {
				if err := l.Append([]byte("x"), 0, func(Position, error) { stored++ }); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		if add(1); stored != 1 {
			t.Errorf("%d records were stored while nothing else went on, want the one", stored)
		}
		if add(9); stored != 1 {
			t.Errorf("%d records were stored before the batch was due, want 1", stored)
		}
		if add(1); stored != 11 {
			t.Errorf("%d records were stored when the batch was full, want 11", stored)
		}
		add(3)
		<-time.After(6 * time.Millisecond)
		synctest.Wait()
		if stored != 14 {
			t.Errorf("%d records were stored after the interval, want 14", stored)
		}
		<-time.After(6 * time.Millisecond)
		if add(1); stored != 15 {
			t.Errorf("%d records were stored after a quiet time, want 15", stored)
		}
		if st := l.Stats(); st.Syncs != 4 || st.Commits != 4 {
			t.Errorf("%d commits with %d fsyncs, want 4", st.Commits, st.Syncs)
		}
		mustClose(t, l)
	})
}

// What came while the disk was slow has waited long enough.
func TestBatchDoesNotWaitTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.Commit = CommitConfig{Count: 10, Bytes: 1 << 20, Interval: 50 * time.Millisecond}
		d := newSimDisk()
		l := mustOpen(t, d, cfg)
		first := true
		d.setFault(func(op, _ string, size int) (int, error) {
			if op == "sync" && first {
				first = false
				d.mu.Unlock()
				<-time.After(80 * time.Millisecond)
				d.mu.Lock()
			}
			return size, nil
		})
		began := time.Now()
		var at []time.Duration
		for range 2 {
			if err := l.Append([]byte("x"), 0, func(Position, error) { at = append(at, time.Since(began)) }); err != nil {
				t.Fatal(err)
			}
			<-time.After(60 * time.Millisecond) // the first batch is being synced
		}
		<-time.After(time.Second)
		synctest.Wait()
		if want := 80 * time.Millisecond; len(at) != 2 || at[1] != want {
			t.Errorf("they were stored after %v, want the second after %v: when the first was", at, want)
		}
		mustClose(t, l)
	})
}
