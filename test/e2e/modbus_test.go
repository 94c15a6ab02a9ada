package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	adapter "github.com/linkspan/linkspan/adapters/modbus"
	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	simulate "github.com/linkspan/linkspan/simulate/modbus"
)

// lines adds a listener for Modbus lines to a world, or connects to slaves.
func (w *world) lines(connect []string, change ...func(*adapter.Config)) (addr string, plugin protocol.Plugin) {
	w.t.Helper()
	p := profile.DefaultConfig()
	p.Interval = 300 * time.Millisecond
	p.Points = map[string]profile.Point{
		"voltage": {Address: "40231", Scale: "0.1"},
		"energy":  {Address: "40241", Type: "uint32", Order: "CDAB"},
		"limit":   {Address: "40501", Scale: "0.5", Access: "rw"},
		"relay":   {Address: "00008", Access: "rw"},
	}
	c := adapter.DefaultConfig()
	c.Registration.Form, c.Separator = "imei", "_"
	c.Heartbeats = []string{"www.usr.cn"}
	c.Units = []string{"1-2"}
	c.Profiles = map[string]profile.Config{"meter": p}
	none := time.Duration(0)
	c.Requests.Timeout, c.Requests.Quiet, c.Requests.Delay, c.Requests.Spread = time.Second, 100*time.Millisecond, &none, 0
	c.Failures.Offline, c.Failures.Min, c.Failures.Max = 2, time.Second, time.Second
	for _, f := range change {
		f(&c)
	}
	plugin = adapter.New(adapter.Name)
	open, err := plugin.New(c)
	w.must(err)
	l := server.Listener{
		Name: "lines", Connect: connect, Protocol: adapter.Name, Open: open, Limits: w.setup.limits,
		Host: &protocol.Host{Uplink: w.bridge.Uplink(), Listener: "lines"},
	}
	if connect == nil {
		l.Address = "127.0.0.1:0"
	}
	s, err := server.New(w.setup.server, []server.Listener{l})
	w.must(err)
	w.must(s.Start(w.t.Context()))
	w.t.Cleanup(func() {
		ctx, cancel := w.deadline()
		defer cancel()
		w.must(s.Close(ctx))
	})
	if connect == nil {
		addr = s.Addr("lines").String()
	}
	return addr, plugin
}

// slaves runs simulated slaves until the test ends.
func (w *world) slaves(c simulate.Config, listen bool) *simulate.Fleet {
	w.t.Helper()
	f, err := simulate.New(c)
	w.must(err)
	if listen {
		w.must(f.Listen(w.t.Context()))
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }() // ends with the test
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Error(err)
		}
		f.Close()
	})
	return f
}

// A meter behind a DTU that glues heartbeats to answers and splits these.
func TestModbusFromTheMeterToThePlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const first, second = "861234567890001_1", "861234567890002_2"
	w.know("861234567890001_1", "861234567890001_2", "861234567890002_1", "861234567890002_2")
	addr, plugin := w.lines(nil)
	c := simulate.DefaultConfig()
	c.Target, c.Lines, c.Units = addr, 2, "1-2"
	c.Faults.Glued, c.Faults.Split, c.Faults.Noise = 0.3, 0.3, 0.2
	f := w.slaves(c, false)

	for _, unit := range []string{first, second} {
		await(t, "the voltage of "+unit, func() bool { return w.property(unit, "voltage") == "23.0" })
		await(t, "the energy of "+unit, func() bool { return w.property(unit, "energy") == "15794416" }) // 240 + 241<<16
	}
	f.Set(0, 1, modbus.Address{Area: modbus.HoldingRegisters, Offset: 230}, 2345)
	await(t, "another voltage", func() bool { return w.property(first, "voltage") == "234.5" })

	result := w.outcome(w.set(second, map[string]any{"limit": 12.5, "relay": true}))
	if result.State != "done" {
		t.Errorf("%+v", result)
	}
	if word, ok := f.Get(1, 2, modbus.Address{Area: modbus.HoldingRegisters, Offset: 500}); !ok || word != 25 {
		t.Errorf("register %d, %v", word, ok)
	}
	await(t, "the new limit", func() bool { return w.property(second, "limit") == "12.5" })

	f.SetDead(0, 1, true)
	await(t, "the unit to go offline", func() bool { return !w.device(first).Online })
	if !w.device("861234567890001_2").Online || !w.device(second).Online {
		t.Error("other units went offline with it")
	}
	f.SetDead(0, 1, false)
	await(t, "the unit to come back", func() bool { return w.device(first).Online })
	if st := plugin.Stats().(adapter.Stats); st.Heartbeats == 0 || st.Noise == 0 || st.Lines != 2 {
		t.Errorf("%+v", st)
	}
}

// A line on which no unit answers has no device online, and stays all the same:
// its first answer is not missed.
func TestModbusLineOfDeadUnitsStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.limits.FirstMessage, s.limits.Login = 500*time.Millisecond, 500*time.Millisecond })
	w.know("861234567890001_1", "861234567890001_2")
	addr, plugin := w.lines(nil)
	c := simulate.DefaultConfig()
	c.Target, c.Units, c.Dead = addr, "1-2", "1-2"
	f := w.slaves(c, false)
	await(t, "units to be asked in vain", func() bool { return plugin.Stats().(adapter.Stats).Timeouts >= 2 }) // a second each
	f.SetDead(0, 1, false)
	await(t, "the voltage", func() bool { return w.property("861234567890001_1", "voltage") == "23.0" })
	if n := f.Stats().Connects; n != 1 {
		t.Errorf("the line has connected %d times, want once", n)
	}
}

// Slaves of Modbus TCP that listen themselves.
func TestModbusSlavesThatListen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.know("boiler_1")
	c := simulate.DefaultConfig()
	c.Listen, c.Mode, c.Registration, c.Heartbeat = "127.0.0.1:0", "tcp", "", ""
	f := w.slaves(c, true)
	target := f.Addrs()[0]
	w.lines([]string{target}, func(c *adapter.Config) {
		c.Mode, c.Heartbeats = "tcp", nil
		c.Lines = map[string]adapter.Line{target: {Name: "boiler", Units: map[string]adapter.Unit{"1": {}}}}
	})
	await(t, "the voltage", func() bool { return w.property("boiler_1", "voltage") == "23.0" })
}
