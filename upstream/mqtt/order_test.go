package mqtt_test

import (
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

// A sender that wants order is told in order when more is refused than may wait for
// its turn: what is in front fails too.
func TestMoreRefusedThanMayWait(t *testing.T) {
	t.Parallel()
	s := startScript(t)
	up, started := starting(t, bare(s, func(c *mqtt.Config) {
		c.Queue, c.RequestTimeout, c.HoldTimeout = 4, time.Minute, time.Minute
	}))
	_, _ = s.connected(false)
	wantErr(t, "Start", started, nil)
	online := make(chan upstream.Device, 1)
	up.Login(upstream.Login{Device: truck("1"), InOrder: true}, func(d upstream.Device, err error) {
		if err != nil {
			t.Error(err)
		}
		online <- d
	})
	device := await(t, "done of Login", online)
	const messages = 20
	told := make(chan int, messages)
	for n := range messages {
		device.Publish(&thing.Message{
			Kind: thing.Property, QoS: thing.AtLeastOnce, Fields: []thing.Field{{Name: "n", Value: thing.Int(int64(n))}},
		}, func(err error) {
			if !upstream.Temporary(err) {
				t.Errorf("message %d: %v", n, err)
			}
			told <- n
		})
	}
	var order []int
	for range messages { // the broker acknowledges nothing
		order = append(order, await(t, "done of Publish", told))
	}
	if !slices.IsSorted(order) {
		t.Errorf("done was called in the order %v", order)
	}
	if got := up.Stats(); got.Pending != 0 || got.InFlight != 0 {
		t.Errorf("%+v", got)
	}
}
