package segment

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

func numbered(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("record %d", i))
	}
	return all
}

func TestRecordsKeepOrderAndSurviveClose(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	l := mustOpen(t, d, small())
	want := numbered(5000) // several segments
	var mu sync.Mutex
	var outcomes []Position
	var wait sync.WaitGroup
	for _, payload := range want {
		wait.Add(1)
		if err := l.Append([]byte(payload), 0, func(p Position, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			outcomes = append(outcomes, p)
			wait.Done()
		}); err != nil {
			t.Fatal(err)
		}
	}
	wait.Wait()
	if !slices.IsSortedFunc(outcomes, Position.Compare) {
		t.Error("done was not called in the order of the appends")
	}
	got, positions := all(l)
	if !slices.Equal(got, want) || !slices.Equal(positions, outcomes) {
		t.Fatalf("read %d records, want the %d appended at their positions", len(got), len(want))
	}
	for i, p := range positions {
		if b, err := l.Read(p, nil); err != nil || string(b) != want[i] {
			t.Fatalf("Read(%s) is %q, %v; want %q", p, b, err, want[i])
		}
	}
	if st := l.Stats(); st.Records != 5000 || st.Segments < 3 || st.Appended != 5000 || st.OldestAge < 0 {
		t.Errorf("stats are %+v", st)
	}
	mustClose(t, l)
	l = mustOpen(t, d, small())
	wantRecords(t, l, want)
	if st := l.Stats(); st.Records != 5000 || st.Damaged != 0 || st.DamagedBytes != 0 {
		t.Errorf("stats after opening are %+v", st)
	}
	mustClose(t, l)
}

