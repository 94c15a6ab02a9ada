package bridge_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// clumsy panics whatever it is asked.
type clumsy struct{}

func (clumsy) Authenticate(context.Context, string, []string) error               { panic("no map") }
func (clumsy) Push(*session.Session, *thing.Command) (state thing.State, e error) { panic("no map") }
func (clumsy) Broadcast(*thing.Command) error                                     { panic("no map") }

func TestPanicOfAProviderRefusesTheDevice(t *testing.T) {
	t.Parallel()
	b := newBridge(t, newPlatform(), bridge.DefaultConfig(), bridge.WithAuth(clumsy{}))
	err := b.Online(t.Context(), session.New("a", 42), "x")
	var p *bridge.PanicError
	if !errors.As(err, &p) || p.Value != "no map" || len(p.Stack) == 0 {
		t.Errorf("error %v", err)
	}
}

func TestPanicOfADownlinkHandlerFailsTheCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithDownlink(clumsy{}))
		h := goOnline(t, b, p, session.New("a", 42))
		h.login.Command(service("1"))
		p.started.Broadcast(service("2"))
		synctest.Wait()
		if got := h.replies(); !slices.Equal(got, []string{"1 failed"}) {
			t.Errorf("replies %q", got)
		}
		if n := b.Stats().RefusedCommands; n != 2 {
			t.Errorf("%d commands refused, want the command and the broadcast", n)
		}
	})
}
