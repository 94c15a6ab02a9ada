package platform_test

import (
	"context"
	"fmt"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
)

// A platform for a test or a demo: it listens on free ports and knows one
// gateway with one device.
func Example() {
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", "127.0.0.1:0"
	p, err := platform.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err = p.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Close(ctx) }()
	_ = p.AddDevice(auth.Identity{ProductKey: "a1gateway", DeviceName: "bridge-1", DeviceSecret: "s1"}, "")
	_ = p.AddDevice(auth.Identity{ProductKey: "a1truck", DeviceName: "truck-1", DeviceSecret: "s2"}, "a1gateway/bridge-1")
	// ... connect a gateway to p.MQTTAddr() ...
	d, err := p.Device("a1truck", "truck-1")
	fmt.Println(d.State, err)
	r, err := p.Set(ctx, "a1truck", "truck-1", map[string]any{"fan": 1})
	fmt.Println(r.State, err)
	// Output:
	// unactive <nil>
	// offline <nil>
}
