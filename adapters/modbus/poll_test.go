package modbus

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec/modbus"
)

const both = `{"relay":false,"voltage":230.5,"current":1.51,"energy":65538}`

func TestUnitsComeOnlineWhenTheyAnswer(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) { c.Units = []string{"1-3"} }), 1, 3)
	w.run(10 * time.Second)
	w.wantLive(imei+"/1", imei+"/3")
	said := strings.Join(w.said(), "\n")
	for _, want := range []string{imei + "/1 property " + both, imei + `/1 property {"limit":20.0}`, imei + "/3 property"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in\n%s", want, said)
		}
	}
	if st := w.stats(); st.Lines != 1 || st.Reports == 0 {
		t.Errorf("%+v", st)
	}
}

func TestPollsAreRegular(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(), 1)
	w.run(2 * time.Minute) // the places of the polls are found
	w.TakeSaid()
	w.slaves[1].asked = nil
	w.run(10 * time.Minute)
	energy, limit := 0, 0
	for _, s := range w.said() {
		if strings.Contains(s, "energy") {
			energy++
		}
		if strings.Contains(s, "limit") {
			limit++
		}
	}
	if energy != 60 || limit != 10 {
		t.Errorf("%d and %d reports in ten minutes, want 60 and 10", energy, limit)
	}
	if n := len(w.slaves[1].asked); n != 2*60+10 {
		t.Errorf("%d requests, want 130: coils and registers each time, the limit each minute", n)
	}
	if st := w.stats(); st.Skipped != 0 || st.Timeouts != 0 || st.LatenessMax > 0.3 {
		t.Errorf("%+v", st)
	}
}

func TestOneRequestAtATime(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(func(c *Config) { c.Units = []string{"1-8"} }), 1, 2, 3, 4, 5, 6, 7, 8)
	w.Send([]byte(imei))
	for range 200 {
		if out := w.Take(); len(out) > 8 {
			t.Fatalf("two requests at once: %x", out)
		} else if len(out) > 0 {
			before := w.Now()
			w.sent = out
			w.answerOne()
			if more := w.Take(); len(more) > 0 {
				t.Fatalf("request %x without the pause of requests.delay", more)
			}
			w.Advance(99 * time.Millisecond)
			if more := w.Take(); len(more) > 0 {
				t.Fatalf("request %x after %v, less than requests.delay", more, w.Now().Sub(before))
			}
		}
		w.Advance(time.Millisecond)
	}
}

func TestASilentUnitGoesOfflineAndDoesNotHoldTheOthersUp(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) { c.Units = []string{"1", "2"} }), 1, 2)
	w.wantLive(imei+"/1", imei+"/2")
	w.run(30 * time.Second)
	w.TakeSaid()
	w.slaves[2].silent = true
	w.run(3 * time.Minute)
	w.wantLive(imei + "/1")
	if len(w.Offline) != 1 || !errors.Is(w.Offline[0].Cause, ErrNoAnswer) {
		t.Errorf("offline %v", w.Offline)
	}
	w.TakeSaid()
	asked := len(w.slaves[2].asked)
	w.run(10 * time.Minute)
	reports := 0
	for _, s := range w.said() {
		if strings.Contains(s, "/1 property") && strings.Contains(s, "energy") {
			reports++
		}
	}
	if reports < 58 {
		t.Errorf("%d reports of the unit that is there, want about 60", reports)
	}
	if n := len(w.slaves[2].asked) - asked; n < 2 || n > 4 {
		t.Errorf("the silent unit was asked %d times in ten minutes, want one in five minutes", n)
	}
	if st := w.stats(); st.UnitsDown != 1 || st.Offline != 1 {
		t.Errorf("%+v", st)
	}

	w.slaves[2].silent = false
	w.run(6 * time.Minute)
	w.wantLive(imei+"/1", imei+"/2")
	if st := w.stats(); st.UnitsDown != 0 {
		t.Errorf("%+v", st)
	}
}

