package jt808

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// Config says what the fleet does. Shares are numbers from 0 to 1.
type Config struct {
	Target      string        `conf:"target" doc:"host:port that terminals connect to"`
	Devices     int           `conf:"devices" doc:"simulated terminals"`
	Rate        float64       `conf:"rate" doc:"location reports per second of each terminal: 0.1 is one in ten seconds, 0 none"`
	Duration    time.Duration `conf:"duration" doc:"end after so long; 0: when told to"`
	FirstPhone  string        `conf:"firstPhone" doc:"phone number of the first terminal; the others have those that follow"`
	Versions    string        `conf:"versions" doc:"editions of the standard that terminals speak, with weights if there are several, such as 2011=1,2013=3,2019=6"`
	Seed        uint64        `conf:"seed" doc:"chooses everything that is random: routes, alarms, churn"`
	Heartbeat   time.Duration `conf:"heartbeat" doc:"time between heartbeats of a terminal, until parameter 0x0001 is set; 0: none"`
	ConnectRate float64       `conf:"connectRate" doc:"connections per second that the whole fleet opens when it starts; 0: as many as it can"`

	Churn     float64 `conf:"churn" doc:"connections that each terminal breaks off per minute, on average"`
	Alarms    float64 `conf:"alarms" doc:"share of reports, from 0 to 1, that raise an alarm"`
	Batch     float64 `conf:"batch" doc:"share of reports, from 0 to 1, that are collected and sent in batches (message 0x0704)"`
	BatchSize int     `conf:"batchSize" doc:"most reports of a batch; more than 12 or so make a message of several packages"`
	Number    string  `conf:"number" doc:"where a report carries its number, counted from 1 for each terminal: item (vendor item 0xF0, 8 bytes), mileage (instead of the distance driven), none"`

	AckTimeout time.Duration `conf:"ackTimeout" doc:"time without an answer after which a message is sent again"`
	Retries    int           `conf:"retries" doc:"how often a message is sent again before the connection is given up"`
	Pending    int           `conf:"pending" doc:"reports that a terminal keeps until they are acknowledged; with more the oldest is lost"`
	BackoffMin time.Duration `conf:"backoffMin" doc:"wait before the first attempt to connect again; each further one waits up to twice as long"`
	BackoffMax time.Duration `conf:"backoffMax" doc:"longest wait before an attempt to connect again"`

	Refuse      float64       `conf:"refuse" doc:"share of commands, from 0 to 1, that are refused (message 0x0001 with result 1)"`
	AnswerDelay time.Duration `conf:"answerDelay" doc:"time after which a terminal answers a command; 0: at once"`

	Sources []string `conf:"sources" doc:"own addresses that terminals connect from, in turn; none: the system's choice, and for loopback targets one 127.0.0.x for each 20000 terminals"`
	Workers int      `conf:"workers" doc:"goroutines that do what is due; 0: one for each CPU, at most 4"`

	Faults Faults `conf:"faults" doc:"shares of terminals that misbehave"`
}

// Values of [Config.Number].
const (
	NumberNone    = "none"
	NumberItem    = "item"
	NumberMileage = "mileage"
)

// NumberItemID is the additional item of a location report that carries the
// report's number with [NumberItem]: eight bytes, most significant first.
const NumberItemID jt808.ExtraID = 0xF0

// maxPending keeps the serial numbers of what is under way apart.
const maxPending = 1 << 15

// perSource is how many terminals share a source address: one has about 28,000
// ports of its own.
const perSource = 20_000

