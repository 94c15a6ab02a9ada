package aliyun

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// onlineDevice is a device that is logged in at a gateway without a connection:
// what its sender would take is taken by drain.
func onlineDevice(tb testing.TB, cfg Config) (*gateway, *handle) {
	tb.Helper()
	cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = "a1gateway01", "gateway-0", "secret"
	if cfg.MessageRate == 0 {
		cfg.MessageRate = -1 // the default endpoint is the vendor's, which has a limit
	}
	c, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	g := c.gateways[0]
	d := newDevice(g, auth.Identity{ProductKey: "a1truck0001", DeviceName: "truck-1", DeviceSecret: "secret"})
	h := handleOf(d)
	d.current, d.state = h, online
	g.devices[d.name()] = d
	g.link = &link{g: g, down: make(chan struct{}), wake: make(chan struct{}, 1), packets: map[uint32]*outgoing{}}
	return g, h
}

// drain takes what there is and acknowledges it.
func drain(g *gateway, buf []*outgoing) {
	_, batch, _ := g.take(g.link, buf[:0])
	g.mu.Lock()
	for _, m := range batch {
		m.acked = true
		g.finish(m, nil)
	}
	g.settle()
}

func location(at time.Time) *thing.Message {
	return &thing.Message{Kind: thing.Property, QoS: thing.AtLeastOnce, Time: at, Fields: []thing.Field{
		{Name: "latitude", Value: thing.Decimal(31234567, 6)},
		{Name: "longitude", Value: thing.Decimal(121456789, 6)},
		{Name: "altitude", Value: thing.Int(12)},
		{Name: "speed", Value: thing.Decimal(605, 1)},
		{Name: "direction", Value: thing.Int(270)},
		{Name: "alarm", Value: thing.Int(0)},
		{Name: "status", Value: thing.Int(3)},
	}}
}

// BenchmarkPublish is all that the connector does about a message but for paho:
// encode, queue, hand to the sender, finish, call done.
func BenchmarkPublish(b *testing.B) {
	for _, c := range []struct {
		name string
		m    *thing.Message
	}{
		{"property", location(time.Time{})},
		{"property with time", location(time.UnixMilli(1524448722000))},
		{"event", &thing.Message{Kind: thing.Event, Name: "alarm", QoS: thing.AtLeastOnce, Fields: location(time.Time{}).Fields}},
		{"raw", &thing.Message{Kind: thing.Raw, Raw: make([]byte, 80), QoS: thing.AtLeastOnce}},
	} {
		b.Run(c.name, func(b *testing.B) {
			g, h := onlineDevice(b, Config{})
			buf := make([]*outgoing, 0, sendBatch)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				h.Publish(c.m, upstream.Ignore)
				if n++; n == sendBatch {
					n = 0
					drain(g, buf)
				}
			}
		})
	}
}
