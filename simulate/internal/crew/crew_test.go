package crew

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHistogramIsPrecise(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var h, other Histogram
	values := make([]int64, 20_000)
	for i := range values {
		values[i] = int64(1) << (rng.Uint64() % 38) // widely spread
		values[i] += int64(rng.Uint64() % uint64(values[i]))
		if i%2 == 0 {
			h.Add(values[i])
		} else {
			other.Add(values[i])
		}
	}
	slices.Sort(values)
	l := LatencyOf(&h, &other)
	if l.Count != uint64(len(values)) || l.Max != time.Duration(values[len(values)-1]) {
		t.Errorf("count %d, max %v, want %d, %v", l.Count, l.Max, len(values), time.Duration(values[len(values)-1]))
	}
	for q, got := range map[float64]time.Duration{0.5: l.P50, 0.9: l.P90, 0.99: l.P99} {
		want := float64(values[int(q*float64(len(values)))-1])
		if ratio := float64(got) / want; ratio < 0.999 || ratio > 1.017 {
			t.Errorf("quantile %v is %v, want %v", q, got, time.Duration(want))
		}
	}
	if (LatencyOf(&Histogram{}) != Latency{}) {
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

// An agenda gives its members in the order of their times, however they were
// moved before.
func TestAgendaTakesWhatIsDueFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := NewAgenda[int]()
		all := make([]*Entry[int], 20)
		for i := range all {
			all[i] = &Entry[int]{}
		}
		want := map[*Entry[int]]int64{}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			x := all[rapid.IntRange(0, len(all)-1).Draw(t, "member")]
			due := rapid.Int64Range(0, 50).Draw(t, "due")
			if due == 50 {
				s.Set(x, Never)
				delete(want, x)
				continue
			}
			s.Set(x, due)
			want[x] = due
		}
		last := int64(-1)
		for range len(want) {
			x, _ := s.take(50)
			if x == nil || x.place != 0 || want[x] != x.due || x.due < last {
				t.Fatalf("took %+v after %d", x, last)
			}
			last = x.due
			delete(want, x)
		}
		if x, next := s.take(50); x != nil || next != Never || len(want) != 0 {
			t.Fatal("the heap is not empty")
		}
	})
}

// A member whose time comes before what the agenda sleeps for wakes it.
func TestAgendaIsWoken(t *testing.T) {
	t.Parallel()
	s := NewAgenda[int]()
	a, b, c := &Entry[int]{}, &Entry[int]{}, &Entry[int]{}
	s.Set(a, 100*Rest)
	if _, next := s.take(0); next != 100*Rest {
		t.Fatalf("next is %d, want %d", next, 100*Rest)
	}
	s.Set(b, 200*Rest)
	if len(s.wake) != 0 {
		t.Error("woken for something later")
	}
	s.Set(c, 50*Rest)
	if len(s.wake) != 1 {
		t.Error("not woken for something earlier")
	}
	if _, next := s.take(50*Rest - 1); next != 51*Rest-1 {
		t.Errorf("next is %d, want %d: it sleeps for a while", next, 51*Rest-1)
	}
}

func BenchmarkAgenda(b *testing.B) {
	s := NewAgenda[int]()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		s.Set(&Entry[int]{}, int64(rng.Uint64()%1e9))
	}
	b.ReportAllocs()
	for b.Loop() {
		x, _ := s.take(Never)
		s.Set(x, x.due+1e9)
	}
}
