package session_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/linkspan/linkspan/session"
)

const million = 1_000_000

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	return st.HeapAlloc
}

// cpu is the process's CPU time.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func fill(b *testing.B, m *session.Memory, interval time.Duration) []*session.Session {
	b.Helper()
	all := make([]*session.Session, million)
	for i := range all {
		all[i] = session.New(fmt.Sprintf("1391%08d", i), nil, session.Heartbeat(interval, 2))
		if _, err := m.Open(all[i]); err != nil {
			b.Fatal(err)
		}
		m.Activate(all[i])
	}
	return all
}

// BenchmarkMillion holds a million sessions: the heap they take, identities,
// table and wheels with them.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		before := heap()
		m, err := session.NewMemory(session.DefaultConfig())
		if err != nil {
			b.Fatal(err)
		}
		all := fill(b, m, time.Hour)
		pointers := uint64(len(all)) * 8 // the benchmark's own
		b.ReportMetric(float64(heap()-before-pointers)/million, "B/session")
		runtime.KeepAlive(m)
		runtime.KeepAlive(all)
	}
}

// BenchmarkSweep is the CPU that a second of sweeping a million sessions takes
// whose heartbeats come every 30 seconds; all of them are heard in time.
func BenchmarkSweep(b *testing.B) {
	m, err := session.NewMemory(session.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	all := fill(b, m, 30*time.Second)
	round := m.Rounds()
	at := time.Now()
	var spent time.Duration
	seconds := 0
	b.ReportAllocs()
	for b.Loop() {
		for i := seconds % 30; i < len(all); i += 30 { // what comes in meanwhile
			all[i].Touch(at.UnixMilli())
		}
		from := cpu(b)
		for range 10 {
			at = at.Add(100 * time.Millisecond)
			round(at)
		}
		spent += cpu(b) - from
		seconds++
	}
	if m.Stats().Timeouts != 0 {
		b.Fatalf("%+v", m.Stats())
	}
	b.ReportMetric(float64(spent.Microseconds())/1000/float64(seconds), "cpu-ms/s")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkTouch(b *testing.B) {
	s := session.New("a", nil)
	b.ReportAllocs()
	for n := int64(0); b.Loop(); n++ {
		s.Touch(n)
	}
}

func BenchmarkOpenClose(b *testing.B) {
	m, err := session.NewMemory(session.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s := session.New("13912345678", nil, session.Heartbeat(time.Minute, 2))
		if _, err := m.Open(s); err != nil {
			b.Fatal(err)
		}
		m.Activate(s)
		m.Close(s, errCause)
	}
}

func BenchmarkGet(b *testing.B) {
	m, err := session.NewMemory(session.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := m.Open(session.New("13912345678", nil)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Get("13912345678")
		}
	})
}