func TestADeadLineTakesItsUnitsOffline(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) { c.Units = []string{"1-2"} }), 1, 2)
	w.Hangup()
	w.wantLive()
	if len(w.Offline) != 2 {
		t.Errorf("offline %v", w.Offline)
	}
	if st := w.stats(); st.Lines != 0 {
		t.Errorf("%+v", st)
	}
}

func TestASilentLineIsClosed(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(), 1)
	w.slaves[1].silent = true
	w.run(20 * time.Minute)
	if !w.Closed || !errors.Is(w.Cause, ErrSilent) {
		t.Errorf("closed %v, %v", w.Closed, w.Cause)
	}
	if st := w.stats(); st.Silent != 1 || st.UnitsDown != 0 || st.Lines != 0 {
		t.Errorf("%+v", st)
	}
}

func TestHeartbeatsBetweenAndGluedToAnswers(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(func(c *Config) { c.Heartbeats = []string{"www.usr.cn", "hex:FE"} }), 1)
	w.Send([]byte("www.usr.cn" + imei)) // first of all
	w.before, w.behind = []byte("www.usr.cn\xfe"), []byte("\xfe"+imei)
	w.run(30 * time.Second)
	w.Send([]byte("www.usr.cn"))
	w.wantLive(imei + "/1")
	st := w.stats()
	if st.Timeouts != 0 || st.Noise != 0 || st.Heartbeats < 4*st.Responses {
		t.Errorf("%+v", st)
	}
	w.before = []byte{1, 3, 99} // noise that could be the beginning of an answer
	w.run(30 * time.Second)
	if after := w.stats(); after.Timeouts != 0 || after.Noise == 0 {
		t.Errorf("%+v", after)
	}
}

func TestAnswersInPieces(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig())
	w.Send([]byte(imei[:4]))
	w.Send([]byte(imei[4:]))
	w.Advance(time.Second)
	if len(w.Take()) == 0 {
		t.Fatal("nothing was asked")
	}
	frame := modbus.AppendFrame(nil, modbus.RTU, 0, 1, []byte{1, 1, 0})
	w.SendEach(1, frame)
	w.wantLive(imei + "/1")
}

func TestALateAnswerIsNotTakenForTheNext(t *testing.T) {
	t.Parallel()
	// Two requests whose answers look the same: only time tells them apart.
	w := connect(t, testConfig(func(c *Config) {
		p := meter()
		p.MaxGap = 0
		p.Points = map[string]profile.Point{"a": {Address: "40001"}, "b": {Address: "40101"}}
		c.Profiles = map[string]profile.Config{"meter": p}
	}), 1)
	s := w.slaves[1]
	s.holding[0], s.holding[100] = 11, 22
	w.Send([]byte(imei))
	w.run(30 * time.Second)
	s.late = 3400 * time.Millisecond // behind the time-out, before the quiet time is over
	w.run(2 * time.Minute)
	s.late = 4500 * time.Millisecond // while the repetition waits for its own
	w.run(4 * time.Minute)
	s.late = 0
	w.run(time.Minute)
	for _, text := range w.said() {
		if strings.Contains(text, `"a":22`) || strings.Contains(text, `"b":11`) {
			t.Errorf("an answer was taken for that to another request: %s", text)
		}
	}
	if st := w.stats(); st.Timeouts == 0 || st.Late == 0 {
		t.Errorf("%+v: the test makes no answer late", st)
	}
}

func TestReportOnChange(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) {
		p := meter()
		p.Report, p.AtLeast = "change", 5*time.Minute
		p.Points = map[string]profile.Point{
			"voltage": {Address: "40001", Scale: "0.1", Deadband: "0.5"},
			"energy":  {Address: "40005", Type: "uint32"},
		}
		c.Profiles = map[string]profile.Config{"meter": p}
	}), 1)
	w.run(20 * time.Second)
	w.wantSaid(imei + `/1 property {"voltage":230.5,"energy":65538}`)
	w.slaves[1].holding[0] = 2310 // as much as the dead-band
	w.run(20 * time.Second)
	w.wantSaid()
	w.slaves[1].holding[0] = 2311
	w.run(20 * time.Second)
	w.wantSaid(imei + `/1 property {"voltage":231.1}`)
	w.run(3 * time.Minute)
	w.wantSaid()
	w.run(3 * time.Minute)
	w.wantSaid(imei+`/1 property {"energy":65538}`, imei+`/1 property {"voltage":231.1}`)
}

