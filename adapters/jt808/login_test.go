package jt808

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/thing"
)

var errNoDevice = auth.Denied("no such device")

func accept(c *Config) { c.Authentication.Policy = policyAccept }

func TestRegistrationLogsIn(t *testing.T) {
	t.Parallel()
	for _, v := range []jt808.Version{jt808.V2013, jt808.V2019} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			x := dialVersion(t, v, New("jt808"))
			f := only(t, x.say(&jt808.Register{
				Layout: v, Province: 11, City: 100, Manufacturer: "ACME", Model: "T1", TerminalID: "ID7",
				PlateColor: jt808.PlateBlue, Plate: "京A12345",
			}))
			if f.Version != v || f.Phone != x.phone || f.Serial != 0 || v == jt808.V2019 && f.ProtocolVersion != 1 {
				t.Errorf("answer in another layout: %+v", f.Header)
			}
			r := parse[jt808.RegisterResponse](t, f)
			if r.Result != jt808.RegisterOK || r.Serial != 0 {
				t.Errorf("answer %+v", *r)
			}
			if len(x.Online) != 1 || x.Online[0].Identity != digits {
				t.Errorf("online %+v", x.Online)
			}
			said := x.TakeSaid()
			wantNames(t, said, "property")
			want := `{"province":11,"city":100,"plateColor":1,"manufacturer":"ACME","model":"T1","terminalId":"ID7","plate":"京A12345"}`
			if got := text(said[0].Fields); got != want {
				t.Errorf("properties %s, want %s", got, want)
			}
			x.wantAnswer(x.say(&jt808.Authenticate{Code: r.Code, IMEI: "123456789012345", Software: "v1"}), jt808.IDAuthenticate, jt808.ResultOK)
			if len(x.Tried) != 1 {
				t.Errorf("%d logins, want one for both messages", len(x.Tried))
			}
			if v == jt808.V2019 {
				said = x.TakeSaid()
				wantField(t, said[0].Fields, "imei", `"123456789012345"`)
				wantField(t, said[0].Fields, "software", `"v1"`)
			}
		})
	}
}

// A terminal whose registration has no layout that anybody knows is online all
// the same: its number is in the header.
func TestRegistrationWithoutLayout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version jt808.Version
		rest    string
	}{
		"2013": {jt808.V2013, strings.Repeat("\x06\x07", 20)},
		"2019": {jt808.V2019, strings.Repeat("\x06\x07", 20)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dialVersion(t, c.version, New("jt808"))
			r := parse[jt808.RegisterResponse](t, only(t, x.say(&jt808.Register{Province: 11, City: 100, Rest: jt808.Hex(c.rest)})))
			if r.Result != jt808.RegisterOK || len(x.Online) != 1 || x.Online[0].Identity != digits {
				t.Errorf("answer %+v, online %+v", *r, x.Online)
			}
			said := x.TakeSaid()
			wantNames(t, said, "property")
			if got, want := text(said[0].Fields), `{"province":11,"city":100}`; got != want {
				t.Errorf("properties %s, want %s", got, want)
			}
		})
	}
}

func TestVINInPlaceOfPlate(t *testing.T) {
	t.Parallel()
	x := dial(t)
	x.say(&jt808.Register{Plate: "LSVAU2180N2183294"})
	wantField(t, x.TakeSaid()[0].Fields, "vin", `"LSVAU2180N2183294"`)
}

func TestUnknownTerminalMayNotRegister(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.Authentication.Attempts = 2 })
	x.Refuse = errNoDevice
	r := parse[jt808.RegisterResponse](t, only(t, x.say(&jt808.Register{})))
	if r.Result != jt808.RegisterTerminalUnknown || r.Code != "" {
		t.Errorf("answer %+v", *r)
	}
	if x.Closed {
		t.Fatal("closed after the first")
	}
	if r := parse[jt808.RegisterResponse](t, only(t, x.say(&jt808.Register{}))); r.Result != jt808.RegisterTerminalUnknown {
		t.Errorf("answer %+v", *r)
	}
	if !x.Closed || !errors.Is(x.Cause, ErrLogins) || !errors.Is(x.Cause, errNoDevice) {
		t.Errorf("closed %v, cause %v", x.Closed, x.Cause)
	}
}

func TestNobodyIsDeniedWhileThePlatformIsAway(t *testing.T) {
	t.Parallel()
	x := dial(t)
	x.Refuse = errors.New("the platform is away")
	if answers := x.say(&jt808.Register{}); len(answers) != 0 {
		t.Errorf("answers %v: a terminal that is told it is unknown may never ask again", answers)
	}
	x.Refuse = nil
	if r := parse[jt808.RegisterResponse](t, only(t, x.say(&jt808.Register{}))); r.Result != jt808.RegisterOK {
		t.Errorf("answer %+v", *r)
	}
}

