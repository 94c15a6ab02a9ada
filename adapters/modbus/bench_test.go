package modbus

import (
	"container/heap"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// fleet is many lines on one loop, in a time of its own: timers are as coarse as
// a server's, and slaves answer after a while.
type fleet struct {
	now     int64 // ms
	events  events
	reports int
	fields  int
	peers   []*peer
	latency int64
}

type event struct {
	at   int64
	f    func()
	from *peer // whose answer came; nil: f
	off  *bool
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// peer is one DTU with its slaves.
type peer struct {
	fleet   *fleet
	handler protocol.Handler
	answer  []byte
	tasks   []func()
}

func (p *peer) Do(f func())             { p.tasks = append(p.tasks, f) }
func (p *peer) Now() time.Time          { return time.UnixMilli(p.fleet.now) }
func (p *peer) Close(error)             {}
func (*peer) Remote() netip.AddrPort    { return netip.AddrPort{} }
func (*peer) Fault(error, []byte) error { return nil }

func (p *peer) After(d time.Duration, f func()) (stop func()) {
	off := new(bool)
	at := (p.fleet.now + d.Milliseconds() + 99) / 100 * 100
	heap.Push(&p.fleet.events, event{at: at, f: f, off: off, from: p})
	return func() { *off = true }
}

// Write answers with registers, all alike.
func (p *peer) Write(out []byte) error {
	quantity := int(out[5])
	p.answer = append(append(p.answer[:0], out[0], out[1], byte(2*quantity)), make([]byte, 2*quantity)...)
	crc := modbus.CRC(p.answer)
	p.answer = append(p.answer, byte(crc), byte(crc>>8))
	heap.Push(&p.fleet.events, event{at: p.fleet.now + p.fleet.latency, from: p})
	return nil
}

func (p *peer) run() {
	for len(p.tasks) > 0 {
		tasks := p.tasks
		p.tasks = nil
		for _, f := range tasks {
			f()
		}
	}
}

func (f *fleet) Online(_ *session.Session, _ []string, done func(error)) { done(nil) }
func (f *fleet) Offline(*session.Session, error)                         {}
func (f *fleet) Publish(_ *session.Session, m *thing.Message, done func(error)) error {
	f.reports++
	f.fields += len(m.Fields)
	if done != nil {
		done(nil)
	}
	return nil
}

// step does what comes next.
func (f *fleet) step() {
	e := heap.Pop(&f.events).(event)
	f.now = max(f.now, e.at)
	switch {
	case e.f == nil:
		_, _, _ = e.from.handler.Data(e.from.answer)
	case !*e.off:
		e.f()
	}
	e.from.run()
}

// tenPoints is a meter with 10 points, which one request reads.
func tenPoints(interval time.Duration) profile.Config {
	c := profile.DefaultConfig()
	c.Interval, c.Points = interval, map[string]profile.Point{}
	for i := range 10 {
		c.Points[fmt.Sprintf("point%d", i)] = profile.Point{Address: strconv.Itoa(40001 + 2*i), Type: []string{"uint16", "float32"}[i%2], Scale: "0.1"}
	}
	return c
}

// newFleet connects that many lines with four units of ten points, in a second.
func newFleet(tb testing.TB, lines int) (*fleet, func() Stats) {
	tb.Helper()
	f := &fleet{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli(), latency: 300}
	counted := &counters{}
	plugin := define("modbus", counted)
	c := testConfig(func(c *Config) {
		c.Units, c.Requests.Spread = []string{"1-4"}, 5*time.Second
		c.Profiles = map[string]profile.Config{"meter": tenPoints(10 * time.Second)}
	})
	open, err := plugin.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	host := &protocol.Host{Uplink: f, Listener: "test"}
	for i := range lines {
		p := &peer{fleet: f}
		f.peers = append(f.peers, p)
		heap.Push(&f.events, event{at: f.now + int64(i)*1000/int64(lines), off: new(bool), from: p, f: func() {
			p.handler = open(p, host)
			if err := p.handler.Opened(); err != nil {
				tb.Error(err)
			}
			if _, _, err := p.handler.Data(fmt.Appendf(nil, "%015d", i)); err != nil {
				tb.Error(err)
			}
		}})
	}
	return f, func() Stats { return counted.stats(time.UnixMilli(f.now)) }
}

// A fleet that connects within a second is polled on time, and evenly.
func TestAFleetIsOnTime(t *testing.T) {
	t.Parallel()
	const lines = 500
	f, stats := newFleet(t, lines)
	start := f.now
	for f.now < start+30_000 {
		f.step()
	}
	before, most := f.reports, 0
	for second := range int64(20) {
		have := f.reports
		for f.now < start+30_000+1000*(second+1) {
			f.step()
		}
		most = max(most, f.reports-have)
	}
	if n := f.reports - before; n < lines*4*2-10 || n > lines*4*2+10 {
		t.Errorf("%d reports in 20 s, want %d", n, lines*4*2)
	}
	if most > 2*lines*4/10 {
		t.Errorf("%d reports in one second, on average there are %d: they are not spread", most, lines*4/10)
	}
	st := stats()
	if st.LatenessP99 >= 0.5*2 || st.Skipped != 0 || st.Timeouts != 0 {
		t.Errorf("%+v", st)
	}
}

// BenchmarkFleet polls 5,000 lines with 4 units of 10 points each, every 10 s: 2,000
// polls make one second.
func BenchmarkFleet(b *testing.B) {
	f, stats := newFleet(b, 5000)
	start := f.now
	for f.now < start+20_000 {
		f.step()
	}
	b.ReportAllocs()
	first, began := f.reports, f.now
	for b.Loop() {
		for have := f.reports; f.reports == have; {
			f.step()
		}
	}
	elapsed := float64(f.now-began) / 1000
	if elapsed > 0 {
		b.ReportMetric(float64(f.reports-first)/elapsed, "polls/s-of-its-time")
		b.ReportMetric(b.Elapsed().Seconds()/elapsed*100, "%cpu")
	}
	st := stats()
	b.ReportMetric(st.LatenessP99*1000, "p99-late-ms")
}

// BenchmarkPollCycle is one poll of ten points on one line: timer, request, answer,
// report.
func BenchmarkPollCycle(b *testing.B) {
	f, _ := newFleet(b, 1)
	for f.reports < 20 {
		f.step()
	}
	b.ReportAllocs()
	for b.Loop() {
		for have := f.reports; f.reports == have; {
			f.step()
		}
	}
}

// BenchmarkLineMemory is what a line with 4 units takes while it is between polls.
func BenchmarkLineMemory(b *testing.B) {
	const lines = 2000
	var before, after runtime.MemStats
	for b.Loop() {
		f, _ := newFleet(b, lines)
		f.events = append(make(events, 0, 8*lines), f.events...)
		for i := range f.peers {
			f.peers[i].answer = make([]byte, 0, 256)
		}
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := f.now
		for f.now < start+15_000 {
			f.step()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/lines, "B/line")
		runtime.KeepAlive(f)
	}
}
