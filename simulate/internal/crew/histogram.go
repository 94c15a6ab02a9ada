package crew

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	subBits    = 6 // 64 buckets for each power of two: a value is off by at most 1.6 %
	subBuckets = 1 << subBits
	octaves    = 36
	buckets    = subBuckets * (octaves + 1) // to 2^42 ns, more than an hour
)

// Histogram counts durations in buckets whose width grows with them: linear
// within powers of two. The zero Histogram is empty. It may be used by several
// goroutines at once.
type Histogram struct {
	counts [buckets]atomic.Uint32
	sum    atomic.Int64
	max    atomic.Int64
}

// bucketOf is the bucket of a duration in nanoseconds.
func bucketOf(ns uint64) int {
	if ns < subBuckets {
		return int(ns)
	}
	octave := bits.Len64(ns) - subBits - 1                    // 0 for the first power of two behind the linear part
	b := (octave+1)<<subBits + int(ns>>octave)&(subBuckets-1) //nolint:gosec // masked
	return min(b, buckets-1)
}

// highest is the greatest duration of a bucket in nanoseconds.
func highest(bucket int) int64 {
	if bucket < subBuckets {
		return int64(bucket)
	}
	octave := bucket>>subBits - 1
	return int64(bucket&(subBuckets-1)|subBuckets)<<octave + 1<<octave - 1
}

// Add counts a duration.
func (h *Histogram) Add(ns int64) {
	ns = max(ns, 0)
	h.counts[bucketOf(uint64(ns))].Add(1) //nolint:gosec // not negative
	h.sum.Add(ns)
	for {
		old := h.max.Load()
		if ns <= old || h.max.CompareAndSwap(old, ns) {
			return
		}
	}
}

// Latency sums up durations. P50, P90 and P99 are at most 1.6 % too great.
type Latency struct {
	Count               uint64 // durations measured
	Mean, P50, P90, P99 time.Duration
	Max                 time.Duration
}

// LatencyOf sums up several histograms as one.
func LatencyOf(parts ...*Histogram) (l Latency) {
	var counts [buckets]uint64
	var sum, most int64
	for _, h := range parts {
		for i := range h.counts {
			n := uint64(h.counts[i].Load())
			counts[i] += n
			l.Count += n
		}
		sum += h.sum.Load()
		most = max(most, h.max.Load())
	}
	if l.Count == 0 {
		return l
	}
	quantile := func(q float64) time.Duration {
		want, seen := max(uint64(q*float64(l.Count)+0.5), 1), uint64(0)
		for i, n := range counts {
			if seen += n; seen >= want {
				return time.Duration(min(highest(i), most))
			}
		}
		return time.Duration(most)
	}
	l.Mean = time.Duration(sum / int64(l.Count)) //nolint:gosec // far from overflow
	l.P50, l.P90, l.P99, l.Max = quantile(0.5), quantile(0.9), quantile(0.99), time.Duration(most)
	return l
}
