package mqtt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

func TestConfigurations(t *testing.T) {
	t.Parallel()
	nothing := filepath.Join(t.TempDir(), "nothing.pem")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*mqtt.Config)
		says   []string // nil: it is right
	}{
		"default": {func(*mqtt.Config) {}, nil},
		"every scheme": {func(c *mqtt.Config) {
			c.Endpoint = []string{"mqtt://a", "tls://b", "ws://c/mqtt", "wss://[::1]:99/x?y=1"}
		}, nil},
		"pool": {func(c *mqtt.Config) { c.Connections, c.ClientID = "pool", "x${n}" }, nil},
		"device": {func(c *mqtt.Config) {
			c.Connections, c.Password, c.Username = "device", "${deviceSecret}", "${deviceName}"
		}, nil},
		"escaped":         {func(c *mqtt.Config) { c.Username, c.Password = "u", "$${x}" }, nil},
		"one topic alone": {func(c *mqtt.Config) { c.Topics = mqtt.Topics{Up: mqtt.UpTopics{Raw: "all"}} }, nil},
		"templates": {func(c *mqtt.Config) {
			c.Payload, c.Templates.Property = "template", `{"d":"${deviceName}"}`
		}, nil},

		"nothing": {func(c *mqtt.Config) { *c = mqtt.Config{} }, []string{
			"endpoint", "connections", "payload", "subscribe", "poolSize", "inFlight", "queue ", "queueBytes", "maxPayload", "loginRate", "keepAlive", "requestTimeout", "topics.up",
		}},
		"bad endpoints": {func(c *mqtt.Config) {
			c.Endpoint = []string{"127.0.0.1:1883", "http://x", "tcp://", "tcp://h/path", "tcp://user:pw@h"}
		}, []string{
			"127.0.0.1:1883", "http://x", "tcp://h/path", "tcp://user:xxxxx@h",
		}},
		"numbers": {func(c *mqtt.Config) {
			c.QoS, c.KeepAlive, c.ReconnectMax, c.LoginRate, c.InFlight = 2, time.Millisecond, time.Millisecond, -1, 65535
		}, []string{"qos is 2", "keepAlive", "reconnectMax", "loginRate", "inFlight"}},
		"placeholders": {func(c *mqtt.Config) {
			c.Topics.Up.Property, c.Topics.Up.Event, c.Topics.Presence, c.Topics.Bridge = "${name}", "${id}", "${host}", "${deviceName}"
			c.ClientID, c.Username, c.Password = "${deviceName}", "${n}", "s3cr3t${deviceSecret}"
		}, []string{"topics.up.property: ${name}", "topics.up.event: ${id}", "topics.presence: ${host}", "topics.bridge: ${deviceName}", "clientId: ${deviceName}", "username: ${n}", "password has a placeholder"}},
		"wildcards": {func(c *mqtt.Config) {
			c.Topics.Up.Raw, c.Topics.Up.Reply, c.Topics.Down.Command = "a/+", "a/#", "a/+/${deviceName}"
		}, []string{"topics.up.raw", "topics.up.reply", "topics.down.command"}},
		"shared topics": {func(c *mqtt.Config) {
			c.Topics.Down.Command, c.Topics.Presence, c.Topics.Up.Property, c.Retain = "cmd/${productKey}", "state", "all", true
		}, []string{"topics.down.command", "topics.presence", "topics.up.property"}},
		"echo": {func(c *mqtt.Config) {
			c.Topics.Down.Notice, c.Topics.Down.Broadcast = []string{"linkspan/${productKey}/${deviceName}/#"}, []string{"linkspan/bridge/+"}
		}, []string{"topics.up.property", "topics.up.event", "topics.up.raw", "topics.up.reply", "topics.presence", "topics.bridge"}},
		"too many": {func(c *mqtt.Config) {
			for _, l := range "abcdefgh" {
				c.Topics.Down.Notice = append(c.Topics.Down.Notice, string(l)+"/${deviceName}")
			}
		}, []string{"topics.down has 10"}},
		"longer than topics are": {func(c *mqtt.Config) {
			c.Topics.Up.Raw = strings.Repeat("${deviceName}", 70)
			c.Topics.Down.Raw = strings.Repeat("x", 65_000) + "/${deviceName}"
		}, []string{"topics.up.raw: with", "topics.down.raw: with"}},
		"publication":        {func(c *mqtt.Config) { c.Topics.Up.Publication = "all" }, []string{"${topic}"}},
		"pool without n":     {func(c *mqtt.Config) { c.Connections, c.ClientID = "pool", "x" }, []string{"${n}"}},
		"devices alike":      {func(c *mqtt.Config) { c.Connections, c.ClientID = "device", "${productKey}" }, []string{"${deviceName}"}},
		"broadcasts to none": {func(c *mqtt.Config) { c.Connections, c.Topics.Down.Broadcast = "device", []string{"all"} }, []string{"topics.down.broadcast"}},
		"password alone":     {func(c *mqtt.Config) { c.Password = "s3cr3t" }, []string{"password is given"}},
		"templates in vain":  {func(c *mqtt.Config) { c.Templates.Event = "{}" }, []string{"templates.event"}},
		"no template":        {func(c *mqtt.Config) { c.Payload = "template" }, []string{"templates has none"}},
		"no JSON":            {func(c *mqtt.Config) { c.Payload, c.Templates.Raw = "template", "${raw" }, []string{"templates.raw"}},
		"tls in vain":        {func(c *mqtt.Config) { c.TLS.ServerName = "x" }, []string{"tls is given"}},
		"tls files": {func(c *mqtt.Config) {
			c.Endpoint, c.TLS = []string{"ssl://h"}, mqtt.TLS{CA: nothing, Certificate: nothing, Key: nothing}
		}, []string{"tls.ca", "tls.certificate"}},
		"tls by half": {func(c *mqtt.Config) {
			c.Endpoint, c.TLS = []string{"ssl://h"}, mqtt.TLS{CA: empty, Key: nothing}
		}, []string{"tls.ca: no certificate", "both or neither"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := mqtt.DefaultConfig()
			cfg.Endpoint = []string{"tcp://127.0.0.1:1883"}
			c.change(&cfg)
			_, err := mqtt.New(cfg)
			if (err == nil) != (c.says == nil) {
				t.Fatalf("%v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("nothing about %q in %v", s, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the password is told: %v", err)
			}
		})
	}
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	p, there := upstream.Default["mqtt"]
	if !there {
		t.Fatal("the connector is not in the registry")
	}
	cfg, ok := p.Config.(mqtt.Config)
	if !ok {
		t.Fatalf("its configuration is %T", p.Config)
	}
	cfg.Endpoint = []string{"tcp://127.0.0.1:1883"}
	if _, err := p.New(cfg); err != nil {
		t.Error(err)
	}
}
