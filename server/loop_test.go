package server

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// poller is an event loop without sockets, run by the test.
type poller struct {
	gnet.EventLoop
	tasks chan gnet.Runnable
}

func (p poller) Execute(_ context.Context, r gnet.Runnable) error {
	p.tasks <- r
	return nil
}

// A timer is late by less than a tick, wherever between two ticks it is set.
func TestTimersAreLateByLessThanATick(t *testing.T) {
	t.Parallel()
	for _, begin := range []int{0, 1, 50, 98, 99} {
		for _, wait := range []int{0, 1, 2, 50, 99, 100, 101, 150, 7000, 7001} {
			phase, after := time.Duration(begin)*time.Millisecond, time.Duration(wait)*time.Millisecond
			synctest.Test(t, func(t *testing.T) {
				p := poller{tasks: make(chan gnet.Runnable, 10)}
				s := &Server{made: time.Now(), listeners: []*listener{{}}}
				l := newLoop(s, p)
				time.Sleep(phase) //nolint:forbidigo // fake time
				l.enter()
				c := &conn{loop: l, listener: s.listeners[0]}
				due := l.now.Add(after)
				var fired time.Time
				c.After(after, func() { fired = l.now })
				turns := 0
				for fired.IsZero() && turns < 10 {
					turns++
					_ = (<-p.tasks).Run(t.Context())
				}
				if late := fired.Sub(due); late < 0 || late > tickPeriod || turns > 2 {
					t.Errorf("set at %v for %v later: fired %v late, in turn %d", phase, after, late, turns)
				}
			})
		}
	}
}

// The lag is that of the last windows, whether or not there were tasks since.
func TestLagIsForgotten(t *testing.T) {
	t.Parallel()
	var g lag
	g.note(lagWindow/2, time.Second)
	for _, c := range []struct{ now, want time.Duration }{
		{lagWindow / 2, time.Second},
		{lagWindow * 3 / 2, time.Second},
		{lagWindow * 5 / 2, 0},
	} {
		if got := g.worst(c.now); got != c.want {
			t.Errorf("after %v: %v, want %v", c.now, got, c.want)
		}
	}
	g.note(lagWindow*3/2, time.Millisecond)
	if got := g.worst(lagWindow * 3 / 2); got != time.Second {
		t.Errorf("in the next window: %v", got)
	}
	g.note(lagWindow*9/2, time.Millisecond)
	if got := g.worst(lagWindow * 9 / 2); got != time.Millisecond {
		t.Errorf("much later: %v", got)
	}
}
