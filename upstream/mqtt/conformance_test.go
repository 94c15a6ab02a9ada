package mqtt_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func truck(name string) auth.Identity {
	return auth.Identity{ProductKey: "demo", DeviceName: "truck-" + name, DeviceSecret: "secret"}
}

// config leads to b.
func config(b *testBroker, change func(*mqtt.Config)) mqtt.Config {
	c := mqtt.DefaultConfig()
	c.Endpoint = []string{b.url()}
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 50*time.Millisecond
	c.WriteTimeout = time.Second
	if change != nil {
		change(&c)
	}
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	outOfPlace := auth.Identity{ProductKey: "demo", DeviceName: "truck/1"}
	for name, c := range map[string]struct {
		change  func(*mqtt.Config)
		unknown auth.Identity
	}{
		"shared":                  {nil, truck("unknown")},
		"wildcard":                {func(c *mqtt.Config) { c.Subscribe = mqtt.SubscribeWildcard }, outOfPlace},
		"pool":                    {func(c *mqtt.Config) { c.Connections, c.PoolSize = mqtt.ConnectionsPool, 3 }, truck("unknown")},
		"pool, wildcard":          {func(c *mqtt.Config) { c.Connections, c.Subscribe = mqtt.ConnectionsPool, mqtt.SubscribeWildcard }, outOfPlace},
		"kept session":            {func(c *mqtt.Config) { c.CleanSession = false }, truck("unknown")},
		"small window":            {func(c *mqtt.Config) { c.InFlight = 3 }, truck("unknown")},
		"a connection for each":   {func(c *mqtt.Config) { c.Connections = mqtt.ConnectionsDevice }, truck("unknown")},
		"each, with kept session": {func(c *mqtt.Config) { c.Connections, c.CleanSession = mqtt.ConnectionsDevice, false }, truck("unknown")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstreamtest.Run(t, func(tb testing.TB) *upstreamtest.Platform {
				tb.Helper()
				b := startBroker(tb)
				b.deny("unknown")
				cfg := config(b, c.change)
				p := &upstreamtest.Platform{
					Devices: []auth.Identity{truck("1"), truck("2"), truck("3")}, Unknown: c.unknown,
					Connector: func(tb testing.TB) upstream.Connector {
						tb.Helper()
						up, err := mqtt.New(cfg)
						if err != nil {
							tb.Fatal(err)
						}
						return up
					},
					Next: b.next, Command: b.command, Cut: b.cut, Restore: b.restore,
					Topic: func(id auth.Identity) string { return "any/" + id.ProductKey + "/" + id.DeviceName + "/update" },
					Kinds: []thing.Kind{thing.Property, thing.Event, thing.Raw, thing.Publication},
				}
				if cfg.Connections == mqtt.ConnectionsDevice {
					p.Kick = func(id auth.Identity) error {
						client := id.ProductKey + "." + id.DeviceName
						b.deny(client)
						return b.kick(client)
					}
				}
				return p
			})
		})
	}
}
