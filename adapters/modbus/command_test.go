package modbus

import (
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/thing"
)

func field(name string, v thing.Value) thing.Field { return thing.Field{Name: name, Value: v} }

// controls has points of all kinds that can be written.
func controls() profile.Config {
	c := profile.DefaultConfig()
	c.Interval = time.Minute
	c.Points = map[string]profile.Point{
		"relay":  {Address: "00001", Access: "rw"},
		"valve":  {Address: "00002", Access: "rw", Write: "multiple"},
		"level":  {Address: "40001", Type: "int16", Scale: "0.5", Offset: "-10", Access: "rw", Min: "-10", Max: "100"},
		"single": {Address: "40002", Access: "rw", Write: "multiple"},
		"count":  {Address: "40030", Type: "uint64", Access: "rw"},
		"total":  {Address: "40003", Type: "uint32", Order: "CDAB", Access: "rw"},
		"speed":  {Address: "40005", Type: "float32", Access: "rw"},
		"bit3":   {Address: "40007", Type: "bit", Bit: 3, Access: "rw"},
		"nibble": {Address: "40007", Type: "bitField", Bit: 4, Bits: 4, Access: "rw", Write: "modify"},
		"mode":   {Address: "40008", Enum: map[string]string{"0": "off", "1": "on"}, Access: "rw"},
		"name":   {Address: "40010", Type: "string", Registers: 3, Access: "rw"},
		"secret": {Address: "40020", Access: "w"},
		"fixed":  {Address: "30001"},
	}
	return c
}

func control(tb testing.TB, change ...func(*Config)) *world {
	tb.Helper()
	w := dial(tb, testConfig(append([]func(*Config){func(c *Config) { c.Profiles["meter"] = controls() }}, change...)...), 1)
	w.run(5 * time.Second)
	w.TakeSaid()
	w.slaves[1].asked = nil
	return w
}

const unit1 = imei + "/1"

func TestSet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  thing.Field
		want string // the function and registers or coils afterwards
	}{
		"coil":             {field("relay", thing.Bool(true)), "write single coil"},
		"coil by number":   {field("relay", thing.Int(1)), "write single coil"},
		"coils":            {field("valve", thing.Bool(true)), "write multiple coils"},
		"scaled":           {field("level", thing.Decimal(-45, 1)), "write single register"},
		"float of a scale": {field("level", thing.Float(12.5)), "write single register"},
		"multiple":         {field("single", thing.Int(7)), "write multiple registers"},
		"two registers":    {field("total", thing.Int(70000)), "write multiple registers"},
		"float":            {field("speed", thing.Decimal(125, 2)), "write multiple registers"},
		"bit":              {field("bit3", thing.Bool(true)), "mask write register"},
		"modify":           {field("nibble", thing.Int(9)), "read holding registers, write single register"},
		"enum":             {field("mode", thing.String("on")), "write single register"},
		"text":             {field("name", thing.String("pump")), "write multiple registers"},
		"only written":     {field("secret", thing.Int(42)), "write single register"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := control(t)
			w.slaves[1].holding[6] = 0x0f07
			w.tell(unit1, set(c.set))
			said := w.said()
			if len(said) == 0 || said[0] != unit1+" reply done" {
				t.Fatalf("said %v", said)
			}
			var functions []string
			for _, r := range w.slaves[1].asked {
				if len(functions) == 0 || r.Function.Writes() {
					functions = append(functions, r.Function.String())
				}
			}
			if got := strings.Join(functions, ", "); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if c.set.Name == "secret" {
				if w.slaves[1].holding[19] != 42 {
					t.Error("it was not written")
				}
				return
			}
			w.tell(unit1, get(c.set.Name))
			want := thing.AppendFields(nil, []thing.Field{c.set})
			got := w.said()
			if c.set.Value.Type() == thing.IntType && c.set.Name == "relay" {
				want = []byte(`{"relay":true}`)
			}
			if len(got) == 0 || !strings.HasSuffix(got[len(got)-1], " "+string(want)) {
				t.Errorf("afterwards it is %v, want %s", got, want)
			}
			if bits := w.slaves[1].holding[6]; c.set.Name == "bit3" && bits != 0x0f0f || c.set.Name == "nibble" && bits != 0x0f97 {
				t.Errorf("register %04x", bits)
			}
		})
	}
}

