package wheel_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/internal/wheel"
)

type timer = wheel.Timer[int]

func fireInto(fired *[]int) func(*timer) {
	return func(t *timer) { *fired = append(*fired, t.Value) }
}

func TestTimersFireAtTheirTick(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ origin, tick, deadline, before, at int64 }{
		"on a tick":          {0, 10, 30, 29, 30},
		"between ticks":      {0, 10, 31, 39, 40},
		"far":                {0, 1, 1 << 40, 1<<40 - 1, 1 << 40},
		"past":               {1000, 10, 5, 1009, 1010},
		"now":                {1000, 10, 1000, 1009, 1010},
		"begin of a level":   {0, 1, 64, 63, 64},
		"begin of the next":  {0, 1, 4096, 4095, 4096},
		"negative origin":    {-500, 100, -300, -301, -300},
		"the end of time":    {0, 1, math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64},
		"origin not on tick": {7, 10, 20, 26, 27},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := wheel.New[int](c.origin, c.tick)
			var fired []int
			x := &timer{Value: 1}
			w.Add(x, c.deadline)
			if next, ok := w.Next(); !ok || next > c.at {
				t.Errorf("Next() = %d, %v; the timer fires at %d", next, ok, c.at)
			}
			w.Advance(c.before, 0, fireInto(&fired))
			if len(fired) != 0 || !x.Pending() || w.Len() != 1 {
				t.Fatalf("fired before %d", c.at)
			}
			w.Advance(c.at, 0, fireInto(&fired))
			if len(fired) != 1 || x.Pending() || w.Len() != 0 {
				t.Fatalf("did not fire at %d", c.at)
			}
			if _, ok := w.Next(); ok {
				t.Error("an empty wheel has a next time")
			}
		})
	}
}

func TestFireMayChangeTheWheel(t *testing.T) {
	t.Parallel()
	w := wheel.New[int](0, 1)
	a, b, c := &timer{Value: 1}, &timer{Value: 2}, &timer{Value: 3}
	for _, x := range []*timer{a, b, c} {
		w.Add(x, 5)
	}
	var fired []int
	w.Advance(5, 0, func(x *timer) {
		fired = append(fired, x.Value)
		for _, other := range []*timer{a, b, c} {
			w.Remove(other) // the first to fire stops the others
		}
		w.Add(x, 0) // past: not again in this call
	})
	if len(fired) != 1 || w.Len() != 1 {
		t.Fatalf("fired %v, %d left; want one of each", fired, w.Len())
	}
	again := fired[0]
	fired = nil
	w.Advance(6, 0, fireInto(&fired))
	if !slices.Equal(fired, []int{again}) {
		t.Errorf("fired %v, want %d again", fired, again)
	}
}

func TestTimeDoesNotGoBack(t *testing.T) {
	t.Parallel()
	w := wheel.New[int](1000, 10)
	var fired []int
	w.Advance(5000, 0, fireInto(&fired))
	x := &timer{Value: 1}
	w.Add(x, 6000)
	w.Advance(10, 0, fireInto(&fired))
	w.Advance(2000, 0, fireInto(&fired))
	w.Advance(5990, 0, fireInto(&fired))
	if len(fired) != 0 {
		t.Fatal("fired early")
	}
	w.Advance(6000, 0, fireInto(&fired))
	if len(fired) != 1 {
		t.Fatal("did not fire")
	}
}

// model is a wheel that looks at every timer every time.
type model struct {
	tick, origin, now int64
	deadlines         map[int]int64 // the first time of a tick at which the timer fires
}

func (m *model) floor(now int64) int64 { return m.origin + (now-m.origin)/m.tick*m.tick }

func (m *model) add(id int, deadline, floor int64) {
	at := m.origin
	if deadline > m.origin {
		at += (deadline - m.origin + m.tick - 1) / m.tick * m.tick
	}
	m.deadlines[id] = max(at, m.floor(floor)+m.tick)
}

func (m *model) due(now int64) (ids []int) {
	for id, at := range m.deadlines {
		if at <= m.floor(now) {
			ids = append(ids, id)
		}
	}
	return ids
}

