package bridge

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/session"
)

// tick is how exactly commands and logins are timed.
const tick = 100 * time.Millisecond

// Config is the data a [Bridge] is made with.
type Config struct {
	MaxInFlight        int            `conf:"maxInFlight" doc:"messages of all devices that may be on their way to the platform"`
	MaxSessionInFlight int            `conf:"maxSessionInFlight" doc:"messages of one device that may be on their way to the platform"`
	LoginTimeout       time.Duration  `conf:"loginTimeout" doc:"how long the platform may take to log a device in"`
	LoginRate          int            `conf:"loginRate" doc:"devices that may begin to log in within a second, on average; more wait for their turn, listener by listener; 0: no limit"`
	LoginBurst         int            `conf:"loginBurst" doc:"devices that may begin to log in at once after a quiet time"`
	LoginQueue         int            `conf:"loginQueue" doc:"devices that may wait for their turn to log in; further ones are refused"`
	LoginWait          time.Duration  `conf:"loginWait" doc:"how long a device may wait for its turn to log in; then it is refused, unless its connection has ended before, for which see limits.login of its listener"`
	CommandTimeout     time.Duration  `conf:"commandTimeout" doc:"how long a device may take to reply to a command that says nothing else"`
	MaxCommands        int            `conf:"maxCommands" doc:"commands that one device may have under way; further ones fail"`
	AuthTimeout        time.Duration  `conf:"authTimeout" doc:"how long a local check of a device's credentials may take"`
	AuthWorkers        int            `conf:"authWorkers" doc:"local checks of credentials at the same time"`
	AuthQueue          int            `conf:"authQueue" doc:"devices that may wait for a local check; further ones are refused"`
	DownlinkWorkers    int            `conf:"downlinkWorkers" doc:"calls of the downlink handler at the same time"`
	DownlinkQueue      int            `conf:"downlinkQueue" doc:"commands that may wait for each downlink worker; further ones fail"`
	Sessions           session.Config `conf:"sessions" doc:"the session table, unless there is another manager"`
}

// DefaultConfig suits a million devices.
func DefaultConfig() Config {
	return Config{
		MaxInFlight:        1 << 18,
		MaxSessionInFlight: 2048,
		LoginTimeout:       time.Minute,
		LoginRate:          5000,
		LoginBurst:         10000,
		LoginQueue:         1 << 18,
		LoginWait:          time.Minute,
		CommandTimeout:     time.Minute,
		MaxCommands:        16,
		AuthTimeout:        10 * time.Second,
		AuthWorkers:        8,
		AuthQueue:          4096,
		DownlinkWorkers:    8,
		DownlinkQueue:      1024,
		Sessions:           session.DefaultConfig(),
	}
}

// Check returns all that cannot be, each beginning with its key; nil when there
// is nothing. [New] does not look at Sessions when it is given other ones.
func (c Config) Check() error {
	if errs := append(c.check(), sessionsErrors(c.Sessions.Check())...); len(errs) > 0 {
		return configurationError(errs)
	}
	return nil
}

// sessionsErrors are the mistakes of the section sessions, each with its whole key.
func sessionsErrors(err error) []error {
	var errs []error
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			errs = append(errs, fmt.Errorf("sessions.%w", e))
		}
	}
	return errs
}

func (c Config) check() []error {
	var errs []error
	for _, n := range []struct {
		key        string
		value, max int
	}{
		{"maxInFlight", c.MaxInFlight, 1 << 30},
		{"maxSessionInFlight", c.MaxSessionInFlight, 1 << 30},
		{"loginBurst", c.LoginBurst, 1 << 24},
		{"loginQueue", c.LoginQueue, 1 << 24},
		{"maxCommands", c.MaxCommands, 1 << 15},
		{"authWorkers", c.AuthWorkers, 1 << 16},
		{"authQueue", c.AuthQueue, 1 << 24},
		{"downlinkWorkers", c.DownlinkWorkers, 1 << 16},
		{"downlinkQueue", c.DownlinkQueue, 1 << 24},
	} {
		if n.value < 1 || n.value > n.max {
			errs = append(errs, fmt.Errorf("%s is %d, want 1 to %d", n.key, n.value, n.max))
		}
	}
	if c.LoginRate < 0 || c.LoginRate > 1<<24 {
		errs = append(errs, fmt.Errorf("loginRate is %d, want 0, for no limit, to %d", c.LoginRate, 1<<24))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"loginTimeout", c.LoginTimeout}, {"loginWait", c.LoginWait}, {"commandTimeout", c.CommandTimeout}, {"authTimeout", c.AuthTimeout}} {
		if d.value < tick {
			errs = append(errs, fmt.Errorf("%s is %s, want at least %s", d.key, d.value, tick))
		}
	}
	return errs
}

// Devices knows which platform identity a device's own name stands for.
// Implementations come from package config/devices.
type Devices interface {
	// Identity returns ErrUnknownDevice, wrapped or not, for a name that stands
	// for none, and another error when it could not find out. It may be called
	// from any goroutine and is a look-up in memory, for event loops call it; see
	// [WithSlowDevices] for one that is not.
	Identity(name string) (auth.Identity, error)
}

// Sessions is what holds the sessions: [session.Memory], or another.
type Sessions interface {
	session.Manager
	session.Directory
}

// runner is implemented by session managers that have something to run.
type runner interface {
	Start()
	Stop()
}

// expirer is implemented by session managers that watch heartbeats.
type expirer interface {
	OnTimeout(f func(*session.Session))
}

// Option gives a [Bridge] what it works with.
type Option func(*Bridge)

// WithLogger makes the bridge log; it is silent otherwise. What a device can
// cause is logged at a limited rate.
func WithLogger(l *zap.Logger) Option { return func(b *Bridge) { b.logger = l } }

// WithSessions makes m hold the sessions. The bridge starts and stops it when
// it has the methods Start and Stop, and ends sessions that time out itself when
// it has OnTimeout, as session.Memory does.
func WithSessions(m Sessions) Option { return func(b *Bridge) { b.sessions = m } }

// WithListener tells l what happens to sessions; see there for its rules. It
// has no effect with WithSessions, whose manager has its own.
func WithListener(l session.Listener) Option { return func(b *Bridge) { b.listener = l } }

// WithAuth checks devices' own credentials before the platform is asked, on
// goroutines of the bridge's (Config.AuthWorkers). [auth.None], as nil, checks
// nothing. The bridge does not close p.
func WithAuth(p auth.Provider) Option {
	return func(b *Bridge) {
		if _, none := p.(auth.None); none {
			p = nil
		}
		b.auth = p
	}
}

// WithSlowDevices looks devices up on the goroutines that check credentials, for
// Devices that ask a database or a server.
func WithSlowDevices() Option { return func(b *Bridge) { b.slow = true } }

// WithDownlink makes h tell devices whose channel is no [Commander]. Without it
// such commands are refused and counted.
func WithDownlink(h DownlinkHandler) Option { return func(b *Bridge) { b.downlink = h } }

func configurationError(errs []error) error {
	return fmt.Errorf("bridge: configuration: %w", errors.Join(errs...))
}