// code is a code for the terminal, of a registration on another connection.
func (x *terminal) code(p protocol.Plugin, change ...func(*Config)) string {
	x.t.Helper()
	y := dialVersion(x.t, x.version, p, change...)
	y.phone = x.phone
	return parse[jt808.RegisterResponse](x.t, only(x.t, y.say(&jt808.Register{}))).Code
}

func withKey(c *Config) { c.Authentication.Key = "0123456789abcdef" }

func TestCodesHoldOnEveryNodeAndConnection(t *testing.T) {
	t.Parallel()
	x := dial(t, withKey)
	code := x.code(New("jt808"), withKey)
	x.wantAnswer(x.say(&jt808.Authenticate{Code: code}), jt808.IDAuthenticate, jt808.ResultOK)
	if len(x.Online) != 1 || x.Online[0].Identity != digits || len(x.Online[0].Credentials) != 1 || x.Online[0].Credentials[0] != code {
		t.Errorf("online %+v", x.Online)
	}
	// the same terminal as one of 2019, whose number has more zeros
	y := dialVersion(t, jt808.V2019, New("jt808"), withKey)
	y.wantAnswer(y.say(&jt808.Authenticate{Code: code}), jt808.IDAuthenticate, jt808.ResultOK)
	if y.Online[0].Identity != digits {
		t.Errorf("identity %q", y.Online[0].Identity)
	}
}

// What terminals offer to a local check of credentials.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version jt808.Version
		body    jt808.Body
		want    []string
	}{
		"registration": {jt808.V2013, &jt808.Register{
			Manufacturer: "70111", Model: "X1", TerminalID: "0012345", PlateColor: jt808.PlateBlue, Plate: "京A12345",
		}, []string{"0012345", "京A12345", "70111", "X1"}},
		"registration without anything": {jt808.V2019, &jt808.Register{}, []string{"", "", "", ""}},
		"authentication":                {jt808.V2013, &jt808.Authenticate{Code: "mine"}, []string{"mine"}},
		"authentication, padded":        {jt808.V2013, &jt808.Authenticate{Code: "mine \x00\x00"}, []string{"mine"}},
		"authentication of 2019":        {jt808.V2019, &jt808.Authenticate{Code: "mine", IMEI: "860000000000001"}, []string{"mine", "860000000000001"}},
		"neither":                       {jt808.V2013, &jt808.Heartbeat{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dialVersion(t, c.version, New("jt808"), accept)
			x.say(c.body)
			if len(x.Online) != 1 || !slices.Equal(x.Online[0].Credentials, c.want) {
				t.Errorf("got %+v, want %q", x.Online, c.want)
			}
		})
	}
}

func TestWrongCodes(t *testing.T) {
	t.Parallel()
	other := dial(t, withKey)
	other.phone = phoneOf(t, "13900139000", jt808.V2013)
	foreign := other.code(New("jt808"), withKey)
	for name, code := range map[string]string{
		"none": "", "any": "secret", "of another terminal": foreign, "not base64": "!!!!!!!!!!!!!!!!!!!!!!",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dial(t, withKey, func(c *Config) { c.Authentication.Attempts = 3 })
			for range 3 {
				x.wantAnswer(x.say(&jt808.Authenticate{Code: code}), jt808.IDAuthenticate, jt808.ResultFailed)
			}
			if len(x.Tried) != 0 || !x.Closed || !errors.Is(x.Cause, ErrLogins) {
				t.Errorf("%d logins, closed %v, cause %v", len(x.Tried), x.Closed, x.Cause)
			}
		})
	}
}

func TestCodesGrowOld(t *testing.T) {
	t.Parallel()
	c := codes{key: []byte("key"), lifetime: time.Hour}
	now := time.Unix(1767323045, 0)
	code := c.issue("1", now)
	for age, want := range map[time.Duration]bool{0: true, time.Hour: true, time.Hour + time.Second: false, -time.Minute: true, -time.Hour: false} {
		if err := c.check("1", code, now.Add(age)); (err == nil) != want {
			t.Errorf("a code of age %v: %v", age, err)
		}
	}
	c.lifetime = 0
	if err := c.check("1", code+"\x00", now.Add(20*365*24*time.Hour)); err != nil {
		t.Errorf("a code without a lifetime has grown old: %v", err)
	}
	if len(code) != 22 {
		t.Errorf("code %q has %d characters", code, len(code))
	}
	if raw := []byte(code); c.check("1", string(append(raw[:3:3], append([]byte{raw[3] ^ 1}, raw[4:]...)...)), now) == nil {
		t.Error("a changed code is valid")
	}
}

