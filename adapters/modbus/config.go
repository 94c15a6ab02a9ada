package modbus

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/adapters/internal/check"
	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/adapters/modbus/registration"
	"github.com/linkspan/linkspan/codec/modbus"
)

// Config is a listener's section modbus.
type Config struct {
	Mode         string                    `conf:"mode" doc:"rtu: RTU frames, as DTUs pass them on; tcp: Modbus TCP; ascii"`
	Registration registration.Config       `conf:"registration" doc:"how DTUs say who they are; not for devices that linkspan connects to, which are called by their target"`
	Heartbeats   []string                  `conf:"heartbeats" doc:"what DTUs send to be heard, such as www.usr.cn or hex:FE; it is left out wherever it stands between frames. The registration packet is one as well"`
	Devices      string                    `conf:"devices" doc:"unit: each unit is a device of its own, called LINE/UNIT; line: the line is one device with the points of all units; both: each unit is a device, and the line is one without points"`
	Separator    string                    `conf:"separator" doc:"what stands between line and unit in the names of units' devices"`
	Profile      string                    `conf:"profile" doc:"the profile of the units of lines that no pattern in lines fits; not needed where there is one profile"`
	Units        []string                  `conf:"units" doc:"the units of these lines: numbers and ranges, as [1, 2, \"10-15\"]"`
	Lines        map[string]Line           `conf:"lines" doc:"lines that are different, by their name or a pattern with * and ?; a name in full comes first, then the longest pattern"`
	Profiles     map[string]profile.Config `conf:"profiles" doc:"what units' registers mean, by the profile's name"`
	Requests     Requests                  `conf:"requests" doc:"how units are asked"`
	Failures     Failures                  `conf:"failures" doc:"units that do not answer"`
	Commands     Commands                  `conf:"commands" doc:"commands to units"`
	Direct       Direct                    `conf:"direct" doc:"gateways that poll by themselves and push what they read"`
}

// Line is what is different about some lines.
type Line struct {
	Name  string          `conf:"name" doc:"what the line is called in place of its own name"`
	Units map[string]Unit `conf:"units" doc:"its units, by number or range, as 1 { profile = meter } or \"2-4\" { profile = pump }"`
}

// Unit is some units of a line.
type Unit struct {
	Profile string  `conf:"profile" doc:"their profile; default: the listener's"`
	Prefix  *string `conf:"prefix" doc:"with devices = line, what stands before the names of their points; default: u1_ for unit 1, and nothing where the line has one unit"`
}

// Requests is how units are asked.
type Requests struct {
	Timeout time.Duration  `conf:"timeout" doc:"how long a unit may take to answer; over mobile networks seconds"`
	Retries int            `conf:"retries" doc:"how often a request is repeated that was not answered"`
	Delay   *time.Duration `conf:"delay" doc:"pause on the line between an answer and the next request; default: 100ms, 0 with mode = tcp"`
	Quiet   time.Duration  `conf:"quiet" doc:"pause after a request that was not answered, so that an answer that comes late is not taken for that to the next one; not with mode = tcp, whose answers have numbers"`
	Spread  time.Duration  `conf:"spread" doc:"time over which the first polls of lines that connect together are spread"`
}

// Failures is what becomes of units that do not answer.
type Failures struct {
	Offline int           `conf:"offline" doc:"polls in a row without an answer, repetitions included as one, after which a unit's device goes offline; 0: never"`
	Min     time.Duration `conf:"min" doc:"pause before a unit is asked again that did not answer; it doubles with each further time"`
	Max     time.Duration `conf:"max" doc:"longest pause"`
	Silence time.Duration `conf:"silence" doc:"a connection on which nothing at all has come for so long, although units were asked, is closed; 0: never"`
	Login   time.Duration `conf:"login" doc:"pause before a unit whose login the platform refused, or whose session was ended, is brought online again"`
	Event   string        `conf:"event" doc:"name of the event that tells of a unit that refuses to be read; empty: none"`
}

