package jt808

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol/protocoltest"
	"github.com/linkspan/linkspan/thing"
)

func service(name, input string) *thing.Command {
	fields, err := thing.ParseFields([]byte(input))
	if err != nil {
		panic(err)
	}
	return &thing.Command{ID: "c1", Kind: thing.Service, Name: name, Fields: fields}
}

// order sends a command and returns the frame that it became.
func (x *terminal) order(cmd *thing.Command) *jt808.Frame {
	x.t.Helper()
	x.Command(cmd)
	return only(x.t, x.heard())
}

// ack is the terminal's general response to f.
func ack(f *jt808.Frame, result jt808.Result) *jt808.TerminalResponse {
	return &jt808.TerminalResponse{Serial: f.Serial, Request: f.ID, Result: result}
}

// reply is the one reply that the platform heard.
func (x *terminal) reply() protocoltest.Said {
	x.t.Helper()
	var all []protocoltest.Said
	for _, s := range x.TakeSaid() {
		if s.Kind == thing.Reply {
			all = append(all, s)
		}
	}
	if len(all) != 1 {
		x.t.Fatalf("%d replies, want one", len(all))
	}
	return all[0]
}

func (x *terminal) wantReply(state thing.State, code int) protocoltest.Said {
	x.t.Helper()
	r := x.reply()
	if r.State != state || r.Code != code {
		x.t.Fatalf("reply %v, code %d (%s), want %v, %d", r.State, r.Code, r.Text, state, code)
	}
	if (state == thing.Done) != (r.Text == "") {
		x.t.Errorf("reply %v says %q", r.State, r.Text)
	}
	return r
}

func TestGeneralResponses(t *testing.T) {
	t.Parallel()
	for result, want := range map[jt808.Result]thing.State{
		jt808.ResultOK: thing.Done, jt808.ResultFailed: thing.Refused, jt808.ResultWrong: thing.Refused, jt808.ResultUnsupported: thing.Unsupported,
	} {
		t.Run(result.String(), func(t *testing.T) {
			t.Parallel()
			x := dial(t).join()
			f := x.order(service("text", `{"text":"你好"}`))
			if b := parse[jt808.Text](t, f); b.Text != "你好" || b.Flag != jt808.TextDisplay {
				t.Errorf("sent %+v", *b)
			}
			if got := x.say(ack(f, result)); len(got) != 0 {
				t.Errorf("an answer was answered: %v", ids(got))
			}
			r := x.wantReply(want, int(result))
			if r.ID != "c1" || r.Name != "text" {
				t.Errorf("reply to %q %q", r.ID, r.Name)
			}
			x.say(ack(f, result))
			if len(x.TakeSaid()) != 0 || x.Timers() != 0 {
				t.Errorf("a second answer counts; %d timers", x.Timers())
			}
		})
	}
}

func TestRepetition(t *testing.T) {
	t.Parallel()
	p := New("jt808")
	x := dialVersion(t, jt808.V2013, p, func(c *Config) { c.Commands.Timeout = 10 * time.Second; c.Commands.Retries = 2 }).join()
	f := x.order(service("linkCheck", `{}`))
	at := x.Now()
	sent := make([]time.Duration, 0, 2)
	for range 200 {
		x.Advance(time.Second)
		for _, again := range x.heard() {
			if again.Serial != f.Serial || again.ID != f.ID {
				t.Errorf("repeated as %+v", again.Header)
			}
			sent = append(sent, x.Now().Sub(at))
		}
	}
	// T, then 2T, then 3 times that: 10 + 20 + 60
	if want := []time.Duration{10 * time.Second, 30 * time.Second}; !slices.Equal(sent, want) {
		t.Errorf("repeated after %v, want %v", sent, want)
	}
	x.wantReply(thing.TimedOut, 0)
	x.say(ack(f, jt808.ResultOK)) // too late
	if len(x.TakeSaid()) != 0 {
		t.Error("a late answer counts")
	}
	if got := p.Stats().(Stats); got.Commands != 1 || got.Retransmissions != 2 || got.TimedOut != 1 || got.Unmatched != 1 {
		t.Errorf("counted %+v", got)
	}
}