func TestRandomKeysDiffer(t *testing.T) {
	t.Parallel()
	x := dial(t)
	x.wantAnswer(x.say(&jt808.Authenticate{Code: x.code(New("jt808"))}), jt808.IDAuthenticate, jt808.ResultFailed)
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	t.Run("require", func(t *testing.T) {
		t.Parallel()
		x := dial(t)
		x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultFailed)
		x.wantAnswer(x.say(&jt808.Heartbeat{}), jt808.IDHeartbeat, jt808.ResultFailed)
		if len(x.Tried) != 0 || len(x.Said) != 0 || x.Closed {
			t.Errorf("logins %v, said %v, closed %v", x.Tried, x.Said, x.Closed)
		}
		if got := x.say(&jt808.TerminalResponse{}); len(got) != 0 {
			t.Errorf("an answer was answered: %v", ids(got))
		}
		x.wantAnswer(x.say(&jt808.Logout{}), jt808.IDLogout, jt808.ResultOK)
	})
	t.Run("accept", func(t *testing.T) {
		t.Parallel()
		x := dial(t, accept)
		x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultOK)
		wantNames(t, x.TakeSaid(), "property")
		if len(x.Online) != 1 || len(x.Online[0].Credentials) != 0 {
			t.Errorf("online %+v", x.Online)
		}
	})
	t.Run("accept any code", func(t *testing.T) {
		t.Parallel()
		x := dial(t, accept)
		x.wantAnswer(x.say(&jt808.Authenticate{Code: "mine"}), jt808.IDAuthenticate, jt808.ResultOK)
	})
	t.Run("accept refused", func(t *testing.T) {
		t.Parallel()
		x := dial(t, accept, func(c *Config) { c.Authentication.Attempts = 1 })
		x.Refuse = errNoDevice
		x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultFailed)
		if !errors.Is(x.Cause, ErrLogins) || len(x.Said) != 0 {
			t.Errorf("cause %v, said %v", x.Cause, x.Said)
		}
	})
}

func TestAuthenticationRefusedByThePlatform(t *testing.T) {
	t.Parallel()
	x := dial(t, accept)
	x.Refuse = errNoDevice
	x.wantAnswer(x.say(&jt808.Authenticate{Code: "x"}), jt808.IDAuthenticate, jt808.ResultFailed)
	x.Refuse = nil
	x.wantAnswer(x.say(&jt808.Authenticate{Code: "x"}), jt808.IDAuthenticate, jt808.ResultOK)
}

func TestPipelinedBehindTheLogin(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 7, 1 << 20} {
		x := dial(t, withKey)
		code := x.code(New("jt808"), withKey)
		x.HoldLogins = true
		in := slices.Concat(x.message(&jt808.Authenticate{Code: code}), x.message(x.place()), x.message(&jt808.Heartbeat{}))
		x.SendEach(size, in)
		if got := x.heard(); len(got) != 0 || len(x.Said) != 0 {
			t.Fatalf("before the login was complete: %v, %v", ids(got), names(x.Said))
		}
		x.Command(&thing.Command{ID: "1", Kind: thing.Service, Name: "queryLocation"})
		x.ReleaseLogins(nil)
		got := ids(x.heard())
		want := []jt808.ID{jt808.IDPlatformResponse, jt808.IDQueryLocation, jt808.IDPlatformResponse, jt808.IDPlatformResponse}
		if len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
			t.Errorf("size %d: sent %v, want %v", size, got, want)
		}
	}
}

func TestLoginAfterTheEnd(t *testing.T) {
	t.Parallel()
	x := dial(t)
	x.HoldLogins = true
	x.say(&jt808.Register{})
	x.Hangup()
	x.ReleaseLogins(nil)
	if len(x.Live()) != 0 || len(x.heard()) != 0 {
		t.Errorf("live %v", x.Live())
	}
}

func TestRegisterAndAuthenticateAgain(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	r := parse[jt808.RegisterResponse](t, only(t, x.say(&jt808.Register{Plate: "B"})))
	if r.Result != jt808.RegisterOK {
		t.Errorf("answer %+v", *r)
	}
	x.wantAnswer(x.say(&jt808.Authenticate{Code: r.Code}), jt808.IDAuthenticate, jt808.ResultOK)
	if len(x.Tried) != 1 || len(x.Offline) != 0 {
		t.Errorf("%d logins, %d ends", len(x.Tried), len(x.Offline))
	}
	x.wantAnswer(x.say(&jt808.Authenticate{Code: "wrong"}), jt808.IDAuthenticate, jt808.ResultFailed)
}

