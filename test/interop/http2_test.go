//go:build interop

package interop

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/upstream/aliyun/message"
)

// TestCurlOverHTTP2 has curl publish messages of a device to the platform's
// HTTP/2 gateway, with prior knowledge and over TLS.
func TestCurlOverHTTP2(t *testing.T) {
	t.Parallel()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", ""
	cfg.HTTP2Address, cfg.HTTP2TLSAddress = "127.0.0.1:0", "127.0.0.1:0"
	cfg.LoginsPerMinute = 0
	cfg.Devices = []platform.Device{{ProductKey: truckProduct, DeviceName: truck, DeviceSecret: truckSecret}}
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	watch, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindCustom}})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, p.Authority(), 0o600); err != nil {
		t.Fatal(err)
	}
	const topic = "/" + truckProduct + "/" + truck + "/user/update"
	signature := sign(t, "sha256", truckSecret, "clientIdcurldeviceName"+truck+"productKey"+truckProduct)
	large := strings.Repeat("0123456789abcdef", 12<<10)
	for _, way := range [][]string{
		{"--http2-prior-knowledge", "http://" + p.HTTP2Addr()},
		{"--http2", "--cacert", ca, "https://" + p.HTTP2TLSAddr()},
	} {
		url, args := way[len(way)-1], way[:len(way)-1]
		for _, m := range []struct{ qos, payload, signature, status string }{
			{"1", "hello", signature, "2 200"},
			{"0", "at most once", signature, "2 200"},
			{"1", large, signature, "2 200"},
			{"1", "never", strings.Repeat("0", 64), "2 401"},
		} {
			got := ok(t, m.payload, "curl", append([]string{
				"-sS", "-m", "20", "-o", os.DevNull, "-w", "%{http_version} %{response_code}", "--data-binary", "@-", "-H", "x-qos: " + m.qos,
				"-H", "x-auth-name: devicename", "-H", "x-auth-param-client-id: curl", "-H", "x-auth-param-signmethod: hmacsha256",
				"-H", "x-auth-param-product-key: " + truckProduct, "-H", "x-auth-param-device-name: " + truck,
				"-H", "x-auth-param-sign: " + m.signature, url + "/message/pub" + topic,
			}, args...)...)
			if got != m.status {
				t.Errorf("%s: QoS %s: HTTP version and status %q, want %q", way, m.qos, got, m.status)
			}
			if m.payload == "never" {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if came, err := watch.Next(ctx); err != nil || came.Topic != topic || string(came.Raw) != m.payload {
				t.Fatalf("%s: QoS %s: the platform has %d bytes of %s, %v", way, m.qos, len(came.Raw), came.Topic, err)
			}
		}
	}
}

// TestPushesOfNghttpd has the client of the message channel take what the server
// of nghttp2 pushes. That server knows no topics: the header that says of what
// type a file is stands for them.
func TestPushesOfNghttpd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := strings.Repeat("pushed ", 20_000)
	for name, content := range map[string]string{"index.html": "opened", "small.txt": "hello", "large.css": large} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address, port := free(t)
	start(t, "nghttpd", "--no-tls", "-v", "-a", "127.0.0.1", "-d", dir, "-p/index.html=/small.txt,/large.css", port)
	profile := message.HeaderProfile("http://"+address, func(time.Time) []message.Header { return nil })
	profile.Names.OpenPath, profile.Names.Topic = "/index.html", "content-type"
	profile.ReconnectMin = 50 * time.Millisecond // until it listens
	client, err := message.New(profile)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *message.Delivery, 10)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.Connect(ctx, func(d *message.Delivery) message.Action {
		got <- d
		return message.Commit
	}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := client.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	want := map[string]string{"text/plain": "hello", "text/css": large}
	for len(want) > 0 {
		select {
		case d := <-got:
			if content, known := want[d.Topic]; !known || content != string(d.Payload) {
				t.Errorf("pushed: %s with %d bytes", d.Topic, len(d.Payload))
			}
			delete(want, d.Topic)
		case <-ctx.Done():
			t.Fatalf("not pushed: %d", len(want))
		}
	}
}