func TestSetReportsSoon(t *testing.T) {
	t.Parallel()
	w := control(t)
	w.tell(unit1, set(field("single", thing.Int(7))))
	if said := strings.Join(w.said(), "\n"); !strings.Contains(said, `"single":7`) {
		t.Errorf("%s", said)
	}
}

func TestSetIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  thing.Field
		want string
	}{
		"unknown":       {field("x", thing.Int(1)), "no point x"},
		"only read":     {field("fixed", thing.Int(1)), "only read"},
		"between steps": {field("level", thing.Decimal(123, 1)), "between two steps"},
		"too low":       {field("level", thing.Int(-11)), "less than -10"},
		"too high":      {field("level", thing.Int(101)), "more than 100"},
		"no truth":      {field("relay", thing.Int(2)), "neither true nor false"},
		"no number":     {field("level", thing.String("high")), "none of its values"},
		"too large":     {field("total", thing.Int(1<<32)), "does not fit"},
		"no such text":  {field("mode", thing.String("auto")), "none of its values"},
		"too long":      {field("name", thing.String("too long")), "does not fit"},
		"null":          {field("level", thing.Null()), "no number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := control(t)
			w.tell(unit1, set(c.set))
			if said := w.said(); len(said) != 1 || !strings.HasPrefix(said[0], unit1+" reply invalid") || !strings.Contains(said[0], c.want) {
				t.Errorf("said %v, want %s", said, c.want)
			}
			if len(w.slaves[1].asked) > 0 {
				t.Errorf("the unit was asked %v", w.slaves[1].asked)
			}
		})
	}
}

func TestReadBack(t *testing.T) {
	t.Parallel()
	w := control(t, func(c *Config) { c.Commands.ReadBack = true })
	w.tell(unit1, set(field("level", thing.Int(5)), field("relay", thing.Bool(true))))
	if said := w.said(); len(said) == 0 || said[0] != unit1+` reply done {"level":5.0,"relay":true}` {
		t.Errorf("said %v", said)
	}
	w.slaves[1].refuse = 0
	w.slaves[1].coils = map[uint16]bool{} // a unit that keeps nothing
	for _, s := range []*slave{w.slaves[1]} {
		s.holding[0] = 99
	}
	forget := w.slaves[1]
	w.wrap = func(b []byte) []byte { forget.holding[0] = 99; return b }
	w.tell(unit1, set(field("level", thing.Int(5))))
	if said := w.said(); len(said) == 0 || said[0] != unit1+` reply failed (level is 39.5 after it was set to 5)` {
		t.Errorf("said %v", said)
	}
}

// What is read back are registers, not what a report makes of them: the largest
// numbers of 64 bits are reported as floating point numbers.
func TestReadBackOfTheLargestNumbers(t *testing.T) {
	t.Parallel()
	w := control(t, func(c *Config) { c.Commands.ReadBack = true })
	w.tell(unit1, set(field("count", thing.String("18446744073709551615"))))
	said := w.said()
	if len(said) == 0 || !strings.HasPrefix(said[0], unit1+` reply done {"count":18446744073709552000}`) {
		t.Errorf("said %v", said)
	}
	w.tell(unit1, set(field("count", thing.Float(1<<63))))
	if said := w.said(); len(said) != 1 || !strings.Contains(said[0], "reply invalid") || !strings.Contains(said[0], "as a text") {
		t.Errorf("said %v", said)
	}
}

func TestExceptionsEndCommands(t *testing.T) {
	t.Parallel()
	w := control(t)
	w.slaves[1].refuseFrom = 2
	w.tell(unit1, set(field("relay", thing.Bool(true)), field("speed", thing.Int(1))))
	said := w.said()
	if len(said) == 0 || said[0] != unit1+" reply refused (speed: illegal data address; written before: relay)" {
		t.Errorf("said %v", said)
	}
}

