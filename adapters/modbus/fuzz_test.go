package modbus

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/thing"
)

// lineConfig is one of several ways in which lines speak.
func lineConfig(kind byte) Config {
	c := testConfig(func(c *Config) {
		p := meter()
		p.Interval = time.Second
		p.Report = "change"
		c.Profiles["meter"], c.Units = p, []string{"1-3"}
		c.Heartbeats = []string{"hex:FE", "www.usr.cn"}
		c.Failures.Min, c.Failures.Login = time.Second, time.Second
	})
	c.Mode = modbus.Mode(kind % 3).String()
	switch kind / 3 % 6 {
	case 0:
		c.Direct.Enabled = true
	case 1:
		c.Registration.Form, c.Registration.When = "text", "always"
	case 2:
		c.Registration.Form = "fourfaith"
	case 3:
		c.Registration.Form = "hongdian"
	case 4:
		c.Devices, c.Commands.ReadBack = devicesLine, true
	default:
		c.Registration.Form = "identification"
	}
	return c
}

// A line takes any bytes at any time, right answers among them: it keeps little,
// sends whole requests, and ends each command once.
func FuzzLine(f *testing.F) {
	for kind := range byte(18) {
		f.Add(kind, []byte(imei), []byte{0, 9, 1, 5, 4, 5, 2, 5, 3, 5, 4, 0, 1, 9, 6, 9, 2, 2, 7, 9, 9, 9, 5, 1, 1, 5})
		f.Add(kind, append([]byte("\x78\x56\x34\x1213066668888\x00\xc0\xa8\x01\x42\x00"), 0xfd, 0xed), []byte{0, 1, 1, 5, 8, 9, 9, 9, 9, 2, 6, 5, 1})
		f.Add(kind, []byte("{\x01\x00\x1613800138000\x0a\x00\x00\x01\x04\xd2{"), []byte{0, 1, 1, 5, 8, 9, 9, 9, 9, 2, 6, 5, 1})
	}
	f.Fuzz(func(t *testing.T, kind byte, data, script []byte) {
		data, script = data[:min(len(data), 600)], script[:min(len(script), 200)]
		config := lineConfig(kind)
		h, err := build(config, &counters{})
		if err != nil {
			t.Fatal(err)
		}
		l := &line{host: h}
		p := protocol.Define(Name, config, func(Config) (protocol.Protocol[[]byte], error) {
			return protocol.Protocol[[]byte]{Adapter: func() protocol.Adapter[[]byte] { return l }}, nil
		})
		x := fuzzed{Device: protocoltest.Connect(t, p, config), t: t, l: l}
		x.MaxFaults = 0
		for i, op := range script {
			if x.Closed {
				break
			}
			x.do(op, i, &data)
		}
		x.HoldLogins = false
		x.ReleaseLogins(nil)
		for range 60 {
			x.Advance(time.Second)
		}
		x.check()
	})
}

// fuzzed is a line that is driven at random.
type fuzzed struct {
	*protocoltest.Device
	t        *testing.T
	l        *line
	asked    []byte // the last request
	commands int
}

func (x *fuzzed) do(op byte, i int, data *[]byte) {
	switch op % 10 {
	case 0, 1:
		n := min(len(*data), 1+int(op))
		x.Send((*data)[:n])
		*data = (*data)[n:]
	case 2, 3:
		x.answer(op)
	case 4, 5, 6, 7:
		x.command(op, i)
	case 8:
		x.HoldLogins = !x.HoldLogins
		x.ReleaseLogins(nil)
	default:
		x.Advance(time.Duration(op) * 20 * time.Millisecond)
	}
	x.check()
}

// check looks at what the bridge has sent and keeps.
func (x *fuzzed) check() {
	x.t.Helper()
	out := x.Take()
	d := modbus.NewDecoder(modbus.Options{Mode: x.l.mode, Requests: true, AnyFunction: true})
	for len(out) > 0 && x.l.wrap == nil && !x.l.config.Direct.Enabled {
		f, n, err := d.Decode(out)
		if err != nil {
			x.t.Fatalf("the bridge sent %x: %v", out, err)
		}
		x.asked = append(x.asked[:0], out[:n]...)
		if _, err := modbus.ParseRequest(f.PDU); err != nil {
			x.t.Fatal(err)
		}
		out = out[n:]
	}
	if len(x.l.rest) > 1024 || len(x.l.wrapped) > 64 || len(x.l.queue) > x.l.config.Commands.Most {
		x.t.Fatalf("%d bytes, %d wrapped, and %d commands are kept", len(x.l.rest), len(x.l.wrapped), len(x.l.queue))
	}
	replies := map[string]int{}
	for _, m := range x.Said {
		if m.Kind == thing.Reply {
			replies[m.ID]++
		}
	}
	for id, n := range replies {
		if n != 1 {
			x.t.Fatalf("command %s was ended %d times", id, n)
		}
	}
}

// answer answers the last request, or says that it cannot.
func (x *fuzzed) answer(op byte) {
	if len(x.asked) == 0 {
		return
	}
	f, _, err := modbus.NewDecoder(modbus.Options{Mode: x.l.mode, Requests: true, AnyFunction: true}).Decode(x.asked)
	if err != nil {
		if !errors.Is(err, codec.ErrIncomplete) {
			x.t.Fatal(err)
		}
		return
	}
	r, err := modbus.ParseRequest(f.PDU)
	if err != nil {
		x.t.Fatal(err)
	}
	s := newSlave()
	if op%20 > 10 {
		s.refuse = modbus.Exception(1 + op%11)
	}
	s.holding[0] = uint16(op)
	pdu, err := s.answer(r).Append(nil)
	if err != nil {
		x.t.Fatal(err)
	}
	x.Send(modbus.AppendFrame(nil, x.l.mode, f.Transaction, f.Unit, pdu))
}

// command tells one of the devices something.
func (x *fuzzed) command(op byte, i int) {
	live := x.Live()
	if len(live) == 0 {
		return
	}
	cmd := set(field("relay", thing.Bool(true)), field("limit", thing.Int(int64(op))))
	switch op % 10 {
	case 5:
		cmd = get()
	case 6:
		cmd = &thing.Command{Kind: thing.Service, Name: "modbus.raw", Fields: []thing.Field{field("unit", thing.Int(1)), field("pdu", thing.String("41"))}}
	case 7:
		cmd = &thing.Command{Kind: thing.RawDown, Raw: binary.BigEndian.AppendUint32([]byte{1, 3}, 1)}
	}
	cmd.ID = thing.Int(int64(i)).String()
	for _, login := range x.Online {
		if login.Identity == live[int(op)%len(live)] {
			x.CommandTo(login.Session, cmd)
			x.commands++
			return
		}
	}
}
