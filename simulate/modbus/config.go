package modbus

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/codec/modbus"
)

// Config says what the fleet does. Shares are numbers from 0 to 1.
type Config struct {
	Target string `conf:"target" doc:"host:port that modems connect to"`
	Listen string `conf:"listen" doc:"host:port on which slaves wait instead for connections; lines have ports one after the other, or any with port 0"`
	Lines  int    `conf:"lines" doc:"modems, each with a connection of its own"`
	Units  string `conf:"units" doc:"addresses of the slaves on each line, such as 1-4,7"`
	Mode   string `conf:"mode" doc:"framing: rtu, tcp or ascii"`
	Image  string `conf:"image" doc:"CSV file of what registers and bits hold; empty: register n holds n, for n up to 9999"`

	ID               string        `conf:"id" doc:"what the first modem is called; the others count on the digits at its end"`
	Registration     string        `conf:"registration" doc:"what a modem says of itself, with {id}, {bcd} for the id as BCD, and the escapes \\r \\n \\0 \\xFF; empty: nothing"`
	RegistrationMode string        `conf:"registrationMode" doc:"when it says that: connect, data (before each packet), both"`
	Heartbeat        string        `conf:"heartbeat" doc:"what a modem sends now and then, written as registration is; empty: nothing"`
	HeartbeatEvery   time.Duration `conf:"heartbeatEvery" doc:"time between heartbeats"`

	Latency time.Duration `conf:"latency" doc:"time until a slave answers"`
	Jitter  time.Duration `conf:"jitter" doc:"up to how much longer that takes"`
	Dead    string        `conf:"dead" doc:"addresses of slaves that never answer, such as 3"`

	Push         time.Duration `conf:"push" doc:"time between frames that each slave pushes without being asked: responses to reading holding registers; 0: none"`
	PushAddress  int           `conf:"pushAddress" doc:"first register that is pushed, from 0"`
	PushQuantity int           `conf:"pushQuantity" doc:"registers that are pushed"`

	Duration    time.Duration `conf:"duration" doc:"end after so long; 0: when told to"`
	Seed        uint64        `conf:"seed" doc:"chooses everything that is random: faults, jitter, churn"`
	ConnectRate float64       `conf:"connectRate" doc:"connections per second that the whole fleet opens when it starts; 0: as many as it can"`
	Churn       float64       `conf:"churn" doc:"connections that each modem breaks off per minute, on average"`
	BackoffMin  time.Duration `conf:"backoffMin" doc:"wait before the first attempt to connect again; each further one waits up to twice as long"`
	BackoffMax  time.Duration `conf:"backoffMax" doc:"longest wait before an attempt to connect again"`
	Workers     int           `conf:"workers" doc:"goroutines that do what is due; 0: one for each CPU, at most 4"`

	Faults Faults `conf:"faults" doc:"shares of answers that go wrong"`
}

// Faults are the shares of answers that go wrong, each from 0 to 1, and 1 in all
// at most. Which is left to chance, of Config.Seed.
type Faults struct {
	Silence     float64       `conf:"silence" doc:"share of answers, from 0 to 1, that do not come"`
	Exception   float64       `conf:"exception" doc:"share of answers, from 0 to 1, that are exceptions: device failure, busy, or no answer behind the gateway"`
	BadChecksum float64       `conf:"badChecksum" doc:"share of answers, from 0 to 1, that have a wrong checksum, in mode tcp the number of another request"`
	Half        float64       `conf:"half" doc:"share of answers, from 0 to 1, that end in the middle"`
	Split       float64       `conf:"split" doc:"share of answers, from 0 to 1, that come in two parts, 20 ms apart"`
	Glued       float64       `conf:"glued" doc:"share of answers, from 0 to 1, that have the heartbeat in front and behind, in one packet"`
	Noise       float64       `conf:"noise" doc:"share of answers, from 0 to 1, that have up to 16 random bytes in front"`
	Late        float64       `conf:"late" doc:"share of answers, from 0 to 1, that come too late"`
	LateBy      time.Duration `conf:"lateBy" doc:"how much later those come that are late"`
}

// Values of [Config.RegistrationMode].
const (
	RegisterOnConnect = "connect"
	RegisterWithData  = "data"
	RegisterBoth      = "both"
)

