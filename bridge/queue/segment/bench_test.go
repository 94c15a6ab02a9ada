package segment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// payloadSize is about that of a location report's properties.
const payloadSize = 256

func benchConfig() Config {
	c := DefaultConfig()
	c.MaxBytes, c.MinFree = 8<<30, 0
	return c
}

// BenchmarkAppend is group commit: as many appends as the disk takes.
func BenchmarkAppend(b *testing.B) {
	for _, v := range []struct {
		name string
		edit func(*Config)
	}{
		{"batch", func(*Config) {}},
		{"interval", func(c *Config) { c.Sync = SyncInterval }},
		{"none", func(c *Config) { c.Sync = SyncNone }},
		{"batch/encrypted", func(c *Config) { c.EncryptionKey = keyA }},
	} {
		b.Run(v.name, func(b *testing.B) {
			cfg := benchConfig()
			v.edit(&cfg)
			cfg.Full = FullDropOldest
			committed := make(chan struct{}, 1)
			l, err := Open(b.TempDir(), cfg, WithNotify(func() {
				select {
				case committed <- struct{}{}:
				default:
				}
			}))
			if err != nil {
				b.Fatal(err)
			}
			payload := make([]byte, payloadSize)
			var wait sync.WaitGroup
			done := func(_ Position, err error) {
				if err != nil {
					b.Error(err)
				}
				wait.Done()
			}
			b.SetBytes(payloadSize)
			b.ReportAllocs()
			for b.Loop() {
				wait.Add(1)
				for errors.Is(l.Append(payload, 0, done), ErrOverloaded) {
					<-committed
				}
			}
			wait.Wait()
			st := l.Stats()
			b.ReportMetric(float64(st.Appended)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(st.Appended)/float64(st.Commits), "records/commit")
			if err = l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkBareFile is the same bytes written to a file by a loop that does nothing
// else, with an fsync for each so many records.
func BenchmarkBareFile(b *testing.B) {
	for _, batch := range []int{512, 4096, 16384} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			const size = payloadSize + recordSize
			block := make([]byte, batch*size)
			off, n := int64(0), 0
			flush := func() {
				if _, err = f.WriteAt(block[:n*size], off); err != nil {
					b.Fatal(err)
				}
				if err = f.Sync(); err != nil {
					b.Fatal(err)
				}
				if off += int64(n * size); off > 1<<30 {
					off = 0
				}
				n = 0
			}
			b.SetBytes(payloadSize)
			b.ReportAllocs()
			payload := make([]byte, payloadSize)
			for b.Loop() {
				copy(block[n*size+recordSize:], payload)
				if n++; n == batch {
					flush()
				}
			}
			flush()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkAgainstBareFile lets the log and a loop that only writes take turns: the same
// records, with as many to an fsync as the log had in that turn. The figure of an operation
// is that of a turn of both.
func BenchmarkAgainstBareFile(b *testing.B) {
	const records = 200_000
	cfg := benchConfig()
	cfg.Full = FullDropOldest
	dir := b.TempDir()
	l, err := Open(filepath.Join(dir, "log"), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer mustClose(b, l)
	f, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	payload := make([]byte, payloadSize)
	var logged, bare, batch []float64
	for b.Loop() {
		commits, began := l.Stats().Commits, time.Now()
		var wait sync.WaitGroup
		wait.Add(records)
		for range records {
			for errors.Is(l.Append(payload, 0, func(Position, error) { wait.Done() }), ErrOverloaded) {
				runtime.Gosched()
			}
		}
		wait.Wait()
		logged = append(logged, time.Since(began).Seconds())
		size := records / int(l.Stats().Commits-commits)
		batch = append(batch, float64(size))
		if err = f.Truncate(0); err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if err = writeBare(f, payload, records, size); err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(began).Seconds())
	}
	middle := func(all []float64) float64 { slices.Sort(all); return all[len(all)/2] }
	b.ReportMetric(records/middle(logged), "log-records/s")
	b.ReportMetric(records/middle(bare), "bare-records/s")
	b.ReportMetric(middle(batch), "records/fsync")
	b.ReportMetric(middle(logged)/middle(bare), "x-bare")
}

// writeBare writes so many records from the file's beginning, with an fsync for each batch.
func writeBare(f *os.File, payload []byte, records, batch int) error {
	size := len(payload) + recordSize
	block := make([]byte, batch*size)
	off, n := int64(0), 0
	flush := func() error {
		_, err := f.WriteAt(block[:n*size], off)
		off += int64(n * size)
		n = 0
		return errors.Join(err, f.Sync())
	}
	for range records {
		copy(block[n*size+recordSize:], payload)
		if n++; n == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// BenchmarkLatency is one record at a time: what a lone device waits for that says one as
// soon as the last is stored, and one that pauses.
func BenchmarkLatency(b *testing.B) {
	for _, v := range []struct{ interval, pause time.Duration }{{}, {interval: 2 * time.Millisecond}, {2 * time.Millisecond, 5 * time.Millisecond}} {
		b.Run(fmt.Sprintf("interval=%s/pause=%s", v.interval, v.pause), func(b *testing.B) {
			cfg := benchConfig()
			cfg.Commit.Interval = v.interval
			l, err := Open(b.TempDir(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			payload := make([]byte, payloadSize)
			done := make(chan error, 1)
			var waited []time.Duration
			for b.Loop() {
				if v.pause > 0 {
					<-time.After(v.pause)
				}
				began := time.Now()
				if err = l.Append(payload, 0, func(_ Position, err error) { done <- err }); err != nil {
					b.Fatal(err)
				}
				if err = <-done; err != nil {
					b.Fatal(err)
				}
				waited = append(waited, time.Since(began))
			}
			slices.Sort(waited)
			b.ReportMetric(float64(waited[len(waited)/2].Microseconds()), "us/median")
			if err = l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// filled is a log on the disk with so many records.
func filled(tb testing.TB, dir string, cfg Config, records int) *Log {
	tb.Helper()
	cfg.Sync = SyncNone
	l, err := Open(dir, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	payload := make([]byte, payloadSize)
	var wait sync.WaitGroup
	wait.Add(records)
	for range records {
		for errors.Is(l.Append(payload, 0, func(Position, error) { wait.Done() }), ErrOverloaded) {
			runtime.Gosched()
		}
	}
	wait.Wait()
	return l
}

// BenchmarkRead is reading and finishing records that the system has in memory.
func BenchmarkRead(b *testing.B) {
	l := filled(b, b.TempDir(), benchConfig(), 500_000)
	defer mustClose(b, l)
	r := l.NewReader()
	b.SetBytes(payloadSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.Next(); !ok {
			b.StopTimer()
			r = l.NewReader()
			r.Next()
			b.StartTimer()
		}
	}
}

// BenchmarkFinish is finishing records in order; segments go as they are done.
func BenchmarkFinish(b *testing.B) {
	var m marks
	var i uint32
	b.ReportAllocs()
	for b.Loop() {
		m.set(i)
		i++
	}
}

// BenchmarkOpen is the recovery of a log of 1 GB whose last file, which is read, is full.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	cfg := benchConfig()
	records := 16*(int(cfg.SegmentSize)-recordsAt)/(payloadSize+recordSize) - 1000
	l := filled(b, dir, cfg, records)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l, err := Open(dir, cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if n := l.Stats().Records; n != int64(records) {
			b.Fatal(n)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
