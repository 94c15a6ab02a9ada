package away_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// nowhere takes everything at once.
type nowhere struct{ login upstream.Login }

func (n *nowhere) Login(l upstream.Login, done func(upstream.Device, error)) {
	n.login = l
	done(n, nil)
}
func (*nowhere) Publish(_ *thing.Message, done func(error)) { done(nil) }
func (*nowhere) Logout(done func(error))                    { done(nil) }

// bed is a device behind a connector.
type bed struct {
	*away.Connector
	platform *nowhere
	device   upstream.Device
}

func newBed(b *testing.B, options ...away.Option) *bed {
	b.Helper()
	cfg := away.DefaultConfig()
	cfg.Hold, cfg.Commands = time.Hour, 100
	t := &bed{platform: &nowhere{}}
	var err error
	if t.Connector, err = away.New(cfg, t.platform, options...); err != nil {
		b.Fatal(err)
	}
	if err := t.Start(b.Context(), upstream.Host{Logger: zap.NewNop()}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := t.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	t.login()
	return t
}

// login has the device come, or come back.
func (t *bed) login() {
	t.Login(upstream.Login{
		Device: auth.Identity{ProductKey: "pk", DeviceName: "a"}, Name: "a", Command: func(*thing.Command) {}, Lost: func(error) {},
	}, func(d upstream.Device, _ error) { t.device = d })
}

// BenchmarkPublish is what a message costs on its way through.
func BenchmarkPublish(b *testing.B) {
	t := newBed(b)
	m := &thing.Message{Kind: thing.Raw}
	b.ReportAllocs()
	for b.Loop() {
		t.device.Publish(m, upstream.Ignore)
	}
}

// BenchmarkCommand is what a command costs whoever brings it: for a device that is there, and
// for one that is away, and comes back after each hundred.
func BenchmarkCommand(b *testing.B) {
	b.Run("present", func(b *testing.B) {
		t := newBed(b)
		cmd := &thing.Command{ID: "1"}
		b.ReportAllocs()
		for b.Loop() {
			t.platform.login.Command(cmd)
		}
	})
	for _, where := range []string{"memory", "disk"} {
		b.Run("away/"+where, func(b *testing.B) {
			var options []away.Option
			if where == "disk" {
				options = append(options, away.WithDisk(away.Disk{Directory: b.TempDir()}))
			}
			t := newBed(b, options...)
			ids := make([]string, 100)
			for i := range ids {
				ids[i] = strconv.Itoa(i)
			}
			fields := []thing.Field{{Name: "door", Value: thing.Int(1)}}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%100 == 0 {
					t.login()
					t.device.(upstream.Leaver).Leave(upstream.Ignore)
				}
				t.platform.login.Command(&thing.Command{ID: ids[n%100], Kind: thing.Service, Name: "lock", Fields: fields})
			}
		})
	}
}