// DefaultConfig is one modem called 861234567890001 with slave 1 behind it, in
// RTU, that connects to 127.0.0.1:7620.
func DefaultConfig() Config {
	return Config{
		Target: "127.0.0.1:7620", Lines: 1, Units: "1", Mode: "rtu",
		ID: "861234567890001", Registration: "{id}", RegistrationMode: RegisterOnConnect,
		Heartbeat: "www.usr.cn", HeartbeatEvery: 30 * time.Second,
		PushQuantity: 10, Seed: 1, ConnectRate: 1000,
		BackoffMin: time.Second, BackoffMax: 30 * time.Second,
		Faults: Faults{LateBy: 5 * time.Second},
	}
}

// Validate reports all that makes no sense in c.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, key string, got any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("simulate: %s: %v, must be %s", key, got, want))
		}
	}
	also := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("simulate: %s: %w", key, err))
		}
	}
	address := func(key, hostPort string) {
		_, _, err := net.SplitHostPort(hostPort)
		if err != nil {
			err = fmt.Errorf("%w; write host:port", err)
		}
		also(key, err)
	}
	if c.Listen != "" {
		address("listen", c.Listen)
	} else {
		address("target", c.Target)
	}
	check(c.Lines > 0 && c.Lines <= 100_000, "lines", c.Lines, "1 to 100000")
	_, err := parseUnits(c.Units, 1)
	also("units", err)
	_, err = parseUnits(c.Dead, 0)
	also("dead", err)
	_, err = modbus.ParseMode(c.Mode)
	also("mode", err)
	check(c.ID != "", "id", strconv.Quote(c.ID), "a name")
	_, err = parsePacket(c.Registration, c.ID)
	also("registration", err)
	check(c.RegistrationMode == RegisterOnConnect || c.RegistrationMode == RegisterWithData || c.RegistrationMode == RegisterBoth,
		"registrationMode", strconv.Quote(c.RegistrationMode), "connect, data or both")
	_, err = parsePacket(c.Heartbeat, c.ID)
	also("heartbeat", err)
	check(c.HeartbeatEvery >= time.Millisecond, "heartbeatEvery", c.HeartbeatEvery, "at least 1ms")
	check(c.Latency >= 0, "latency", c.Latency, "0 or more")
	check(c.Jitter >= 0, "jitter", c.Jitter, "0 or more")
	check(c.Push == 0 || c.Push >= time.Millisecond, "push", c.Push, "0 or at least 1ms")
	check(c.PushAddress >= 0 && c.PushAddress <= 0xffff, "pushAddress", c.PushAddress, "0 to 65535")
	check(c.PushQuantity > 0 && c.PushQuantity <= modbus.MaxReadRegisters && c.PushAddress+c.PushQuantity <= 1<<16,
		"pushQuantity", c.PushQuantity, "1 to 125, and not past register 65535")
	check(c.Duration >= 0, "duration", c.Duration, "0 or more")
	check(c.ConnectRate >= 0, "connectRate", c.ConnectRate, "0 or more")
	check(c.Churn >= 0 && c.Churn <= 6000, "churn", c.Churn, "0 to 6000")
	check(c.BackoffMin >= time.Millisecond, "backoffMin", c.BackoffMin, "at least 1ms")
	check(c.BackoffMax >= c.BackoffMin, "backoffMax", c.BackoffMax, "at least backoffMin")
	check(c.Workers >= 0 && c.Workers <= 256, "workers", c.Workers, "0 to 256")
	return errors.Join(append(errs, c.Faults.validate())...)
}

// parseUnits reads a list such as 1-4,7 of at least so many units.
func parseUnits(text string, least int) (units []uint8, err error) {
	var seen [256]bool
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		from, err := strconv.ParseUint(strings.TrimSpace(low), 10, 8)
		to, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 8)
		if err != nil || err2 != nil || from > to {
			return nil, fmt.Errorf("%q, want numbers from 0 to 255 such as 1-4,7", part)
		}
		for u := from; u <= to; u++ {
			if !seen[u] {
				seen[u] = true
				units = append(units, uint8(u))
			}
		}
	}
	if len(units) < least {
		return nil, fmt.Errorf("%q, want numbers from 0 to 255 such as 1-4,7", text)
	}
	return units, nil
}

// workers is Config.Workers with its default.
func (c Config) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return min(runtime.GOMAXPROCS(0), 4)
}
