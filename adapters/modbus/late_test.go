package modbus

import (
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// A write to the address of one that was not answered has the same answer: only
// time tells the two apart.
func TestALateAnswerToAWriteIsNotThatToTheNext(t *testing.T) {
	t.Parallel()
	w := control(t, func(c *Config) { c.Requests.Retries = 0 })
	s := w.slaves[1]
	s.late = 4500 * time.Millisecond
	w.tell(unit1, set(field("single", thing.Int(7)))) // function 16
	w.run(2 * time.Second)
	w.wantSaid(unit1 + " reply timed out (single: the unit did not answer)")
	s.late, s.refuse = time.Second, modbus.ServerDeviceFailure
	w.CommandTo(w.Online[0].Session, set(field("single", thing.Int(8))))
	w.run(20 * time.Second)
	if said := w.said(); len(said) == 0 || said[0] != unit1+" reply refused (single: server device failure)" {
		t.Errorf("said %v", said)
	}
}

// An exception says nothing of the request but its function.
func TestALateExceptionIsNotThatOfTheNext(t *testing.T) {
	t.Parallel()
	w := control(t, func(c *Config) { c.Requests.Retries = 0 })
	s := w.slaves[1]
	raw := func(pdu string) *thing.Command {
		return &thing.Command{ID: "1", Kind: thing.Service, Name: "modbus.raw", Fields: []thing.Field{field("pdu", thing.String(pdu))}}
	}
	s.late, s.refuse = 4800*time.Millisecond, modbus.ServerDeviceFailure
	w.tell(unit1, raw("0300000001"))
	w.run(2 * time.Second)
	if said := w.said(); len(said) != 1 || !strings.Contains(said[0], "timed out") {
		t.Fatalf("said %v", said)
	}
	s.late, s.refuse = 1500*time.Millisecond, 0
	w.CommandTo(w.Online[0].Session, raw("0300070002"))
	w.run(20 * time.Second)
	if said := w.said(); len(said) == 0 || !strings.Contains(said[0], `reply done {"pdu":"030400000000"`) {
		t.Errorf("said %v", said)
	}
}

// The same holds for units that are not in the configuration, which only the raw
// service asks.
func TestALateAnswerOfAStrangeUnit(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) { c.Devices, c.Requests.Retries = devicesLine, 0 }), 1, 9)
	raw := func(pdu string) *thing.Command {
		return &thing.Command{ID: "1", Kind: thing.Service, Name: "modbus.raw", Fields: []thing.Field{
			field("pdu", thing.String(pdu)), field("unit", thing.Int(9)),
		}}
	}
	w.TakeSaid()
	s := w.slaves[9]
	s.late = 4800 * time.Millisecond
	w.tell(imei, raw("0300000001"))
	w.run(2 * time.Second)
	if said := w.said(); len(said) != 1 || !strings.Contains(said[0], "timed out") {
		t.Fatalf("said %v", said)
	}
	s.late = 1500 * time.Millisecond
	w.CommandTo(w.Online[0].Session, raw("0300010001"))
	w.run(20 * time.Second)
	if said := strings.Join(w.said(), " "); !strings.Contains(said, `reply done {"pdu":"0302009f"`) {
		t.Errorf("said %v", said)
	}
}

// While a unit's next request waits for the late answer to its last, the line is
// there for the others.
func TestAUnitThatAnswersLateDoesNotHoldTheOthersUp(t *testing.T) {
	t.Parallel()
	p, fast := profile.DefaultConfig(), meter()
	p.Interval, fast.Interval = 10*time.Second, time.Second
	p.Points = map[string]profile.Point{"a": {Address: "40001"}, "b": {Address: "40101", Interval: 11 * time.Second}}
	w := dial(t, testConfig(func(c *Config) {
		c.Profiles["meter"], c.Profiles["fast"], c.Profile, c.Requests.Retries = p, fast, "meter", 0
		c.Lines = map[string]Line{"*": {Units: map[string]Unit{"1": {}, "2": {Profile: "fast"}}}}
		c.Failures.Min, c.Failures.Max = time.Second, time.Second
	}), 1, 2)
	w.run(10 * time.Second)
	w.slaves[1].silent = true
	longest, at, n := time.Duration(0), w.Now(), len(w.slaves[2].asked)
	for range 4000 {
		w.run(50 * time.Millisecond)
		if m := len(w.slaves[2].asked); m != n {
			at, n = w.Now(), m
		}
		longest = max(longest, w.Now().Sub(at))
	}
	if longest > 4500*time.Millisecond { // a time-out and the quiet time behind it
		t.Errorf("the other unit was not asked for %v", longest)
	}
}

