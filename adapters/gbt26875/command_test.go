package gbt26875

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing"
)

func invoke(id, service, input string) *thing.Command {
	fields, err := thing.ParseFields([]byte(input))
	if err != nil {
		panic(err)
	}
	return &thing.Command{ID: id, Kind: thing.Service, Name: service, Fields: fields}
}

// serviceCases are services, what is sent for them, and the reply to an answer.
func serviceCases(x *panel) []struct {
	name, input string
	sent        string
	answer      gbt26875.Unit
	want        string
} {
	at := gbt26875.NewTime(x.Now().In(china))
	where, _ := gbt26875.NewText("2回路")
	hall, _ := gbt26875.NewDescription("hall")
	smoke := gbt26875.Part{System: firePanel, Type: gbt26875.PartSmokeDetector, Address: gbt26875.NewPartAddress(10, 2)}
	now := millis(x.Now())
	clock := hex.EncodeToString(at[:])
	const part = `"systemType":1,"systemName":"fire alarm","systemAddress":1,"partType":40,"partName":"smoke detector","address":"0a000200","zone":10,"point":2`
	const noFaults = `"mainsFault":false,"backupFault":false,"linkFault":false,"lineFault":false`
	return []struct {
		name, input string
		sent        string
		answer      gbt26875.Unit
		want        string
	}{
		{
			"readSystemState", `{}`, "request 3d010101", &gbt26875.SystemStates{Objects: []gbt26875.SystemState{{System: firePanel, State: gbt26875.SystemNormal, Time: at}}},
			`{"systems":[{"systemType":1,"systemName":"fire alarm","systemAddress":1,"state":1,"normal":true,"fire":false,"fault":false,"shielded":false,"supervised":false,"started":false,"feedback":false,"delayed":false,"mainsFault":false,"backupFault":false,"busFault":false,"manual":false,"configChanged":false,"reset":false,"time":` + now + `}]}`,
		},
		{
			"readPartState", `{"address":"0a000200"}`, "request 3e0101010a000200", &gbt26875.PartStates{Objects: []gbt26875.PartState{{Part: smoke, State: gbt26875.PartNormal, Description: hall, Time: at}}},
			`{"parts":[{` + part + `,"description":"hall","state":1,"normal":true,"fire":false,"fault":false,"shielded":false,"supervised":false,"started":false,"feedback":false,"delayed":false,"powerFault":false,"time":` + now + `}]}`,
		},
		{
			"readAnalog", `{"parts":[{"systemType":2,"systemAddress":3,"zone":10,"point":2},{"address":"01020304"}]}`, "request 3f0202030a000200010101020304",
			&gbt26875.PartAnalogs{Objects: []gbt26875.PartAnalog{{Part: smoke, Analog: 3, Value: -125, Time: at}}},
			`{"analogs":[{` + part + `,"type":3,"name":"temperature","value":-12.5,"unit":"°C","time":` + now + `}]}`,
		},
		{
			"readOperations", `{"count":102,"start":` + now + `}`, "request 4001010166" + clock, &gbt26875.SystemOperations{Objects: []gbt26875.SystemOperation{{System: firePanel, Operation: 3, Operator: 7, Time: at}}},
			`{"operations":[{"systemType":1,"systemName":"fire alarm","systemAddress":1,"operations":["reset","silence"],"operator":7,"time":` + now + `}]}`,
		},
		{
			"readSystemSoftware", `{"systemType":11,"systemAddress":0}`, "request 41010b00", &gbt26875.SystemSoftwares{Objects: []gbt26875.SystemSoftware{{System: gbt26875.System{Type: 11}, Major: 3, Minor: 14}}},
			`{"systemSoftware":[{"systemType":11,"systemName":"hydrant","systemAddress":0,"version":"3.14"}]}`,
		},
		{
			"readSystemConfiguration", `{"systems":[{"systemType":1},{"systemType":200,"systemAddress":2}]}`, "request 42020101c802", &gbt26875.SystemConfigs{Objects: []gbt26875.SystemConfig{{System: gbt26875.System{Type: 200, Address: 2}, Text: where}}},
			`{"systemConfigurations":[{"systemType":200,"systemAddress":2,"text":"2回路"}]}`,
		},
		{
			"readPartConfiguration", `{"zone":10,"point":2}`, "request 430101010a000200", &gbt26875.PartConfigs{Objects: []gbt26875.PartConfig{{Part: smoke, Description: hall}}},
			`{"partConfigurations":[{` + part + `,"description":"hall"}]}`,
		},
		{
			"readSystemClock", `{}`, "request 44010101", &gbt26875.SystemTimes{Objects: []gbt26875.SystemTime{{System: firePanel, Time: at}}},
			`{"systemClocks":[{"systemType":1,"systemName":"fire alarm","systemAddress":1,"clock":` + now + `,"clockOffset":0}]}`,
		},
		{"readState", `{}`, "request 510100", x.own(gbt26875.DeviceNormal), `{"state":1,"normal":true,"fire":false,"fault":false,` + noFaults + `,"time":` + now + `}`},
		{
			"readDeviceOperations", `{"start":"2026-01-02T11:04:05+08:00","count":1}`, "request 540101" + clock, &gbt26875.DeviceOperations{Objects: []gbt26875.DeviceOperation{{Operation: gbt26875.OperationPostAnswer, Operator: 1, Time: at}}},
			`{"operations":[{"operations":["postAnswer"],"operator":1,"time":` + now + `}]}`,
		},
		{"readSoftware", `{}`, "request 550100", &gbt26875.DeviceSoftwares{Objects: []gbt26875.DeviceSoftware{{Major: 1, Minor: 2}}}, `{"software":"1.2"}`},
		{"readConfiguration", `{}`, "request 560100", &gbt26875.DeviceConfigs{Objects: []gbt26875.DeviceConfig{{Text: where}}}, `{"configuration":"2回路"}`},
		{
			"readClock", `{}`, "request 580100", &gbt26875.DeviceTimes{Objects: []gbt26875.DeviceTime{{Time: gbt26875.NewTime(x.Now().Add(90 * time.Second).In(china))}}},
			`{"clock":` + millis(x.Now().Add(90*time.Second)) + `,"clockOffset":90}`,
		},
		{"initialize", `{}`, "control 590100", nil, ``},
		{"setClock", `{}`, "control 5a01" + clock, nil, ``},
		{"setClock", `{"time":"2026-01-02T03:04:05Z"}`, "control 5a01" + clock, nil, ``},
		{"checkPost", `{"minutes":5}`, "control 5b0105", nil, ``},
	}
}

