//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// startPlatform is the local platform. It answers no posts: the bare client
// would not get the answers, for it does not subscribe.
func startPlatform(string) (*role, error) {
	return startPlatformAt(func(*platform.Config) {}, (*platform.Platform).MQTTAddr)
}

// startPlatformAt is startPlatform with another door: change opens it, addr says
// where it is.
func startPlatformAt(change func(*platform.Config), addr func(*platform.Platform) string) (*role, error) {
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", ""
	cfg.Devices = []platform.Device{{ProductKey: gatewayProduct, DeviceName: gatewayName, DeviceSecret: benchSecret}}
	cfg.AutoRegister, cfg.AutoSecret = true, benchSecret
	cfg.Reply = platform.ReplyNone
	cfg.SubDevices = 1 << 17
	cfg.LoginsPerMinute = 0
	change(&cfg)
	p, err := platform.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := p.Start(context.Background()); err != nil {
		return nil, err
	}
	return &role{
		addr: addr(p),
		count: func() counts {
			s := p.Stats()
			n := counts{Messages: s.MessagesTotal, Payloads: s.Messages[api.KindProperty], Bytes: s.Bytes}
			for _, refused := range s.Refused {
				n.Failures += refused
			}
			return n
		},
		close: p.Close,
	}, nil
}

// bareWindow is how many publications of the bare client may be under way: as
// many as the connector's default allows.
const bareWindow = 512

// bareClient publishes the payloads that linkspan makes of the benchmark's
// frames by the same MQTT library, and does nothing else.
type bareClient struct {
	client   mqtt.Client
	qos      byte
	topic    string
	payloads [][]byte
	count    counts
}

func startBareClient(settings string) (*role, error) {
	var broker string
	b := &bareClient{topic: "/sys/" + gatewayProduct + "/" + gatewayName + "/thing/event/property/post"}
	if _, err := fmt.Sscan(settings, &broker, &b.qos); err != nil {
		return nil, fmt.Errorf("settings %q: %w", settings, err)
	}
	var err error
	if b.payloads, err = payloads(0); err != nil {
		return nil, err
	}
	id := "bare"
	b.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetProtocolVersion(4).
		SetClientID(id + "|securemode=3,signmethod=hmacsha256|").SetUsername(gatewayName + "&" + gatewayProduct).
		SetPassword(auth.Sign(auth.HMACSHA256, benchSecret,
			auth.Param{Name: "clientId", Value: id}, auth.Param{Name: "deviceName", Value: gatewayName},
			auth.Param{Name: "productKey", Value: gatewayProduct})).
		SetKeepAlive(time.Minute).SetWriteTimeout(5 * time.Second).SetOrderMatters(false))
	if t := b.client.Connect(); t.Wait() && t.Error() != nil {
		return nil, t.Error()
	}
	return &role{
		count: func() counts { return b.count },
		drive: b.drive,
		close: func(context.Context) error { b.client.Disconnect(100); return nil },
	}, nil
}

// drive publishes for that long, and returns when the platform has all of it.
func (b *bareClient) drive(d time.Duration) (published int, err error) {
	tokens := make(chan mqtt.Token, bareWindow)
	failed := make(chan error, 1)
	go func() { // ends when tokens is closed, which drive does and then waits
		var first error
		for t := range tokens {
			if t.Wait(); t.Error() != nil {
				first = errors.Join(first, t.Error())
			}
		}
		failed <- first
	}()
	for end := time.Now().Add(d); time.Now().Before(end); published++ {
		payload := b.payloads[published%len(b.payloads)]
		tokens <- b.client.Publish(b.topic, b.qos, false, payload)
		b.count.Payloads++
		b.count.Bytes += uint64(len(payload))
	}
	close(tokens)
	return published, <-failed
}
