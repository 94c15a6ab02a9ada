package aliyun

import (
	"runtime"
	"slices"
	"testing"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// What is refused is not kept until its turn comes.
func TestRefusedMessagesAreSmall(t *testing.T) { //nolint:paralleltest // it measures memory
	g, h := onlineDevice(t, Config{QueueBytes: 1})
	const count, size = 300, 64 << 10
	done := 0
	m := &thing.Message{Kind: thing.Raw, QoS: thing.AtLeastOnce, Raw: make([]byte, size)}
	publish := func() { h.Publish(m, func(error) { done++ }) }
	publish() // the others wait behind it
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before := heap()
	for range count {
		publish()
	}
	if grown := heap() - before; grown > count*size/4 {
		t.Errorf("%d refused messages of %d bytes take %d bytes", count, size, grown)
	}
	drain(g, make([]*outgoing, 0, 8))
	if done != 1+count {
		t.Errorf("done of %d messages was called, want %d", done, 1+count)
	}
}

// A sender that wants order is told in order when more is refused than may wait for
// its turn: what is in front fails too.
func TestMoreRefusedThanMayWait(t *testing.T) {
	t.Parallel()
	g, h := onlineDevice(t, Config{Queue: 4})
	h.order.Wanted = true
	var told []int
	for n := range 20 {
		h.Publish(&thing.Message{Kind: thing.Raw, QoS: thing.AtLeastOnce, Raw: []byte{1}}, func(err error) {
			if !upstream.Temporary(err) {
				t.Errorf("message %d: %v", n, err)
			}
			told = append(told, n)
		})
		if most := g.rejected; most > 4 {
			t.Fatalf("%d refused messages wait for their turn", most)
		}
	}
	if len(told) != 20 || !slices.IsSorted(told) {
		t.Errorf("done was called in the order %v, want 20 in theirs", told)
	}
	if g.pending != 0 || g.bytes != 0 || g.rejected != 0 {
		t.Errorf("%d messages of %d bytes and %d refused are left", g.pending, g.bytes, g.rejected)
	}
}
