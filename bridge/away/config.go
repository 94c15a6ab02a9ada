package away

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/internal/alarmclock"
	"github.com/linkspan/linkspan/upstream"
)

// Where commands wait; see [Config].Keep.
const (
	KeepHold   = "hold"   // in memory, until their device is logged out
	KeepMemory = "memory" // in memory, also while their device is logged out
	KeepDisk   = "disk"   // on the disk, also for the next process
)

// Config is how long devices may be away, and their commands wait.
type Config struct {
	Hold        time.Duration `conf:"hold" doc:"how long a device whose connection has broken stays logged in at the platform, and may come back without the platform noticing; 0: not at all, and no command waits"`
	CommandTime time.Duration `conf:"commandTime" doc:"how long a command waits for its device to come back, unless the command itself says less; then the platform is told that the device did not come in time. 0: none waits, and the platform is told at once that the device is offline"`
	Keep        string        `conf:"keep" doc:"where commands wait: disk (in data.directory, they outlive the process), memory, or hold (in memory and no longer than the device is held; then the platform is told that it is offline); empty: disk when there is a queue or data.directory is set, otherwise memory"`
	Commands    int           `conf:"commands" doc:"commands that may wait for one device; further ones fail"`
	MaxCommands int           `conf:"maxCommands" doc:"commands that may wait for all devices together; further ones fail"`
	MaxBytes    int64         `conf:"maxBytes,bytes" doc:"bytes of all commands that wait, with 100 for each; further ones fail"`
}

// DefaultConfig holds nobody.
func DefaultConfig() Config {
	return Config{CommandTime: time.Hour, Commands: 16, MaxCommands: 1 << 16, MaxBytes: 64 << 20}
}

// Check returns all that cannot be, joined; nil when there is nothing.
func (c Config) Check() error {
	var errs []error
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"hold", c.Hold}, {"commandTime", c.CommandTime}} {
		if d.value < 0 || d.value > longest {
			errs = append(errs, fmt.Errorf("%s is %s, want 0 to %s", d.key, d.value, longest))
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"commands", c.Commands}, {"maxCommands", c.MaxCommands}} {
		if n.value < 1 || n.value > most {
			errs = append(errs, fmt.Errorf("%s is %d, want 1 to %d", n.key, n.value, most))
		}
	}
	if c.MaxBytes < 1 {
		errs = append(errs, fmt.Errorf("maxBytes is %d, want 1 or more", c.MaxBytes))
	}
	switch c.Keep {
	case "", KeepHold, KeepMemory, KeepDisk:
	default:
		errs = append(errs, fmt.Errorf("keep is %q, want %q, %q or %q", c.Keep, KeepDisk, KeepMemory, KeepHold))
	}
	return errors.Join(errs...)
}

const (
	tick    = 100 * time.Millisecond // how exactly devices and commands are timed
	longest = 30 * 24 * time.Hour
	most    = 1 << 24
	// remembered is how long it is remembered that the platform has to be told of a command
	// whose time was over while its device was logged out.
	remembered = 24 * time.Hour
)

// Disk says where and how commands wait that are to outlive the process.
type Disk struct {
	Directory     string        // made when there is none; one process at a time
	Sync          string        // see segment.Config; empty: batch
	MinFree       int64         // bytes left free on the disk for others
	EncryptionKey auth.Secret   // as segment.Config has it; empty: not encrypted
	FormerKeys    []auth.Secret // of older records
}

// Option gives a [Connector] what it works with.
type Option func(*Connector)

// WithDisk says where commands wait. Without it they are in memory alone.
func WithDisk(d Disk) Option { return func(c *Connector) { c.disk = &d } }

// New returns next with devices that may be away. It reports every mistake in cfg
// at once.
func New(cfg Config, next upstream.Connector, options ...Option) (*Connector, error) {
	c := &Connector{
		cfg: cfg, next: next, logger: zap.NewNop(), seats: map[key]*seat{},
		clock: alarmclock.New[*seat](tick), done: make(chan struct{}), remembers: remembered,
	}
	for _, o := range options {
		o(c)
	}
	err := cfg.Check()
	if cfg.Keep == KeepDisk && c.disk == nil {
		err = errors.Join(err, fmt.Errorf("keep is %q and there is no disk", cfg.Keep))
	}
	if err != nil {
		return nil, fmt.Errorf("away: configuration: %w", err)
	}
	if cfg.Keep != "" && cfg.Keep != KeepDisk {
		c.disk = nil
	}
	return c, nil
}
