package away

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/internal/alarmclock"
	"github.com/linkspan/linkspan/upstream"
)

// Config is how long devices may be away.
type Config struct {
	Hold        time.Duration `conf:"hold" doc:"how long a device whose connection has broken stays logged in at the platform, and may come back without the platform noticing; 0: not at all"`
	CommandTime time.Duration `conf:"commandTime" doc:"how long a command waits for its device to come back, unless the command itself says less; then the platform is told that the device did not come in time. 0: none waits, and the platform is told at once that the device is offline"`
	Commands    int           `conf:"commands" doc:"commands that may wait for one device; further ones fail"`
	MaxCommands int           `conf:"maxCommands" doc:"commands that may wait for all devices together; further ones fail"`
}

// DefaultConfig holds nobody.
func DefaultConfig() Config {
	return Config{CommandTime: time.Hour, Commands: 16, MaxCommands: 1 << 16}
}

func (c Config) check() error {
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
	return errors.Join(errs...)
}

const (
	tick    = 100 * time.Millisecond // how exactly devices and commands are timed
	longest = 30 * 24 * time.Hour
	most    = 1 << 24
)

// New returns next with devices that may be away. It reports every mistake in cfg
// at once.
func New(cfg Config, next upstream.Connector) (*Connector, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("away: configuration: %w", err)
	}
	return &Connector{
		cfg: cfg, next: next, logger: zap.NewNop(), entries: map[key]*entry{},
		clock: alarmclock.New[*entry](tick), done: make(chan struct{}),
	}, nil
}
