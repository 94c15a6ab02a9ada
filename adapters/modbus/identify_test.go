package modbus

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/adapters/modbus/registration"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
)

// packet is a vector of package registration.
func packet(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile("registration/testdata/dtu.json")
	if err != nil {
		tb.Fatal(err)
	}
	var all []struct{ Name, Hex string }
	if err := json.Unmarshal(text, &all); err != nil {
		tb.Fatal(err)
	}
	for _, v := range all {
		if v.Name == name {
			b, err := hex.DecodeString(v.Hex)
			if err != nil {
				tb.Fatal(err)
			}
			return b
		}
	}
	tb.Fatalf("no vector %s", name)
	return nil
}

func TestATextEndsWithAPause(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(func(c *Config) { c.Registration.Form, c.Registration.Prefix = "text", "LOGIN:" }), 1)
	w.Send([]byte("LOGIN:10"))
	w.run(300 * time.Millisecond)
	w.Send([]byte("01"))
	w.run(300 * time.Millisecond)
	if len(w.wire) > 0 {
		t.Errorf("asked before the registration was over: %v", w.wire)
	}
	w.run(3 * time.Second)
	w.wantLive("1001/1")
}

func TestStrangersAreClosed(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig())
	w.Send([]byte("GET / HTTP/1.1\r\n"))
	if !w.Closed || !errors.Is(w.Cause, registration.ErrUnknown) || !strings.Contains(w.Cause.Error(), "47455420") {
		t.Errorf("closed %v, %v", w.Closed, w.Cause)
	}
	w = connect(t, testConfig())
	w.run(29 * time.Second)
	if w.Closed {
		t.Error("closed before registration.timeout")
	}
	w.run(2 * time.Second)
	if !w.Closed || !errors.Is(w.Cause, ErrUnidentified) {
		t.Errorf("closed %v, %v", w.Closed, w.Cause)
	}
	if st := w.stats(); st.Strangers != 1 || st.Lines != 0 {
		t.Errorf("%+v", st)
	}
}

func TestALineWithoutUnitsIsClosed(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(func(c *Config) {
		c.Profiles["pump"] = meter()
		c.Lines = map[string]Line{"dtu-*": {Units: map[string]Unit{"1": {Profile: "pump"}}}}
	}))
	w.Send([]byte(imei))
	if !w.Closed || !errors.Is(w.Cause, ErrUnconfigured) || !strings.Contains(w.Cause.Error(), imei) {
		t.Errorf("closed %v, %v", w.Closed, w.Cause)
	}
}

func TestLinesByPattern(t *testing.T) {
	t.Parallel()
	c := testConfig(func(c *Config) {
		c.Profiles["pump"], c.Profile = meter(), "meter"
		c.Lines = map[string]Line{
			"dtu-*":    {Units: map[string]Unit{"1-2": {Profile: "pump"}, "7": {Profile: "meter"}}},
			"dtu-1*":   {Units: map[string]Unit{"3": {}}},
			"dtu-1234": {Name: "boiler", Units: map[string]Unit{"4": {}}},
		}
	})
	s, err := buildSites(&c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"dtu-9": "1pump 2pump 7meter", "dtu-19": "3meter", "dtu-1234": "4meter", "other": "1meter"} {
		var have []string
		for _, u := range s.of(name).units {
			have = append(have, string('0'+rune(u.number))+u.profile.Name)
		}
		if got := strings.Join(have, " "); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	if s.of("dtu-1234").name != "boiler" {
		t.Error("the line has lost its name")
	}
}

func TestFourFaithLine(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(func(c *Config) { c.Registration.Form = "fourfaith" }), 1)
	w.slaves[1].holding[0], w.slaves[1].holding[4] = 0xfdfe, 0xfeee
	wrap := func(b []byte) (out []byte) {
		for _, c := range b {
			switch c {
			case 0xfd:
				out = append(out, 0xfd, 0xed)
			case 0xfe:
				out = append(out, 0xfd, 0xee)
			default:
				out = append(out, c)
			}
		}
		return out
	}
	w.wrap = wrap
	w.unwrap = func(b []byte) []byte {
		return []byte(strings.NewReplacer("\xfd\xed", "\xfd", "\xfd\xee", "\xfe").Replace(string(b)))
	}
	w.before = []byte{0xfe}
	w.Send(packet(t, "dtu-fourfaith-register"))
	w.run(30 * time.Second)
	w.wantLive("13066668888/1")
	if said := strings.Join(w.said(), "\n"); !strings.Contains(said, `"voltage":6502.2`) {
		t.Errorf("%s", said)
	}
	if st := w.stats(); st.Timeouts != 0 || st.Noise != 0 || st.Heartbeats == 0 {
		t.Errorf("%+v", st)
	}
}

func TestHongDianLine(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(func(c *Config) { c.Registration.Form = "hongdian" }), 1)
	const id = "13900000000"
	w.wrap = func(b []byte) []byte { return append([]byte("\x7b\x09\x00\x10"+id+"\x7b"), b...) }
	w.unwrap = func(b []byte) []byte {
		for _, kind := range []string{"\x7b\x81\x00\x10", "\x7b\x89\x00\x10"} {
			b = []byte(strings.ReplaceAll(string(b), kind+id+"\x7b", ""))
		}
		return b
	}
	w.Send(packet(t, "dtu-hongdian-register"))
	w.run(30 * time.Second)
	w.Send(packet(t, "dtu-hongdian-register")) // a heartbeat
	w.wantLive(id + "/1")
	for i := range 256 { // also answers that end as a header begins
		w.slaves[1].holding[0] = uint16(i)
		w.run(10 * time.Second)
	}
	if st := w.stats(); st.Timeouts != 0 || st.Noise != 0 || st.Heartbeats != 1 {
		t.Errorf("%+v", st)
	}
}