// Every service sends what the standard says and ends with the device's answer.
func TestServices(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range serviceCases(online(t)) {
		seen[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := online(t)
			x.Command(invoke("c", c.name, c.input))
			sent := x.frames()
			if len(sent) != 1 {
				t.Fatalf("%d frames were sent", len(sent))
			}
			wants(t, "sent", sent[0].Command.String()+" "+hex.EncodeToString(sent[0].Data), c.sent)
			if c.answer == nil {
				x.confirm(gbt26875.CommandConfirm, sent[0].Serial)
			} else {
				x.answer(sent[0].Serial, c.answer)
			}
			lines := strings.Split(x.said(), "\n")
			wants(t, "reply", lines[len(lines)-1], strings.TrimSpace("reply c done "+c.want))
			x.Advance(3 * time.Minute)
			if s := x.stats(); s.Commands != 1 || s.Retransmissions != 0 || s.Unmatched != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
	for name := range services {
		if !seen[name] {
			t.Errorf("service %s is not tested", name)
		}
	}
}

// A command without an answer is sent three times, ten seconds apart, with the
// same serial number.
func TestCommandTimesOut(t *testing.T) {
	t.Parallel()
	x := online(t, func(c *Config) { c.Patrol = 0 })
	x.Command(invoke("c", "readState", "{}"))
	first := x.heard()
	for range 2 {
		x.Advance(9 * time.Second)
		wants(t, "sent after 9 s", x.heard(), "")
		x.Advance(time.Second)
		wants(t, "sent after 10 s", x.heard(), first)
	}
	wants(t, "said before", x.said(), "")
	x.Advance(10 * time.Second)
	wants(t, "said", x.said(), "reply c timed out: the device did not answer")
	if s := x.stats(); s.Retransmissions != 2 || s.TimedOut != 1 || x.Timers() != 0 {
		t.Errorf("%+v, %d timers", s, x.Timers())
	}
	x.answer(1, x.own(gbt26875.DeviceNormal)) // too late: it is reported all the same
	wants(t, "a late answer", kinds(x.said()), "event state, property")
	if s := x.stats(); s.Unmatched != 1 {
		t.Errorf("%+v", s)
	}
}

func TestCommandDeadline(t *testing.T) {
	t.Parallel()
	x := online(t)
	cmd := invoke("c", "initialize", "{}")
	cmd.Deadline = x.Now().Add(15 * time.Second)
	x.Command(cmd)
	x.Advance(14 * time.Second)
	wants(t, "said before", x.said(), "")
	x.Advance(time.Second)
	wants(t, "said", x.said(), "reply c timed out: the device did not answer")
}

func TestCommandsEnd(t *testing.T) {
	t.Parallel()
	x := online(t, func(c *Config) { c.Commands.Most = 2 })
	x.Command(invoke("a", "initialize", "{}"))
	x.Command(invoke("b", "readState", "{}"))
	x.Command(invoke("c", "readState", "{}"))
	wants(t, "one too many", x.said(), "reply c failed: too many commands are under way: wait for replies, or raise commands.most")
	x.confirm(gbt26875.CommandDeny, 1)
	wants(t, "denied", x.said(), "reply a refused: the device denies it")
	x.confirm(gbt26875.CommandConfirm, 2) // the answer is still to come
	x.Advance(9 * time.Second)
	wants(t, "confirmed request", x.said(), "")
	x.answer(99, x.own(gbt26875.DeviceNormal)) // with a number of its own
	if said := x.said(); !strings.Contains(said, "reply b done") {
		t.Errorf("said %s", said)
	}
	x.confirm(gbt26875.CommandConfirm, 2)
	x.confirm(gbt26875.CommandDeny, 2)
	if s := x.stats(); s.Unmatched != 2 || x.said() != "" {
		t.Errorf("%+v", s)
	}
	// An answer that comes as if the device had sent it by itself.
	x.Command(invoke("d", "readState", "{}"))
	x.serial = 2
	x.Send(x.unit(x.own(gbt26875.DeviceNormal)))
	if said := x.said(); !strings.Contains(said, "reply d done") || !strings.Contains(said, "property {") {
		t.Errorf("said %s", said)
	}
	// The end of the connection ends what is under way.
	x.Command(invoke("e", "readState", "{}"))
	x.Hangup()
	if x.Timers() != 0 || x.said() != "" {
		t.Errorf("%d timers", x.Timers())
	}
}

func TestCommandsThatAreNone(t *testing.T) {
	t.Parallel()
	x := online(t)
	for _, test := range []struct {
		cmd  *thing.Command
		want string
	}{
		{invoke("a", "fly", "{}"), `unsupported: no service "fly"; there are checkPost, initialize, raw, readAnalog`},
		{invoke("a", "readState", `{"x":1}`), `invalid: x: is not known here: nothing is`},
		{invoke("a", "checkPost", `{"minutes":0,"y":1}`), `invalid: minutes: 0, must be a whole number from 1 to 255; y: is not known here; known are minutes`},
		{invoke("a", "readPartState", `{}`), `invalid: address: is missing: 8 hexadecimal digits`},
		{invoke("a", "readPartState", `{"address":"xyz","systemType":256}`), `invalid: systemType: 256, must be a whole number from 0 to 255; address: "xyz", must be 8`},
		{invoke("a", "readPartState", `{"parts":[{"address":7},3]}`), `invalid: parts[0].address: 7, must be a text, in quotation marks; parts[0].address: is missing: 8 hexadecimal digits as in the part's states; parts: item 1 must be an object`},
		{invoke("a", "readPartState", `{"parts":[]}`), `invalid: parts: must be a list of 1 to 22`},
		{invoke("a", "readSystemClock", `{"systems":[{},{}]}`), `invalid: systems: must be a list of 1 to 1`},
		{invoke("a", "readOperations", `{"start":"yesterday"}`), `invalid: start: "yesterday", must be Unix milliseconds or "2026`},
		{invoke("a", "raw", `{"data":"5"}`), `invalid: command: is missing: 1 controls, 4 requests; data: must be hexadecimal digits`},
		{&thing.Command{ID: "a", Kind: thing.SetProperties}, `unsupported: devices have no properties that can be set`},
		{&thing.Command{ID: "a", Kind: thing.Notice}, `unsupported: devices take services`},
		{&thing.Command{ID: "a", Kind: thing.RawDown}, `invalid: a raw message is the command`},
		{&thing.Command{ID: "a", Kind: thing.GetProperties, Fields: []thing.Field{{Name: "fire"}, {Name: "clock"}}}, `invalid: fire and clock are not in one answer`},
		{&thing.Command{ID: "a", Kind: thing.GetProperties, Fields: []thing.Field{{Name: "parts"}}}, `invalid: parts: cannot be read`},
	} {
		x.Command(test.cmd)
		if got := x.said(); !strings.HasPrefix(got, "reply a "+test.want) {
			t.Errorf("%s %v:\n got %s\nwant %s...", test.cmd.Name, test.cmd.Fields, got, test.want)
		}
	}
	wants(t, "sent", x.heard(), "")
}

func TestGetAndRaw(t *testing.T) {
	t.Parallel()
	x := online(t)
	x.Command(&thing.Command{ID: "a", Kind: thing.GetProperties, Fields: []thing.Field{{Name: "software"}}})
	x.answer(1, &gbt26875.DeviceSoftwares{Objects: []gbt26875.DeviceSoftware{{Major: 1, Minor: 2}}})
	wants(t, "get", x.said(), "property {\"software\":\"1.2\"}\nreply a done {\"software\":\"1.2\"}")
	x.Command(&thing.Command{ID: "b", Kind: thing.GetProperties})
	x.answer(2, x.own(gbt26875.DeviceNormal))
	if said := x.said(); !strings.Contains(said, `reply b done {"state":1,"normal":true`) {
		t.Errorf("get all: %s", said)
	}
	x.Command(&thing.Command{ID: "c", Kind: thing.RawDown, Raw: []byte{4, 200, 1, 9}})
	x.answer(3, &gbt26875.Unknown{DataType: 201, Count: 1, Objects: gbt26875.Hex{7}})
	wants(t, "raw", x.said(), "raw 05c90107\nreply c done 05c90107")
	x.Command(invoke("d", "raw", `{"command":1,"data":"c8 01 09"}`))
	x.confirm(gbt26875.CommandConfirm, 4)
	wants(t, "raw service", x.said(), `reply d done {"command":"confirm","data":""}`)
	wants(t, "sent", x.heard(), "request 1 550100, request 2 510100, request 3 c80109, control 4 c80109")
}

func TestPostCheck(t *testing.T) {
	t.Parallel()
	x := online(t, func(c *Config) { c.Patrol = 0 })
	pressed := &gbt26875.DeviceOperations{Objects: []gbt26875.DeviceOperation{{Operation: gbt26875.OperationPostAnswer, Operator: 4, Time: x.at()}}}
	check := func(serial uint16) {
		x.Command(invoke("c", "checkPost", `{"minutes":5}`))
		x.confirm(gbt26875.CommandConfirm, serial)
		wants(t, "reply", x.said(), "reply c done")
	}
	check(1)
	x.Advance(90 * time.Second)
	if said := x.tell(pressed); !strings.HasSuffix(said, "\n"+`event postCheck {"answered":true,"operator":4,"seconds":90}`) || !strings.HasPrefix(said, `event operation {"source":"device","operations":["postAnswer"],"operator":4,`) {
		t.Errorf("said %s", said)
	}
	wants(t, "pressed again", kinds(x.tell(pressed)), "event operation")
	check(2)
	x.Advance(time.Minute)
	check(3) // takes the place of the one before
	x.Advance(5*time.Minute - time.Second)
	wants(t, "before time is over", x.said(), "")
	x.Advance(time.Second)
	wants(t, "nobody there", x.said(), `event postCheck {"answered":false,"minutes":5}`)
	if x.Timers() != 0 {
		t.Errorf("%d timers", x.Timers())
	}
}

func TestPatrol(t *testing.T) {
	t.Parallel()
	x := online(t)
	x.Advance(50 * time.Second)
	x.Send(x.frame(gbt26875.CommandSend, nil))
	x.heard()
	x.Advance(59 * time.Second)
	wants(t, "sent to one that was heard", x.heard(), "")
	x.Advance(time.Second)
	wants(t, "sent to a silent one", x.heard(), "request 1 510100")
	x.answer(1, x.own(gbt26875.DeviceNormal))
	wants(t, "first answer", kinds(x.said()), "event state, property")
	for n := range 5 {
		x.Advance(time.Minute)
		wants(t, "sent", x.heard(), fmt.Sprintf("request %d 510100", n+2))
		state := gbt26875.DeviceNormal
		want := ""
		if n == 4 {
			state, want = gbt26875.DeviceNormal|gbt26875.DeviceMainsFault, "event fault, property"
		}
		x.answer(uint16(n+2), x.own(state))
		wants(t, "answer", kinds(x.said()), want)
	}
	x.Advance(time.Minute)
	x.heard()
	x.confirm(gbt26875.CommandDeny, 7) // it cannot be asked
	if s := x.stats(); s.Patrols != 7 || s.Unmatched != 0 || x.said() != "" {
		t.Errorf("%+v", s)
	}
	x.Hangup()
	if x.Timers() != 0 {
		t.Errorf("%d timers", x.Timers())
	}
}

func TestClockIsSet(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.Clock.Sync, c.Patrol = time.Hour, 0 })
	x.Send(x.frame(gbt26875.CommandSend, nil))
	clock := func() string { l := x.at(); return hex.EncodeToString(l[:]) }
	wants(t, "sent at first", x.heard(), "confirm 1, control 1 5a01"+clock())
	x.confirm(gbt26875.CommandConfirm, 1)
	x.Advance(time.Hour)
	wants(t, "sent after an hour", x.heard(), "control 2 5a01"+clock())
	if s := x.stats(); x.said() != "" || s.Unmatched != 0 || s.Heartbeats != 1 {
		t.Errorf("%+v", s)
	}
}

