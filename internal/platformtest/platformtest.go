// Package platformtest lets connectors to the local platform run the suite of
// package upstreamtest: it says how the suite gets at the platform.
package platformtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/upstreamtest"
)

// Secret is the secret of every device of [Config].
const Secret = auth.Secret("secret")

// Truck is a device of [Config].
func Truck(i int) auth.Identity {
	return auth.Identity{ProductKey: "a1truck0001", DeviceName: fmt.Sprintf("truck-%d", i), DeviceSecret: Secret}
}

// Gateway is a gateway of [Config].
func Gateway() auth.Identity {
	return auth.Identity{ProductKey: "a1gateway01", DeviceName: "gateway-0", DeviceSecret: Secret}
}

// Config is a platform on free ports of the loopback, with a gateway and ten
// trucks, which are in its topology.
func Config() platform.Config {
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", ""
	cfg.WatchQueue = 100_000
	cfg.LoginsPerMinute = 0
	g := Gateway()
	cfg.Devices = append(cfg.Devices, platform.Device{ProductKey: g.ProductKey, DeviceName: g.DeviceName, DeviceSecret: Secret})
	for i := range 10 {
		id := Truck(i)
		cfg.Devices = append(cfg.Devices, platform.Device{
			ProductKey: id.ProductKey, DeviceName: id.DeviceName, DeviceSecret: Secret, Gateway: g.ProductKey + "/" + g.DeviceName,
		})
	}
	return cfg
}

// Start starts a platform, which ends with the test.
func Start(tb testing.TB, cfg platform.Config) *platform.Platform {
	tb.Helper()
	p, err := platform.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			tb.Errorf("platform: %v", err)
		}
	})
	return p
}

// Connector is a connector of p's Gateway, which is quick to connect again.
func Connector(tb testing.TB, p *platform.Platform) upstream.Connector {
	tb.Helper()
	g := Gateway()
	cfg := aliyun.DefaultConfig()
	cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = g.ProductKey, g.DeviceName, g.DeviceSecret
	cfg.Endpoint = "tcp://" + p.MQTTAddr()
	cfg.ReconnectMin, cfg.ReconnectMax = 10*time.Millisecond, 50*time.Millisecond
	cfg.WriteTimeout = time.Second
	c, err := aliyun.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Describe says how the suite gets at a platform of [Config], or one with the
// same trucks, through the connector that connect makes.
func Describe(tb testing.TB, p *platform.Platform, connect func(testing.TB) upstream.Connector) *upstreamtest.Platform {
	tb.Helper()
	watch, err := p.Subscribe(platform.Filter{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(watch.Close)
	refuse := func(count int) {
		if err := p.SetFaults(api.Faults{RefuseConnects: &api.Refusal{Count: count, Code: 3}}); err != nil {
			tb.Error(err)
		}
	}
	return &upstreamtest.Platform{
		Devices:   []auth.Identity{Truck(0), Truck(1), Truck(2)},
		Unknown:   auth.Identity{ProductKey: Truck(0).ProductKey, DeviceName: "nobody", DeviceSecret: Secret},
		Connector: connect,
		Next: func(ctx context.Context) (upstreamtest.Event, error) {
			for {
				m, err := watch.Next(ctx)
				if err != nil {
					return upstreamtest.Event{}, err
				}
				if e, tells := event(tb, &m); tells {
					return e, nil
				}
			}
		},
		Command: func(ctx context.Context, id auth.Identity, c *thing.Command) (thing.Message, error) {
			return tell(ctx, p, id, c)
		},
		Topic: func(id auth.Identity) string { return "/" + id.ProductKey + "/" + id.DeviceName + "/user/update" },
		Kick:  func(id auth.Identity) error { return p.Kick(id.ProductKey, id.DeviceName) },
		Cut: func() {
			refuse(-1)
			if err := p.Disconnect("all"); err != nil {
				tb.Error(err)
			}
		},
		Restore: func() { refuse(0) },
		Kinds:   []thing.Kind{thing.Property, thing.Event, thing.Raw, thing.Publication},
	}
}

// event translates what happened at the platform.
func event(tb testing.TB, m *api.Message) (e upstreamtest.Event, tells bool) {
	tb.Helper()
	e.Device = auth.Identity{ProductKey: m.ProductKey, DeviceName: m.DeviceName}
	said := func(kind thing.Kind) (upstreamtest.Event, bool) {
		e.Kind = upstreamtest.Said
		e.Message = thing.Message{Kind: kind, Name: m.Name, Raw: m.Raw, Topic: m.Topic}
		if len(m.Data) > 0 {
			fields, err := thing.ParseFields(m.Data)
			if err != nil {
				tb.Errorf("%s: %v", m.Data, err)
			}
			e.Message.Fields = untimed(fields)
		}
		return e, true
	}
	switch m.Kind {
	case api.KindOnline:
		e.Kind = upstreamtest.Online
	case api.KindOffline:
		e.Kind = upstreamtest.Offline
	case api.KindProperty:
		return said(thing.Property)
	case api.KindEvent:
		return said(thing.Event)
	case api.KindRaw:
		return said(thing.Raw)
	case api.KindCustom:
		return said(thing.Publication)
	case api.KindLagged:
		tb.Error("the watch of the platform is too slow")
		return e, false
	default:
		return e, false
	}
	return e, true
}

// untimed is properties without the times that they may have: {"value": 1, "time": 2}
// is 1.
func untimed(fields []thing.Field) []thing.Field {
	for i, f := range fields {
		members := f.Value.Struct()
		value, found := thing.Get(members, "value")
		if _, timed := thing.Get(members, "time"); found && timed && len(members) == 2 {
			fields[i].Value = value
		}
	}
	return fields
}

// tell gives a command and translates the reply.
func tell(ctx context.Context, p *platform.Platform, id auth.Identity, c *thing.Command) (m thing.Message, err error) {
	params := json.RawMessage(thing.AppendFields(nil, c.Fields))
	var r api.Result
	switch c.Kind {
	case thing.SetProperties:
		r, err = p.Set(ctx, id.ProductKey, id.DeviceName, params)
	case thing.GetProperties:
		names := make([]string, 0, len(c.Fields))
		for _, f := range c.Fields {
			names = append(names, f.Name)
		}
		r, err = p.Get(ctx, id.ProductKey, id.DeviceName, names...)
	case thing.Service:
		r, err = p.Invoke(ctx, id.ProductKey, id.DeviceName, c.Name, params)
	case thing.RawDown:
		r, err = p.SendRaw(ctx, id.ProductKey, id.DeviceName, c.Raw)
	default:
		return m, fmt.Errorf("no such command: %v", c.Kind)
	}
	if err != nil {
		return m, err
	}
	m = thing.Message{Kind: thing.Reply, Code: r.Code, Text: r.Message, Raw: r.Raw}
	switch r.State {
	case "done":
		m.State = thing.Done
	case "refused":
		m.State = thing.Refused
	default:
		return m, errors.New(strings.TrimSpace(r.State + " " + r.Message))
	}
	if len(r.Data) > 0 {
		m.Fields, err = thing.ParseFields(r.Data)
	}
	return m, err
}