func TestCommandsOvertakePolls(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) {
		p := meter()
		p.Interval = 200 * time.Millisecond
		c.Profiles["meter"], c.Units = p, []string{"1-8"}
	}), 1, 2, 3, 4, 5, 6, 7, 8) // more than the line can do
	w.run(10 * time.Second)
	w.TakeSaid()
	before := len(w.wire)
	w.tell(imei+"/3", set(field("relay", thing.Bool(true))))
	for i, f := range w.wire[before:] {
		if strings.Contains(f, "unit 3 05") {
			if i > 2 {
				t.Errorf("%d requests came before the command", i)
			}
			return
		}
	}
	t.Errorf("the command was not sent: %v", w.wire[before:])
}

func TestACommandToASilentUnit(t *testing.T) {
	t.Parallel()
	w := control(t)
	w.slaves[1].silent = true
	w.tell(unit1, set(field("relay", thing.Bool(true))))
	w.run(10 * time.Second)
	w.wantSaid(unit1 + " reply timed out (relay: the unit did not answer)")
	n := 0
	for _, r := range w.slaves[1].asked {
		if r.Function == modbus.WriteSingleCoil {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d requests, want one and one repetition", n)
	}
}

func TestADeadlineThatPassesInTheQueue(t *testing.T) {
	t.Parallel()
	w := control(t)
	w.slaves[1].silent = true
	for range 3 {
		cmd := get("level")
		cmd.Deadline = w.Now().Add(5 * time.Second)
		w.CommandTo(w.Online[0].Session, cmd)
	}
	w.run(20 * time.Second)
	said := strings.Join(w.said(), "\n")
	if strings.Count(said, "reply timed out") != 3 || strings.Count(said, "its time was over") != 2 {
		t.Errorf("said %s", said)
	}
}

func TestTooManyCommands(t *testing.T) {
	t.Parallel()
	w := control(t, func(c *Config) { c.Commands.Most = 2 })
	w.slaves[1].silent = true
	for range 3 {
		w.CommandTo(w.Online[0].Session, get("level"))
	}
	if said := w.said(); len(said) != 1 || !strings.Contains(said[0], "commands.most") {
		t.Errorf("said %v", said)
	}
	w.Hangup() // the bridge ends the others
}

func TestGet(t *testing.T) {
	t.Parallel()
	w := control(t)
	w.tell(unit1, get("level", "mode", "fixed"))
	w.wantSaid(unit1 + ` reply done {"level":1142.5,"mode":"off","fixed":0}`)
	if n := len(w.slaves[1].asked); n != 2 {
		t.Errorf("%d requests, want 2: points that are near are read together", n)
	}
	w.tell(unit1, get())
	if said := w.said(); len(said) != 1 || !strings.Contains(said[0], `"relay":false,"valve":false,"fixed":0`) {
		t.Errorf("said %v", said)
	}
	w.tell(unit1, get("secret"))
	if said := w.said(); len(said) != 1 || !strings.Contains(said[0], "only written") {
		t.Errorf("said %v", said)
	}
}

func TestRawService(t *testing.T) {
	t.Parallel()
	service := func(fields ...thing.Field) *thing.Command {
		return &thing.Command{ID: "1", Kind: thing.Service, Name: "modbus.raw", Fields: fields}
	}
	for name, c := range map[string]struct {
		cmd  *thing.Command
		want string
	}{
		"pdu":         {service(field("pdu", thing.String("03 0000 0002"))), `done {"pdu":"030409010097","values":[2305,151]}`},
		"fields":      {service(field("function", thing.Int(3)), field("address", thing.Int(1)), field("quantity", thing.Int(1))), `done {"pdu":"03020097","values":[151]}`},
		"coils":       {service(field("function", thing.Int(15)), field("address", thing.Int(8)), field("values", thing.List(thing.Bool(true), thing.Int(0)))), `done {"pdu":"0f00080002"}`},
		"register":    {service(field("function", thing.Int(6)), field("address", thing.Int(8)), field("values", thing.Int(-1))), `done {"pdu":"060008ffff"}`},
		"registers":   {service(field("function", thing.Int(16)), field("address", thing.Int(8)), field("values", thing.List(thing.Int(1), thing.Int(2)))), `done {"pdu":"1000080002"}`},
		"exception":   {service(field("pdu", thing.String("41"))), `refused (illegal function) {"pdu":"c101"}`},
		"no pdu":      {service(field("pdu", thing.String("3"))), "invalid (pdu:"},
		"short pdu":   {service(field("pdu", thing.String("0300"))), "invalid (the request is none:"},
		"other unit":  {service(field("pdu", thing.String("0300000001")), field("unit", thing.Int(2))), "invalid (unit: 2, but this device is unit 1"},
		"no function": {service(), "invalid (function:"},
		"too many":    {service(field("function", thing.Int(3)), field("address", thing.Int(0)), field("quantity", thing.Int(126))), "invalid (modbus: not allowed"},
		"two values":  {service(field("function", thing.Int(6)), field("address", thing.Int(0)), field("values", thing.List(thing.Int(1), thing.Int(2)))), "invalid (values: 2 of them"},
		"no values":   {service(field("function", thing.Int(6)), field("address", thing.Int(0))), "invalid (values:"},
		"raw":         {&thing.Command{ID: "1", Kind: thing.RawDown, Raw: []byte{3, 0, 0, 0, 1}}, "done 03020901"},
		"not raw":     {&thing.Command{ID: "1", Kind: thing.RawDown, Raw: []byte{0x83}}, "invalid"},
		"service":     {&thing.Command{ID: "1", Kind: thing.Service, Name: "reboot"}, "unsupported"},
		"notice":      {&thing.Command{ID: "1", Kind: thing.Notice}, "unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := control(t)
			w.tell(unit1, c.cmd)
			if said := w.said(); len(said) == 0 || !strings.HasPrefix(said[0], unit1+" reply "+c.want) {
				t.Errorf("said %v, want %s", said, c.want)
			}
		})
	}
}

