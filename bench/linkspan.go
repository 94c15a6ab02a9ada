//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	adapter "github.com/linkspan/linkspan/adapters/jt808"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// The names of the benchmark's devices at the platform. All have one secret.
const (
	gatewayProduct = "a1gateway01"
	gatewayName    = "bridge"
	deviceProduct  = "a1truck0001"
	benchSecret    = "bench-secret"
)

// startLinkspan starts linkspan as its command does, with one event loop and the
// given connector. ack is adapters/jt808's; change is made to the listener.
func startLinkspan(up upstream.Connector, ack string, count func(*counts), change ...func(*server.Listener)) (*role, error) {
	return startBridge(bridge.DefaultConfig(), up, ack, count, change...)
}

// startBridge is startLinkspan with that bridge.
func startBridge(bridgeCfg bridge.Config, up upstream.Connector, ack string, count func(*counts), change ...func(*server.Listener)) (*role, error) {
	known, err := devices.Open(devices.Config{
		Unknown:  devices.PolicyTemplate,
		Template: devices.Template{ProductKey: deviceProduct, DeviceName: "${identity}", DeviceSecret: benchSecret},
	})
	if err != nil {
		return nil, err
	}
	b, err := bridge.New(bridgeCfg, up, known)
	if err != nil {
		return nil, err
	}
	cfg := adapter.DefaultConfig()
	cfg.Ack = ack
	cfg.Authentication.Policy = "accept"
	open, err := adapter.Plugin.New(cfg)
	if err != nil {
		return nil, err
	}
	l := server.Listener{
		Name: "bench", Address: "127.0.0.1:0", Protocol: adapter.Name, Open: open, Limits: server.DefaultLimits(),
		Host: &protocol.Host{
			Uplink: b.Uplink(), Listener: "bench",
			Heartbeat: []session.Option{session.Heartbeat(time.Minute, 1<<20)}, // timed, but idle devices stay
		},
	}
	for _, f := range change {
		f(&l)
	}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.Start(ctx); err != nil {
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	return &role{
		addr: s.Addr("bench").String(),
		count: func() counts {
			l := s.Stats().Listeners[0]
			n := counts{Messages: l.Messages, Reads: l.Reads, Writes: l.Writes, Failures: l.Faults["damaged"] + l.Faults["panic"]}
			st := b.Stats()
			n.Logins = st.Logins
			n.Failures += st.Failed + st.Refused["offline"] + st.Refused["overloaded"] + st.Refused["closed"]
			count(&n)
			return n
		},
		close: func(ctx context.Context) error { return errors.Join(s.Close(ctx), b.Close(ctx)) },
	}, nil
}

func startDiscard(string) (*role, error) {
	d := &discard{}
	return startLinkspan(d, "received", d.count)
}

// discard is a platform that is nowhere: what devices say is encoded as the
// connector to Alibaba Cloud does it, and thrown away. It may be used from any
// goroutine.
type discard struct {
	mu       sync.Mutex
	buf      []byte // guarded by mu
	payloads uint64 // guarded by mu
	bytes    uint64 // guarded by mu
}

func (d *discard) count(n *counts) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n.Payloads, n.Bytes = d.payloads, d.bytes
}

// discardDevice is a login at discard. Like a connector's it holds what the
// login came with.
type discardDevice struct {
	up    *discard
	login upstream.Login
}

// Login implements upstream.Connector.
func (d *discard) Login(l upstream.Login, done func(upstream.Device, error)) {
	done(&discardDevice{d, l}, nil)
}

// Publish implements upstream.Device.
func (d *discardDevice) Publish(m *thing.Message, done func(error)) {
	up := d.up
	up.mu.Lock()
	up.payloads++
	up.buf = aliyun.AppendPropertyPost(up.buf[:0], uint32(up.payloads), m) //nolint:gosec // ids go round
	up.bytes += uint64(len(up.buf))
	up.mu.Unlock()
	done(nil)
}

// Logout implements upstream.Device.
func (*discardDevice) Logout(done func(error)) { done(nil) }

// startPlatformLinkspan is linkspan with the connector to Alibaba Cloud. The
// settings are the broker's address and the quality of service. A device is
// acknowledged when the platform has its report, which also keeps devices from
// being faster than the platform.
func startPlatformLinkspan(settings string) (*role, error) {
	var broker string
	var qos int
	if _, err := fmt.Sscan(settings, &broker, &qos); err != nil {
		return nil, fmt.Errorf("settings %q: %w", settings, err)
	}
	up, count, err := platformConnector(broker, qos)
	if err != nil {
		return nil, err
	}
	return startLinkspan(up, "delivered", count)
}

// platformConnector is the connector to Alibaba Cloud without the vendor's limits,
// which are not what is measured here.
func platformConnector(broker string, qos int) (upstream.Connector, func(*counts), error) {
	cfg := aliyun.DefaultConfig()
	cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = gatewayProduct, gatewayName, benchSecret
	cfg.Endpoint = "tcp://" + broker
	cfg.QoS = qos
	cfg.LoginRate, cfg.LoginsPerMinute = 1e6, 0
	cfg.MaxDevicesPerGateway = 1 << 17
	up, err := aliyun.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	return up, func(n *counts) {
		st := up.Stats()
		n.Payloads, n.Bytes = st.Acknowledged, st.Bytes
	}, nil
}
