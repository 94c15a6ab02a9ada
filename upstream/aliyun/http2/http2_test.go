package http2_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/http2"
)

const patience = 20 * time.Second

func start(t *testing.T, c *http2.Connector) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := c.Start(ctx, upstream.Host{})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if closed := c.Close(ctx); closed != nil {
			t.Errorf("Close: %v", closed)
		}
	})
	return err
}

func publish(t *testing.T, d upstream.Device, n int64) error {
	t.Helper()
	done := make(chan error, 1)
	d.Publish(&thing.Message{Kind: thing.Property, Fields: []thing.Field{{Name: "n", Value: thing.Int(n)}}}, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("done of Publish was never called")
		return nil
	}
}

func login(t *testing.T, c *http2.Connector) upstream.Device {
	t.Helper()
	type result struct {
		d   upstream.Device
		err error
	}
	done := make(chan result, 1)
	c.Login(upstream.Login{Device: platformtest.Truck(0)}, func(d upstream.Device, err error) { done <- result{d, err} })
	select {
	case r := <-done:
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r.d
	case <-time.After(patience):
		t.Fatal("done of Login was never called")
		return nil
	}
}

// Over TLS, with an authority that the system does not know.
func TestTLS(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, func(c *platform.Config) { c.HTTP2Address, c.HTTP2TLSAddress = "", "127.0.0.1:0" })
	cfg := config(p)
	cfg.Endpoint = "https://" + p.HTTP2TLSAddr()
	cfg.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(cfg.CAFile, p.Authority(), 0o600); err != nil {
		t.Fatal(err)
	}
	c := connector(t, cfg)
	if err := start(t, c); err != nil {
		t.Fatal(err)
	}
	if err := publish(t, login(t, c), 1); err != nil {
		t.Fatal(err)
	}
	if s := c.Stats(); s.Aliyun.Connected != 1 || s.Pushed == 0 {
		t.Errorf("%+v", s)
	}
	cfg.CAFile = ""
	untrusting := connector(t, cfg)
	if err := start(t, untrusting); err != nil {
		t.Errorf("a platform that is not trusted is one that is away: %v", err)
	}
	if s := untrusting.Stats(); s.Aliyun.Connected != 0 || s.Aliyun.Failures == 0 {
		t.Errorf("%+v", s.Aliyun)
	}
}

func TestGatewayRefused(t *testing.T) {
	t.Parallel()
	cfg := config(startPlatform(t, nil))
	cfg.DeviceSecret = "not it"
	err := start(t, connector(t, cfg))
	if err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "deviceSecret") {
		t.Errorf("Start: %v", err)
	}
}

// A gateway that names its paths otherwise refuses messages for good, and says by
// which status.
func TestOtherPath(t *testing.T) {
	t.Parallel()
	cfg := config(startPlatform(t, nil))
	cfg.Names.SubscribePath = "/elsewhere/"
	c := connector(t, cfg)
	if err := start(t, c); err != nil {
		t.Fatal(err)
	}
	if s := c.Stats().Aliyun; s.Connected != 1 || s.Errors["subscription_denied"] == 0 {
		t.Errorf("%+v", s)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	_, err := http2.New(http2.Config{
		ProductKey: "pk", Endpoint: "ssl://host", Streams: -1, Heartbeat: 2 * time.Minute, HeartbeatTimeout: -1, Window: 5, QoS: 2,
		SignMethod: "none", CAFile: "nowhere.pem", Names: http2.Names{AckPath: "ack"},
	})
	if err == nil {
		t.Fatal("all that was taken")
	}
	for _, want := range []string{
		"endpoint", "streams", "heartbeat is", "heartbeatTimeout", "window", "qos", "signMethod", "caFile", "names.ackPath", "deviceName",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in %v", want, err)
		}
	}
	if _, err := http2.New(http2.Config{ProductKey: "pk", DeviceName: "dn", DeviceSecret: "secret"}); err != nil {
		t.Errorf("the zero values do not stand for the defaults: %v", err)
	}
	if http2.DefaultConfig().Confirm != aliyun.ConfirmPuback {
		t.Error("the defaults are not those of the connector over MQTT")
	}
}
