package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/upstream/aliyun/pop"
)

// A bridge that is nobody at the platform, with devices that have no secrets: the
// gateway device is created by the account's API, as the Java SDK does, and each
// terminal gets a secret through it, which is still there after a restart. No
// secret is logged.
func TestNobodyHasASecret(t *testing.T) {
	t.Parallel()
	named, data := filepath.Join(t.TempDir(), "secrets.jsonl"), filepath.Join(t.TempDir(), "data")
	for _, c := range []struct{ name, settings, secrets string }{
		{"in a file that is named", fmt.Sprintf("upstream.aliyun.register.secrets = %q", named), named},
		{"in the data directory", fmt.Sprintf("data.directory = %q", data), filepath.Join(data, "secrets", "device-secrets.jsonl")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			nobodyHasASecret(t, c.settings, c.secrets)
		})
	}
}

func nobodyHasASecret(t *testing.T, settings, secrets string) {
	t.Helper()
	if pop.MACAddress() == "" {
		t.Skip("this machine has no MAC address")
	}
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.AuthAddress = "127.0.0.1:0", "", "127.0.0.1:0"
	cfg.AutoRegister = true // the vendor's console would have the devices
	cfg.Products = []platform.Product{{ProductKey: "gateway", ProductSecret: "x"}, {ProductKey: "demo", ProductSecret: "x", DynamicRegister: true}}
	cfg.AccessKeys = []platform.AccessKey{{AccessKey: "ak", AccessSecret: "account-s3cret"}}
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err = p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	text := fmt.Sprintf(`
productKey = gateway
popClientProfile { accessKey = ak, accessSecret = account-s3cret, name = cn-shanghai, region = cn-shanghai, product = Iot, endpoint = "http://%s" }
upstream.aliyun { endpoint = "tcp://%s", register.by = gateway }
%s
devices { unknown = template, template.productKey = demo }
listeners = [{ name = yard, protocol = jt808, address = "127.0.0.1:0", jt808.authentication.policy = accept }]
admin.address = ""`, p.AuthAddr(), p.MQTTAddr(), settings)

	core, lines := observer.New(zap.DebugLevel)
	var kept []byte
	for range 2 {
		tree, err := config.Parse("application.conf", text)
		if err != nil {
			t.Fatal(err)
		}
		y := &yard{t: t}
		if y.watch, err = p.Subscribe(platform.Filter{ProductKey: "demo"}); err != nil {
			t.Fatal(err)
		}
		if y.node, err = newNode(tree, t.TempDir(), zap.New(core)); err != nil {
			t.Fatal(err)
		}
		if err = y.node.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		y.connect("13800138001", "13800138001")
		d, err := p.Device("demo", "13800138001")
		if err != nil || d.Gateway != "gateway/"+pop.MACAddress() || d.Unverified {
			t.Errorf("at the platform: %+v, %v, want a device with a secret behind the gateway of the MAC address", d, err)
		}
		if err = y.node.close(context.Background()); err != nil {
			t.Error(err)
		}
		y.watch.Close()
		now, err := os.ReadFile(secrets)
		if err != nil || strings.Count(string(now), "\n") != 1 || kept != nil && string(kept) != string(now) {
			t.Errorf("secrets kept: %d bytes, then %d, %v, want one line that stays", len(kept), len(now), err)
		}
		kept = now
	}
	_, secret, _ := strings.Cut(string(kept), `"deviceSecret":"`)
	secret, _, _ = strings.Cut(secret, `"`)
	for _, e := range lines.All() {
		line := e.Message + fmt.Sprint(e.ContextMap())
		if secret == "" || strings.Contains(line, secret) || strings.Contains(line, "account-s3cret") {
			t.Errorf("a secret is in the log: %s", line)
		}
	}
}
