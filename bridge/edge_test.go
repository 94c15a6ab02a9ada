package bridge_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// A refused call must not end the session that another call has brought online.
func TestOnlineAgainWithACanceledContext(t *testing.T) {
	t.Parallel()
	b := newBridge(t, newPlatform(), bridge.DefaultConfig())
	s := session.New("a", nil)
	if err := b.Online(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // with both ready, a select takes either
		if err := b.Online(ctx, s); !errors.Is(err, session.ErrReused) {
			t.Fatalf("online again: %v", err)
		}
	}
	if s.State() != session.Online {
		t.Errorf("session is %s", s.State())
	}
}

// deadlines is a connection that notes its last write deadline.
type deadlines struct {
	net.Conn
	last time.Time
	set  bool
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.last, d.set = at, d.set || !at.IsZero()
	return nil
}

func (*deadlines) Write(p []byte) (int, error) { return len(p), nil }

// The channel's owner writes to it as well, perhaps much later.
func TestDirectDownlinkLeavesNoDeadline(t *testing.T) {
	t.Parallel()
	d := &deadlines{}
	state, err := bridge.DirectDownlink{}.Push(session.New("a", d), &thing.Command{Kind: thing.RawDown, Raw: []byte("x")})
	if err != nil || state != thing.Done {
		t.Fatalf("%s, %v", state, err)
	}
	if !d.set || !d.last.IsZero() {
		t.Errorf("deadline set: %v, left: %v; want one that is taken back", d.set, d.last)
	}
}

func TestPublishingIsASignOfLife(t *testing.T) {
	t.Parallel()
	b := newBridge(t, newPlatform(), bridge.DefaultConfig())
	s := session.New("a", nil, session.Heartbeat(time.Minute, 0))
	if err := b.Online(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	s.Touch(1)
	if err := b.Publish(t.Context(), "a", bridge.Message{Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if seen := s.LastSeen(); seen.Equal(time.UnixMilli(1)) {
		t.Errorf("last seen %v, before it published", seen)
	}
}

// Connectors that route or that name topics need to know whom they log in.
func TestLoginTellsWhoAndWhereFrom(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	b := newBridge(t, p, bridge.DefaultConfig())
	if err := b.Online(t.Context(), session.New("a", nil, session.Via("jt808-1"))); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.all[0].login; l.Name != "a" || l.Listener != "jt808-1" {
		t.Errorf("login of %q from %q", l.Name, l.Listener)
	}
}
