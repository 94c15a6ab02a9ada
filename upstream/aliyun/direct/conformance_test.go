package direct_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/direct"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(platformVariable) != "" {
		servePlatform()
		return
	}
	goleak.VerifyTestMain(m)
}

// startPlatform is a running platform that listens in all ways.
func startPlatform(tb testing.TB) *platform.Platform {
	tb.Helper()
	cfg := platformtest.Config()
	cfg.TLSAddress, cfg.WSAddress, cfg.WSSAddress = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.AuthAddress, cfg.AuthTLS = "127.0.0.1:0", true
	return platformtest.Start(tb, cfg)
}

// config leads to the platform over TCP.
func config(p *platform.Platform) direct.Config {
	c := direct.DefaultConfig()
	c.Endpoint = "tcp://" + p.MQTTAddr()
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 50*time.Millisecond
	c.ConnectRate, c.ConnectsPerMinute = 10_000, 0
	c.WriteTimeout = time.Second
	return c
}

// trust writes the platform's authority to a file.
func trust(tb testing.TB, p *platform.Platform) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "ca.pem")
	if err := os.WriteFile(file, p.Authority(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func newConnector(tb testing.TB, cfg direct.Config) *direct.Connector {
	tb.Helper()
	c, err := direct.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(testing.TB, *platform.Platform, *direct.Config){
		"TCP": func(testing.TB, *platform.Platform, *direct.Config) {},
		"TLS": func(tb testing.TB, p *platform.Platform, c *direct.Config) {
			tb.Helper()
			c.Endpoint, c.CAFile = "ssl://"+p.TLSAddr(), trust(tb, p)
		},
		"WebSocket": func(_ testing.TB, p *platform.Platform, c *direct.Config) {
			c.Endpoint, c.SignMethod = "ws://"+p.WSAddr()+"/mqtt", "hmacsha1"
		},
		"WebSocket over TLS": func(tb testing.TB, p *platform.Platform, c *direct.Config) {
			tb.Helper()
			c.Endpoint, c.CAFile, c.ServerName = "wss://"+p.WSSAddr(), trust(tb, p), "localhost"
		},
		"token first": func(tb testing.TB, p *platform.Platform, c *direct.Config) {
			tb.Helper()
			c.Auth, c.AuthEndpoint = direct.AuthHTTPS, "https://"+p.AuthAddr()+"/auth/devicename"
			c.Endpoint, c.CAFile = "", trust(tb, p) // the answer has the endpoint
		},
		"replies, small window": func(_ testing.TB, _ *platform.Platform, c *direct.Config) {
			c.Confirm, c.InFlight = direct.ConfirmReply, 3
		},
		"no subscriptions": func(_ testing.TB, _ *platform.Platform, c *direct.Config) {
			c.Subscribe, c.CleanSession = direct.SubscribeNone, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstreamtest.Run(t, func(tb testing.TB) *upstreamtest.Platform {
				tb.Helper()
				p := startPlatform(tb)
				d := platformtest.Describe(tb, p, func(tb testing.TB) upstream.Connector {
					tb.Helper()
					cfg := config(p)
					change(tb, p, &cfg)
					return newConnector(tb, cfg)
				})
				// A device that is only kicked connects again.
				d.Kick = func(id auth.Identity) error { return p.Disable(id.ProductKey, id.DeviceName) }
				return d
			})
		})
	}
}
