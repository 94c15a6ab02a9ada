package queue_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names is a source of devices that knows every name.
type names struct{}

func (names) Identity(name string) (auth.Identity, error) {
	return auth.Identity{ProductKey: "p", DeviceName: name}, nil
}

// config is a queue in a directory of the test's, which is quick.
func config(tb testing.TB, mode string) queue.Config {
	tb.Helper()
	cfg := queue.DefaultConfig()
	cfg.Mode = mode
	dir := tb.TempDir()
	cfg.Directory, cfg.Dead.Directory = filepath.Join(dir, "queue"), filepath.Join(dir, "dead")
	cfg.SegmentSize, cfg.MinFree = 8<<20, 0
	cfg.Away = 50 * time.Millisecond
	cfg.Retry = queue.RetryConfig{Min: 5 * time.Millisecond, Max: 50 * time.Millisecond}
	return cfg
}

// The suite runs through a queue in front of a real connector to a real platform.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{queue.ModeOn, queue.ModeSpill} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			upstreamtest.Run(t, func(tb testing.TB) *upstreamtest.Platform {
				tb.Helper()
				p := platformtest.Start(tb, platformtest.Config())
				return platformtest.Describe(tb, p, func(tb testing.TB) upstream.Connector {
					tb.Helper()
					q, err := queue.New(config(tb, mode), platformtest.Connector(tb, p), names{})
					if err != nil {
						tb.Fatal(err)
					}
					return q
				})
			})
		})
	}
}
