package aliyun_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	gatewayProduct = "a1gateway01"
	product        = "a1truck0001"
	secret         = auth.Secret("secret")
)

func gatewayName(i int) string { return fmt.Sprintf("gateway-%d", i) }

func truck(i int) auth.Identity {
	return auth.Identity{ProductKey: product, DeviceName: fmt.Sprintf("truck-%d", i), DeviceSecret: secret}
}

// startPlatform is a running platform with two gateways, trucks in the topology
// of the first, and strays in none.
func startPlatform(tb testing.TB, change func(*platform.Config)) *platform.Platform {
	tb.Helper()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", ""
	cfg.WatchQueue = 100_000
	for i := range 2 {
		cfg.Devices = append(cfg.Devices, platform.Device{ProductKey: gatewayProduct, DeviceName: gatewayName(i), DeviceSecret: secret})
	}
	for i := range 10 {
		id := truck(i)
		cfg.Devices = append(cfg.Devices,
			platform.Device{ProductKey: id.ProductKey, DeviceName: id.DeviceName, DeviceSecret: secret, Gateway: gatewayProduct + "/" + gatewayName(0)},
			platform.Device{ProductKey: id.ProductKey, DeviceName: fmt.Sprintf("stray-%d", i), DeviceSecret: secret})
	}
	if change != nil {
		change(&cfg)
	}
	p, err := platform.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			tb.Errorf("platform: %v", err)
		}
	})
	return p
}

// config leads to the platform's first gateway.
func config(p *platform.Platform) aliyun.Config {
	c := aliyun.DefaultConfig()
	c.ProductKey, c.DeviceName, c.DeviceSecret = gatewayProduct, gatewayName(0), secret
	c.Endpoint = "tcp://" + p.MQTTAddr()
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 50*time.Millisecond
	c.WriteTimeout = time.Second
	c.LoginsPerMinute = 0
	return c
}

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*aliyun.Config){
		"puback": func(*aliyun.Config) {},
		"reply":  func(c *aliyun.Config) { c.Confirm = aliyun.ConfirmReply },
		"single logins, small window": func(c *aliyun.Config) {
			c.BatchLogin, c.InFlight, c.SignMethod = 1, 3, "hmacsha1"
		},
		"no subscriptions": func(c *aliyun.Config) { c.Subscribe, c.CleanSession = aliyun.SubscribeNone, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstreamtest.Run(t, func(tb testing.TB) *upstreamtest.Platform {
				tb.Helper()
				return describe(tb, change)
			})
		})
	}
}

// describe starts a platform and says how the suite gets at it.
func describe(tb testing.TB, change func(*aliyun.Config)) *upstreamtest.Platform {
	tb.Helper()
	p := startPlatform(tb, func(c *platform.Config) { c.LoginsPerMinute = 0 })
	return platformtest.Describe(tb, p, func(tb testing.TB) upstream.Connector {
		tb.Helper()
		cfg := config(p)
		change(&cfg)
		c, err := aliyun.New(cfg)
		if err != nil {
			tb.Fatal(err)
		}
		return c
	})
}
