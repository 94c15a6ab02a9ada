package modbus

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/thing"
)

// slave is one unit: its registers and coils, and how it misbehaves.
type slave struct {
	holding, input map[uint16]uint16
	coils, inputs  map[uint16]bool
	silent         bool
	late           time.Duration // answers come so much later
	refuse         modbus.Exception
	refuseFrom     uint16   // addresses from which it refuses with illegal data address; 0: none
	gaps           []uint16 // holding registers that it does not have
	asked          []modbus.Request
}

func newSlave() *slave {
	return &slave{holding: map[uint16]uint16{}, input: map[uint16]uint16{}, coils: map[uint16]bool{}, inputs: map[uint16]bool{}}
}

// answer is what the slave says to r.
func (s *slave) answer(r modbus.Request) modbus.Response {
	s.asked = append(s.asked, r)
	out := modbus.Response{Function: r.Function, Address: r.Address, Quantity: r.Quantity, Value: r.Value, AndMask: r.AndMask, OrMask: r.OrMask}
	if s.refuse != 0 {
		return modbus.Response{Function: r.Function, Exception: s.refuse}
	}
	if s.refuseFrom != 0 && r.Address+r.Quantity > s.refuseFrom {
		return modbus.Response{Function: r.Function, Exception: modbus.IllegalDataAddress}
	}
	for _, gap := range s.gaps {
		if r.Function == modbus.ReadHoldingRegisters && r.Address <= gap && gap < r.Address+r.Quantity {
			return modbus.Response{Function: r.Function, Exception: modbus.IllegalDataAddress}
		}
	}
	switch r.Function {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs:
		from := s.coils
		if r.Function == modbus.ReadDiscreteInputs {
			from = s.inputs
		}
		bits := make([]bool, r.Quantity)
		for i := range bits {
			bits[i] = from[r.Address+uint16(i)]
		}
		out.Data = modbus.AppendBits(nil, bits...)
	case modbus.ReadHoldingRegisters, modbus.ReadInputRegisters:
		from := s.holding
		if r.Function == modbus.ReadInputRegisters {
			from = s.input
		}
		for i := range r.Quantity {
			out.Data = modbus.AppendRegisters(out.Data, from[r.Address+i])
		}
	case modbus.WriteSingleCoil:
		s.coils[r.Address] = r.Value != 0
	case modbus.WriteSingleRegister:
		s.holding[r.Address] = r.Value
	case modbus.WriteMultipleCoils:
		for i := range int(r.Quantity) {
			s.coils[r.Address+uint16(i)] = modbus.Bit(r.Data, i)
		}
	case modbus.WriteMultipleRegisters:
		for i := range int(r.Quantity) {
			s.holding[r.Address+uint16(i)] = modbus.Register(r.Data, i)
		}
	case modbus.MaskWriteRegister:
		s.holding[r.Address] = s.holding[r.Address]&r.AndMask | r.OrMask&^r.AndMask
	case modbus.EncapsulatedInterface:
		out = modbus.Response{Function: r.Function, MEI: r.MEI, ReadCode: r.ReadCode, Conformity: 0x83, Count: 1, Data: append([]byte{r.Object, 6}, "ACME-7"...)}
	default:
		return modbus.Response{Function: r.Function, Exception: modbus.IllegalFunction}
	}
	return out
}

// site of a test: a DTU with slaves behind it.
type world struct {
	*protocoltest.Device
	tb       testing.TB
	plugin   protocol.Plugin
	counters *counters
	mode     modbus.Mode
	slaves   map[uint8]*slave
	sent     []byte // what the bridge has sent and is no whole request yet
	before   []byte // is put before each answer
	behind   []byte // and behind it
	wire     []string
	unwrap   func([]byte) []byte // of what the bridge sends
	wrap     func([]byte) []byte // of what the DTU sends
	later    []lateAnswer
}

type lateAnswer struct {
	at    time.Time
	bytes []byte
}

// meter is the profile that most tests use.
func meter() profile.Config {
	c := profile.DefaultConfig()
	c.Interval = 10 * time.Second
	c.Points = map[string]profile.Point{
		"voltage": {Address: "40001", Scale: "0.1"},
		"current": {Address: "40002", Scale: "0.01"},
		"energy":  {Address: "40005", Type: "uint32"},
		"relay":   {Address: "00001", Access: "rw"},
		"limit":   {Address: "40021", Type: "int16", Scale: "0.5", Access: "rw", Interval: time.Minute},
	}
	return c
}

func testConfig(change ...func(*Config)) Config {
	c := DefaultConfig()
	c.Registration.Form = "imei"
	c.Requests.Spread = 0
	c.Profiles = map[string]profile.Config{"meter": meter()}
	for _, f := range change {
		f(&c)
	}
	return c
}

const imei = "861234567890123"

