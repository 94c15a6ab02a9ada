package aliyun_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// A device whose gateway has become too full for it while the connection was away
// goes through the next one, with all that it has said meanwhile and in that
// order; when all are full it stays and tries again, and is not lost.
func TestNextGatewayAfterReconnect(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, func(c *platform.Config) { c.LoginsPerMinute = 0 })
	cfg := both(config(p))
	up := start(t, cfg)
	watch, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindProperty}})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	commands := make(chan string, 10)
	d, err := login(t, up, upstream.Login{
		Device: truck(0), Command: func(c *thing.Command) { commands <- c.Name }, Lost: func(err error) { t.Errorf("lost: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	through := func() string {
		t.Helper()
		at, err := p.Device(product, truck(0).DeviceName)
		if err != nil {
			t.Fatal(err)
		}
		return at.Gateway
	}
	before := through()
	faults(t, p, api.Faults{RefuseLogins: &api.Refusal{Count: 1, Code: 428}, Disconnect: before})

	var over atomic.Bool
	var saying sync.WaitGroup
	said, failed := 0, 0
	var mu sync.Mutex
	var done []int
	saying.Go(func() { // without a pause: while it moves, too
		var open sync.WaitGroup
		for ; !over.Load(); said++ {
			n := said
			open.Add(1)
			d.Publish(number(n, thing.AtLeastOnce), func(err error) {
				defer open.Done()
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed++
				}
				done = append(done, n)
			})
			if said%16 == 15 {
				open.Wait()
			}
		}
		open.Wait()
	})
	until(t, "the device goes through the other gateway", func() bool { return up.Stats().Moved == 1 && up.Stats().Relogins == 1 })
	over.Store(true)
	saying.Wait()
	if after := through(); after == before {
		t.Errorf("the device goes through %s, as before", after)
	}
	if failed > 0 || !slices.IsSorted(done) {
		t.Errorf("%d of %d messages failed; done in order: %v", failed, said, slices.IsSorted(done))
	}
	arrived, last := map[int]bool{}, -1
	for len(arrived) < said {
		e, err := watch.Next(t.Context())
		if err != nil {
			t.Fatalf("%d of %d messages arrived: %v", len(arrived), said, err)
		}
		var params struct{ N int }
		if e.Kind != api.KindProperty || json.Unmarshal(e.Data, &params) != nil {
			t.Fatalf("the platform saw %+v", e)
		}
		if n := params.N; !arrived[n] {
			if arrived[n] = true; n < last {
				t.Errorf("message %d came after %d", n, last)
			}
			last = n
		}
	}
	if s := up.Stats(); s.Devices != 1 || s.Pending != 0 {
		t.Errorf("stats %+v", s)
	}

	faults(t, p, api.Faults{RefuseLogins: &api.Refusal{Count: 1, Code: 428}, Disconnect: "all"}) // the other one counts as full still
	until(t, "the device is back", func() bool { return up.Stats().Relogins == 2 })
	if err := publish(d, number(said, thing.AtLeastOnce)); err != nil {
		t.Errorf("after all were full: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() { _, _ = p.Invoke(ctx, product, truck(0).DeviceName, "ping", map[string]any{}) }) // nobody answers: cancel ends it
	if name := <-commands; name != "ping" {
		t.Errorf("got %s", name)
	}
	cancel()
	asking.Wait()
}
