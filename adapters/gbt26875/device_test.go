package gbt26875

import (
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/thing"
)

// panel is a scripted device on a connection in memory.
type panel struct {
	*protocoltest.Device
	t       testing.TB
	plugin  protocol.Plugin
	decoder codec.Decoder[*gbt26875.Frame]
	address gbt26875.Address
	serial  uint16
}

const (
	name   = "790300000000" // of the device, 889 as a number
	centre = 88888
)

var china = time.FixedZone("UTC+8", 8*60*60)

// dial connects a device to the plugin.
func dial(tb testing.TB, change ...func(*Config)) *panel {
	tb.Helper()
	c := DefaultConfig()
	for _, f := range change {
		f(&c)
	}
	p := New(Name)
	return &panel{
		Device: protocoltest.Connect(tb, p, c), t: tb, plugin: p,
		decoder: gbt26875.NewDecoder(gbt26875.DefaultOptions()), address: gbt26875.NewAddress(889),
	}
}

// online is dial and a heartbeat that brings the device online.
func online(tb testing.TB, change ...func(*Config)) *panel {
	tb.Helper()
	x := dial(tb, change...)
	x.Send(x.frame(gbt26875.CommandSend, nil))
	if got := x.said(); got != "" || x.heard() != "confirm 1" {
		tb.Fatalf("a heartbeat says %q", got)
	}
	return x
}

func (x *panel) header(c gbt26875.Command) gbt26875.Header {
	return gbt26875.Header{
		Serial: x.serial, Version: gbt26875.Version{Main: 1, User: 3}, Time: gbt26875.NewTime(x.Now().In(china)),
		Source: x.address, Destination: gbt26875.NewAddress(centre), Command: c,
	}
}

// frame is the device's next frame.
func (x *panel) frame(c gbt26875.Command, data []byte) []byte {
	x.t.Helper()
	x.serial++
	return x.framed(&gbt26875.Frame{Header: x.header(c), Data: data})
}

func (x *panel) framed(f *gbt26875.Frame) []byte {
	x.t.Helper()
	b, err := gbt26875.AppendFrame(nil, f)
	if err != nil {
		x.t.Fatal(err)
	}
	return b
}

// unit is the device's next frame, which tells u.
func (x *panel) unit(u gbt26875.Unit) []byte {
	x.t.Helper()
	return x.frame(gbt26875.CommandSend, dataOf(x.t, u))
}

func dataOf(tb testing.TB, u gbt26875.Unit) []byte {
	tb.Helper()
	data, err := u.AppendUnit(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// tell sends u and returns what the platform got.
func (x *panel) tell(u gbt26875.Unit) string {
	x.t.Helper()
	x.Send(x.unit(u))
	return x.said()
}

// answer answers the frame of ours with that serial number.
func (x *panel) answer(serial uint16, u gbt26875.Unit) {
	x.t.Helper()
	h := x.header(gbt26875.CommandAnswer)
	h.Serial = serial
	x.Send(x.framed(&gbt26875.Frame{Header: h, Data: dataOf(x.t, u)}))
}

// confirm confirms or denies the frame of ours with that serial number.
func (x *panel) confirm(c gbt26875.Command, serial uint16) {
	x.t.Helper()
	h := x.header(c)
	h.Serial = serial
	x.Send(x.framed(&gbt26875.Frame{Header: h}))
}

// frames is what the device was sent since the last time.
func (x *panel) frames() (all []*gbt26875.Frame) {
	x.t.Helper()
	for in := x.Take(); len(in) > 0; {
		f, n, err := x.decoder.Decode(in)
		if err != nil {
			x.t.Fatalf("linkspan sent %x: %v", in, err)
		}
		if f.Destination != gbt26875.NewAddress(889) && f.Destination != other || f.Source != gbt26875.NewAddress(centre) || f.Version.Main != 1 {
			x.t.Errorf("linkspan sent %+v", f.Header)
		}
		all = append(all, f.Clone())
		in = in[n:]
	}
	return all
}

// other is a second device.
var other = gbt26875.NewAddress(890)

// heard is what the device was sent since the last time, as words: the command,
// the serial number and the data of each frame.
func (x *panel) heard() string {
	x.t.Helper()
	var all []string
	for _, f := range x.frames() {
		text := f.Command.String() + " " + thing.Int(int64(f.Serial)).String()
		if len(f.Data) > 0 {
			text += " " + hex.EncodeToString(f.Data)
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// said is what the platform was told since the last time, a line each.
func (x *panel) said() string {
	var all []string
	for _, m := range x.TakeSaid() {
		text := m.Kind.String()
		if m.Name != "" && m.Kind != thing.Reply {
			text += " " + m.Name
		}
		if m.Kind == thing.Reply {
			text += " " + m.ID + " " + m.State.String()
			if m.Text != "" {
				text += ": " + m.Text
			}
		}
		if len(m.Fields) > 0 {
			text += " " + string(thing.AppendFields(nil, m.Fields))
		}
		if m.Raw != nil {
			text += " " + hex.EncodeToString(m.Raw)
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

// kinds is said without fields: which events and properties there are.
func kinds(said string) string {
	var all []string
	for line := range strings.Lines(said) {
		kind, _, _ := strings.Cut(strings.TrimSpace(line), " {")
		all = append(all, kind)
	}
	return strings.Join(all, ", ")
}

func (x *panel) stats() Stats {
	s, _ := x.plugin.Stats().(Stats)
	return s
}

// at is the present time of the device's clock.
func (x *panel) at() gbt26875.Time { return gbt26875.NewTime(x.Now().In(china)) }

func (x *panel) smoke(n uint16, state gbt26875.PartBits) gbt26875.PartState {
	x.t.Helper()
	where, err := gbt26875.NewDescription("3楼东")
	if err != nil {
		x.t.Fatal(err)
	}
	return gbt26875.PartState{
		Part:  gbt26875.Part{System: firePanel, Type: gbt26875.PartSmokeDetector, Address: gbt26875.NewPartAddress(10, n)},
		State: state, Description: where, Time: x.at(),
	}
}

var firePanel = gbt26875.System{Type: gbt26875.SystemFireAlarm, Address: 1}

func parts(all ...gbt26875.PartState) *gbt26875.PartStates { return &gbt26875.PartStates{Objects: all} }

func (x *panel) own(state gbt26875.DeviceBits) *gbt26875.DeviceStates {
	return &gbt26875.DeviceStates{Objects: []gbt26875.DeviceState{{State: state, Time: x.at()}}}
}

// millis is a time as fields have it.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func wants(tb testing.TB, what, got, want string) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}