func TestAnswerToARepetition(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	f := x.order(service("linkCheck", `{}`))
	x.Advance(5 * time.Second)
	only(t, x.heard())
	x.say(ack(f, jt808.ResultOK))
	x.wantReply(thing.Done, 0)
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	cmd := service("linkCheck", `{}`)
	cmd.Deadline = x.Now().Add(7 * time.Second)
	x.order(cmd)
	x.Advance(7 * time.Second)
	if got := len(x.heard()); got != 1 {
		t.Errorf("repeated %d times, want once", got)
	}
	x.wantReply(thing.TimedOut, 0)
}

func TestAnswersOfOtherCommands(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	a := x.order(service("linkCheck", `{}`))
	second := service("text", `{"text":"x"}`)
	second.ID = "c2"
	b := x.order(second)
	x.say(&jt808.TerminalResponse{Serial: b.Serial, Request: a.ID})     // right serial, wrong message
	x.say(&jt808.TerminalResponse{Serial: b.Serial + 1, Request: b.ID}) // never sent
	if len(x.TakeSaid()) != 0 {
		t.Error("an answer to nothing counts")
	}
	x.say(ack(b, jt808.ResultOK))
	if r := x.wantReply(thing.Done, 0); r.ID != "c2" {
		t.Errorf("reply to %s", r.ID)
	}
	x.say(ack(a, jt808.ResultFailed))
	if r := x.wantReply(thing.Refused, 1); r.ID != "c1" {
		t.Errorf("reply to %s", r.ID)
	}
}

func TestQueryLocation(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	f := x.order(service("queryLocation", `{}`))
	x.say(&jt808.LocationResponse{Serial: f.Serial + 9, Location: *x.place()}) // to something else
	wantNames(t, x.TakeSaid(), "property")
	if got := x.say(&jt808.LocationResponse{Serial: f.Serial, Location: *x.place()}); len(got) != 0 {
		t.Errorf("answered by %v", ids(got))
	}
	said := x.TakeSaid()
	wantNames(t, said, "property", "reply queryLocation")
	if said[1].State != thing.Done {
		t.Errorf("reply %+v", said[1].Message)
	}
	wantField(t, said[1].Fields, "latitude", "31.234567")
	wantField(t, said[1].Fields, "time", "1767323045000")
}

// The answer of the draft of 2011 says of no query that it answers it.
func TestQueryLocationWithoutSerial(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.say(&jt808.LocationResponse{NoSerial: true, Location: *x.place()}) // nobody asked
	wantNames(t, x.TakeSaid(), "property")
	x.order(service("queryLocation", `{}`))
	x.say(&jt808.LocationResponse{NoSerial: true, Location: *x.place()})
	said := x.TakeSaid()
	wantNames(t, said, "property", "reply queryLocation")
	wantField(t, said[1].Fields, "latitude", "31.234567")
}

func TestQueryThatIsAcknowledgedFirst(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	f := x.order(service("queryAttributes", `{}`))
	x.say(ack(f, jt808.ResultOK))
	if len(x.TakeSaid()) != 0 {
		t.Error("the acknowledgement counts for the data")
	}
	x.say(&jt808.Attributes{Manufacturer: "ACME", Model: "T1", ICCID: "89860012345678901234"})
	r := x.wantReply(thing.Done, 0)
	wantField(t, r.Fields, "model", `"T1"`)

	f = x.order(service("queryAttributes", `{}`))
	x.say(ack(f, jt808.ResultOK))
	x.Advance(time.Minute)
	if got := x.heard(); len(got) != 0 {
		t.Errorf("repeated although it had come: %v", ids(got))
	}
	x.wantReply(thing.TimedOut, 0)
}

func TestUnaskedAnswersAreEvents(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	if got := x.say(&jt808.Attributes{Model: "T1", ICCID: "89860012345678901234"}); len(got) != 0 {
		t.Errorf("answered by %v", ids(got))
	}
	wantNames(t, x.TakeSaid(), "event attributes")
}

