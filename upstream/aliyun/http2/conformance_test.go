package http2_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/http2"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startPlatform(tb testing.TB, change func(*platform.Config)) *platform.Platform {
	tb.Helper()
	cfg := platformtest.Config()
	cfg.HTTP2Address = "127.0.0.1:0"
	if change != nil {
		change(&cfg)
	}
	return platformtest.Start(tb, cfg)
}

// config leads to a platform's gateway.
func config(p *platform.Platform) http2.Config {
	g := platformtest.Gateway()
	c := http2.DefaultConfig()
	c.ProductKey, c.DeviceName, c.DeviceSecret = g.ProductKey, g.DeviceName, g.DeviceSecret
	c.Endpoint, c.LoginsPerMinute = "http://"+p.HTTP2Addr(), 0 // the platform does not count either
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 50*time.Millisecond
	c.WriteTimeout = time.Second
	return c
}

func connector(tb testing.TB, cfg http2.Config) *http2.Connector {
	tb.Helper()
	c, err := http2.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		platform func(*platform.Config)
		change   func(*http2.Config)
	}{
		"promises": {},
		"streams of the platform's own, reply": {
			platform: func(c *platform.Config) { c.HTTP2Push = platform.PushStream },
			change:   func(c *http2.Config) { c.Confirm = aliyun.ConfirmReply },
		},
		"few streams, single logins": {
			change: func(c *http2.Config) { c.Streams, c.InFlight, c.BatchLogin, c.SignMethod = 3, 3, 1, "hmacsha1" },
		},
		"GOAWAY every 97 requests": {platform: func(c *platform.Config) { c.HTTP2Requests = 97 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstreamtest.Run(t, func(tb testing.TB) *upstreamtest.Platform {
				tb.Helper()
				p := startPlatform(tb, c.platform)
				return platformtest.Describe(tb, p, func(tb testing.TB) upstream.Connector {
					tb.Helper()
					cfg := config(p)
					if c.change != nil {
						c.change(&cfg)
					}
					return connector(tb, cfg)
				})
			})
		})
	}
}
