package gbt26875_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	wire "github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/simulate/gbt26875"
)

var cst = time.FixedZone("CST", 8*60*60)

func TestCommandsAreAnswered(t *testing.T) {
	t.Parallel()
	fireAlarm := wire.System{Type: wire.SystemFireAlarm, Address: 1}
	heat := wire.PartName{System: fireAlarm, Address: wire.NewPartAddress(1, 3)}
	nowhere := wire.PartName{System: fireAlarm, Address: wire.NewPartAddress(9, 9)}
	since := wire.NewTime(time.Now().In(cst))
	c := newCentre(t)
	f, stop := start(t, quiet(c.tcp()))
	c.find("hello", func(f *wire.Frame) bool { return of(f) == wire.TypeDeviceState })
	for i, each := range []struct {
		unit wire.Unit
		want string // of the answer as JSON; empty: confirmed; "denied": denied
	}{
		{&wire.ReadSystem{Query: wire.TypeReadSystemState, Objects: []wire.System{fireAlarm}}, `"state":["normal"]`},
		{&wire.ReadSystem{Query: wire.TypeReadSystemSoftware, Objects: []wire.System{fireAlarm}}, `"major":2,"minor":6`},
		{&wire.ReadSystem{Query: wire.TypeReadSystemConfig, Objects: []wire.System{fireAlarm}}, `"panel 1, 16 parts"`},
		{&wire.ReadSystem{Query: wire.TypeReadSystemTime, Objects: []wire.System{fireAlarm}}, `"time":"20`},
		{&wire.ReadSystem{Query: wire.TypeReadSystemState, Objects: []wire.System{{Type: 11, Address: 1}}}, "denied"},
		{&wire.ReadPart{Query: wire.TypeReadPartState, Objects: []wire.PartName{heat, nowhere}}, `"1楼3号温感"`},
		{&wire.ReadPart{Query: wire.TypeReadPartAnalog, Objects: []wire.PartName{heat}}, `temperature`},
		{&wire.ReadPart{Query: wire.TypeReadPartConfig, Objects: []wire.PartName{heat}}, `"part_type":"30 heat detector"`},
		{&wire.ReadPart{Query: wire.TypeReadPartState, Objects: []wire.PartName{nowhere}}, "denied"},
		{&wire.ReadSystemOperations{Objects: []wire.SystemOperationQuery{{System: fireAlarm, Number: 5, Start: since}}}, `null`},
		{wire.NewReadDevice(wire.TypeReadDeviceState), `"state":["normal"]`},
		{wire.NewReadDevice(wire.TypeReadDeviceSoftware), `"major":2,"minor":6`},
		{wire.NewReadDevice(wire.TypeReadDeviceConfig), `"panel 1, 16 parts"`},
		{wire.NewReadDevice(wire.TypeReadDeviceTime), `"time":"20`},
		{wire.NewReadDevice(wire.TypeInitDevice), ""},
		{&wire.ReadDeviceOperations{Objects: []wire.DeviceOperationQuery{{Number: 5, Start: since}}}, `"operation":1,`},
		{wire.NewSetClock(since), ""},
		{wire.NewSetClock(wire.Time{99, 99}), "denied"},
	} {
		serial := uint16(0x8000 + i)
		c.tell(first, serial, each.unit)
		f := c.find("an answer", func(f *wire.Frame) bool { return f.Serial == serial && f.Command != wire.CommandSend })
		switch each.want {
		case "":
			if f.Command != wire.CommandConfirm || len(f.Data) != 0 {
				t.Errorf("type %v: %+v", each.unit.Type(), f)
			}
		case "denied":
			if f.Command != wire.CommandDeny || len(f.Data) != 0 {
				t.Errorf("type %v: %+v", each.unit.Type(), f)
			}
		default:
			u, err := f.Parse()
			got, _ := json.Marshal(u)
			if err != nil || f.Command != wire.CommandAnswer || u.Type() != each.unit.Type().Answer() || !strings.Contains(string(got), each.want) {
				t.Errorf("type %v: %v %s %v, want %s", each.unit.Type(), f.Command, got, err, each.want)
			}
		}
	}
	s := drained(t, c, f, stop)
	if s.Commands != 18 || s.CommandsDenied != 3 || s.BadFrames+s.StrayFrames != 0 {
		t.Errorf("%+v", s)
	}
}

func TestPostIsAnswered(t *testing.T) {
	t.Parallel()
	c := newCentre(t)
	cfg := quiet(c.tcp())
	cfg.PostAnswer = 10 * time.Millisecond
	start(t, cfg)
	c.find("hello", func(f *wire.Frame) bool { return of(f) == wire.TypeDeviceState })
	c.tell(first, 7, &wire.CheckPost{Objects: []wire.PostCheck{{Minutes: 1}}})
	f := c.find("a record", func(f *wire.Frame) bool { return of(f) == wire.TypeDeviceOperation && f.Command == wire.CommandSend })
	u, err := f.Parse()
	if err != nil {
		t.Fatal(err)
	}
	if o := u.(*wire.DeviceOperations).Objects; len(o) != 1 || o[0].Operation != wire.OperationPostAnswer || o[0].Operator == 0 {
		t.Errorf("%+v", o)
	}
}

