package e2e

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	adapter "github.com/linkspan/linkspan/adapters/gbt26875"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
)

// panel is a user information transmission device that does what a test tells it.
// Its methods are called by one goroutine.
type panel struct {
	t       testing.TB
	conn    net.Conn
	address gbt26875.Address
	decoder codec.Decoder[*gbt26875.Frame]
	in      []byte
	serial  uint16
}

const panelName = "790300000000"

// panels adds a listener for devices of GB/T 26875.3 to a world.
func (w *world) panels(change ...func(*adapter.Config)) (addr string, plugin protocol.Plugin) {
	w.t.Helper()
	c := adapter.DefaultConfig()
	c.Ack = "delivered"
	for _, f := range change {
		f(&c)
	}
	plugin = adapter.New(adapter.Name)
	open, err := plugin.New(c)
	w.must(err)
	s, err := server.New(w.setup.server, []server.Listener{{
		Name: "panels", Address: "127.0.0.1:0", Protocol: adapter.Name, Open: open, Limits: w.setup.limits,
		Host: &protocol.Host{
			Uplink: w.bridge.Uplink(), Listener: "panels",
			Heartbeat: []session.Option{session.Heartbeat(time.Minute, 2)},
		},
	}})
	w.must(err)
	w.must(s.Start(w.t.Context()))
	w.t.Cleanup(func() {
		ctx, cancel := w.deadline()
		defer cancel()
		w.must(s.Close(ctx))
	})
	return s.Addr("panels").String(), plugin
}

// panel connects a device that the platform knows.
func (w *world) panel(addr string) *panel {
	w.t.Helper()
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(w.t.Context(), "tcp", addr)
	w.must(err)
	w.t.Cleanup(func() { _ = conn.Close() })
	return &panel{t: w.t, conn: conn, address: gbt26875.NewAddress(889), decoder: gbt26875.NewDecoder(gbt26875.DefaultOptions())}
}

// send sends u with that command, and is the serial number.
func (x *panel) send(c gbt26875.Command, serial uint16, u gbt26875.Unit) {
	x.t.Helper()
	h := gbt26875.Header{
		Serial: serial, Version: gbt26875.Version{Main: 1}, Time: now(),
		Source: x.address, Destination: gbt26875.NewAddress(88888), Command: c,
	}
	var out []byte
	var err error
	if u == nil {
		out, err = gbt26875.AppendFrame(nil, &gbt26875.Frame{Header: h})
	} else {
		out, err = gbt26875.AppendUnit(nil, h, u)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	if _, err := x.conn.Write(out); err != nil {
		x.t.Fatal(err)
	}
}

// tell sends u and waits for the answer to it.
func (x *panel) tell(u gbt26875.Unit) gbt26875.Command {
	x.t.Helper()
	x.serial++
	x.send(gbt26875.CommandSend, x.serial, u)
	f, err := x.next(patience)
	if err != nil || f.Serial != x.serial {
		x.t.Fatalf("answered with %+v, %v", f, err)
	}
	return f.Command
}

// next is the next frame that the device gets.
func (x *panel) next(within time.Duration) (*gbt26875.Frame, error) {
	x.t.Helper()
	if err := x.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096)
	for {
		f, used, err := x.decoder.Decode(x.in)
		x.in = x.in[used:]
		if err == nil {
			return f.Clone(), nil
		}
		if !errors.Is(err, codec.ErrIncomplete) {
			return nil, fmt.Errorf("linkspan sent a bad frame: %w", err)
		}
		n, err := x.conn.Read(buf)
		if err != nil {
			return nil, err
		}
		x.in = append(x.in, buf[:n]...)
	}
}

var china = time.FixedZone("UTC+8", 8*60*60)

func now() gbt26875.Time { return gbt26875.NewTime(time.Now().In(china)) }

func smoke(tb testing.TB, state gbt26875.PartBits) *gbt26875.PartStates {
	tb.Helper()
	where, err := gbt26875.NewDescription("3号楼大厅")
	if err != nil {
		tb.Fatal(err)
	}
	return &gbt26875.PartStates{Objects: []gbt26875.PartState{{
		Part: gbt26875.Part{
			System: gbt26875.System{Type: gbt26875.SystemFireAlarm, Address: 1}, Type: gbt26875.PartSmokeDetector, Address: gbt26875.NewPartAddress(1, 7),
		},
		State: state, Description: where, Time: now(),
	}}}
}

// TestFire goes the main way: a smoke detector finds a fire, and when the device has
// its confirmation, the platform has the alarm.
func TestFire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.know(panelName)
	addr, plugin := w.panels()
	x := w.panel(addr)
	if got := x.tell(&gbt26875.DeviceStates{Objects: []gbt26875.DeviceState{{State: gbt26875.DeviceNormal, Time: now()}}}); got != gbt26875.CommandConfirm {
		t.Fatalf("a state is answered with %v", got)
	}
	if got := x.tell(smoke(t, gbt26875.PartFire)); got != gbt26875.CommandConfirm {
		t.Fatalf("a fire is answered with %v", got)
	}
	d := w.device(panelName)
	if len(d.Events) != 2 || d.Events[1].Name != "fire" || d.Counters.Refused != 0 {
		t.Fatalf("the platform has %+v", d.Events)
	}
	var event struct {
		PartName, Address, Description string
		Zone, Point                    int
		Fire                           bool
	}
	w.must(json.Unmarshal(d.Events[1].Value, &event))
	if event.PartName != "smoke detector" || event.Address != "01000700" || event.Description != "3号楼大厅" || event.Zone != 1 || event.Point != 7 || !event.Fire {
		t.Errorf("the event is %s", d.Events[1].Value)
	}
	if age := time.Since(d.Events[1].Time); age < -time.Second || age > patience {
		t.Errorf("the event is of %v", d.Events[1].Time)
	}
	if got := w.property(panelName, "normal"); got != "true" {
		t.Errorf("property normal is %s", got)
	}
	if s, _ := plugin.Stats().(adapter.Stats); s.Fires != 1 || s.Undelivered != 0 {
		t.Errorf("%+v", s)
	}
}

