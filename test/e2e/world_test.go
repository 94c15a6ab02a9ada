package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	adapter "github.com/linkspan/linkspan/adapters/jt808"
	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/http2"
)

func TestMain(m *testing.M) {
	serveIfAsked()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // gnet's goroutine pool runs from the start
}

// patience bounds what a test waits for: it is reached only when something is
// broken.
const patience = 45 * time.Second

const (
	gatewayProduct = "gatewayPk"
	gatewayName    = "bridge-1"
	gatewaySecret  = "secret-of-the-gateway"
	truckProduct   = "truckPk"
)

// setup is how a world is made; tests change what they are about.
type setup struct {
	platform platform.Config
	upstream aliyun.Config
	http2    bool // carry upstream's messages over HTTP/2, with its own defaults where it has them
	bridge   bridge.Config
	server   server.Config
	limits   server.Limits
	network  string // of terminals
	jt808    adapter.Config
}

func newSetup() *setup {
	s := &setup{
		platform: platform.DefaultConfig(),
		upstream: aliyun.DefaultConfig(),
		bridge:   bridge.DefaultConfig(),
		server:   server.DefaultConfig(),
		limits:   server.DefaultLimits(),
		jt808:    adapter.DefaultConfig(),
	}
	s.platform.MQTTAddress, s.platform.APIAddress = "127.0.0.1:0", ""
	s.platform.LoginsPerMinute = 0
	s.platform.WatchQueue = 1 << 16
	s.platform.CommandTimeout = patience
	s.platform.Devices = []platform.Device{{ProductKey: gatewayProduct, DeviceName: gatewayName, DeviceSecret: gatewaySecret}}
	s.upstream.ProductKey, s.upstream.DeviceName, s.upstream.DeviceSecret = gatewayProduct, gatewayName, gatewaySecret
	s.upstream.QoS = 1
	s.upstream.LoginRate, s.upstream.LoginsPerMinute = 5000, 0
	s.upstream.ReconnectMin, s.upstream.ReconnectMax = 50*time.Millisecond, 500*time.Millisecond
	s.upstream.HoldTimeout = patience
	s.jt808.Ack = "delivered"
	return s
}

// world is a linkspan with the platform that it is connected to. Its platform
// knows exactly the devices that know has been called for.
type world struct {
	t        testing.TB
	setup    *setup
	platform *platform.Platform // of the test's own goroutine
	bridge   *bridge.Bridge
	server   *server.Server
	adapter  protocol.Plugin
	seen     *recorder
	known    []string
	closed   bool
}

// newWorld starts a world, which ends with the test.
func newWorld(tb testing.TB, change ...func(*setup)) *world {
	tb.Helper()
	w := &world{t: tb, setup: newSetup(), seen: newRecorder()}
	for _, f := range change {
		f(w.setup)
	}
	w.startPlatform(w.setup.platform.MQTTAddress)
	connector, err := w.connector()
	w.must(err)
	w.bridge, err = bridge.New(w.setup.bridge, connector, identities{})
	w.must(err)
	w.adapter = adapter.New(adapter.Name)
	open, err := w.adapter.New(w.setup.jt808)
	w.must(err)
	w.server, err = server.New(w.setup.server, []server.Listener{{
		Name: "terminals", Network: w.setup.network, Address: "127.0.0.1:0", UDP: server.DefaultUDPConfig(),
		Protocol: adapter.Name, Open: open, Limits: w.setup.limits,
		Host: &protocol.Host{
			Uplink: w.bridge.Uplink(), Listener: "terminals",
			Heartbeat: []session.Option{session.Heartbeat(time.Minute, 2)},
		},
	}})
	w.must(err)
	w.must(w.bridge.Start(tb.Context()))
	w.must(w.server.Start(tb.Context()))
	tb.Cleanup(func() { w.must(w.close()) })
	return w
}

