package away_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// orderly answers messages on a goroutine of its own, in their order.
type orderly struct{ unsaid chan func(error) }

func (o *orderly) Login(_ upstream.Login, done func(upstream.Device, error)) { done(o, nil) }
func (o *orderly) Publish(_ *thing.Message, done func(error))                { o.unsaid <- done }
func (*orderly) Logout(done func(error))                                     { done(nil) }

// Logins that take over from each other while they publish are told of all that they
// published, once, in their order.
func TestDonesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	platform := &orderly{unsaid: make(chan func(error), 16)}
	var answering sync.WaitGroup
	answering.Go(func() {
		for done := range platform.unsaid {
			runtime.Gosched()
			done(nil)
		}
	})
	cfg := away.DefaultConfig()
	cfg.Hold = time.Hour
	c, err := away.New(cfg, platform)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context(), upstream.Host{Logger: zap.NewNop()}); err != nil {
		t.Fatal(err)
	}
	const logins, messages = 20, 200
	var publishing, done sync.WaitGroup
	for range logins {
		var d upstream.Device
		c.Login(upstream.Login{Device: auth.Identity{DeviceName: "a"}, Command: func(*thing.Command) {}, Lost: func(error) {}},
			func(device upstream.Device, _ error) { d = device })
		started := make(chan struct{})
		done.Add(messages)
		publishing.Go(func() {
			next, superseded := 0, false
			for n := range messages {
				d.Publish(&thing.Message{}, func(err error) { // one at a time, or there is a race
					if n != next || superseded && err == nil || err != nil && !errors.Is(err, upstream.ErrSuperseded) {
						t.Errorf("message %d is done with %v, want %d", n, err, next)
					}
					next, superseded = n+1, err != nil
					done.Done()
				})
				if n == messages/4 {
					close(started)
				}
			}
		})
		<-started // the next one takes over in the midst of it
	}
	publishing.Wait()
	done.Wait()
	close(platform.unsaid)
	answering.Wait()
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
