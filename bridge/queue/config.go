package queue

import (
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan/bridge/queue/segment"
)

// What a queue does; see [Config].Mode.
const (
	ModeOff   = "off"   // there is no queue
	ModeOn    = "on"    // every message is stored first
	ModeSpill = "spill" // messages are stored when they cannot be delivered at once
)

// tick is how exactly devices are timed.
const tick = 20 * time.Millisecond

// Config is the data a [Connector] is made with.
type Config struct {
	Mode      string        `conf:"mode" doc:"off; on: every message is stored before it is forwarded; spill: only what the platform cannot be given at once"`
	Listeners []string      `conf:"listeners" doc:"only for devices that come through these listeners; none: all"`
	Products  []string      `conf:"products" doc:"only for devices with these product keys; none: all"`
	Directory string        `conf:"directory" doc:"where the log is; empty: queue in data.directory"`
	Dead      DeadConfig    `conf:"dead" doc:"messages that cannot be delivered"`
	LoginWait time.Duration `conf:"loginWait" doc:"how long a device waits for its login before it is admitted provisionally"`
	Away      time.Duration `conf:"away" doc:"how long a device with stored messages may be gone before the queue logs it in itself"`
	Guests    int           `conf:"guests" doc:"devices that the queue itself may have logged in at the same time; 0: none, their messages wait until they come back"`
	Retry     RetryConfig   `conf:"retry" doc:"pauses between attempts of one device"`
	Poison    int           `conf:"poison" doc:"how often the platform refuses a stored message, or the login of its device, for good before it is a dead letter"`
	Window    WindowConfig  `conf:"window" doc:"stored messages that are in memory on their way to the platform"`
	segment.Config
}

// DeadConfig is the log of dead letters.
type DeadConfig struct {
	Directory string `conf:"directory" doc:"where dead letters are; empty: dead in data.directory"`
	MaxBytes  int64  `conf:"maxBytes,bytes" doc:"disk space of dead letters; the oldest are dropped"`
}

// RetryConfig is the pauses between attempts of one device, which double from Min to
// Max.
type RetryConfig struct {
	Min time.Duration `conf:"min" doc:"the first pause"`
	Max time.Duration `conf:"max" doc:"the longest pause"`
}

// WindowConfig bounds stored messages in memory.
type WindowConfig struct {
	Records int   `conf:"records" doc:"of all devices"`
	Bytes   int64 `conf:"bytes,bytes" doc:"of all devices"`
	Device  int   `conf:"device" doc:"of one device"`
}

// DefaultConfig has no queue; with another mode it suits a bridge on a cloud disk.
func DefaultConfig() Config {
	return Config{
		Mode:      ModeOff,
		Dead:      DeadConfig{MaxBytes: 256 << 20},
		LoginWait: 3 * time.Second,
		Away:      10 * time.Second,
		Guests:    1024,
		Retry:     RetryConfig{Min: 500 * time.Millisecond, Max: 15 * time.Second},
		Poison:    3,
		Window:    WindowConfig{Records: 16384, Bytes: 64 << 20, Device: 256},
		Config:    segment.DefaultConfig(),
	}
}

// Check returns all that cannot be, joined; nil when there is nothing.
func (c Config) Check() error {
	var errs []error
	if c.Mode != ModeOff && c.Mode != ModeOn && c.Mode != ModeSpill {
		errs = append(errs, fmt.Errorf("mode is %q, want %q, %q or %q", c.Mode, ModeOff, ModeOn, ModeSpill))
	}
	for _, n := range []struct {
		key              string
		value, low, high int64
	}{
		{"dead.maxBytes", c.Dead.MaxBytes, 2 * deadSegment, 1 << 50},
		{"guests", int64(c.Guests), 0, 1 << 20},
		{"poison", int64(c.Poison), 1, 1000},
		{"window.records", int64(c.Window.Records), 1, 1 << 24},
		{"window.bytes", c.Window.Bytes, 1, 1 << 40},
		{"window.device", int64(c.Window.Device), 1, 1 << 20},
	} {
		if n.value < n.low || n.value > n.high {
			errs = append(errs, fmt.Errorf("%s is %d, want %d to %d", n.key, n.value, n.low, n.high))
		}
	}
	for _, d := range []struct {
		key              string
		value, low, high time.Duration
	}{
		{"loginWait", c.LoginWait, tick, time.Hour},
		{"away", c.Away, 0, 24 * time.Hour},
		{"retry.min", c.Retry.Min, time.Millisecond, time.Hour},
		{"retry.max", c.Retry.Max, c.Retry.Min, 24 * time.Hour},
	} {
		if d.value < d.low || d.value > d.high {
			errs = append(errs, fmt.Errorf("%s is %s, want %s to %s", d.key, d.value, d.low, d.high))
		}
	}
	if err := c.Config.Check(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
