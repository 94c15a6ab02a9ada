package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/simulate/jt808"
)

// TestFleet is a soak in short: a simulated fleet of all editions reports,
// breaks off connections, reconnects with what is left and obeys commands, while
// the platform drops the bridge's connection now and then. In the end every
// report was acknowledged, arrived, and nothing is left of the fleet.
func TestFleet(t *testing.T) {
	t.Parallel()
	const terminals, length = 100, 10 * time.Second
	w := newWorld(t)

	cfg := jt808.DefaultConfig()
	cfg.Target, cfg.Devices, cfg.Rate, cfg.Number = w.addr().String(), terminals, 2, jt808.NumberMileage
	cfg.Churn, cfg.Batch, cfg.BatchSize = 4, 0.05, 20
	cfg.BackoffMin, cfg.BackoffMax = 50*time.Millisecond, time.Second
	cfg.AckTimeout = patience // what is sent again comes of lost connections alone
	var mu sync.Mutex
	last := map[string]int{} // by phone
	count := 0
	fleet, err := jt808.New(cfg, jt808.WithAcked(func(phone string, number uint64) {
		mu.Lock()
		defer mu.Unlock()
		last[phone] = max(last[phone], int(number))
		count++
	}))
	w.must(err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%v\nlistener %+v\nbridge %+v", fleet.Report(), w.listener(), w.bridge.Stats())
		}
	})
	var phones []string
	for _, d := range fleet.Devices(0, 0) {
		phones = append(phones, d.Phone)
	}
	w.know(phones...)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		if err := fleet.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	await(t, "the fleet to be online", func() bool { return fleet.Stats().Online > terminals*9/10 })
	results := map[string]int{}
	for i, end := 0, time.Now().Add(length); time.Now().Before(end); i++ {
		if i%20 == 10 {
			w.must(w.platform.SetFaults(api.Faults{Disconnect: gatewayProduct + "/" + gatewayName}))
		}
		results[w.outcome(w.invoke(phones[i*7%terminals], "queryLocation", nil)).State]++
		time.Sleep(100 * time.Millisecond)
	}
	if results["done"] == 0 {
		t.Errorf("commands end with %v", results)
	}

	drain, stop := w.deadline()
	defer stop()
	if err := fleet.Drain(drain); err != nil {
		t.Errorf("not all reports are acknowledged: %v", err)
	}
	cancel()
	running.Wait()
	s := fleet.Stats()
	t.Logf("commands %v; fleet %+v", results, s)
	if s.Acked != s.Sent || s.Acked != uint64(count) || s.Acked < terminals*5 {
		t.Errorf("of %d reports %d are acknowledged, %d to the observer", s.Sent, s.Acked, count)
	}
	if s.ClosedByPeer > 0 || s.BadFrames > 0 || s.StrayFrames > 0 {
		t.Errorf("%d connections were closed by the bridge; of its frames %d were damaged, %d for others", s.ClosedByPeer, s.BadFrames, s.StrayFrames)
	}
	await(t, "the bridge to have nobody", func() bool { return w.bridge.Sessions().Len() == 0 && w.listener().Connections == 0 })
	for _, phone := range phones {
		offline(t, w, phone)
	}
	w.must(w.close())
	for _, phone := range phones {
		w.seen.check(t, phone, last[phone])
	}
}
