package jt808

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	wire "github.com/linkspan/linkspan/codec/jt808"
)

func TestRoutesAreLoops(t *testing.T) {
	t.Parallel()
	for i := range routes {
		r := &routes[i]
		if r.length < 3000 || r.length > 60_000 {
			t.Errorf("%s is %.0f m long", r.name, r.length)
		}
		lat, lon, _ := r.at(0)
		endLat, endLon, _ := r.at(r.length - 1e-6)
		if d := max(lat-endLat, endLat-lat, lon-endLon, endLon-lon); d > 1e-5 {
			t.Errorf("%s ends %v degrees from where it begins", r.name, d)
		}
		for along := 0.0; along < r.length; along += 10 {
			if b := r.bend(along); b < 0.25 || b > 1 {
				t.Errorf("%s: bend %v at %v m", r.name, b, along)
			}
			if d := r.direction(along); d < 0 || d > 359 {
				t.Errorf("%s: direction %v at %v m", r.name, d, along)
			}
		}
	}
}

func TestBatchShare(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, want := range []float64{0, 0.01, 0.3, 1} {
		single, batched := 0, 0
		for range 200_000 {
			if rng.Float64() < batchChance(want, 10) {
				batched += 10
			} else {
				single++
			}
		}
		if got := float64(batched) / float64(single+batched); got < want*0.9 || got > want*1.1 {
			t.Errorf("share %v, want %v", got, want)
		}
	}
}

func TestSourcesOfLargeFleets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		devices int
		target  string
		want    int
	}{
		"small":    {20_000, "127.0.0.1:1", 0},
		"large":    {50_000, "127.0.0.1:1", 3},
		"by name":  {50_000, "localhost:1", 3},
		"far":      {50_000, "192.0.2.1:1", 0},
		"IPv6":     {50_000, "[::1]:1", 0},
		"far name": {50_000, "example.com:1", 0},
	} {
		cfg := DefaultConfig()
		cfg.Devices, cfg.Target = c.devices, c.target
		if got := cfg.sources(); len(got) != c.want {
			t.Errorf("%s: sources %v, want %d", name, got, c.want)
		}
	}
}

// discard is a connection that takes everything and says nothing.
type discard struct{ net.Conn }

func (discard) SetWriteDeadline(time.Time) error { return nil }
func (discard) Write(p []byte) (int, error)      { return len(p), nil }

// newOnline is a terminal that is online, on a connection to nowhere.
func newOnline(tb testing.TB, conn net.Conn) *terminal {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.Devices, cfg.Rate, cfg.Batch, cfg.Versions, cfg.Number = 1, 1, 0, "2019", NumberItem
	f, err := New(cfg, WithDialer(func(context.Context, string, net.IP) (net.Conn, error) { return conn, nil }))
	if err != nil {
		tb.Fatal(err)
	}
	t := f.terminals[0]
	t.attach(conn, 0)
	t.state, t.loggedIn, t.nextReport, t.backlog.retryAt = stateOnline, true, 0, never
	return t
}

// reportAndAck has t make a report at that time and gives it its answer.
func reportAndAck(t *terminal, now int64, w *scratch) {
	t.nextReport = now
	t.run(now, w)
	t.mu.Lock()
	t.acknowledged(now, t.serial-1, kindLocation, wire.ResultOK)
	t.mu.Unlock()
}

func TestReportsAllocateNothing(t *testing.T) { // not in parallel: it counts
	x, w := newOnline(t, discard{}), newScratch()
	now := int64(0)
	reportAndAck(x, now, w)
	if n := testing.AllocsPerRun(1000, func() {
		now += int64(time.Second)
		reportAndAck(x, now, w)
	}); n != 0 {
		t.Errorf("%v allocations for a report and its answer", n)
	}
	if x.sent < 1000 || x.acked != x.sent {
		t.Errorf("%d sent, %d acked", x.sent, x.acked)
	}
}

func BenchmarkReport(b *testing.B) {
	x, w := newOnline(b, discard{}), newScratch()
	now := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		now += int64(time.Second)
		reportAndAck(x, now, w)
	}
}

// BenchmarkReportOverTCP includes the system call.
func BenchmarkReportOverTCP(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		peer, failed := l.Accept()
		if failed != nil {
			return
		}
		_, _ = io.Copy(io.Discard, peer)
		_ = peer.Close()
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	x, w := newOnline(b, conn), newScratch()
	now := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		now += int64(time.Second)
		reportAndAck(x, now, w)
	}
	_, _ = conn.Close(), l.Close()
	<-done
}