func TestClockIsSet(t *testing.T) {
	t.Parallel()
	for name, bcd := range map[string]bool{"binary": false, "BCD": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCentre(t)
			cfg := quiet(c.tcp())
			cfg.ClockOffset = 1000 * time.Hour
			label := wire.NewTime
			if bcd {
				cfg.Faults.BCD, label = 1, wire.NewBCDTime
			}
			var told gbt26875.Command
			f, stop := start(t, cfg, gbt26875.WithCommands(func(c gbt26875.Command) { told = c }))
			c.find("hello", func(f *wire.Frame) bool { return of(f) == wire.TypeDeviceState })
			if off := time.Since(f.Devices(0, 1)[0].Clock).Abs(); off < time.Minute || off > 1001*time.Hour {
				t.Errorf("the clock is wrong by %v at the beginning", off)
			}
			to := time.Date(2031, 10, 12, 23, 59, 58, 0, cst)
			c.tell(first, 1, wire.NewSetClock(label(to)))
			c.find("the confirmation", func(f *wire.Frame) bool { return f.Command == wire.CommandConfirm })
			raise(t, f, gbt26875.EventFire, 1)
			frame := c.find("a fire", fire)
			at, ok := frame.Time.In(cst)
			if bcd {
				at, ok = frame.Time.BCDIn(cst)
			}
			if !ok || at.Sub(to) < 0 || at.Sub(to) > patience {
				t.Errorf("after it was set the clock shows %v", frame.Time)
			}
			drained(t, c, f, stop)
			if told.Panel != 1 || told.Unit.Type() != wire.TypeSetClock || told.Answer != wire.CommandConfirm || told.Clock.Sub(to).Abs() > patience {
				t.Errorf("observed: %+v", told)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	c := newCentre(t)
	cfg := quiet(c.tcp())
	cfg.Refuse = 1
	start(t, cfg)
	c.find("hello", func(f *wire.Frame) bool { return of(f) == wire.TypeDeviceState })
	c.tell(first, 9, wire.NewReadDevice(wire.TypeReadDeviceState))
	c.find("a denial", func(f *wire.Frame) bool { return f.Command == wire.CommandDeny && f.Serial == 9 })
}

// Panels that misbehave do it so that it can be seen, and their alarms get
// through all the same.
func TestFaults(t *testing.T) {
	t.Parallel()
	anyFrame := func(c *centre, match func(f *wire.Frame) bool) bool {
		return slices.ContainsFunc(c.frames, match)
	}
	for name, each := range map[string]struct {
		faults gbt26875.Faults
		seen   func(c *centre, s gbt26875.Snapshot) bool
	}{
		"badChecksum": {gbt26875.Faults{BadChecksum: 1}, func(c *centre, s gbt26875.Snapshot) bool { return c.damaged > 0 && s.Denied > 0 }},
		"halfFrames":  {gbt26875.Faults{HalfFrames: 1}, func(_ *centre, s gbt26875.Snapshot) bool { return s.Broken > 0 && s.Reconnects > 0 }},
		"glued": {gbt26875.Faults{Glued: 1}, func(c *centre, _ gbt26875.Snapshot) bool {
			return anyFrame(c, func(f *wire.Frame) bool { return f.Command == wire.CommandSend && len(f.Data) == 0 })
		}},
		"bcd": {gbt26875.Faults{BCD: 1}, func(c *centre, _ gbt26875.Snapshot) bool {
			at, ok := c.frames[0].Time.BCDIn(cst)
			return ok && time.Since(at).Abs() < time.Minute
		}},
		"noClock": {gbt26875.Faults{NoClock: 1}, func(c *centre, _ gbt26875.Snapshot) bool { return c.frames[0].Time.IsZero() }},
		"version": {gbt26875.Faults{Version: 1}, func(c *centre, _ gbt26875.Snapshot) bool { return c.frames[0].Version.Main != 1 }},
		"spaces": {gbt26875.Faults{Spaces: 1}, func(c *centre, _ gbt26875.Snapshot) bool {
			return anyFrame(c, func(f *wire.Frame) bool { return fire(f) && parts(f)[0].Description[30] == ' ' })
		}},
		"noise": {gbt26875.Faults{Noise: 1}, func(c *centre, _ gbt26875.Snapshot) bool { return c.damaged > 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCentre(t)
			cfg := quiet(c.tcp())
			cfg.Faults, cfg.AckTimeout = each.faults, 200*time.Millisecond
			f, stop := start(t, cfg)
			for n := range 16 {
				raise(t, f, gbt26875.EventFire, n+1)
			}
			s := drained(t, c, f, stop)
			if s.Refused != 0 || s.Acked < 16 || s.StrayAcks != 0 {
				t.Errorf("%v", f.Report())
			}
			came := map[wire.PartAddress]bool{}
			for _, f := range c.frames {
				if fire(f) && !f.Damaged {
					came[parts(f)[0].Address] = true
				}
			}
			if len(came) != 16 || !each.seen(c, s) {
				t.Errorf("%d fires came; the fault does not show: %v", len(came), f.Report())
			}
			if d := f.Devices(0, 0)[0]; d.Fault.String() != name || d.Burning != 16 || d.Fires != 16 {
				t.Errorf("%+v", d)
			}
		})
	}
}
