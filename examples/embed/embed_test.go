package embed_test

import (
	"bufio"
	"context"
	"net"
	"testing"
	"time"

	"github.com/linkspan/linkspan/examples/embed"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// A device's bytes reach the local platform, the platform's reach the device,
// and it is offline when its connection has ended.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	cfg := aliyun.DefaultConfig()
	cfg.Endpoint = "tcp://" + p.MQTTAddr()
	cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = "gateway", "bridge", "gw-secret"
	up, err := aliyun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	watch, err := p.Subscribe(platform.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- embed.Serve(ctx, l, up, embed.Devices{"m1": {ProductKey: "demo", DeviceName: "meter-1", DeviceSecret: "s1"}})
	}()

	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err = conn.Write([]byte("m1 hello\n")); err != nil {
		t.Fatal(err)
	}
	if m := until(t, watch, api.KindRaw); string(m.Raw) != "hello" || m.DeviceName != "meter-1" {
		t.Errorf("the platform got %+v", m)
	}
	if _, err = p.SendRaw(ctx, "demo", "meter-1", []byte("wake up\n")); err != nil {
		t.Fatal(err)
	}
	if line, e := bufio.NewReader(conn).ReadString('\n'); e != nil || line != "wake up\n" {
		t.Errorf("the device got %q, %v", line, e)
	}
	_ = conn.Close() // the device hangs up
	until(t, watch, api.KindOffline)
	cancel()
	if err = <-served; err != nil {
		t.Error(err)
	}
}

func startPlatform(t *testing.T) *platform.Platform {
	t.Helper()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", ""
	cfg.Devices = []platform.Device{
		{ProductKey: "gateway", DeviceName: "bridge", DeviceSecret: "gw-secret"},
		{ProductKey: "demo", DeviceName: "meter-1", DeviceSecret: "s1", Gateway: "gateway/bridge"},
	}
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// until waits for the next message of that kind about the meter.
func until(t *testing.T, w *platform.Watch, kind string) api.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		m, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("no %s: %v", kind, err)
		}
		if m.Kind == kind && m.DeviceName == "meter-1" {
			return m
		}
	}
}
