package bridge_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// TestRepeatedAfterTheEnd: a command that comes again when the device has already
// replied is not told again. One with the same id and other content is another one, and
// so is one that comes later, or after many others.
func TestRepeatedAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		b := newBridge(t, p, bridge.DefaultConfig())
		e := &endpoint{}
		s := session.New("a", e)
		h := goOnline(t, b, p, s)
		ask := func(cmd thing.Command, told bool) {
			t.Helper()
			cmd.Deadline = time.Now().Add(time.Minute)
			had, replies := len(e.commands), len(h.replies())
			h.login.Command(&cmd)
			if (len(e.commands) > had) != told {
				t.Errorf("%q is told: %v, want %v", cmd.ID, !told, told)
			}
			if told {
				if err := reply(b, s, cmd.ID, thing.Done); err != nil {
					t.Error(err)
				}
				replies++
			}
			if n := len(h.replies()); n != replies {
				t.Errorf("%d replies, want %d", n, replies)
			}
			time.Sleep(time.Millisecond) //nolint:forbidigo // fake time
		}
		text := func(id, text string) thing.Command {
			return thing.Command{ID: id, Kind: thing.Service, Name: "text", Fields: []thing.Field{{Name: "text", Value: thing.String(text)}}}
		}
		ask(text("1", "a"), true)
		ask(text("1", "a"), false)
		ask(text("1", "b"), true)
		ask(text("1", "a"), false)
		ask(thing.Command{ID: "1", Kind: thing.RawDown, Raw: []byte("a")}, true)
		ask(thing.Command{ID: "1", Kind: thing.RawDown, Raw: []byte("a")}, false)
		if n := b.Stats().Repeated; n != 3 {
			t.Errorf("counted %d, want 3", n)
		}
		time.Sleep(2 * time.Minute) //nolint:forbidigo // fake time
		ask(text("1", "a"), true)
		for i := range 16 {
			ask(text(fmt.Sprint("more", i), "a"), true)
		}
		ask(text("1", "a"), true)
		ask(text("more15", "a"), false)
	})
}