func TestDriverIsAskedAndTells(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	told := &jt808.DriverIdentity{
		Status: jt808.CardIn, Time: jt808.NewBCDTime(x.Now()), Driver: "王五",
		Certificate: "12345678901234567890", Agency: "X", Validity: "20300101",
	}
	x.wantAnswer(x.say(told), jt808.IDDriverIdentity, jt808.ResultOK)
	said := x.TakeSaid()
	wantNames(t, said, "event driver")
	wantField(t, said[0].Fields, "name", `"王五"`)
	wantField(t, said[0].Fields, "validUntil", `"20300101"`)
	if !said[0].Time.Equal(x.Now()) {
		t.Errorf("time %v", said[0].Time)
	}
	x.order(service("queryDriver", `{}`))
	x.wantAnswer(x.say(told), jt808.IDDriverIdentity, jt808.ResultOK)
	wantField(t, x.wantReply(thing.Done, 0).Fields, "card", "1")
}

func TestVehicleControl(t *testing.T) {
	t.Parallel()
	for v, want := range map[jt808.Version][2]string{jt808.V2013: {"01", "00"}, jt808.V2019: {"0001000100", "0001000101"}} {
		for i, lock := range []string{"true", "false"} {
			x := dialVersion(t, v, New("jt808")).join()
			f := x.order(service("vehicleControl", `{"lock":`+lock+`}`))
			if !bytes.Equal(f.Body, unhex(t, want[i])) {
				t.Errorf("%v lock %s: body %x, want %s", v, lock, f.Body, want[i])
			}
			x.say(ack(f, jt808.ResultOK))
			l := x.place()
			l.Status |= jt808.StatusDoorLocked
			x.say(&jt808.VehicleControlResponse{Serial: f.Serial, Location: *l})
			wantField(t, x.wantReply(thing.Done, 0).Fields, "locked", "true")
		}
	}
}

func TestVehicleControlWithoutLocation(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	f := x.order(service("vehicleControl", `{"lock":true}`))
	x.say(ack(f, jt808.ResultOK))
	if len(x.TakeSaid()) != 0 {
		t.Error("it is done before the location could come")
	}
	x.Advance(5 * time.Second)
	x.wantReply(thing.Done, 0)
}

func TestShoot(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	f := x.order(service("shoot", `{"channel":2,"count":3}`))
	if b := parse[jt808.Shoot](t, f); b.Channel != 2 || b.Command != 3 {
		t.Errorf("sent %+v", *b)
	}
	x.say(&jt808.ShotResponse{Serial: f.Serial, IDs: []uint32{7, 8}})
	wantField(t, x.wantReply(thing.Done, 0).Fields, "mediaIds", "[7,8]")
	f = x.order(service("shoot", `{"channel":9}`))
	x.say(&jt808.ShotResponse{Serial: f.Serial, Result: jt808.ShotChannel})
	x.wantReply(thing.Refused, 2)
}

func TestSuperseded(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.order(service("track", `{"interval":5,"duration":60}`))
	second := service("track", `{"interval":0}`)
	second.ID = "c2"
	f := x.order(second)
	if r := x.wantReply(thing.Superseded, 0); r.ID != "c1" {
		t.Errorf("reply to %s", r.ID)
	}
	if !bytes.Equal(f.Body, []byte{0, 0}) {
		t.Errorf("body %x", f.Body)
	}
	x.Advance(5 * time.Second)
	if again := only(t, x.heard()); again.Serial != f.Serial {
		t.Errorf("%d was repeated, want %d", again.Serial, f.Serial)
	}
}

func set(id, input string) *thing.Command {
	c := service("", input)
	c.ID, c.Kind = id, thing.SetProperties
	return c
}

