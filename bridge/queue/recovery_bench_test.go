package queue

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/upstream"
)

// gone is a platform that is not there.
type gone struct{}

func (gone) Login(_ upstream.Login, done func(upstream.Device, error)) {
	done(nil, upstream.ErrNotConnected)
}

// BenchmarkRecovery is the start of a queue in which 1 GB is: reports of 1,000 devices that nobody
// has got. open is until devices may come, counted until it is known what each of
// them has waiting, of which every byte is read.
func BenchmarkRecovery(b *testing.B) {
	const size, devices = 1 << 30, 1000
	dir := b.TempDir()
	cfg := DefaultConfig()
	cfg.Mode, cfg.Directory, cfg.Dead.Directory, cfg.MinFree = ModeOn, filepath.Join(dir, "queue"), filepath.Join(dir, "dead"), 0
	records := fill(b, cfg, size, devices)
	var open, counted time.Duration
	for b.Loop() {
		q, err := New(cfg, gone{}, nil)
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err = q.Start(context.Background(), upstream.Host{}); err != nil {
			b.Fatal(err)
		}
		open += time.Since(began)
		for !q.scan.complete() {
			runtime.Gosched()
		}
		counted += time.Since(began)
		if n := q.Stats().Waiting; n != int64(records) {
			b.Fatalf("%d of %d messages wait", n, records)
		}
		if err = q.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(open.Seconds()/float64(b.N), "s/open")
	b.ReportMetric(counted.Seconds()/float64(b.N), "s/counted")
	b.ReportMetric(float64(records), "records")
}

// fill makes a log of that size.
func fill(b *testing.B, cfg Config, size, devices int) (records int) {
	b.Helper()
	cfg.Sync = segment.SyncNone
	l, err := segment.Open(cfg.Directory, cfg.Config)
	if err != nil {
		b.Fatal(err)
	}
	var wait sync.WaitGroup
	var record []byte
	m, now := report(), time.Now()
	for written := 0; written < size; records++ {
		s := benchSender
		s.name = fmt.Sprintf("0138%08d", records%devices)
		record = appendRecord(record[:0], 1, now, &s, m)
		wait.Add(1)
		for errors.Is(l.Append(record, 0, func(segment.Position, error) { wait.Done() }), segment.ErrOverloaded) {
			runtime.Gosched()
		}
		written += len(record)
	}
	wait.Wait()
	if err = l.Close(); err != nil {
		b.Fatal(err)
	}
	return records
}