// Commands is how commands are carried out.
type Commands struct {
	Most     int  `conf:"most" doc:"commands of one line under way at the same time"`
	ReadBack bool `conf:"readBack" doc:"read what was written; the command fails when the unit has kept another value"`
}

// Direct is about gateways that push what they read.
type Direct struct {
	Enabled bool `conf:"enabled" doc:"polls nothing, and takes frames that come unasked: answers that fit a request of the unit's profile, and writes"`
	Answer  bool `conf:"answer" doc:"answer writes that a gateway pushes, as a slave would"`
}

// The words that keys may be.
const (
	devicesUnit = "unit"
	devicesLine = "line"
	devicesBoth = "both"
)

const defaultDelay = 100 * time.Millisecond

// DefaultConfig is the configuration of someone who wrote nothing.
func DefaultConfig() Config {
	return Config{
		Mode:         modbus.RTU.String(),
		Registration: registration.DefaultConfig(),
		Devices:      devicesUnit,
		Separator:    "/",
		Units:        []string{"1"},
		Requests:     Requests{Timeout: 3 * time.Second, Retries: 1, Quiet: time.Second, Spread: 5 * time.Second},
		Failures:     Failures{Offline: 3, Min: 10 * time.Second, Max: 5 * time.Minute, Silence: 5 * time.Minute, Login: time.Minute, Event: "modbusFault"},
		Commands:     Commands{Most: 16},
		Direct:       Direct{Answer: true},
	}
}

// Sample implements protocol.Sampler: units' devices are called after their line.
func (c Config) Sample() (name, key string) {
	if c.Devices == devicesLine {
		return "", ""
	}
	return "line" + c.Separator + "1", "separator"
}

// validate reports all that makes no sense in c, but for what its lines and
// profiles are made of.
func (c *Config) validate() error {
	var l check.List
	span := func(key string, have, low, high time.Duration) {
		l.That(low <= have && have <= high, key, have, fmt.Sprintf("from %v to %v", low, high))
	}
	_, err := modbus.ParseMode(c.Mode)
	l.Of("mode", err)
	l.That(slices.Contains([]string{devicesUnit, devicesLine, devicesBoth}, c.Devices), "devices", c.Devices, "unit, line or both")
	l.That(len(c.Separator) <= 8 && !strings.ContainsFunc(c.Separator, func(r rune) bool { return r <= ' ' }), "separator", c.Separator, "at most 8 characters without blanks")
	l.That(c.Separator != "" || c.Devices == devicesLine, "separator", `""`, "one character or more: line 1 with unit 12 and line 11 with unit 2 would be called the same")
	for _, h := range c.Heartbeats {
		b, err := registration.Bytes(h)
		l.Of("heartbeats", err)
		if err == nil {
			l.That(len(b) > 0 && len(b) <= maxHeartbeat, "heartbeats", fmt.Sprintf("%q", h), fmt.Sprintf("1 to %d bytes", maxHeartbeat))
		}
	}
	r, f := &c.Requests, &c.Failures
	span("requests.timeout", r.Timeout, 100*time.Millisecond, time.Minute)
	l.That(0 <= r.Retries && r.Retries <= 10, "requests.retries", r.Retries, "from 0 to 10")
	if r.Delay != nil {
		span("requests.delay", *r.Delay, 0, time.Minute)
	}
	span("requests.quiet", r.Quiet, 0, time.Minute)
	span("requests.spread", r.Spread, 0, time.Hour)
	l.That(0 <= f.Offline && f.Offline <= 1000, "failures.offline", f.Offline, "from 0 to 1000")
	span("failures.min", f.Min, time.Second, time.Hour)
	span("failures.max", f.Max, f.Min, 24*time.Hour)
	span("failures.silence", f.Silence, 0, 24*time.Hour)
	span("failures.login", f.Login, time.Second, 24*time.Hour)
	l.That(1 <= c.Commands.Most && c.Commands.Most <= 1024, "commands.most", c.Commands.Most, "from 1 to 1024")
	return l.Err()
}

// maxHeartbeat is how long a heartbeat may be in bytes.
const maxHeartbeat = 80
