//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream/aliyun/direct"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

// road is a way to a platform that is measured beside a client of a library, which
// publishes the same payloads over one connection and does nothing else: paho for
// MQTT, that of Go's library for HTTP/2. None of these connectors uses that client.
type road struct{ variant, bare, platform string }

var allRoads = []road{
	{directName, bareName, brokerName},
	{mqttName, bareBrokerName, otherBrokerName},
	{http2Name, bareHTTP2Name, gatewayBrokerName},
}

// isBare says whether a variant publishes only, and counts payloads alone.
func isBare(variant string) bool {
	return variant == bareName || variant == bareBrokerName || variant == bareHTTP2Name
}

// roads is what a report costs by the other ways to a platform.
func (b *bench) roads(r *report) error {
	for _, w := range allRoads {
		for qos := range 2 {
			b.say("road %s, QoS %d", w.variant, qos)
			if err := b.road(r, w, qos); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) road(r *report, w road, qos int) (err error) {
	var all []*stand
	var platforms []*child
	defer func() { err = errors.Join(err, shutAll(all), endAll(platforms)) }()
	begin := func() (*child, string, error) {
		c, err := b.startOn(b.loadCPU, w.platform, "")
		if err != nil {
			return nil, "", err
		}
		platforms = append(platforms, c)
		return c, fmt.Sprintf("%s %d", c.addr, qos), nil
	}
	shapes := []shape{{Name: "burst", Devices: burstDevices, Burst: b.opts.Burst}, {Name: "steady", Devices: b.opts.Steady, Burst: 1}}
	if !b.opts.wants(w.variant) {
		shapes = nil
	}
	for _, sh := range shapes {
		platform, settings, err := begin()
		if err != nil {
			return err
		}
		s, err := b.open(w.variant, settings, sh.Devices, framesPerDevice)
		if err != nil {
			return err
		}
		s.series.Shape = fmt.Sprintf("qos%d-%s", qos, sh.Name)
		s.turn = b.untilPublished(platform, func() (int, time.Duration, error) { return s.fleet.saturate(b.opts.Duration, sh.Burst) })
		all = append(all, s)
	}
	if b.opts.wants(w.bare) {
		platform, settings, err := begin()
		if err != nil {
			return err
		}
		c, err := b.start(w.bare, settings)
		if err != nil {
			return err
		}
		s := &stand{child: c, series: series{Variant: w.bare, Shape: fmt.Sprintf("qos%d", qos)}}
		s.turn = b.untilPublished(platform, func() (int, time.Duration, error) {
			began := time.Now()
			done, err := c.ask("drive " + b.opts.Duration.String())
			return done.Done, time.Since(began), err
		})
		all = append(all, s)
	}
	if err := b.profiled(all); err != nil {
		return err
	}
	for _, s := range all {
		r.Roads = append(r.Roads, s.series)
	}
	return nil
}

func (r *report) roadsTable() table {
	t := table{title: "To other platforms", head: []string{"variant", "load", "messages/s", "CPU us/message", "x bare client", "allocations/message", "payload bytes"}}
	bare := map[string]string{}
	for _, w := range allRoads {
		bare[w.variant], bare[w.bare] = w.bare, w.bare
	}
	for _, s := range r.Roads {
		m := s.Median
		qos, _, _ := strings.Cut(s.Shape, "-")
		t.add(s.Variant, s.Shape, whole(m.PerSecond), decimals(m.CPU, 2), ratio(m.CPU, cpuOf(r.Roads, bare[s.Variant], qos)), decimals(m.Allocs, 1), whole(m.PayloadBytes))
	}
	return t
}

// startDirectLinkspan is linkspan with a connection to the local platform for each
// device. The settings are the platform's address and the quality of service.
func startDirectLinkspan(settings string) (*role, error) {
	cfg := direct.DefaultConfig()
	var addr string
	if _, err := fmt.Sscan(settings, &addr, &cfg.QoS); err != nil {
		return nil, fmt.Errorf("settings %q: %w", settings, err)
	}
	cfg.Endpoint = "tcp://" + addr
	cfg.ConnectRate, cfg.ConnectsPerMinute = 1e6, 0 // the vendor's limits are not what is measured here
	up, err := direct.New(cfg)
	if err != nil {
		return nil, err
	}
	return startLinkspan(up, "delivered", func(n *counts) {
		st := up.Stats()
		n.Payloads, n.Bytes = st.Acknowledged, st.Bytes
	})
}

// startMQTTLinkspan is linkspan with one connection to an MQTT broker.
func startMQTTLinkspan(settings string) (*role, error) {
	cfg := mqtt.DefaultConfig()
	var addr string
	if _, err := fmt.Sscan(settings, &addr, &cfg.QoS); err != nil {
		return nil, fmt.Errorf("settings %q: %w", settings, err)
	}
	cfg.Endpoint = []string{"tcp://" + addr}
	cfg.Topics.Presence = "" // which is a message too
	cfg.LoginRate = 1e6
	up, err := mqtt.New(cfg)
	if err != nil {
		return nil, err
	}
	return startLinkspan(up, "delivered", func(n *counts) {
		st := up.Stats()
		n.Payloads, n.Bytes = st.Acknowledged, st.Bytes
	})
}

// counting is a hook of the broker.
type counting struct {
	broker.HookBase

	messages, bytes atomic.Uint64
}

// ID, Provides, OnConnectAuthenticate, OnACLCheck and OnPublish implement mochi's
// Hook.
func (*counting) ID() string { return "counting" }

func (*counting) Provides(b byte) bool {
	return b == broker.OnConnectAuthenticate || b == broker.OnACLCheck || b == broker.OnPublish
}

func (*counting) OnConnectAuthenticate(*broker.Client, packets.Packet) bool { return true }
func (*counting) OnACLCheck(*broker.Client, string, bool) bool              { return true }

func (c *counting) OnPublish(_ *broker.Client, pk packets.Packet) (packets.Packet, error) {
	if strings.HasSuffix(pk.TopicName, upProperty) {
		c.messages.Add(1)
		c.bytes.Add(uint64(len(pk.Payload)))
	}
	return pk, nil
}

// upProperty ends the topics of reports.
const upProperty = "/up/property"

// startBroker is an MQTT broker to which nobody subscribes but linkspan.
func startBroker(string) (*role, error) {
	s := broker.New(&broker.Options{Logger: slog.New(slog.DiscardHandler)})
	c := &counting{}
	l := listeners.NewTCP(listeners.Config{ID: "tcp", Address: "127.0.0.1:0"})
	if err := errors.Join(s.AddHook(c, nil), s.AddListener(l), s.Serve()); err != nil {
		return nil, err
	}
	return &role{
		addr: l.Address(),
		count: func() counts {
			n := c.messages.Load()
			return counts{Messages: n, Payloads: n, Bytes: c.bytes.Load()}
		},
		close: func(context.Context) error { return s.Close() },
	}, nil
}

// startBareBrokerClient publishes what linkspan does to that broker.
func startBareBrokerClient(settings string) (*role, error) {
	id := auth.Identity{ProductKey: deviceProduct, DeviceName: "bare"}
	b := &bareClient{topic: "linkspan/" + id.String() + upProperty}
	var addr string
	if _, err := fmt.Sscan(settings, &addr, &b.qos); err != nil {
		return nil, fmt.Errorf("settings %q: %w", settings, err)
	}
	var err error
	if b.payloads, err = payloadsBy(0, func(_ int, m *thing.Message) []byte { return mqtt.AppendThing(nil, id, m) }); err != nil {
		return nil, err
	}
	b.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetProtocolVersion(4).SetClientID("bare").
		SetKeepAlive(time.Minute).SetWriteTimeout(5 * time.Second).SetOrderMatters(false))
	if t := b.client.Connect(); t.Wait() && t.Error() != nil {
		return nil, t.Error()
	}
	return &role{
		count: func() counts { return b.count },
		drive: b.drive,
		close: func(context.Context) error { b.client.Disconnect(100); return nil },
	}, nil
}