func TestSetParameters(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	f := x.order(set("c1", `{"heartbeatInterval":60,"mainServerAddress":"10.0.0.1","0xF001":"beef"}`))
	b := parse[jt808.SetParameters](t, f)
	want := []jt808.Parameter{
		{ID: 1, Value: unhex(t, "0000003c")}, {ID: 0x13, Value: jt808.Hex("10.0.0.1")}, {ID: 0xF001, Value: unhex(t, "beef")},
	}
	if !slices.EqualFunc(b.Params, want, func(a, b jt808.Parameter) bool { return a.ID == b.ID && bytes.Equal(a.Value, b.Value) }) {
		t.Errorf("sent %+v", b.Params)
	}
	x.say(ack(f, jt808.ResultOK))
	x.wantReply(thing.Done, 0)
}

func TestNewerSetsTakeThePlaceOfOlder(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.order(set("a", `{"maxSpeed":80}`))
	x.order(set("b", `{"maxSpeed":90,"heartbeatInterval":60}`))
	if r := x.wantReply(thing.Superseded, 0); r.ID != "a" {
		t.Errorf("reply to %s", r.ID)
	}
	c := x.order(set("c", `{"maxSpeed":100}`)) // in part: b lives on, and is not repeated
	if got := x.TakeSaid(); len(got) != 0 {
		t.Errorf("said %v", names(got))
	}
	x.Advance(5 * time.Second)
	if again := only(t, x.heard()); again.Serial != c.Serial {
		t.Errorf("%d was repeated, want %d", again.Serial, c.Serial)
	}
	if r := x.wantReply(thing.TimedOut, 0); r.ID != "b" {
		t.Errorf("reply to %s", r.ID)
	}
}

func TestInvalidParameters(t *testing.T) {
	t.Parallel()
	for input, want := range map[string][]string{
		`{}`:                                  {"nothing to set"},
		`{"heartbeat":1,"maxSpeed":-1}`:       {"heartbeatInterval", "maxSpeed (0x0055)"},
		`{"latitude":1}`:                      {"queryLocation"},
		`{"maxSpeed":1.5}`:                    {"1.5"},
		`{"maxSpeed":{"a":1}}`:                {"maxSpeed"},
		`{"mainServerAddress":7}`:             {"quotation marks"},
		`{"fenceRadius":65536,"0xF001":"xx"}`: {"65535", "0xF001"},
	} {
		x := dial(t).join()
		x.Command(set("c1", input))
		r := x.wantReply(thing.Invalid, 0)
		for _, w := range want {
			if !bytes.Contains([]byte(r.Text), []byte(w)) {
				t.Errorf("%s: %q does not say %q", input, r.Text, w)
			}
		}
		if got := x.heard(); len(got) != 0 || x.Timers() != 0 {
			t.Errorf("%s: sent %v", input, ids(got))
		}
	}
}

func TestGetParameters(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	get := &thing.Command{ID: "c1", Kind: thing.GetProperties, Fields: []thing.Field{{Name: "maxSpeed"}, {Name: "plate"}, {Name: "0xF001"}}}
	f := x.order(get)
	if b := parse[jt808.QueryParameters](t, f); !slices.Equal(b.IDs, []jt808.ParameterID{0x55, 0x83, 0xF001}) {
		t.Errorf("asked for %v", b.IDs)
	}
	x.say(&jt808.Parameters{Serial: f.Serial, Params: []jt808.Parameter{
		{ID: 0x55, Value: unhex(t, "00000050")}, {ID: 0x83, Value: unhex(t, "bea9413132333435")}, {ID: 0xF001, Value: unhex(t, "beef")},
	}})
	if got, want := text(x.wantReply(thing.Done, 0).Fields), `{"maxSpeed":80,"plate":"京A12345","0xF001":"beef"}`; got != want {
		t.Errorf("reply %s, want %s", got, want)
	}
	x.Command(&thing.Command{ID: "c2", Kind: thing.GetProperties, Fields: []thing.Field{{Name: "latitude"}}})
	x.wantReply(thing.Invalid, 0)
}

