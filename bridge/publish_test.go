package bridge_test

import (
	"errors"
	"testing"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// Those who do not wait are told what is refused at once, those who wait by done as
// well.
func TestRefusalsAreReturned(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.keep = true
	cfg := bridge.DefaultConfig()
	cfg.MaxSessionInFlight = 1
	b := newBridge(t, p, cfg)
	u, s := b.Uplink(), session.New("a", nil)
	want := func(what string, m *thing.Message, want error) {
		t.Helper()
		var r result
		if err := u.Publish(s, m, r.done); !errors.Is(err, want) || want != nil && !errors.Is(r.once(t), want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if err := u.Publish(s, m, nil); want != nil && !errors.Is(err, want) {
			t.Errorf("%s, without done: %v, want %v", what, err, want)
		}
	}
	m := &thing.Message{Kind: thing.Raw}
	want("before the login", m, bridge.ErrOffline)
	if err := b.Online(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	want("a reply that is too late", &thing.Message{Kind: thing.Reply, ID: "1"}, bridge.ErrNoCommand)
	want("a reply to nothing", &thing.Message{Kind: thing.Reply}, nil)
	if err := u.Publish(s, m, nil); err != nil {
		t.Errorf("with room: %v", err)
	}
	want("without room", m, bridge.ErrOverloaded)
	u.Offline(s, errors.New("gone"))
	want("after the end", m, bridge.ErrOffline)
}
