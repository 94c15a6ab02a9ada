package bridge_test

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
)

// register is devices that change.
type register struct {
	mu    sync.Mutex
	names map[string]string
	asked int
}

func (r *register) set(name, device string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if device == "" {
		delete(r.names, name)
	} else {
		r.names[name] = device
	}
}

func (r *register) Identity(name string) (auth.Identity, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if d, ok := r.names[name]; ok {
		return auth.Identity{ProductKey: "pk", DeviceName: d}, nil
	}
	return auth.Identity{}, bridge.ErrUnknownDevice
}

func revocable(t *testing.T, p *platform, opts ...bridge.Option) (*bridge.Bridge, *register) {
	t.Helper()
	r := &register{names: map[string]string{"a": "a", "b": "b", "c": "c"}}
	b, err := bridge.New(bridge.DefaultConfig(), p, r, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err = b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(t.Context()) })
	return b, r
}

func TestRevokeEndsThoseAndNoOthers(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	b, r := revocable(t, p)
	sessions := map[string]*session.Session{}
	for _, name := range []string{"a", "b", "c"} {
		sessions[name] = session.New(name, &endpoint{})
		goOnline(t, b, p, sessions[name])
	}
	r.set("a", "")
	r.set("b", "b2")
	if n := b.Revoke(slices.Values([]string{"a", "b", "nobody"}), session.ErrRevoked); n != 2 {
		t.Errorf("ended %d sessions, want 2", n)
	}
	for name, s := range maps.All(sessions) {
		cause := s.Channel().(*endpoint).cause()
		if stays := name == "c"; stays && (cause != nil || s.State() != session.Online) || !stays && (!errors.Is(cause, session.ErrRevoked) || s.State() != session.Closed) {
			t.Errorf("%s is %s, closed with %v", name, s.State(), cause)
		}
	}
	again := session.New("b", &endpoint{})
	goOnline(t, b, p, again)
	if got := p.last().login.Device.DeviceName; got != "b2" {
		t.Errorf("b came back as %s", got)
	}
}

// entering is a session manager that does something before it opens a session.
type entering struct {
	*table

	before func(*session.Session)
}

func (e *entering) Open(s *session.Session) (*session.Session, error) {
	e.before(s)
	return e.table.Open(s)
}

// A device whose identity changes between its look-up and its place in the
// session table, where Revoke does not find it yet, does not come online with
// the old one; one that stays the same does.
func TestRevokeOfDevicesOnTheirWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		becomes string
		want    error
	}{
		"changed": {"a2", session.ErrRevoked},
		"removed": {"", session.ErrRevoked},
		"same":    {"a", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			m := &entering{table: &table{sessions: map[string]*session.Session{}}, before: func(*session.Session) {}}
			b, r := revocable(t, p, bridge.WithSessions(m))
			m.before = func(*session.Session) {
				r.set("a", c.becomes)
				b.Revoke(slices.Values([]string{"a"}), session.ErrRevoked)
			}
			s := session.New("a", &endpoint{})
			if err := b.Online(t.Context(), s); !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if cause := s.Channel().(*endpoint).cause(); !errors.Is(cause, c.want) {
				t.Errorf("channel closed with %v, want %v", cause, c.want)
			}
			if p.mu.Lock(); (len(p.all) > 0) != (c.want == nil) {
				t.Errorf("%d logins at the platform", len(p.all))
			}
			p.mu.Unlock()
		})
	}
}

// Devices that may wait are not asked by PublishAsync, which must not.
func TestPublishDoesNotAskSlowDevices(t *testing.T) {
	t.Parallel()
	b, r := revocable(t, newPlatform(), bridge.WithSlowDevices())
	if err := b.Publish(t.Context(), "nobody", bridge.Message{}); !errors.Is(err, bridge.ErrOffline) {
		t.Errorf("error %v, want ErrOffline", err)
	}
	if r.asked != 0 {
		t.Errorf("devices were asked %d times", r.asked)
	}
}