// DefaultConfig are ten terminals of all editions that report once a second to
// 127.0.0.1:7611.
func DefaultConfig() Config {
	return Config{
		Target: "127.0.0.1:7611", Devices: 10, Rate: 1, FirstPhone: "13800138001", Versions: "2011=1,2013=4,2019=5", Seed: 1,
		Heartbeat: 30 * time.Second, ConnectRate: 1000,
		Alarms: 0.005, Batch: 0.01, BatchSize: 10, Number: NumberNone,
		AckTimeout: 10 * time.Second, Retries: 3, Pending: 1024, BackoffMin: time.Second, BackoffMax: 30 * time.Second,
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
	share := func(key string, v float64) { check(v >= 0 && v <= 1, key, v, "a share from 0 to 1") }
	if _, _, err := net.SplitHostPort(c.Target); err != nil {
		errs = append(errs, fmt.Errorf("simulate: target: %w; write host:port", err))
	}
	check(c.Devices > 0 && c.Devices <= 1_000_000, "devices", c.Devices, "1 to 1000000")
	check(c.Rate >= 0 && c.Rate <= 10_000, "rate", c.Rate, "0 to 10000")
	check(c.Duration >= 0, "duration", c.Duration, "0 or more")
	check(c.Heartbeat == 0 || c.Heartbeat >= time.Millisecond, "heartbeat", c.Heartbeat, "0 or at least 1ms")
	check(c.ConnectRate >= 0, "connectRate", c.ConnectRate, "0 or more")
	check(c.Churn >= 0 && c.Churn <= 6000, "churn", c.Churn, "0 to 6000")
	share("alarms", c.Alarms)
	share("batch", c.Batch)
	check(c.BatchSize > 0 && c.BatchSize <= 500, "batchSize", c.BatchSize, "1 to 500")
	check(c.Number == NumberNone || c.Number == NumberItem || c.Number == NumberMileage, "number", strconv.Quote(c.Number), "none, item or mileage")
	check(c.AckTimeout >= time.Millisecond, "ackTimeout", c.AckTimeout, "at least 1ms")
	check(c.Retries >= 0 && c.Retries <= 20, "retries", c.Retries, "0 to 20")
	check(c.Pending > 0 && c.Pending <= maxPending, "pending", c.Pending, "1 to 32768: serial numbers have 16 bits")
	check(c.BackoffMin >= time.Millisecond, "backoffMin", c.BackoffMin, "at least 1ms")
	check(c.BackoffMax >= c.BackoffMin, "backoffMax", c.BackoffMax, "at least backoffMin")
	share("refuse", c.Refuse)
	check(c.AnswerDelay >= 0, "answerDelay", c.AnswerDelay, "0 or more")
	check(c.Workers >= 0 && c.Workers <= 256, "workers", c.Workers, "0 to 256")
	for _, a := range c.Sources {
		check(net.ParseIP(a) != nil, "sources", strconv.Quote(a), "IP addresses")
	}
	if _, err := parseVersions(c.Versions); err != nil {
		errs = append(errs, err)
	}
	if err := checkPhones(c.FirstPhone, c.Devices); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, c.Faults.validate())...)
}

// checkPhones makes sure that there are enough numbers from first on.
func checkPhones(first string, devices int) error {
	n, err := strconv.ParseUint(first, 10, 64)
	if err != nil || len(first) > 12 || n == 0 {
		return fmt.Errorf("simulate: firstPhone: %q, must be at most 12 decimal digits, and not 0", first)
	}
	if n+uint64(max(devices, 1))-1 > 999_999_999_999 { //nolint:gosec // positive
		return fmt.Errorf("simulate: firstPhone: from %s on there are no %d numbers of 12 digits", first, devices)
	}
	return nil
}

// versionShare is an edition and the sum of the weights up to and with its own.
type versionShare struct {
	version jt808.Version
	upTo    float64
}

// parseVersions reads Config.Versions; the last upTo is the sum of all weights.
func parseVersions(text string) (mix []versionShare, err error) {
	sum := 0.0
	for part := range strings.SplitSeq(text, ",") {
		name, weight, weighed := strings.Cut(strings.TrimSpace(part), "=")
		w := 1.0
		if weighed {
			w, err = strconv.ParseFloat(weight, 64)
			if err != nil || !(w >= 0 && w < 1e9) {
				return nil, fmt.Errorf("simulate: versions: weight %q of %s must be a number, 0 or more", weight, name)
			}
		}
		v, ok := map[string]jt808.Version{"2011": jt808.V2011, "2013": jt808.V2013, "2019": jt808.V2019}[name]
		if !ok {
			return nil, fmt.Errorf("simulate: versions: no edition %q; write 2011, 2013, 2019 or weights such as 2013=3,2019=1", name)
		}
		sum += w
		mix = append(mix, versionShare{v, sum})
	}
	if sum <= 0 {
		return nil, fmt.Errorf("simulate: versions: %q: one weight must be above 0", text)
	}
	return mix, nil
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
