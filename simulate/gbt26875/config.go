package gbt26875

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
)

// Config says what the fleet does. Shares are numbers from 0 to 1.
type Config struct {
	Target       string        `conf:"target" doc:"host:port of the centre that panels connect to"`
	Network      string        `conf:"network" doc:"tcp or udp"`
	Devices      int           `conf:"devices" doc:"simulated panels"`
	FirstAddress string        `conf:"firstAddress" doc:"source address of the first panel, 12 hexadecimal digits as on the wire, the low byte in front; the others count from it"`
	Centre       string        `conf:"centre" doc:"address of the centre, 12 hexadecimal digits as on the wire"`
	Parts        int           `conf:"parts" doc:"detectors, call points and tanks behind each panel"`
	Duration     time.Duration `conf:"duration" doc:"end after so long; 0: when told to"`
	Seed         uint64        `conf:"seed" doc:"chooses everything that is random: fires, faults, churn, clocks"`

	Rate          float64       `conf:"rate" doc:"routine reports per second of each panel, in turn of types 1, 2, 3 and 21: 0.05 is one in 20 seconds, 0 none"`
	Heartbeat     time.Duration `conf:"heartbeat" doc:"time between heartbeats of a panel; 0: none"`
	HeartbeatForm string        `conf:"heartbeatForm" doc:"what a heartbeat is: empty (command 2 without data), byte (command 2 with 0x16), confirm (command 3), state (type 21), mixed (each panel one of these)"`

	Fires      float64       `conf:"fires" doc:"fires that break out at each panel per hour, on average"`
	PartFaults float64       `conf:"partFaults" doc:"parts of each panel that become faulty per hour, on average"`
	Lasts      time.Duration `conf:"lasts" doc:"how long such a fire or fault lasts"`
	Numbers    bool          `conf:"numbers" doc:"fires carry their number at the end of the description, such as #12, counted from 1 for each panel"`
	Script     string        `conf:"script" doc:"file that says what happens when: lines of time, panels, event and part, such as 10s 1-5 fire 3"`

	ClockOffset time.Duration `conf:"clockOffset" doc:"up to how much clocks are wrong at the beginning, fast or slow"`
	ClockDrift  float64       `conf:"clockDrift" doc:"up to how many seconds a day clocks gain or lose"`
	PostAnswer  time.Duration `conf:"postAnswer" doc:"time after which somebody at the post answers a check; 0: nobody is there"`
	Refuse      float64       `conf:"refuse" doc:"share of controls and requests, from 0 to 1, that are denied (command 6)"`

	AckTimeout time.Duration `conf:"ackTimeout" doc:"time without a confirmation after which a frame is sent again"`
	Retries    int           `conf:"retries" doc:"how often a frame is sent again before the connection is given up"`
	Window     int           `conf:"window" doc:"frames of a panel that wait for their confirmation at once; 1 is what most devices do"`
	Pending    int           `conf:"pending" doc:"reports that a panel keeps until they are confirmed; with more the oldest is lost"`

	ConnectRate float64       `conf:"connectRate" doc:"connections per second that the whole fleet opens when it starts; 0: as many as it can"`
	Churn       float64       `conf:"churn" doc:"connections that each panel breaks off per minute, on average"`
	BackoffMin  time.Duration `conf:"backoffMin" doc:"wait before the first attempt to connect again; each further one waits up to twice as long"`
	BackoffMax  time.Duration `conf:"backoffMax" doc:"longest wait before an attempt to connect again"`
	Sources     []string      `conf:"sources" doc:"own addresses that panels connect from, in turn; none: the system's choice, and for loopback targets one 127.0.0.x for each 20000 panels"`
	Workers     int           `conf:"workers" doc:"goroutines that do what is due; 0: one for each CPU, at most 4"`

	Faults Faults `conf:"faults" doc:"shares of panels that misbehave"`
}

// Values of [Config.Network].
const (
	NetworkTCP = "tcp"
	NetworkUDP = "udp"
)

// Values of [Config.HeartbeatForm]. The standard has no heartbeat: these are
// what devices send.
const (
	HeartbeatEmpty   = "empty"
	HeartbeatByte    = "byte"
	HeartbeatConfirm = "confirm"
	HeartbeatState   = "state"
	HeartbeatMixed   = "mixed"
)

var heartbeatForms = []string{HeartbeatEmpty, HeartbeatByte, HeartbeatConfirm, HeartbeatState}

const (
	maxParts   = 1024
	maxPending = 1024 // keeps the serial numbers of what is under way apart
)

// perSource is how many panels share a source address: one has about 28,000 ports
// of its own.
const perSource = 20_000

// DefaultConfig are ten panels with 16 parts each that tell something every ten
// seconds to 127.0.0.1:5200.
func DefaultConfig() Config {
	return Config{
		Target: "127.0.0.1:5200", Network: NetworkTCP, Devices: 10, FirstAddress: "010000000000", Centre: "385b01000000", Parts: 16, Seed: 1,
		Rate: 0.1, Heartbeat: 30 * time.Second, HeartbeatForm: HeartbeatState,
		Fires: 1, PartFaults: 1, Lasts: 30 * time.Second, PostAnswer: 3 * time.Second,
		AckTimeout: 10 * time.Second, Retries: 2, Window: 1, Pending: 64,
		ConnectRate: 1000, BackoffMin: time.Second, BackoffMax: 30 * time.Second,
	}
}

