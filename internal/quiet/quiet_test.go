package quiet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/internal/quiet"
)

func TestLine(t *testing.T) {
	t.Parallel()
	var l quiet.Line
	start := time.UnixMilli(1_700_000_000_000)
	for _, step := range []struct {
		after time.Duration
		count uint64
	}{{0, 1}, {0, 0}, {quiet.For - time.Millisecond, 0}, {quiet.For, 3}, {quiet.For + 1, 0}, {3 * quiet.For, 2}} {
		if count, ok := l.Due(start.Add(step.after)); count != step.count || ok != (count > 0) {
			t.Errorf("after %v: %d, %v, want %d", step.after, count, ok, step.count)
		}
	}
}

// A burst is logged whole, and what was not needed of it comes back one by one.
func TestLineWithBurst(t *testing.T) {
	t.Parallel()
	l := quiet.Line{Burst: 3}
	start := time.UnixMilli(1_700_000_000_000)
	for i, step := range []struct {
		after time.Duration
		count uint64
	}{
		{0, 1},
		{0, 1},
		{0, 1},
		{0, 0},
		{1, 0},
		{quiet.For, 3},
		{quiet.For, 0},
		{3 * quiet.For, 2},
		{3 * quiet.For, 1},
		{3 * quiet.For, 0},
		{time.Hour, 2},
		{time.Hour, 1},
		{time.Hour, 1},
		{time.Hour, 0},
	} {
		if count, ok := l.Due(start.Add(step.after)); count != step.count || ok != (count > 0) {
			t.Errorf("step %d, after %v: %d, %v, want %d", i, step.after, count, ok, step.count)
		}
	}
}

// Where time is not that of the process, the first line is due too.
func TestLineOfAnotherTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l quiet.Line
		for i := range 3 {
			if count, ok := l.Due(time.Now()); !ok || count != uint64(min(i, 1)+1) {
				t.Errorf("line %d: %d, %v", i, count, ok)
			}
			if _, ok := l.Due(time.Now()); ok {
				t.Errorf("line %d: another one at once", i)
			}
			<-time.After(quiet.For)
		}
	})
}