// connect dials in with a slave for each unit.
func connect(tb testing.TB, c Config, units ...uint8) *world {
	tb.Helper()
	counters := &counters{}
	w := &world{tb: tb, plugin: define("modbus", counters), counters: counters, slaves: map[uint8]*slave{}}
	w.mode, _ = modbus.ParseMode(c.Mode)
	for _, n := range units {
		s := newSlave()
		s.holding[0], s.holding[1], s.holding[4], s.holding[5], s.holding[20] = 2305, 150+uint16(n), 1, 2, 40
		w.slaves[n] = s
	}
	w.Device = protocoltest.Connect(tb, w.plugin, c)
	w.MaxFaults = 0
	return w
}

// dial connects, registers, and lets the first polls pass.
func dial(tb testing.TB, c Config, units ...uint8) *world {
	tb.Helper()
	w := connect(tb, c, units...)
	w.Send([]byte(imei))
	w.run(2 * time.Second)
	return w
}

// serve answers what the bridge has sent.
func (w *world) serve() {
	w.tb.Helper()
	for {
		out := w.Take()
		if w.unwrap != nil {
			out = w.unwrap(out)
		}
		w.sent = append(w.sent, out...)
		if !w.answerOne() {
			return
		}
	}
}

func (w *world) answerOne() bool {
	w.tb.Helper()
	f, n, err := modbus.NewDecoder(modbus.Options{Mode: w.mode, Requests: true, AnyFunction: true}).Decode(w.sent)
	if errors.Is(err, codec.ErrIncomplete) {
		return false
	}
	if err != nil {
		w.tb.Fatalf("the bridge sent %x: %v", w.sent, err)
	}
	w.sent = w.sent[n:]
	r, err := modbus.ParseRequest(f.PDU)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.wire = append(w.wire, f.String())
	s := w.slaves[f.Unit]
	if s == nil || s.silent {
		if s != nil {
			s.asked = append(s.asked, r)
		}
		return true
	}
	pdu, err := s.answer(r).Append(nil)
	if err != nil {
		w.tb.Fatal(err)
	}
	frame := modbus.AppendFrame(nil, w.mode, f.Transaction, f.Unit, pdu)
	if w.wrap != nil {
		frame = w.wrap(frame)
	}
	frame = append(append(bytes.Clone(w.before), frame...), w.behind...)
	if s.late > 0 {
		w.later = append(w.later, lateAnswer{w.Now().Add(s.late), frame})
		return true
	}
	w.Send(frame)
	return true
}

// run lets time pass, and the slaves answer.
func (w *world) run(d time.Duration) {
	w.tb.Helper()
	const tick = 50 * time.Millisecond
	w.serve()
	for ; d > 0; d -= tick {
		w.Advance(min(d, tick))
		for len(w.later) > 0 && !w.later[0].at.After(w.Now()) {
			late := w.later[0]
			w.later = w.later[1:]
			w.Send(late.bytes)
		}
		w.serve()
	}
}

// said is what reached the platform since the last time: identity, kind and
// fields of each message.
func (w *world) said() []string {
	var all []string
	for _, m := range w.TakeSaid() {
		text := m.Identity + " " + m.Kind.String()
		if m.Kind == thing.Event {
			text += " " + m.Name
		}
		if m.Kind == thing.Reply {
			text += " " + m.State.String()
			if m.Text != "" {
				text += " (" + m.Text + ")"
			}
		}
		if len(m.Fields) > 0 {
			text += " " + string(thing.AppendFields(nil, m.Fields))
		}
		if len(m.Raw) > 0 {
			text += " " + hex.EncodeToString(m.Raw)
		}
		all = append(all, text)
	}
	return all
}

func (w *world) wantSaid(want ...string) {
	w.tb.Helper()
	if got := w.said(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.tb.Errorf("the platform was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (w *world) wantLive(want ...string) {
	w.tb.Helper()
	if got := w.Live(); strings.Join(got, " ") != strings.Join(want, " ") {
		w.tb.Errorf("online: %v, want %v", got, want)
	}
}

func (w *world) stats() Stats { return w.plugin.Stats().(Stats) }

// lateness is how late the latest poll of the last minute or two was, in seconds.
func (w *world) lateness() float64 {
	_, most := w.counters.lateness.read(w.Now().UnixMilli())
	return most
}

// tell tells the device of that name something, and lets time pass.
func (w *world) tell(identity string, cmd *thing.Command) {
	w.tb.Helper()
	for i := len(w.Online) - 1; i >= 0; i-- {
		if w.Online[i].Identity == identity {
			w.CommandTo(w.Online[i].Session, cmd)
			w.run(time.Second)
			return
		}
	}
	w.tb.Fatalf("%s was never online", identity)
}

func set(fields ...thing.Field) *thing.Command {
	return &thing.Command{ID: "1", Kind: thing.SetProperties, Fields: fields}
}

func get(names ...string) *thing.Command {
	c := &thing.Command{ID: "1", Kind: thing.GetProperties}
	for _, n := range names {
		c.Fields = append(c.Fields, thing.Field{Name: n})
	}
	return c
}
