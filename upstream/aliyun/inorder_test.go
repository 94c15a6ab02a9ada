package aliyun_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// For a sender that sends again what failed, a message whose time is over takes
// those behind it along, though theirs is not: a platform that comes back in that
// very moment gets none of them.
func TestMessagesBehindOneWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	cfg := config(p)
	cfg.HoldTimeout = time.Second
	up := start(t, cfg)
	d, err := login(t, up, upstream.Login{Device: truck(0), InOrder: true})
	if err != nil {
		t.Fatal(err)
	}
	watch, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindProperty}})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	faults(t, p, api.Faults{RefuseConnects: &api.Refusal{Count: -1, Code: 3}, Disconnect: "all"})
	untilOffline(t, p, truck(0))
	for up.Stats().Connected > 0 { // until the connector has noticed too
		_ = publish(d, number(0, thing.AtMostOnce))
	}
	again, _ := d.(upstream.Resumer)
	again.Resume() // one of these may have failed
	failed := make(chan error, 2)
	d.Publish(number(1, thing.AtLeastOnce), func(err error) {
		faults(t, p, api.Faults{RefuseConnects: &api.Refusal{Code: 3}})
		failed <- err
	})
	<-time.After(cfg.HoldTimeout / 2)
	d.Publish(number(2, thing.AtLeastOnce), func(err error) { failed <- err })
	for n := 1; n <= 2; n++ {
		if err = <-failed; !errors.Is(err, upstream.ErrNotConnected) {
			t.Errorf("message %d: %v, want ErrNotConnected", n, err)
		}
	}
	began := time.Now()
	for err = upstream.ErrNotConnected; err != nil; err = publish(d, number(3, thing.AtLeastOnce)) {
		if !upstream.Temporary(err) || time.Since(began) > time.Minute {
			t.Fatalf("when the platform is back: %v", err)
		}
		again.Resume()
	}
	m, err := watch.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fields, err := thing.ParseFields(m.Data); err != nil || !slices.ContainsFunc(fields, func(f thing.Field) bool { return f.Name == "n" && f.Value.String() == "3" }) {
		t.Errorf("the platform got %s, want 3 before all others", m.Data)
	}
}
