package components

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// Settings is a program's own source of configuration: rows of a database, say.
type Settings map[string]string

// Bridge is the bridge's configuration.
func (s Settings) Bridge() (bridge.Config, error) {
	cfg := bridge.DefaultConfig()
	n, err := strconv.Atoi(s["max_in_flight"])
	cfg.MaxInFlight = n
	return cfg, err
}

// Platform is the connector's.
func (s Settings) Platform() aliyun.Config {
	cfg := aliyun.DefaultConfig()
	cfg.Endpoint = s["endpoint"]
	cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = s["product_key"], s["device_name"], auth.Secret(s["device_secret"])
	return cfg
}

// Listener is the server's only listener.
func (s Settings) Listener(open protocol.Open, uplink protocol.Uplink) server.Listener {
	return server.Listener{
		Name: "main", Address: s["address"], Protocol: lines.Name, Open: open, Limits: server.DefaultLimits(),
		Host: &protocol.Host{
			Uplink: uplink, Listener: "main",
			Heartbeat: []session.Option{session.Heartbeat(time.Minute, 2)},
		},
	}
}

// A program makes a bridge and a server of what it has itself, and no file.
func TestAProgramWithoutFiles(t *testing.T) {
	t.Parallel()
	settings := Settings{"max_in_flight": "1000", "address": "127.0.0.1:0"}
	core, logged := observer.New(zap.DebugLevel)
	cloud, table := newCloud(), new(Table)
	cfg, err := settings.Bridge()
	if err != nil {
		t.Fatal(err)
	}
	b, err := bridge.New(cfg, cloud, Inventory{"m1": {ProductKey: "demo", DeviceName: "meter-1"}},
		bridge.WithLogger(zap.New(core)), bridge.WithSessions(table), bridge.WithAuth(Passwords{Word: "sesame"}))
	if err != nil {
		t.Fatal(err)
	}
	open, err := lines.New(lines.Config)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.DefaultConfig(), []server.Listener{settings.Listener(open, b.Uplink())}, server.WithLogger(zap.New(core)))
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(b.Start(t.Context()), srv.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	good, bad := dial(t, srv.Addr("main")), dial(t, srv.Addr("main"))
	good.send("HELLO m1 sesame\nSAY 61.5")
	if got := good.hear(); got != "WELCOME m1" {
		t.Errorf("heard %q", got)
	}
	expect(t, cloud.said, "meter-1 online", "meter-1: 61.5")
	bad.send("HELLO m1 barley")
	if got := bad.hear(); got != "" {
		t.Errorf("heard %q, want to be hung up on", got)
	}
	if table.Len() != 1 || b.Stats().LoginFailures["bad credentials"] != 1 {
		t.Errorf("%d sessions, failures %v", table.Len(), b.Stats().LoginFailures)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(srv.Close(ctx), b.Close(ctx)); err != nil {
		t.Error(err)
	}
	expect(t, cloud.said, "meter-1 offline")
	if n := logged.FilterMessage("device did not go online").Len(); n != 1 {
		t.Errorf("%d lines of the bridge: %v", n, logged.All())
	}
}

// Mistakes of a program's own source are found by those who are given its
// values, all at once.
func TestMistakesOfASource(t *testing.T) {
	t.Parallel()
	cfg := bridge.DefaultConfig()
	cfg.MaxInFlight, cfg.LoginTimeout = 0, 0
	_, err := bridge.New(cfg, newCloud(), everyone{})
	if err == nil || !strings.Contains(err.Error(), "maxInFlight") || !strings.Contains(err.Error(), "loginTimeout") {
		t.Errorf("bridge: %v", err)
	}
	if _, err := aliyun.New(Settings{}.Platform()); err == nil || !strings.Contains(err.Error(), "productKey") || !strings.Contains(err.Error(), "deviceSecret") {
		t.Errorf("platform: %v", err)
	}
	if up, err := aliyun.New(Settings{"endpoint": "tcp://127.0.0.1:1", "product_key": "a", "device_name": "b", "device_secret": "c"}.Platform()); err != nil || up == nil {
		t.Errorf("platform: %v", err)
	}
}

// A program that keeps the format and not the files: the text comes from
// anywhere, defaults, positions and hints stay.
func TestTextFromAnywhere(t *testing.T) {
	t.Parallel()
	tree, err := config.Parse("row 7", `bridge { maxInFlight = 1000, sessions.tick = 1s }`)
	if err != nil {
		t.Fatal(err)
	}
	cfg := bridge.DefaultConfig()
	if err = tree.Decode("bridge", &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.MaxInFlight != 1000 || cfg.Sessions.Tick != time.Second || cfg.AuthWorkers != bridge.DefaultConfig().AuthWorkers {
		t.Errorf("got %+v", cfg)
	}
	tree, err = config.Parse("row 7", "bridge {\n  maxInFlight = many\n}")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Decode("bridge", &cfg); err == nil || !strings.Contains(fmt.Sprint(err), "row 7:2") {
		t.Errorf("%v", err)
	}
}