// Validate reports all that makes no sense in c. It does not read the script.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, key string, got any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("simulate: %s: %v, must be %s", key, got, want))
		}
	}
	if _, _, err := net.SplitHostPort(c.Target); err != nil {
		errs = append(errs, fmt.Errorf("simulate: target: %w; write host:port", err))
	}
	if _, err := gbt26875.ParseAddress(c.FirstAddress); err != nil {
		errs = append(errs, fmt.Errorf("simulate: firstAddress: %w", err))
	}
	if _, err := gbt26875.ParseAddress(c.Centre); err != nil {
		errs = append(errs, fmt.Errorf("simulate: centre: %w", err))
	}
	check(c.Network == NetworkTCP || c.Network == NetworkUDP, "network", strconv.Quote(c.Network), "tcp or udp")
	check(c.Devices > 0 && c.Devices <= 1_000_000, "devices", c.Devices, "1 to 1000000")
	check(c.Parts > 0 && c.Parts <= maxParts, "parts", c.Parts, "1 to 1024")
	check(c.Duration >= 0, "duration", c.Duration, "0 or more")
	check(c.Rate >= 0 && c.Rate <= 10_000, "rate", c.Rate, "0 to 10000")
	check(c.Heartbeat == 0 || c.Heartbeat >= time.Millisecond, "heartbeat", c.Heartbeat, "0 or at least 1ms")
	check(c.formOf(0) != "", "heartbeatForm", strconv.Quote(c.HeartbeatForm), "empty, byte, confirm, state or mixed")
	check(c.Fires >= 0 && c.Fires <= 1e6, "fires", c.Fires, "0 to 1000000")
	check(c.PartFaults >= 0 && c.PartFaults <= 1e6, "partFaults", c.PartFaults, "0 to 1000000")
	check(c.Lasts >= time.Millisecond, "lasts", c.Lasts, "at least 1ms")
	check(c.ClockOffset >= 0, "clockOffset", c.ClockOffset, "0 or more")
	check(c.ClockDrift >= 0 && c.ClockDrift < 86400, "clockDrift", c.ClockDrift, "0 to 86400")
	check(c.PostAnswer >= 0, "postAnswer", c.PostAnswer, "0 or more")
	check(c.Refuse >= 0 && c.Refuse <= 1, "refuse", c.Refuse, "a share from 0 to 1")
	check(c.AckTimeout >= time.Millisecond, "ackTimeout", c.AckTimeout, "at least 1ms")
	check(c.Retries >= 0 && c.Retries <= 20, "retries", c.Retries, "0 to 20")
	check(c.Pending > 0 && c.Pending <= maxPending, "pending", c.Pending, "1 to 1024")
	check(c.Window > 0 && c.Window <= maxPending, "window", c.Window, "1 to 1024")
	check(c.ConnectRate >= 0, "connectRate", c.ConnectRate, "0 or more")
	check(c.Churn >= 0 && c.Churn <= 6000, "churn", c.Churn, "0 to 6000")
	check(c.BackoffMin >= time.Millisecond, "backoffMin", c.BackoffMin, "at least 1ms")
	check(c.BackoffMax >= c.BackoffMin, "backoffMax", c.BackoffMax, "at least backoffMin")
	check(c.Workers >= 0 && c.Workers <= 256, "workers", c.Workers, "0 to 256")
	for _, a := range c.Sources {
		check(net.ParseIP(a) != nil, "sources", strconv.Quote(a), "IP addresses")
	}
	return errors.Join(append(errs, c.Faults.validate())...)
}

// formOf is the form of panel i's heartbeats; empty if there is none such.
func (c Config) formOf(i int) string {
	for _, form := range heartbeatForms {
		if c.HeartbeatForm == form {
			return form
		}
	}
	if c.HeartbeatForm == HeartbeatMixed {
		return heartbeatForms[i%len(heartbeatForms)]
	}
	return ""
}

// workers is Config.Workers with its default.
func (c Config) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return min(runtime.GOMAXPROCS(0), 4)
}

// sources is Config.Sources with its default; nil is the system's choice.
func (c Config) sources() []net.IP {
	var ips []net.IP
	for _, a := range c.Sources {
		ips = append(ips, net.ParseIP(a))
	}
	host, _, _ := net.SplitHostPort(c.Target) // it was checked
	ip := net.ParseIP(host)
	if len(ips) > 0 || c.Devices <= perSource || host != "localhost" && (ip == nil || !ip.IsLoopback() || ip.To4() == nil) {
		return ips
	}
	for i := range min((c.Devices+perSource-1)/perSource, 250) {
		ips = append(ips, net.IPv4(127, 0, 0, byte(2+i)))
	}
	return ips
}
