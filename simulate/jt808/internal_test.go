package jt808

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	wire "github.com/linkspan/linkspan/codec/jt808"
)

func TestHistogramIsPrecise(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var h, other histogram
	values := make([]int64, 20_000)
	for i := range values {
		values[i] = int64(1) << (rng.Uint64() % 38) // widely spread
		values[i] += int64(rng.Uint64() % uint64(values[i]))
		if i%2 == 0 {
			h.add(values[i])
		} else {
			other.add(values[i])
		}
	}
	slices.Sort(values)
	l := latencyOf(&h, &other)
	if l.Count != uint64(len(values)) || l.Max != time.Duration(values[len(values)-1]) {
		t.Errorf("count %d, max %v, want %d, %v", l.Count, l.Max, len(values), time.Duration(values[len(values)-1]))
	}
	for q, got := range map[float64]time.Duration{0.5: l.P50, 0.9: l.P90, 0.99: l.P99} {
		want := float64(values[int(q*float64(len(values)))-1])
		if ratio := float64(got) / want; ratio < 0.999 || ratio > 1.017 {
			t.Errorf("quantile %v is %v, want %v", q, got, time.Duration(want))
		}
	}
	if (latencyOf(&histogram{}) != Latency{}) {
		t.Error("an empty histogram has durations")
	}
}

func TestBucketsAreInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64Range(0, 1<<42-1).Draw(t, "ns")
		b := bucketOf(uint64(ns))
		if highest(b) < ns || b > 0 && highest(b-1) >= ns {
			t.Fatalf("%d is in bucket %d, which ends at %d, and begins behind %d", ns, b, highest(b), highest(b-1))
		}
	})
}

// The heap gives its terminals in the order of their times, however they were
// moved before.
func TestShardTakesWhatIsDueFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &shard{wake: make(chan struct{}, 1)}
		all := make([]*terminal, 20)
		for i := range all {
			all[i] = &terminal{shard: s, pos: -1}
		}
		want := map[*terminal]int64{}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			x := all[rapid.IntRange(0, len(all)-1).Draw(t, "terminal")]
			due := rapid.Int64Range(0, 50).Draw(t, "due")
			if due == 50 {
				s.set(x, never)
				delete(want, x)
				continue
			}
			s.set(x, due)
			want[x] = due
		}
		last := int64(-1)
		for range len(want) {
			x, _ := s.take(50)
			if x == nil || x.pos != -1 || want[x] != x.due || x.due < last {
				t.Fatalf("took %+v after %d", x, last)
			}
			last = x.due
			delete(want, x)
		}
		if x, next := s.take(50); x != nil || next != never || len(want) != 0 {
			t.Fatal("the heap is not empty")
		}
	})
}

// A terminal whose time comes before what the shard sleeps for wakes it.
func TestShardIsWoken(t *testing.T) {
	t.Parallel()
	s := &shard{wake: make(chan struct{}, 1)}
	a, b, c := &terminal{shard: s, pos: -1}, &terminal{shard: s, pos: -1}, &terminal{shard: s, pos: -1}
	s.set(a, 100*rest)
	if _, next := s.take(0); next != 100*rest {
		t.Fatalf("next is %d, want %d", next, 100*rest)
	}
	s.set(b, 200*rest)
	if len(s.wake) != 0 {
		t.Error("woken for something later")
	}
	s.set(c, 50*rest)
	if len(s.wake) != 1 {
		t.Error("not woken for something earlier")
	}
	if _, next := s.take(50*rest - 1); next != 51*rest-1 {
		t.Errorf("next is %d, want %d: it sleeps for a while", next, 51*rest-1)
	}
}

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

func BenchmarkShard(b *testing.B) {
	s := &shard{wake: make(chan struct{}, 1)}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		s.set(&terminal{shard: s, pos: -1}, int64(rng.Uint64()%1e9))
	}
	b.ReportAllocs()
	for b.Loop() {
		x, _ := s.take(never)
		s.set(x, x.due+1e9)
	}
}