func TestFinishedRecordsGo(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	l := mustOpen(t, d, small())
	for _, payload := range numbered(5000) {
		if err := l.Append([]byte(payload), 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(t, l, "last", 0)
	_, positions := all(l)
	for i := len(positions) - 1; i >= 0; i-- { // out of order
		if i%10 != 3 {
			l.Finish(positions[i])
			l.Finish(positions[i]) // no effect
		}
	}
	if _, err := l.Read(positions[0], nil); !errors.Is(err, ErrGone) {
		t.Errorf("a finished record is read with %v, want ErrGone", err)
	}
	got, _ := all(l)
	if len(got) != 500 || l.Stats().Records != 500 {
		t.Fatalf("%d records can be read, Stats says %d, want 500", len(got), l.Stats().Records)
	}
	mustClose(t, l)
	l = mustOpen(t, d, small())
	wantRecords(t, l, got)
	_, positions = all(l)
	for _, p := range positions {
		l.Finish(p)
	}
	mustClose(t, l)
	for path := range d.files {
		if strings.HasSuffix(path, segmentSuffix) {
			t.Errorf("%s is still there though all is finished", path)
		}
	}
	l = mustOpen(t, d, small())
	if p := put(t, l, "again", 0); p.Compare(positions[len(positions)-1]) <= 0 {
		t.Errorf("a new record is at %s, before one that was finished", p)
	}
	wantRecords(t, l, []string{"again"})
	mustClose(t, l)
}

func TestReaderFollows(t *testing.T) {
	t.Parallel()
	notified := make(chan struct{}, 1)
	l := mustOpen(t, newSimDisk(), small(), WithNotify(func() {
		select {
		case notified <- struct{}{}:
		default:
		}
	}))
	defer mustClose(t, l)
	r := l.NewReader()
	defer r.Close()
	if _, ok := r.Next(); ok {
		t.Fatal("an empty log has a record")
	}
	const records = 4000
	go func() {
		for _, payload := range numbered(records) {
			if err := l.Append([]byte(payload), 0, nil); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := 0; i < records; {
		rec, ok := r.Next()
		if !ok {
			<-notified
			continue
		}
		if want := fmt.Sprintf("record %d", i); string(rec.Payload) != want {
			t.Fatalf("read %q, want %q", rec.Payload, want)
		}
		l.Finish(rec.Position) // deletes segments under the reader
		i++
	}
	if _, ok := r.Next(); ok {
		t.Error("there is one record too many")
	}
}

func TestSeek(t *testing.T) {
	t.Parallel()
	l := mustOpen(t, newSimDisk(), small())
	defer mustClose(t, l)
	for _, payload := range numbered(4000) {
		if err := l.Append([]byte(payload), 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(t, l, "last", 0)
	_, positions := all(l)
	r := l.NewReader()
	defer r.Close()
	for _, i := range []int{3999, 0, 1700, 12} {
		r.Seek(positions[i])
		if rec, ok := r.Next(); !ok || rec.Position != positions[i] {
			t.Errorf("after Seek(%s) comes %s", positions[i], rec.Position)
		}
	}
	l.Finish(positions[100])
	r.Seek(positions[100])
	if rec, _ := r.Next(); rec.Position != positions[101] {
		t.Errorf("after Seek to a finished record comes %s, want %s", rec.Position, positions[101])
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	cfg := small()
	cfg.MaxPending = 16 << 10
	l := mustOpen(t, d, cfg)
	if err := l.Append(make([]byte, cfg.MaxRecord+1), 0, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a record that is too large is %v, want ErrTooLarge", err)
	}
	hold, held := make(chan struct{}), make(chan struct{}, 100)
	d.setFault(func(op, _ string, size int) (int, error) {
		if op == "sync" {
			held <- struct{}{}
			<-hold // a slow fsync; it holds up nothing but the committer
		}
		return size, nil
	})
	var outcomes sync.WaitGroup
	stored := 0
	outcomes.Add(1)
	if err := l.Append([]byte("first"), 0, func(Position, error) { outcomes.Done() }); err != nil {
		t.Fatal(err)
	}
	<-held
	var err error
	for err == nil {
		outcomes.Add(1)
		if err = l.Append(make([]byte, 1000), 0, func(Position, error) { outcomes.Done() }); err == nil {
			stored++
		}
	}
	outcomes.Done()
	if !errors.Is(err, ErrOverloaded) || stored < 14 || stored > 16 {
		t.Errorf("after %d records of 1000 bytes an append is %v, want ErrOverloaded after about 15", stored, err)
	}
	close(hold)
	outcomes.Wait()
	put(t, l, "later", 0)
	st := l.Stats()
	if st.Refused["overloaded"] != 1 || st.Refused["tooLarge"] != 1 || st.Pending != 0 {
		t.Errorf("stats are %+v", st)
	}
	if st.Commits > 4 {
		t.Errorf("%d commits, want those that waited for a slow fsync in one", st.Commits)
	}
	mustClose(t, l)
	if err := l.Append([]byte("x"), 0, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close is %v, want ErrClosed", err)
	}
	if err := l.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("Close twice is %v, want ErrClosed", err)
	}
}

func TestCloseCommits(t *testing.T) {
	t.Parallel()
	d := newSimDisk()
	cfg := small()
	cfg.Commit.Interval = time.Minute
	l := mustOpen(t, d, cfg)
	done := false
	if err := l.Append([]byte("waits"), 0, func(Position, error) { done = true }); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	if !done {
		t.Error("Close did not commit what waited")
	}
	l = mustOpen(t, d, cfg)
	wantRecords(t, l, []string{"waits"})
	mustClose(t, l)
}

func TestSyncInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.Sync, cfg.SyncInterval = SyncInterval, 50*time.Millisecond
		l := mustOpen(t, newSimDisk(), cfg)
		put(t, l, "one", 0)
		put(t, l, "two", 0)
		if n := l.Stats().Syncs; n != 0 {
			t.Errorf("%d fsyncs before the interval", n)
		}
		<-time.After(60 * time.Millisecond)
		synctest.Wait()
		<-time.After(time.Second)
		synctest.Wait()
		if n := l.Stats().Syncs; n != 1 {
			t.Errorf("%d fsyncs after the interval, want 1", n)
		}
		mustClose(t, l)
	})
}

// What is finished is written down soon, not only at Close.
func TestCursorIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newSimDisk()
		cfg := small()
		cfg.CursorInterval, cfg.CursorCount = 200*time.Millisecond, 50
		l := mustOpen(t, d, cfg)
		var positions []Position
		for _, payload := range numbered(100) {
			positions = append(positions, put(t, l, payload, 0))
		}
		wait := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		killed := func() []string { // what another process finds when this one is killed now
			d.mu.Lock()
			files := cloneFiles(d.files)
			d.mu.Unlock()
			other := mustOpen(t, on(files), cfg)
			defer mustClose(t, other)
			payloads, _ := all(other)
			return payloads
		}
		for _, p := range positions[:3] {
			l.Finish(p)
		}
		if n := len(killed()); n != 100 {
			t.Errorf("%d records come again before the interval", n)
		}
		wait(250 * time.Millisecond)
		if n := len(killed()); n != 97 {
			t.Errorf("%d records come again after the interval, want 97", n)
		}
		for _, p := range positions[3:53] {
			l.Finish(p)
		}
		synctest.Wait()
		if n := len(killed()); n != 47 {
			t.Errorf("%d records come again after cursorCount were finished, want 47", n)
		}
		mustClose(t, l)
	})
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.MaxAge = time.Minute
		l := mustOpen(t, newSimDisk(), cfg)
		for range 30 { // about a segment and a half
			put(t, l, strings.Repeat("x", 3000), 0)
		}
		<-time.After(30 * time.Second)
		put(t, l, "young", 0)
		if age := l.Stats().OldestAge; age < 29 || age > 31 {
			t.Errorf("the oldest record is %v seconds old, want 30", age)
		}
		<-time.After(40 * time.Second)
		synctest.Wait()
		if n := l.Stats().Segments; n != 1 {
			t.Errorf("%d segments, want those that are old as a whole dropped", n)
		}
		wantRecords(t, l, []string{"young"})
		if n := l.Stats().Dropped["age"]; n != 30 {
			t.Errorf("%d records were dropped by age, want 30", n)
		}
		mustClose(t, l)
	})
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	if err := DefaultConfig().Check(); err != nil {
		t.Errorf("the defaults are wrong: %v", err)
	}
	bad := Config{Full: "x", Sync: "y", EncryptionKey: "short", MaxAge: -1}
	err := bad.Check()
	for _, key := range []string{"segmentSize", "maxBytes", "maxRecord", "maxPending", "commit.count", "full", "sync", "encryptionKey", "maxAge", "cursorInterval"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not among the mistakes: %v", key, err)
		}
	}
	small := DefaultConfig()
	small.SegmentSize, small.MaxBytes = 1, 1
	if got, want := small.Check(), "segmentSize is 1, want 65536 to 1073741824\nmaxBytes is 1, want 131072 to 1125899906842624"; got == nil || got.Error() != want {
		t.Errorf("mistakes are %v, want %s", got, want)
	}
	if strings.Contains(err.Error(), "short") {
		t.Error("the mistake tells the key")
	}
	if _, err = Open(t.TempDir(), bad); err == nil {
		t.Error("Open takes a wrong configuration")
	}
}