// A device that writes BCD gets BCD.
func TestClockInBCD(t *testing.T) {
	t.Parallel()
	for _, format := range []string{formatAuto, formatBCD} {
		x := dial(t, func(c *Config) { c.Clock.Format = format })
		state := x.own(gbt26875.DeviceNormal)
		x.Advance(24 * 19 * time.Hour) // the 21st: 0x21 is no other day than 21 in BCD
		bcd := gbt26875.NewBCDTime(x.Now().In(china))
		state.Objects[0].Time = bcd
		if said := x.tell(state); !strings.Contains(said, fmt.Sprintf(`"time":%d}`, x.Now().UnixMilli())) || strings.Contains(said, "deviceTime") {
			t.Errorf("%s: said %s", format, said)
		}
		x.heard()
		x.Command(invoke("c", "setClock", "{}"))
		wants(t, format, x.heard(), "control 1 5a01"+hex.EncodeToString(bcd[:]))
	}
}

func TestAnswersAfterDenialOfTheSession(t *testing.T) {
	t.Parallel()
	x := online(t)
	s := x.Online[0].Session
	x.Command(invoke("a", "readState", "{}"))
	x.Take()
	x.Hangup()
	x.CommandTo(s, invoke("b", "readState", "{}"))
	if got := slices.Collect(strings.Lines(x.said())); len(got) != 0 || len(x.Written) != 0 {
		t.Errorf("said %v after the end", got)
	}
}
