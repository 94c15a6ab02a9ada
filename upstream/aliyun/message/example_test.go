package message_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/upstream/aliyun/message"
)

// A device that hears what it says itself.
func Example() {
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.HTTP2Address = "127.0.0.1:0", "", "127.0.0.1:0"
	cfg.Devices = []platform.Device{{ProductKey: "demo", DeviceName: "truck-1", DeviceSecret: "s1"}}
	local, err := platform.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err = local.Start(ctx); err != nil {
		log.Fatal(err)
	}
	endpoint := "http://" + local.HTTP2Addr()

	profile := message.DeviceProfile(endpoint, "demo", "truck-1", "s1", "demo.truck-1")
	client, err := message.New(profile)
	if err != nil {
		log.Fatal(err)
	}
	heard := make(chan string, 1)
	err = client.Connect(ctx, func(d *message.Delivery) message.Action {
		heard <- d.Topic + ": " + string(d.Payload)
		return message.Commit
	})
	if err != nil {
		log.Fatal(err)
	}
	if err = client.Subscribe(ctx, "/demo/truck-1/user/get", nil); err != nil {
		log.Fatal(err)
	}
	if err = client.Publish("/demo/truck-1/user/get", []byte("hello"), 1).Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-heard)
	_ = client.Close(ctx)
	_ = local.Close(ctx)
	// Output: /demo/truck-1/user/get: hello
}