// A command waits for the late answer to another one, and the line is there for
// others meanwhile.
func TestACommandThatWaitsDoesNotHoldTheLineUp(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) {
		p, slow := meter(), meter()
		p.Interval, slow.Interval = time.Second, time.Hour
		c.Profiles["meter"], c.Profiles["slow"], c.Profile, c.Requests.Retries = p, slow, "meter", 0
		c.Lines = map[string]Line{"*": {Units: map[string]Unit{"1": {Profile: "slow"}, "2": {}}}}
	}), 1, 2)
	w.run(5 * time.Second)
	s := w.slaves[1]
	s.silent = true
	w.tell(imei+"/1", set(field("limit", thing.Int(1))))
	w.run(3 * time.Second)
	before := len(w.slaves[2].asked)
	w.tell(imei+"/1", set(field("limit", thing.Int(2))))
	w.run(2500 * time.Millisecond)
	if n := len(w.slaves[2].asked) - before; n < 4 {
		t.Errorf("the other unit was asked %d times while a command waits", n)
	}
}

// A device that is no longer online is told nothing: whoever sent its commands
// knows that they failed.
func TestCommandsOfDevicesThatHaveGone(t *testing.T) {
	t.Parallel()
	w := control(t)
	s := w.slaves[1]
	s.late = time.Second
	w.CommandTo(w.Online[0].Session, get("level"))
	w.CommandTo(w.Online[0].Session, set(field("relay", thing.Bool(true))))
	w.Online[0].Session.Enter(session.Closed)
	w.TakeOver(w.Online[0].Session, session.ErrTakenOver)
	w.run(10 * time.Second)
	if s.coils[0] {
		t.Error("a command was carried out whose device has gone")
	}
}

// A login that is refused at once comes back while the answer that has caused it
// is being handled.
func TestALoginThatIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	none := time.Duration(0)
	c := testConfig(func(c *Config) { c.Units, c.Requests.Delay = []string{"1", "2"}, &none })
	w := connect(t, c, 1, 2)
	w.Device = protocoltest.Connect(t, w.plugin, c, protocoltest.WithHost(oneAttached))
	w.Send([]byte(imei))
	w.run(5 * time.Second)
	for n, s := range w.slaves {
		seen := map[string]bool{}
		for _, r := range s.asked {
			pdu, _ := r.Append(nil)
			if seen[string(pdu)] {
				t.Errorf("unit %d was asked for %x twice at once", n, pdu)
			}
			seen[string(pdu)] = true
		}
	}
}

// The answer to what was asked for a name's sake may come behind the name.
func TestTheAnswerToAProbeIsNotThatToAPoll(t *testing.T) {
	t.Parallel()
	p := profile.DefaultConfig()
	p.Interval, p.MaxGap = time.Second, 0
	p.Points = map[string]profile.Point{"a": {Address: "40001"}, "b": {Address: "40101", Interval: 500 * time.Millisecond}}
	w := connect(t, testConfig(func(c *Config) {
		c.Registration.When = "always"
		c.Profiles["meter"] = p
	}), 1)
	s := w.slaves[1]
	s.holding[0], s.holding[100] = 11, 22
	s.late = 300 * time.Millisecond
	w.before = []byte(imei)
	w.run(250 * time.Millisecond)
	w.Send([]byte(imei)) // the registration alone, its answer follows
	w.run(10 * time.Second)
	for _, text := range w.said() {
		if strings.Contains(text, `"a":22`) || strings.Contains(text, `"b":11`) {
			t.Errorf("an answer was taken for that to another request: %s", text)
		}
	}
}

// oneAttached is a host that takes one unit.
func oneAttached(h *protocol.Host) { h.MaxAttached = 1 }
