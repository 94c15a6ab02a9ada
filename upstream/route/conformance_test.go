package route_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/route"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The suite runs through a router: with one platform, with copies to another,
// and with copies to one that never answers and whose methods never return.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, copies := range map[string]func(testing.TB) map[string]upstream.Connector{
		"alone": func(testing.TB) map[string]upstream.Connector { return nil },
		"copies": func(tb testing.TB) map[string]upstream.Connector {
			tb.Helper()
			return map[string]upstream.Connector{"archive": platformtest.Connector(tb, platformtest.Start(tb, platformtest.Config()))}
		},
		"copies that hang": func(tb testing.TB) map[string]upstream.Connector {
			tb.Helper()
			c := newCloud()
			c.hang = make(chan struct{})
			tb.Cleanup(func() { close(c.hang) })
			return map[string]upstream.Connector{"archive": c}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstreamtest.Run(t, func(tb testing.TB) *upstreamtest.Platform {
				tb.Helper()
				p := platformtest.Start(tb, platformtest.Config())
				return platformtest.Describe(tb, p, func(tb testing.TB) upstream.Connector {
					tb.Helper()
					ups, rule := map[string]upstream.Connector{"main": platformtest.Connector(tb, p)}, route.Rule{To: "main"}
					for name, c := range copies(tb) {
						ups[name] = c
						rule.Copies, rule.CopyCommands = []string{name}, true
					}
					cfg := route.Config{Routes: []route.Rule{rule}, Copies: route.CopyConfig{CloseTimeout: 100 * time.Millisecond}}
					r, err := route.New(cfg, ups)
					if err != nil {
						tb.Fatal(err)
					}
					return r
				})
			})
		})
	}
}
