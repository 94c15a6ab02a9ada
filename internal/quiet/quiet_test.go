package quiet_test

import (
	"testing"
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