func TestLongCommands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers func(x *terminal, f []*jt808.Frame)
		state   thing.State
		after   time.Duration
	}{
		"last":      {func(x *terminal, f []*jt808.Frame) { x.say(ack(f[len(f)-1], 0)) }, thing.Done, 0},
		"first":     {func(x *terminal, f []*jt808.Frame) { x.say(ack(f[0], 0)) }, thing.Done, settleFirst},
		"refused":   {func(x *terminal, f []*jt808.Frame) { x.say(ack(f[1], 1)) }, thing.Refused, 0},
		"each":      {func(x *terminal, f []*jt808.Frame) { sayAll(x, f, 0) }, thing.Done, 0},
		"last fail": {func(x *terminal, f []*jt808.Frame) { sayAll(x, f[:len(f)-1], 0); x.say(ack(f[len(f)-1], 2)) }, thing.Refused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dial(t).join()
			x.Command(&thing.Command{ID: "c1", Kind: thing.RawDown, Raw: append([]byte{0x83, 0x00}, bytes.Repeat([]byte("x"), 3000)...)})
			frames := x.heard()
			if len(frames) != 3 {
				t.Fatalf("%d frames, want 3", len(frames))
			}
			body := make([]byte, 0, 3000)
			for i, f := range frames {
				if f.Total != 3 || f.Index != uint16(i+1) || f.Serial != frames[0].Serial+uint16(i) {
					t.Errorf("package %d: %+v", i, f.Header)
				}
				body = append(body, f.Body...)
			}
			if len(body) != 3000 {
				t.Errorf("%d bytes", len(body))
			}
			c.answers(x, frames)
			if c.after > 0 {
				if len(x.TakeSaid()) != 0 {
					t.Error("the first answer counts at once")
				}
				x.Advance(c.after)
			}
			if r := x.reply(); r.State != c.state {
				t.Errorf("reply %v, want %v", r.State, c.state)
			}
			if f := x.say(&jt808.Heartbeat{}); f[0].Serial != frames[2].Serial+1 {
				t.Errorf("next serial %d", f[0].Serial)
			}
		})
	}
}

func sayAll(x *terminal, frames []*jt808.Frame, result jt808.Result) {
	for _, f := range frames {
		x.say(ack(f, result))
	}
}

