package aliyun_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

func gatewayConfig() aliyun.Config {
	c := aliyun.DefaultConfig()
	c.ProductKey, c.DeviceName, c.DeviceSecret = "a1gateway01", "gateway-0", "secret"
	return c
}

func TestNewTellsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	c := aliyun.Config{
		Gateways: []aliyun.Gateway{
			{ProductKey: "pk", DeviceName: "gw"},
			{ProductKey: "p/k", DeviceName: "gw", DeviceSecret: "s"},
			{ProductKey: "pk", DeviceName: "twice", DeviceSecret: "s"},
			{ProductKey: "pk", DeviceName: "twice", DeviceSecret: "s"},
		},
		Endpoint: "mqtt://nowhere", SignMethod: "rot13", KeepAlive: time.Second, QoS: 2, Confirm: "maybe", Subscribe: "some",
		ManageTopology: "often", MaxDevicesPerGateway: -1, LoginRate: -1, BatchLogin: 51, GatherWindow: -1,
		RequestTimeout: -1, HoldTimeout: -1, InFlight: 40000, Queue: -1, ConnectTimeout: -1, ReconnectMin: time.Hour,
		ReconnectMax: time.Minute, WriteTimeout: -1, QueueBytes: -1, CustomTopics: []string{"/user/get"}, ClientIDPrefix: "a|b",
	}
	_, err := aliyun.New(c)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"gateway 1: deviceSecret missing", "gateway 2: ", "twice is there twice", "endpoint is \"mqtt://nowhere\"", "signMethod", "keepAlive",
		"qos", "confirm", "subscribe", "manageTopology", "maxDevicesPerGateway", "loginRate", "batchLogin", "gatherWindow", "requestTimeout",
		"holdTimeout", "inFlight", "queue", "connectTimeout", "reconnectMax", "writeTimeout", "queueBytes", "customTopics", "clientIdPrefix",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell of %s", want)
		}
	}
	if strings.Contains(err.Error(), "secret=") {
		t.Error("the error tells a secret")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*aliyun.Config)
		want   string // part of the error, empty: none
	}{
		{"defaults", func(*aliyun.Config) {}, ""},
		{"zeros stand for defaults", func(c *aliyun.Config) {
			*c = aliyun.Config{ProductKey: "pk", DeviceName: "gw", DeviceSecret: "s"}
		}, ""},
		{"gateways besides the one at the top", func(c *aliyun.Config) {
			c.Gateways = []aliyun.Gateway{{ProductKey: "pk", DeviceName: "gw-2", DeviceSecret: "s"}}
		}, ""},
		{"no gateway", func(c *aliyun.Config) { c.ProductKey, c.DeviceName, c.DeviceSecret = "", "", "" }, "no gateway"},
		{"half a gateway", func(c *aliyun.Config) { c.DeviceName = "" }, "deviceName missing"},
		{"sign method in any case", func(c *aliyun.Config) { c.SignMethod = "HmacSHA1" }, ""},
		{"tls", func(c *aliyun.Config) { c.Endpoint = "ssl://127.0.0.1:1883" }, ""},
		{"endpoint without a port", func(c *aliyun.Config) { c.Endpoint = "tcp://127.0.0.1" }, "tcp://host:port"},
		{"authorities without tls", func(c *aliyun.Config) { c.CAFile = "config_test.go" }, "not ssl://"},
		{"no authorities", func(c *aliyun.Config) { c.CAFile, c.Endpoint = "config_test.go", "ssl://127.0.0.1:1883" }, "no certificate"},
		{"no file", func(c *aliyun.Config) {
			c.CAFile, c.Endpoint = filepath.Join("no", "file"), "ssl://127.0.0.1:1883"
		}, "caFile"},
		{"client identifier too long", func(c *aliyun.Config) { c.ClientIDPrefix = strings.Repeat("x", 60) }, "clientIdPrefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := gatewayConfig()
			c.change(&cfg)
			_, err := aliyun.New(cfg)
			if c.want == "" && err != nil {
				t.Errorf("New: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("New: %v, want an error with %q", err, c.want)
			}
			if c.name == "no file" && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("New: %v, want os.ErrNotExist in it", err)
			}
		})
	}
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	p, found := upstream.Default["aliyun"]
	if !found {
		t.Fatal("not registered")
	}
	if _, err := p.New(gatewayConfig()); err != nil {
		t.Errorf("New: %v", err)
	}
	if _, err := p.New(p.Config); err == nil {
		t.Error("New with the defaults alone: want an error, for there is no gateway")
	}
}

// Every key has a name and a text for the reference, and secrets are masked.
func TestConfigTags(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{reflect.TypeFor[aliyun.Config](), reflect.TypeFor[aliyun.Gateway]()} {
		for f := range typ.Fields() {
			if f.Tag.Get("conf") == "" || f.Tag.Get("doc") == "" {
				t.Errorf("%s.%s has no conf or doc tag", typ, f.Name)
			}
		}
	}
	if text := fmt.Sprintf("%+v", gatewayConfig()); strings.Contains(text, "secret}") || strings.Contains(text, ":secret ") {
		t.Errorf("the secret is printed: %s", text)
	}
}
