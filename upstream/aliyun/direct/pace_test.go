package direct

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever a device does, it does not connect more often than it may in any
// minute.
func TestPace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		now, paced := int64(1_000_000), int64(0)
		var connects []int64
		for range 100 {
			now += rapid.Int64Range(0, 30_000).Draw(t, "wait")
			if earliest(paced, limit) > now {
				continue
			}
			paced = pace(paced, now, limit)
			connects = append(connects, now)
		}
		for i, at := range connects {
			if i >= limit && at-connects[i-limit] < minute {
				t.Fatalf("limit %d: %d connects from %d to %d", limit, limit+1, connects[i-limit], at)
			}
		}
	})
	if earliest(pace(0, 1, 0), 0) != 0 {
		t.Error("without a limit there is one")
	}
}
