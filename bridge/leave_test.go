package bridge_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/upstream"
)

// holder is a platform whose devices may leave.
type holder struct {
	*platform
	mu   sync.Mutex
	left []string
}

type leaver struct {
	upstream.Device
	h    *holder
	name string
}

func (l leaver) Leave(done func(error)) {
	l.h.mu.Lock()
	l.h.left = append(l.h.left, l.name)
	l.h.mu.Unlock()
	done(nil)
}

func (h *holder) Login(l upstream.Login, done func(upstream.Device, error)) {
	h.platform.Login(l, func(d upstream.Device, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		done(leaver{d, h, l.Device.DeviceName}, nil)
	})
}

// Only a device whose connection broke leaves; others are logged out.
func TestWhoLeavesAndWhoIsLoggedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &holder{platform: newPlatform()}
		b, err := bridge.New(bridge.DefaultConfig(), h, names{})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ends := map[string]error{
			"broke":   fmt.Errorf("read: %w", errors.Join(io.EOF, session.ErrDisconnected)),
			"silent":  session.ErrHeartbeatTimeout,
			"goodbye": errCause,
			"revoked": session.ErrRevoked,
		}
		for name, cause := range ends {
			s := session.New(name, &endpoint{})
			if err := b.Online(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			b.Uplink().Offline(s, cause)
		}
		h.manual = true // and one whose connection breaks before its login has completed
		s := session.New("early", &endpoint{})
		b.Uplink().Online(s, nil, nil)
		b.Uplink().Offline(s, session.ErrDisconnected)
		h.finish()
		synctest.Wait()
		slices.Sort(h.left)
		if want := []string{"broke", "early", "silent"}; !slices.Equal(h.left, want) {
			t.Errorf("those who left: %q, want %q", h.left, want)
		}
		h.manual = false
		for _, name := range []string{"goodbye", "revoked"} {
			if h.current[name] != nil {
				t.Errorf("%s is still logged in", name)
			}
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
