package direct

import (
	"slices"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/inorder"
)

// A sender that wants order is told in order when more is refused than may wait for
// its turn: what is in front fails too. What is refused is not kept until then.
func TestMoreRefusedThanMayWait(t *testing.T) {
	t.Parallel()
	const most = 4
	c, err := New(Config{Queue: most})
	if err != nil {
		t.Fatal(err)
	}
	d := newDevice(c, auth.Identity{ProductKey: "a1truck0001", DeviceName: "truck-1", DeviceSecret: "secret"})
	h := &handle{dev: d, order: inorder.Login{Wanted: true}}
	d.current, d.state = h, waiting
	var told []int
	for n := range 20 {
		h.Publish(&thing.Message{Kind: thing.Raw, QoS: thing.AtLeastOnce, Raw: []byte{1}}, func(err error) {
			if !upstream.Temporary(err) {
				t.Errorf("message %d: %v", n, err)
			}
			told = append(told, n)
		})
		if d.rejected > most {
			t.Fatalf("%d refused messages wait for their turn", d.rejected)
		}
		for m := d.head; m != nil; m = m.next {
			if m.rejected && m.payload != nil {
				t.Fatalf("a refused message keeps %d bytes", cap(m.payload))
			}
		}
	}
	if len(told) < 2*most || !slices.IsSorted(told) || told[0] != 0 {
		t.Errorf("done was called in the order %v, want theirs", told)
	}
	if int(d.length)+int(d.rejected)+len(told) != 20 {
		t.Errorf("%d messages wait, %d refused, %d were told, want 20 together", d.length, d.rejected, len(told))
	}
}