func TestARefusedReadIsToldOnce(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(), 1)
	w.TakeSaid()
	w.slaves[1].refuseFrom = 10
	w.run(5 * time.Minute)
	events := 0
	for _, s := range w.said() {
		if strings.Contains(s, "event modbusFault") {
			events++
			if want := `{"unit":1,"request":"holdingRegister:20+1","code":2,"text":"illegal data address"}`; !strings.HasSuffix(s, want) {
				t.Errorf("%s, want %s", s, want)
			}
		}
	}
	if events != 1 {
		t.Errorf("%d events, want one", events)
	}
	w.wantLive(imei + "/1") // it answers
}

func TestABusyUnitIsAskedAgain(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(), 1)
	w.slaves[1].refuse = modbus.ServerDeviceBusy
	w.run(10 * time.Second)
	if st := w.stats(); st.Retries == 0 || st.Timeouts != 0 {
		t.Errorf("%+v", st)
	}
	w.slaves[1].refuse = modbus.GatewayTargetFailed // then it is as if it did not answer
	w.run(3 * time.Minute)
	w.wantLive()
}

func TestModbusTCP(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) { c.Mode = "tcp" }), 1)
	w.run(20 * time.Second)
	w.wantLive(imei + "/1")
	w.slaves[1].late = 3500 * time.Millisecond // numbers tell answers apart
	w.run(20 * time.Second)
	if st := w.stats(); st.Timeouts == 0 || w.Closed {
		t.Errorf("%+v, closed %v", st, w.Cause)
	}
}

func TestASCII(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) { c.Mode = "ascii" }), 1)
	w.run(10 * time.Second)
	w.wantLive(imei + "/1")
}

func TestAllAsOneDevice(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) { c.Devices, c.Units = "line", []string{"1-2"} }), 1, 2)
	w.wantLive(imei)
	said := strings.Join(w.said(), "\n")
	for _, want := range []string{`"u1_voltage":230.5`, `"u2_current":1.52`} {
		if !strings.Contains(said, want) {
			t.Errorf("%s is missing in %s", want, said)
		}
	}
	w.slaves[2].silent = true
	w.run(5 * time.Minute)
	w.wantLive(imei)
	if said := strings.Join(w.said(), "\n"); !strings.Contains(said, `event modbusFault {"unit":2,"code":0,"text":"the unit does not answer"}`) {
		t.Errorf("no event of the unit that does not answer in %s", said)
	}
}

func TestBoth(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) { c.Devices = "both" }), 1)
	w.wantLive(imei, imei+"/1")
}

func TestARefusedLoginIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(), 1)
	w.Refuse = errors.New("no such device")
	w.Send([]byte(imei))
	w.run(50 * time.Second)
	if len(w.Tried) != 1 || w.Closed {
		t.Errorf("%d logins, closed %v; want one in a minute", len(w.Tried), w.Cause)
	}
	if n := len(w.slaves[1].asked); n > 3 {
		t.Errorf("%d requests to a unit that is refused", n)
	}
	w.Refuse = nil
	w.run(20 * time.Second)
	w.wantLive(imei + "/1")
}

func TestADeviceThatSomebodyElseEndedComesBack(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(), 1)
	w.TakeOver(w.Online[0].Session, errors.New("kicked"))
	w.run(50 * time.Second)
	w.wantLive()
	w.run(30 * time.Second)
	w.wantLive(imei + "/1")
}

