package away_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A connector whose devices may be away is a connector like others.
func TestConformance(t *testing.T) {
	t.Parallel()
	upstreamtest.Run(t, func(tb testing.TB) *upstreamtest.Platform {
		tb.Helper()
		p := platformtest.Start(tb, platformtest.Config())
		return platformtest.Describe(tb, p, func(tb testing.TB) upstream.Connector {
			tb.Helper()
			holding := away.DefaultConfig()
			holding.Hold = time.Minute
			c, err := away.New(holding, platformtest.Connector(tb, p))
			if err != nil {
				tb.Fatal(err)
			}
			return c
		})
	})
}