// connector leads to the platform.
func (w *world) connector() (upstream.Connector, error) {
	up := w.setup.upstream
	if !w.setup.http2 {
		up.Endpoint = "tcp://" + w.platform.MQTTAddr()
		return aliyun.New(up)
	}
	c := http2.DefaultConfig()
	c.Endpoint = "http://" + w.platform.HTTP2Addr()
	c.ProductKey, c.DeviceName, c.DeviceSecret, c.QoS = up.ProductKey, up.DeviceName, up.DeviceSecret, up.QoS
	c.LoginRate, c.LoginsPerMinute, c.HoldTimeout = up.LoginRate, up.LoginsPerMinute, up.HoldTimeout
	c.ReconnectMin, c.ReconnectMax = up.ReconnectMin, up.ReconnectMax
	return http2.New(c)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// deadline is a context for one thing that is waited for.
func (w *world) deadline() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// startPlatform starts a platform that has forgotten all but its devices.
func (w *world) startPlatform(address string) {
	w.t.Helper()
	cfg := w.setup.platform
	if w.setup.http2 {
		cfg.HTTP2Address = address
	} else {
		cfg.MQTTAddress = address
	}
	p, err := platform.New(cfg)
	w.must(err)
	for _, phone := range w.known {
		w.must(p.AddDevice(identity(phone), gatewayProduct+"/"+gatewayName))
	}
	w.seen.attach(w.t, p) // before anything can arrive
	w.must(p.Start(w.t.Context()))
	w.platform = p
}

// platformAddr is where the connector goes.
func (w *world) platformAddr() string {
	if w.setup.http2 {
		return w.platform.HTTP2Addr()
	}
	return w.platform.MQTTAddr()
}

// stopPlatform ends the platform; what it has got is recorded.
func (w *world) stopPlatform() {
	w.t.Helper()
	ctx, cancel := w.deadline()
	defer cancel()
	w.must(w.platform.Close(ctx))
	w.seen.wait()
}

// know makes devices of terminals at the platform.
func (w *world) know(phones ...string) {
	w.t.Helper()
	for _, phone := range phones {
		w.must(w.platform.AddDevice(identity(phone), gatewayProduct+"/"+gatewayName))
	}
	w.known = append(w.known, phones...)
}

// close ends everything in the order in which a process does.
func (w *world) close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	ctx, cancel := w.deadline()
	defer cancel()
	err := errors.Join(w.server.Close(ctx), w.bridge.Close(ctx), w.platform.Close(ctx))
	w.seen.wait()
	return err
}

func (w *world) addr() net.Addr { return w.server.Addr("terminals") }

// device is what the platform knows of a terminal.
func (w *world) device(phone string) api.Device {
	w.t.Helper()
	d, err := w.platform.Device(truckProduct, phone)
	w.must(err)
	return d
}

// property is a terminal's property at the platform as JSON, empty when it has
// none of that name.
func (w *world) property(phone, name string) string {
	w.t.Helper()
	return string(w.device(phone).Properties[name].Value)
}

// command runs one command of the platform in the background.
func (w *world) command(run func(ctx context.Context) (api.Result, error)) <-chan api.Result {
	done := make(chan api.Result, 1)
	ctx, cancel := w.deadline()
	go func() { // ends with ctx at the latest
		defer cancel()
		r, err := run(ctx)
		if err != nil {
			r = api.Result{State: "error", Message: err.Error()}
		}
		done <- r
	}()
	return done
}

func (w *world) set(phone string, params any) <-chan api.Result {
	return w.command(func(ctx context.Context) (api.Result, error) { return w.platform.Set(ctx, truckProduct, phone, params) })
}

func (w *world) get(phone string, names ...string) <-chan api.Result {
	return w.command(func(ctx context.Context) (api.Result, error) {
		return w.platform.Get(ctx, truckProduct, phone, names...)
	})
}

func (w *world) invoke(phone, service string, params any) <-chan api.Result {
	return w.command(func(ctx context.Context) (api.Result, error) {
		return w.platform.Invoke(ctx, truckProduct, phone, service, params)
	})
}

func (w *world) raw(phone string, raw []byte) <-chan api.Result {
	return w.command(func(ctx context.Context) (api.Result, error) {
		return w.platform.SendRaw(ctx, truckProduct, phone, raw)
	})
}

// outcome waits for a command's end.
func (w *world) outcome(done <-chan api.Result) api.Result {
	w.t.Helper()
	return <-done // ends within patience
}

// field is one field of a result's data, as JSON.
func field(tb testing.TB, r api.Result, name string) string {
	tb.Helper()
	var data map[string]json.RawMessage
	if err := json.Unmarshal(r.Data, &data); err != nil {
		tb.Fatalf("result %+v: %v", r, err)
	}
	return string(data[name])
}

// listener are the server's counters.
func (w *world) listener() server.ListenerStats { return w.server.Stats().Listeners[0] }

// identities give every terminal a device of its own, but for those whose
// number begins with 199: nobody here knows these.
type identities struct{}

const unknownPhone = "19912340000"

// Identity implements bridge.Devices.
func (identities) Identity(phone string) (auth.Identity, error) {
	if strings.HasPrefix(phone, "199") {
		return auth.Identity{}, fmt.Errorf("%w: %s", bridge.ErrUnknownDevice, phone)
	}
	return identity(phone), nil
}

func identity(phone string) auth.Identity {
	return auth.Identity{ProductKey: truckProduct, DeviceName: phone, DeviceSecret: auth.Secret("secret-of-" + phone)}
}

// await waits until holds does.
func await(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

// adapterStats are the counters of the world's terminals.
func (w *world) adapterStats() adapter.Stats {
	s, _ := w.adapter.Stats().(adapter.Stats)
	return s
}