func TestAnotherPhoneOnTheConnection(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){"require": func(*Config) {}, "accept": accept} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dial(t, change).join()
			first := x.phone
			x.phone = phoneOf(t, "13900139000", jt808.V2013)
			f := x.say(x.place())
			x.wantAnswer(f, jt808.IDLocation, jt808.ResultFailed)
			if f[0].Phone != x.phone {
				t.Errorf("answer to %v", f[0].Phone)
			}
			x.Command(&thing.Command{ID: "1", Kind: thing.Service, Name: "linkCheck"})
			if f := only(t, x.heard()); f.Phone != first {
				t.Errorf("the command went to %v, the terminal is %v", f.Phone, first)
			}
			x.phone = first
			x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultOK)
			x.phone = phoneOf(t, "13900139000", jt808.V2013)
			x.join()
			x.phone = first
			x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultFailed)
			if got := x.Live(); len(got) != 1 || got[0] != "13900139000" {
				t.Errorf("online %v", got)
			}
			if len(x.Offline) != 1 || !errors.Is(x.Offline[0].Cause, protocol.ErrReplaced) {
				t.Errorf("offline %+v", x.Offline)
			}
		})
	}
}

// A number that may not come online takes nothing from the terminal that is: not its
// command under way, not a package that it has sent.
func TestAnotherPhoneThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){"require": func(*Config) {}, "accept": accept} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := dial(t, change).join()
			own := x.phone
			command := x.order(service("text", `{"text":"hi"}`))
			batch := x.packages(batchOf(x, jt808.BatchNormal, 0, 0, 0), 40)
			x.Send(batch[0])
			x.heard()
			x.Refuse = fmt.Errorf("the platform: %w", auth.ErrDenied)
			x.phone = phoneOf(t, "13900139000", jt808.V2013)
			if r := parse[jt808.RegisterResponse](t, only(t, x.say(&jt808.Register{}))); r.Result != jt808.RegisterTerminalUnknown {
				t.Errorf("answer %+v", *r)
			}
			x.say(&jt808.Authenticate{Code: "?"})
			if len(x.Offline) != 0 || !slices.Equal(x.Live(), []string{digits}) {
				t.Fatalf("offline %+v, online %v", x.Offline, x.Live())
			}
			x.phone = own
			x.say(ack(command, jt808.ResultOK))
			x.wantReply(thing.Done, 0)
			x.Send(slices.Concat(batch[1:]...))
			x.heard()
			wantNames(t, x.TakeSaid(), "property", "property", "property")
			x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultOK)
		})
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.wantAnswer(x.say(&jt808.Logout{}), jt808.IDLogout, jt808.ResultOK)
	if x.Closed || len(x.Offline) != 1 || !errors.Is(x.Offline[0].Cause, ErrLogout) {
		t.Errorf("closed %v, offline %+v", x.Closed, x.Offline)
	}
	x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultFailed)
	x.join()

	x = dial(t, func(c *Config) { c.Logout = logoutClose }).join()
	x.wantAnswer(x.say(&jt808.Logout{}), jt808.IDLogout, jt808.ResultOK)
	if !errors.Is(x.Cause, ErrLogout) {
		t.Errorf("cause %v", x.Cause)
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	x := dialVersion(t, jt808.V2019, New("jt808")).join()
	r := parse[jt808.TimeResponse](t, only(t, x.say(&jt808.TimeRequest{})))
	if at, ok := r.At(); !ok || !at.Equal(x.Now()) {
		t.Errorf("time %v, want %v", at, x.Now())
	}
}

func TestTakenOver(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	taken := errors.New("taken over")
	x.Command(&thing.Command{ID: "1", Kind: thing.Service, Name: "queryLocation"})
	x.TakeOver(x.Online[0].Session, taken)
	if !x.Closed || !errors.Is(x.Cause, taken) || x.Timers() != 0 {
		t.Errorf("closed %v, cause %v, %d timers", x.Closed, x.Cause, x.Timers())
	}
}

func TestGarbageBetweenFrames(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	for range 3 {
		x.Send(append(x.message(x.place()), 0x01, 0x02, 0x7E, 0x7E, 'x', 0x7E))
	}
	if got := x.heard(); len(got) != 3 {
		t.Errorf("%d answers, want 3", len(got))
	}
	if x.Closed || len(x.Faults) == 0 {
		t.Errorf("closed %v, %d faults", x.Closed, len(x.Faults))
	}
}

func TestSerialsCountUp(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	for want := uint16(2); want < 6; want++ {
		if f := only(t, x.say(&jt808.Heartbeat{})); f.Serial != want {
			t.Errorf("serial %d, want %d", f.Serial, want)
		}
	}
}