func TestCommandsToALineAsOneDevice(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) { c.Devices, c.Units = "line", []string{"1-2"} }), 1, 2)
	w.run(5 * time.Second)
	w.TakeSaid()
	w.tell(imei, set(field("u2_relay", thing.Bool(true))))
	if !w.slaves[2].coils[0] || w.slaves[1].coils[0] {
		t.Error("the wrong relay")
	}
	w.TakeSaid()
	w.tell(imei, &thing.Command{ID: "1", Kind: thing.RawDown, Raw: []byte{2, 3, 0, 1, 0, 1}})
	if said := w.said(); len(said) == 0 || said[0] != imei+" reply done 03020098" {
		t.Errorf("said %v", said)
	}
	w.tell(imei, &thing.Command{ID: "1", Kind: thing.Service, Name: "modbusRaw", Fields: []thing.Field{field("pdu", thing.String("0300010001"))}})
	if said := w.said(); len(said) == 0 || !strings.Contains(said[0], "invalid (unit: null") {
		t.Errorf("said %v", said)
	}
}

// A command whose answer would look like one that may still come waits for it.
func TestACommandAfterATimeout(t *testing.T) {
	t.Parallel()
	w := control(t, func(c *Config) {
		p := controls()
		p.MaxGap = 0
		p.Points = map[string]profile.Point{"a": {Address: "40001"}, "b": {Address: "40101"}}
		c.Profiles["meter"], c.Requests.Retries = p, 0
	})
	s := w.slaves[1]
	s.holding[0], s.holding[100] = 11, 22
	s.late = 4500 * time.Millisecond
	w.tell(unit1, get("a"))
	s2 := w.Online[0].Session
	w.run(2100 * time.Millisecond)
	w.wantSaid(unit1 + " reply timed out (holdingRegister:0+1: the unit did not answer)")
	w.CommandTo(s2, get("b"))
	s.late = 0
	w.run(20 * time.Second)
	if said := w.said(); len(said) == 0 || said[0] != unit1+` reply done {"b":22}` {
		t.Errorf("said %v", said)
	}
}