func TestParameterOfEightBytes(t *testing.T) {
	t.Parallel()
	f := parameterFields(nil, []jt808.Parameter{{ID: 1, Value: bytes.Repeat([]byte{0xFF}, 8)}, {ID: 1, Value: []byte{0, 0, 0, 0, 0, 0, 0, 9}}})
	if got, want := text(f), `{"heartbeatInterval":"ffffffffffffffff","heartbeatInterval":9}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A terminal that confirms the same thing again and again does not keep a
// command under way for ever.
func TestRepeatedConfirmationsDoNotHoldACommand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cmd   *thing.Command
		index int // of the package that is confirmed
	}{
		"query":   {service("queryLocation", `{}`), 0},
		"package": {&thing.Command{ID: "c1", Kind: thing.RawDown, Raw: append([]byte{0x83, 0x00}, make([]byte, 3000)...)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dial(t, func(c *Config) { c.Commands.Retries = 0 }).join()
			x.Command(c.cmd)
			f := x.heard()[c.index]
			for range 10 {
				x.say(ack(f, jt808.ResultOK))
				x.Advance(2 * time.Second)
			}
			x.wantReply(thing.TimedOut, 0)
		})
	}
}

func TestPackagesOfCommandsAreSentAgain(t *testing.T) {
	t.Parallel()
	p := New("jt808")
	x := dialVersion(t, jt808.V2019, p).join()
	x.Command(&thing.Command{ID: "c1", Kind: thing.RawDown, Raw: append([]byte{0x83, 0x00}, make([]byte, 3000)...)})
	frames := x.heard()
	again := x.say(&jt808.ResendRequest{FirstSerial: frames[0].Serial, Packets: []uint16{3, 1}})
	if len(again) != 2 || again[0].Index != 1 || again[1].Index != 3 || again[0].Serial != frames[0].Serial || !bytes.Equal(again[1].Body, frames[2].Body) {
		t.Errorf("sent again %v", again)
	}
	x.say(ack(frames[2], jt808.ResultOK))
	x.wantReply(thing.Done, 0)
	if again = x.say(&jt808.ResendRequest{FirstSerial: frames[0].Serial, Packets: []uint16{2}}); len(again) != 1 {
		t.Errorf("%d frames after the end", len(again))
	}
	x.wantAnswer(x.say(&jt808.ResendRequest{FirstSerial: 999, Packets: []uint16{2}}), jt808.IDResendRequest, jt808.ResultFailed)
	x.wantAnswer(x.say(&jt808.ResendRequest{FirstSerial: frames[0].Serial}), jt808.IDResendRequest, jt808.ResultFailed)
	if again = x.say(&jt808.ResendRequest{FirstSerial: frames[0].Serial, Packets: []uint16{0, 2, 2, 99}}); len(again) != 1 {
		t.Errorf("%d frames of one that is there", len(again))
	}
	x.wantAnswer(x.say(&jt808.ResendRequest{FirstSerial: frames[0].Serial, Packets: []uint16{98, 99}}), jt808.IDResendRequest, jt808.ResultFailed)
	if got := p.Stats().(Stats).Resent; got != 4 {
		t.Errorf("%d packages counted as sent again, want 4", got)
	}
}

// Only the last long commands are kept for a terminal that lacks packages.
func TestFewLongCommandsAreKept(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	for range 10 {
		x.Command(&thing.Command{ID: "c1", Kind: thing.RawDown, Raw: append([]byte{0x83, 0x00}, make([]byte, 3000)...)})
		frames := x.heard()
		x.say(ack(frames[len(frames)-1], jt808.ResultOK))
	}
	if got := x.Timers(); got > maxRecent {
		t.Errorf("%d timers hold long commands, want %d at most", got, maxRecent)
	}
	x.say(&jt808.Logout{})
	if got := x.Timers(); got != 0 {
		t.Errorf("%d timers after the terminal has gone", got)
	}
}

func TestLimitsOfCommands(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.Commands.Most = 2; c.Commands.MaxBody = 2000 }).join()
	x.order(service("text", `{"text":"1"}`))
	x.order(service("text", `{"text":"2"}`))
	x.Command(service("text", `{"text":"3"}`))
	x.wantReply(thing.Failed, 0)
	x.Command(&thing.Command{ID: "c1", Kind: thing.RawDown, Raw: make([]byte, 2003)})
	x.wantReply(thing.Invalid, 0)
	x.Command(&thing.Command{ID: "c1", Kind: thing.RawDown, Raw: []byte{1}})
	x.wantReply(thing.Invalid, 0)
	x.Command(&thing.Command{ID: "c1", Kind: thing.Notice})
	x.wantReply(thing.Unsupported, 0)
	x.Command(service("fly", `{}`))
	x.wantReply(thing.Unsupported, 0)
	x.Hangup()
	if len(x.TakeSaid()) != 0 || x.Timers() != 0 {
		t.Error("commands go on behind the end")
	}
}

func TestRawCommands(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	f := x.order(&thing.Command{ID: "c1", Kind: thing.RawDown, Raw: unhex(t, "8104")})
	x.say(&jt808.Parameters{Serial: f.Serial})
	if r := x.wantReply(thing.Done, 0); !bytes.Equal(r.Raw, append([]byte{0x01, 0x04, byte(f.Serial >> 8), byte(f.Serial)}, 0)) {
		t.Errorf("reply %x", r.Raw)
	}
	f = x.order(service("raw", `{"id":"0x8F01","body":"beef","answer":"0x0F01"}`))
	if f.ID != 0x8F01 || !bytes.Equal(f.Body, unhex(t, "beef")) {
		t.Errorf("sent %v %x", f.ID, f.Body)
	}
	x.Send(x.frame(0x0F01, unhex(t, "cafe")))
	x.wantAnswer(x.heard(), 0x0F01, jt808.ResultOK)
	if got := text(x.wantReply(thing.Done, 0).Fields); got != `{"id":"0x0F01","body":"cafe"}` {
		t.Errorf("reply %s", got)
	}
	f = x.order(service("passthrough", `{"type":65,"data":"01 03 00 00 00 01 84 0a"}`))
	if b := parse[jt808.PlatformPassthrough](t, f); b.Type != jt808.PassthroughSerial1 || len(b.Data) != 8 {
		t.Errorf("sent %+v", *b)
	}
	x.say(ack(f, jt808.ResultOK))
	x.wantReply(thing.Done, 0)
	f = x.order(service("raw", `{"id":"0x8900","body":"41ff","answer":"0x0900"}`))
	x.wantAnswer(x.say(&jt808.Passthrough{Type: 0x41, Data: []byte{1, 2}}), jt808.IDPassthrough, jt808.ResultOK)
	said := x.TakeSaid()
	wantNames(t, said, "reply raw", "raw")
	wantField(t, said[0].Fields, "body", `"410102"`)
	_ = f
}

func TestCommandsOfOneSessionAreNotForTheNext(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	f := x.order(service("linkCheck", `{}`))
	x.say(&jt808.Logout{})
	x.join()
	x.say(ack(f, jt808.ResultOK))
	x.Advance(time.Hour)
	if got := x.TakeSaid(); len(got) != 0 {
		t.Errorf("said %v", names(got))
	}
}

// A terminal that has registered listens to commands once it has authenticated, or
// says anything else: they wait, and follow the answer.
func TestCommandsWaitBehindARegistration(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		next   func(x *terminal, code string) jt808.Body
		answer []jt808.ID
	}{
		"authentication": {func(_ *terminal, code string) jt808.Body { return &jt808.Authenticate{Code: code} }, []jt808.ID{jt808.IDPlatformResponse, jt808.IDText}},
		"location":       {func(x *terminal, _ string) jt808.Body { return x.place() }, []jt808.ID{jt808.IDText, jt808.IDPlatformResponse}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dial(t)
			r := parse[jt808.RegisterResponse](t, only(t, x.say(&jt808.Register{Plate: "京A12345", PlateColor: jt808.PlateBlue})))
			x.Command(service("text", `{"text":"hi"}`))
			if got := x.heard(); len(got) != 0 {
				t.Fatalf("the terminal was sent %v before it had authenticated", ids(got))
			}
			frames := x.say(test.next(x, r.Code))
			if got := ids(frames); !slices.Equal(got, test.answer) {
				t.Fatalf("sent %v, want %v", got, test.answer)
			}
			x.TakeSaid()
			x.say(ack(frames[slices.Index(test.answer, jt808.IDText)], jt808.ResultOK))
			x.wantReply(thing.Done, 0)
			x.order(service("text", `{"text":"now"}`))
		})
	}
}

// A terminal that says nothing more behind its registration gets commands late, and
// for the first time: also when none is repeated.
func TestCommandsDoNotWaitForEver(t *testing.T) {
	t.Parallel()
	for retries := range 2 {
		p := New("jt808")
		x := dialVersion(t, jt808.V2013, p, func(c *Config) { c.Commands.Retries = retries })
		x.say(&jt808.Register{Plate: "京A12345", PlateColor: jt808.PlateBlue})
		x.Command(service("text", `{"text":"hi"}`))
		x.Command(&thing.Command{ID: "c2", Kind: thing.Service, Name: "linkCheck", Deadline: x.Now().Add(time.Second)})
		x.TakeSaid()
		x.Advance(time.Second)
		x.wantReply(thing.TimedOut, 0)
		x.Advance(DefaultConfig().Commands.Timeout)
		f := only(t, x.heard())
		x.TakeSaid()
		if got := x.say(ack(f, jt808.ResultOK)); len(got) != 0 {
			t.Errorf("sent %v", ids(got))
		}
		x.wantReply(thing.Done, 0)
		if got := p.Stats().(Stats); got.Commands != 2 || got.Retransmissions != 0 || got.TimedOut != 1 {
			t.Errorf("%+v", got)
		}
	}
}