// TestFireWhilePlatformIsFrozen keeps the confirmation back for as long as the
// platform takes nothing; the device repeats, and the alarm arrives once.
func TestFireWhilePlatformIsFrozen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.know(panelName)
	addr, _ := w.panels()
	x := w.panel(addr)
	if got := x.tell(nil); got != gbt26875.CommandConfirm {
		t.Fatalf("a heartbeat is answered with %v", got)
	}
	frozen, thawed := true, false
	w.must(w.platform.SetFaults(api.Faults{Frozen: &frozen}))
	fire := smoke(t, gbt26875.PartFire)
	x.send(gbt26875.CommandSend, 2, fire)
	x.send(gbt26875.CommandSend, 2, fire)
	if f, early := x.next(300 * time.Millisecond); early == nil {
		t.Fatalf("answered with %+v, but the platform does not have it", f)
	}
	w.must(w.platform.SetFaults(api.Faults{Frozen: &thawed}))
	if f, err := x.next(patience); err != nil || f.Command != gbt26875.CommandConfirm || f.Serial != 2 {
		t.Fatalf("answered with %+v, %v", f, err)
	}
	if d := w.device(panelName); len(d.Events) != 1 || d.Events[0].Name != "fire" {
		t.Errorf("the platform has %+v", d.Events)
	}
}

// TestPanelServices calls services of a device.
func TestPanelServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.know(panelName)
	addr, _ := w.panels()
	x := w.panel(addr)
	if got := x.tell(nil); got != gbt26875.CommandConfirm {
		t.Fatalf("a heartbeat is answered with %v", got)
	}
	told := func() *gbt26875.Frame {
		t.Helper()
		f, err := x.next(patience)
		w.must(err)
		return f
	}
	done := w.invoke(panelName, "readPartState", map[string]any{"zone": 1, "point": 7})
	f := told()
	if f.Command != gbt26875.CommandRequest || hex.EncodeToString(f.Data) != "3e01010101000700" {
		t.Fatalf("the device is told %+v", f)
	}
	x.send(gbt26875.CommandAnswer, f.Serial, smoke(t, gbt26875.PartNormal))
	if r := w.outcome(done); r.State != "done" || len(field(t, r, "parts")) < 100 {
		t.Errorf("ends with %+v, data %s", r, r.Data)
	}
	done = w.invoke(panelName, "setClock", map[string]any{})
	f = told()
	if f.Command != gbt26875.CommandControl || f.Data[0] != byte(gbt26875.TypeSetClock) {
		t.Fatalf("the device is told %+v", f)
	}
	x.send(gbt26875.CommandConfirm, f.Serial, nil)
	if r := w.outcome(done); r.State != "done" || r.Code != 200 {
		t.Errorf("ends with %+v", r)
	}
	done = w.invoke(panelName, "initialize", map[string]any{})
	x.send(gbt26875.CommandDeny, told().Serial, nil)
	if r := w.outcome(done); r.State == "done" || r.Code == 200 {
		t.Errorf("denied, it ends with %+v", r)
	}
	done = w.raw(panelName, []byte{4, 81, 1, 0})
	f = told()
	x.send(gbt26875.CommandAnswer, f.Serial, &gbt26875.DeviceStates{Objects: []gbt26875.DeviceState{{State: gbt26875.DeviceNormal, Time: now()}}})
	if r := w.outcome(done); r.State != "done" {
		t.Errorf("raw ends with %+v", r)
	}
	if d, err := w.platform.Device(truckProduct, panelName); err != nil || d.Counters.Refused > 0 {
		t.Errorf("the platform sees %+v, %v", d, err)
	}
}

// TestPanelsBehindOneConnection brings two devices online over one connection, and
// refuses a third that the platform does not know.
func TestPanelsBehindOneConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const second = "7a0300000000"
	w.know(panelName, second)
	addr, _ := w.panels(func(c *adapter.Config) { c.Gateway = true })
	x := w.panel(addr)
	for n, want := range []gbt26875.Command{gbt26875.CommandConfirm, gbt26875.CommandConfirm, gbt26875.CommandDeny} {
		x.address = gbt26875.NewAddress(uint64(889 + n))
		if got := x.tell(smoke(t, gbt26875.PartFire)); got != want {
			t.Errorf("device %d is answered with %v, want %v", n, got, want)
		}
	}
	for _, name := range []string{panelName, second} {
		if d := w.device(name); len(d.Events) != 1 || !d.Online {
			t.Errorf("the platform sees %+v", d)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if r, err := w.platform.Invoke(ctx, truckProduct, second, "fly", map[string]any{}); err != nil || r.State == "done" {
		t.Errorf("an unknown service ends with %+v, %v", r, err)
	}
}
