//go:build linux

package main

import (
	"context"
	"testing"

	adapter "github.com/linkspan/linkspan/adapters/jt808"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/protocol"
)

// BenchmarkReport is the way of a location report through linkspan, from its bytes to
// its payload and its acknowledgement, as in the variant linkspan-discard; only the
// server is missing. A burst of 64 reports is one operation.
func BenchmarkReport(b *testing.B) {
	known, err := devices.Open(devices.Config{
		Unknown:  devices.PolicyTemplate,
		Template: devices.Template{ProductKey: deviceProduct, DeviceName: "${identity}", DeviceSecret: benchSecret},
	})
	if err != nil {
		b.Fatal(err)
	}
	up := &discard{}
	br, err := bridge.New(bridge.DefaultConfig(), up, known)
	if err != nil {
		b.Fatal(err)
	}
	if err = br.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err = br.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	cfg := adapter.DefaultConfig()
	cfg.Authentication.Policy = "accept"
	open, err := adapter.Plugin.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	const devices = 8
	var handlers [devices]protocol.Handler
	var bursts [devices][]byte
	loop := &capture{}
	for d := range handlers {
		handlers[d] = open(loop, &protocol.Host{Uplink: br.Uplink(), Listener: "bench"})
		login, err := appendLogin(nil, d)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err = handlers[d].Data(login); err != nil {
			b.Fatal(err)
		}
		loop.run()
		for i := range framesPerDevice {
			if bursts[d], err = appendReport(bursts[d], d, i); err != nil {
				b.Fatal(err)
			}
		}
	}
	var before, after counts
	up.count(&before)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		d := n % devices
		if _, _, err := handlers[d].Data(bursts[d]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	up.count(&after)
	if got := after.Payloads - before.Payloads; got != uint64(n*framesPerDevice) {
		b.Fatalf("%d payloads of %d reports", got, n*framesPerDevice)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*framesPerDevice), "ns/report")
}