func TestALoginThatTakesLong(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(), 1)
	w.HoldLogins = true
	w.Send([]byte(imei))
	w.run(time.Minute)
	if n := len(w.slaves[1].asked); n > 3 {
		t.Errorf("%d requests while nobody could have reported", n)
	}
	w.wantSaid()
	w.ReleaseLogins(nil)
	w.HoldLogins = false
	if len(w.Said) != 1 || w.Now().Sub(w.Said[0].Time) < 50*time.Second {
		t.Errorf("said %v, want what was read before the login, with its time", w.said())
	}
	w.run(time.Second)
	got := slices.Compact(w.said()) // the place of a poll may be just behind the one that was late
	if want := []string{imei + "/1 property " + both, imei + `/1 property {"limit":20.0}`, imei + "/1 property " + both}; !slices.Equal(got, want) {
		t.Errorf("the platform was told %q, want %q", got, want)
	}
}

func TestABusyLineLeavesPollsOut(t *testing.T) {
	t.Parallel()
	w := dial(t, testConfig(func(c *Config) {
		p := meter()
		p.Interval = 200 * time.Millisecond
		c.Profiles["meter"] = p
		c.Units = []string{"1-4"}
	}), 1, 2, 3, 4)
	w.run(time.Minute)
	st := w.stats()
	if st.Skipped == 0 {
		t.Errorf("%+v", st)
	}
	seen := map[uint8]int{}
	for n, s := range w.slaves {
		seen[n] = len(s.asked)
	}
	for n, have := range seen {
		if have*5 < seen[1]*4 || have*4 > seen[1]*5 {
			t.Errorf("unit %d was asked %d times, unit 1 %d times: one starves", n, have, seen[1])
		}
	}
}

// A unit that refuses the addresses between points is asked for points alone.
func TestAddressesThatNoPointHas(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(), 1)
	w.slaves[1].gaps = []uint16{2, 3}
	w.Send([]byte(imei))
	w.run(10 * time.Second)
	said := strings.Join(w.said(), "\n")
	if !strings.Contains(said, both) || strings.Contains(said, "event") {
		t.Errorf("said %s", said)
	}
	if st := w.stats(); st.Exceptions != 1 || st.Careful != 1 {
		t.Errorf("%+v", st)
	}
	w.tell(imei+"/1", get("voltage", "energy"))
	if said := w.said(); !slices.Contains(said, imei+`/1 reply done {"voltage":230.5,"energy":65538}`) {
		t.Errorf("said %v", said)
	}
}

// The units of a line have their places evenly behind one another: none waits for
// another, and the polls of a line are as late as one timer.
func TestUnitsOfALineDoNotWaitForOneAnother(t *testing.T) {
	t.Parallel()
	for _, name := range []string{imei, "861234567890124", "861234567890125", "861234567890126"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := connect(t, testConfig(func(c *Config) { c.Units = []string{"1-4"} }), 1, 2, 3, 4)
			for _, s := range w.slaves {
				s.late = 400 * time.Millisecond // and two groups each, of which one is read every minute
			}
			w.Send([]byte(name))
			w.run(4 * time.Minute) // the first polls are out of the window of the lateness
			if n, late := w.stats().Polls, w.lateness(); n < 80 || late > 0.1 {
				t.Errorf("%d polls, late up to %v s", n, late)
			}
		})
	}
}

// Polls that are not answered, and those that wait behind them, say nothing of how
// late the others are.
func TestLatenessIsOfPollsThatAreAnswered(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(func(c *Config) { c.Units = []string{"1-2"} }), 1, 2)
	w.slaves[1].silent, w.slaves[2].silent = true, true
	w.Send([]byte(imei))
	w.run(30 * time.Second)
	if late := w.lateness(); late != 0 || w.stats().Timeouts == 0 {
		t.Errorf("late up to %v s", late)
	}
	w.slaves[1].silent, w.slaves[2].silent = false, false
	w.run(time.Minute)
	if late := w.lateness(); late > 2 { // all at once when they come back
		t.Errorf("late up to %v s although both units answer", late)
	}
}