// TestModel compares the wheel with one that is too simple to be wrong: the
// same timers fire in every call of Advance, in the order of their ticks.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tick := rapid.Int64Range(1, 50).Draw(t, "tick")
		origin := rapid.Int64Range(-1000, 1<<41).Draw(t, "origin")
		m := &model{tick: tick, origin: origin, now: origin, deadlines: map[int]int64{}}
		w := wheel.New[int](origin, tick)
		timers := make([]*timer, 40)
		for i := range timers {
			timers[i] = &timer{Value: i}
		}
		span := rapid.OneOf(rapid.Int64Range(-10, 300), rapid.Int64Range(0, 300_000), rapid.Int64Range(0, 1<<33))
		index := rapid.IntRange(0, len(timers)-1)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				i, d := index.Draw(t, "timer"), m.now+span.Draw(t, "after")
				w.Add(timers[i], d)
				m.add(i, d, m.now)
			},
			"remove": func(t *rapid.T) {
				i := index.Draw(t, "timer")
				w.Remove(timers[i])
				delete(m.deadlines, i)
			},
			"advance": func(t *rapid.T) {
				m.now += max(span.Draw(t, "by"), 0)
				limit := rapid.IntRange(0, 3).Draw(t, "limit")
				again := rapid.Bool().Draw(t, "again")
				due := m.due(m.now)
				var fired []int
				last := int64(math.MinInt64)
				fire := func(x *timer) {
					at, ok := m.deadlines[x.Value]
					if !ok || at < last {
						t.Fatalf("timer %d of %d fired after %d", x.Value, at, last)
					}
					last = at
					fired = append(fired, x.Value)
					delete(m.deadlines, x.Value)
					if again {
						w.Add(x, m.now+int64(x.Value)-20)
						m.add(x.Value, m.now+int64(x.Value)-20, m.now)
					}
				}
				for w.Advance(m.now, limit, fire) {
				}
				slices.Sort(due)
				slices.Sort(fired)
				if !slices.Equal(fired, due) {
					t.Fatalf("at %d fired %v, want %v", m.now, fired, due)
				}
			},
			"": func(t *rapid.T) {
				if w.Len() != len(m.deadlines) {
					t.Fatalf("%d timers, want %d", w.Len(), len(m.deadlines))
				}
				for i, x := range timers {
					if _, want := m.deadlines[i]; x.Pending() != want {
						t.Fatalf("timer %d pending: %v", i, x.Pending())
					}
				}
				next, ok := w.Next()
				for id, at := range m.deadlines {
					if !ok || at < next {
						t.Fatalf("Next() = %d, %v; timer %d fires at %d", next, ok, id, at)
					}
				}
			},
		})
	})
}

// TestLimit adds and removes timers between two calls of which the first was
// stopped by its limit.
func TestLimit(t *testing.T) {
	t.Parallel()
	w := wheel.New[int](0, 1)
	timers := make([]timer, 1000)
	for i := range timers {
		timers[i].Value = 4096 + i%128
		w.Add(&timers[i], int64(timers[i].Value))
	}
	work, calls := 0, 0
	var fired []int
	for w.Advance(5000, 10, func(x *timer) { work++; fired = append(fired, x.Value) }) {
		if work > 10 {
			t.Fatalf("%d timers in a call limited to 10", work)
		}
		work = 0
		if calls++; calls == 3 {
			late := &timer{Value: 4100}
			w.Add(late, 4100) // finer than what is still to be moved
			w.Remove(&timers[500])
		}
	}
	if len(fired) != 1000 || w.Len() != 0 {
		t.Fatalf("%d fired, %d left", len(fired), w.Len())
	}
	if !slices.IsSortedFunc(fired, cmp.Compare[int]) {
		t.Error("not in the order of ticks")
	}
}

func TestNothingAllocates(t *testing.T) {
	w := wheel.New[int](0, 100)
	timers := make([]timer, 100)
	for i := range timers {
		w.Add(&timers[i], int64(i*1000))
	}
	now := int64(0)
	allocs := testing.AllocsPerRun(100, func() {
		now += 100
		for i := range timers {
			w.Add(&timers[i], now+int64(i*100))
		}
		w.Advance(now, 0, func(*timer) {})
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

const million = 1_000_000

// filled is a wheel of a million timers over an hour, in milliseconds.
func filled() (*wheel.Wheel[int], []timer) {
	w := wheel.New[int](0, 100)
	timers := make([]timer, million)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range timers {
		w.Add(&timers[i], r.Int64N(3_600_000))
	}
	return w, timers
}

// BenchmarkMove sets one timer of a million again.
func BenchmarkMove(b *testing.B) {
	w, timers := filled()
	r := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		w.Add(&timers[r.IntN(million)], r.Int64N(3_600_000))
	}
}

// BenchmarkTick is one tick of 100 ms of a wheel with a million timers that
// fire every hour and are set again; 278 of them fire in each.
func BenchmarkTick(b *testing.B) {
	w, _ := filled()
	now, fired := int64(0), 0
	b.ReportAllocs()
	for b.Loop() {
		now += 100
		w.Advance(now, 0, func(t *timer) { fired++; w.Add(t, now+3_600_000) })
	}
	b.ReportMetric(float64(fired)/float64(b.N), "fired/op")
}

// BenchmarkIdleTick is one tick in which nothing fires, with a million timers
// an hour away.
func BenchmarkIdleTick(b *testing.B) {
	w := wheel.New[int](0, 1)
	timers := make([]timer, million)
	for i := range timers {
		w.Add(&timers[i], 1<<50)
	}
	now := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		now++
		w.Advance(now, 0, func(*timer) { b.Fatal("fired") })
	}
}
