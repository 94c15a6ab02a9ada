package aliyun_test

import (
	"errors"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// For a sender that sends again what failed, a message whose time is over takes
// those behind it along: none of them may come before it. For others each has its
// own time.
func TestMessagesBehindOneThatFailed(t *testing.T) {
	t.Parallel()
	for name, inOrder := range map[string]bool{"in order": true, "each for itself": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPlatform(t, nil)
			cfg := config(p)
			cfg.HoldTimeout = time.Second
			up := start(t, cfg)
			d, err := login(t, up, upstream.Login{Device: truck(0), InOrder: inOrder})
			if err != nil {
				t.Fatal(err)
			}
			faults(t, p, api.Faults{RefuseConnects: &api.Refusal{Count: -1, Code: 3}, Disconnect: "all"})
			untilOffline(t, p, truck(0))
			for up.Stats().Connected > 0 { // until the connector has noticed too
				_ = publish(d, number(0, thing.AtMostOnce))
			}
			failed := make(chan time.Time, 2)
			say := func(n int) {
				d.Publish(number(n, thing.AtLeastOnce), func(err error) {
					if !errors.Is(err, upstream.ErrNotConnected) {
						t.Errorf("message %d: %v, want ErrNotConnected", n, err)
					}
					failed <- time.Now()
				})
			}
			say(1)
			<-time.After(cfg.HoldTimeout / 2)
			say(2)
			first := <-failed
			apart := (<-failed).Sub(first)
			if together := apart < cfg.HoldTimeout/4; together != inOrder {
				t.Errorf("they failed %s apart, together: %v, want %v", apart, together, inOrder)
			}
		})
	}
}