// The registration stands before all that a DTU sends, and nothing comes before
// something was asked.
func TestARegistrationBeforeEachPacket(t *testing.T) {
	t.Parallel()
	for _, f := range []string{"text", "imei"} {
		t.Run(f, func(t *testing.T) {
			t.Parallel()
			w := connect(t, testConfig(func(c *Config) { c.Registration.Form, c.Registration.When = f, "always" }), 1)
			w.before = []byte(imei)
			w.run(30 * time.Second)
			w.wantLive(imei + "/1")
			if st := w.stats(); st.Timeouts != 0 || st.Noise != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestNamesThatAreRead(t *testing.T) {
	t.Parallel()
	t.Run("register", func(t *testing.T) {
		t.Parallel()
		w := connect(t, testConfig(func(c *Config) {
			c.Registration.Form = "read"
			c.Registration.Read = registration.Read{Unit: 1, Address: "40101", Type: "string", Registers: 4}
		}), 1)
		for i, text := range []uint16{0x534e, 0x2d34, 0x3200, 0} {
			w.slaves[1].holding[100+uint16(i)] = text
		}
		w.run(10 * time.Second)
		w.wantLive("SN-42/1")
	})
	t.Run("identification", func(t *testing.T) {
		t.Parallel()
		w := connect(t, testConfig(func(c *Config) {
			c.Registration.Form = "identification"
			c.Registration.Read.Object = 1
			c.Mode = "tcp"
		}), 1)
		w.run(10 * time.Second)
		w.wantLive("ACME-7/1")
	})
	t.Run("nobody answers at first", func(t *testing.T) {
		t.Parallel()
		w := connect(t, testConfig(func(c *Config) { c.Registration.Form = "identification"; c.Registration.Read.Object = 1 }), 1)
		w.slaves[1].silent = true
		w.run(10 * time.Second)
		w.slaves[1].silent = false
		w.run(10 * time.Second)
		w.wantLive("ACME-7/1")
	})
}

func TestAddressIsTheName(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(func(c *Config) { c.Registration.Form = "address" }), 1)
	w.run(10 * time.Second)
	w.wantLive("192.0.2.1/1")
}

// A line that comes back ends the connection that it had before.
func TestALineReplacesItself(t *testing.T) {
	t.Parallel()
	plugin := New("modbus")
	c := testConfig()
	open, err := plugin.New(c)
	if err != nil {
		t.Fatal(err)
	}
	shared := protocol.Plugin{Name: "shared", New: func(any) (protocol.Open, error) { return open, nil }}
	first := &world{tb: t, plugin: plugin, slaves: map[uint8]*slave{1: newSlave()}}
	first.Device = protocoltest.Connect(t, shared, c)
	second := &world{tb: t, plugin: plugin, slaves: map[uint8]*slave{1: newSlave()}}
	second.Device = protocoltest.Connect(t, shared, c)
	first.Send([]byte(imei))
	first.run(3 * time.Second)
	first.wantLive(imei + "/1")
	second.Send([]byte(imei))
	first.Run()
	first.wantLive(imei + "/1") // nothing has answered on the second one yet
	second.run(3 * time.Second)
	second.wantLive(imei + "/1")
	first.Run()
	if !first.Closed || !errors.Is(first.Cause, ErrReplaced) {
		t.Errorf("closed %v, %v", first.Closed, first.Cause)
	}
	if st := first.stats(); st.Replaced != 1 || st.Lines != 1 {
		t.Errorf("%+v", st)
	}
}

func TestConfigMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	c := testConfig(func(c *Config) {
		c.Mode, c.Devices, c.Heartbeats = "rtu2", "all", []string{"hex:F"}
		c.Requests.Timeout, c.Failures.Max = 0, 0
		c.Registration.Form = "morse"
		c.Units = []string{"1-300", "x"}
		c.Lines = map[string]Line{"a*": {Name: "b", Units: map[string]Unit{"1": {Profile: "pump"}, "1-2": {}}}, "e": {}}
		p := meter()
		p.Order, p.MaxLength = "ABDC", 0
		p.Points = map[string]profile.Point{"p": {Address: "50001", Type: "int17", Scale: "x"}}
		c.Profiles["bad"], c.Profile = p, "meter"
	})
	_, err := New("modbus").New(c)
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, want := range []string{
		"mode:", "devices:", "heartbeats:", "requests.timeout:", "failures.max:", "registration: form", `unit "1-300"`, `unit "x"`,
		`lines."a*".name`, "there is no profile pump: there are bad, meter", "unit 1 stands there twice", `lines."e".units: there are none`,
		"profiles.bad: order:", "profiles.bad: maxLength:", "profiles.bad: point p: address:", "profiles.bad: point p: scale:",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell of %s:\n%v", want, err)
		}
	}
}

func TestModbusTCPOnAnRTULine(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(func(c *Config) { c.Registration.Form = "address"; c.Requests.Retries = 0 }), 1)
	w.run(200 * time.Millisecond)
	w.Send([]byte{0, 1, 0, 0, 0, 3, 1, 0x83, 2})
	w.run(10 * time.Second)
	if w.Closed || w.stats().Noise == 0 {
		t.Errorf("closed %v, %+v", w.Cause, w.stats())
	}
}
