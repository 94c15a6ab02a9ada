// Package attempts slows down who fails to log in: guessed credentials, a device
// that was removed and does not know it, a scanner.
//
// A [Guard] counts failures that mean no (auth.ErrDenied); a platform that is away
// or a login that timed out is nobody's fault. After some, the same device name
// from the same address has to pause, longer with each further failure. The same
// name from elsewhere need not: nobody can lock a device out by using its name.
// An address with many failures, whatever the names, can be banned for a while.
// Attempts under way count as failures until their outcome is known, so that many at
// once get no more tries than one after the other.
package attempts

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// Config is how many failures are too many.
type Config struct {
	Free     int           `conf:"free" doc:"failed logins of one device name from one address before the first pause; 0: there are no pauses"`
	Pause    time.Duration `conf:"pause" doc:"the first pause; it doubles with each further failure"`
	MaxPause time.Duration `conf:"maxPause" doc:"the longest pause"`

	PerAddress int           `conf:"perAddress" doc:"failed logins of one address (IPv6: of one /64 network) within window after which its connections are refused for ban; 0: never, for many devices may share the address of a mobile network"`
	Window     time.Duration `conf:"window" doc:"time in which perAddress counts"`
	Ban        time.Duration `conf:"ban" doc:"how long the connections of such an address are refused"`
	AtOnce     int           `conf:"atOnce" doc:"logins of one address (IPv6: of one /64 network) that may be under way at the same time, those that wait for their turn among them; further ones are refused; 0: no limit, for many devices may share the address of a mobile network"`
	Trusted    []string      `conf:"trusted" doc:"addresses and networks that are never banned and may have any number of logins under way, such as 10.0.0.0/8"`

	MaxEntries int `conf:"maxEntries" doc:"names and addresses whose failures are remembered; above, some are forgotten"`
}

// DefaultConfig lets devices pause and bans nobody.
func DefaultConfig() Config {
	return Config{
		Free: 5, Pause: time.Second, MaxPause: time.Minute,
		Window: time.Minute, Ban: 10 * time.Minute, MaxEntries: 1 << 16,
	}
}

// ErrPaused is what the error is of a login that was not even tried. It is not
// auth.ErrDenied: later the same may succeed.
var ErrPaused = errors.New("attempts: too many failed logins")

// PausedError is a login that was not tried.
type PausedError struct {
	Address  netip.Addr
	Identity string        // empty: it is about the whole address
	Wait     time.Duration // until the next attempt counts; 0: until those under way have ended
}

func (e *PausedError) Error() string {
	switch {
	case e.Wait == 0 && e.Identity == "":
		return fmt.Sprintf("attempts: too many logins from %s are under way, see attempts.atOnce", e.Address)
	case e.Wait == 0:
		return fmt.Sprintf("attempts: too many logins of %q from %s are under way", e.Identity, e.Address)
	case e.Identity == "":
		return fmt.Sprintf("%v from %s; none is tried for another %s", ErrPaused, e.Address, e.Wait.Round(time.Second))
	}
	return fmt.Sprintf("%v of %q from %s; none is tried for another %s", ErrPaused, e.Identity, e.Address, e.Wait.Round(time.Millisecond))
}

// Is makes it ErrPaused.
func (e *PausedError) Is(target error) bool { return target == ErrPaused }

// Guard counts failed logins. Its methods may be called from any goroutine and do
// not block.
type Guard struct {
	cfg     Config
	trusted []netip.Prefix
	now     func() time.Time
	counts  counts
	bans    atomic.Int64 // addresses that are banned, or were and were not looked at since

	mu        sync.Mutex
	names     map[name]*failures       // guarded by mu
	addresses map[netip.Addr]*failures // guarded by mu
	trying    map[name]trying          // logins under way, as many as devices are logging in; guarded by mu
	atOnce    map[netip.Addr]trying    // the same, if there is a limit of them; guarded by mu
}

// name is a device name from an address.
type name struct {
	address  netip.Addr
	identity string
}

// failures is what is remembered of one name or address.
type failures struct {
	count int
	since time.Time // addresses: of the first that counts; names: of the last
	until time.Time // of the pause; zero: there was none
}

type counts struct{ failed, paused, crowded, banned, refused atomic.Uint64 }

// Stats is what a [Guard] has counted.
type Stats struct {
	Failed  uint64 `metric:"linkspan_attempts_failed_logins_total" doc:"logins that were denied"`
	Paused  uint64 `metric:"linkspan_attempts_paused_logins_total" doc:"logins that were not tried, for there had been too many failures"`
	Crowded uint64 `metric:"linkspan_attempts_crowded_logins_total" doc:"logins that were not tried, for too many of the same device or address were under way"`
	Banned  uint64 `metric:"linkspan_attempts_banned_addresses_total" doc:"addresses that were banned"`
	Refused uint64 `metric:"linkspan_attempts_refused_connections_total" doc:"connections of banned addresses"`
	Names   int    `metric:"linkspan_attempts_names" doc:"device names with failures that are remembered"`
	Trying  int    `metric:"linkspan_attempts_trying_names" doc:"device names with logins under way"`
}

// New returns a guard that has seen no failure. now is the time, nil means
// time.Now. It reports every mistake in cfg at once.
func New(cfg Config, now func() time.Time) (*Guard, error) {
	g := &Guard{
		cfg: cfg, now: now, names: map[name]*failures{}, addresses: map[netip.Addr]*failures{},
		trying: map[name]trying{}, atOnce: map[netip.Addr]trying{},
	}
	if now == nil {
		g.now = time.Now
	}
	var errs []error
	number := func(key string, have, low, high int) {
		if have < low || have > high {
			errs = append(errs, fmt.Errorf("%s is %d, want %d to %d", key, have, low, high))
		}
	}
	span := func(key string, have time.Duration) {
		if have < time.Millisecond || have > 30*24*time.Hour {
			errs = append(errs, fmt.Errorf("%s is %s, want 1ms to 720h", key, have))
		}
	}
	number("free", cfg.Free, 0, 1<<20)
	number("perAddress", cfg.PerAddress, 0, 1<<30)
	number("atOnce", cfg.AtOnce, 0, 1<<30)
	number("maxEntries", cfg.MaxEntries, 1, 1<<24)
	span("pause", cfg.Pause)
	span("maxPause", cfg.MaxPause)
	if cfg.MaxPause < cfg.Pause {
		errs = append(errs, fmt.Errorf("maxPause is %s, want at least the pause, which is %s", cfg.MaxPause, cfg.Pause))
	}
	span("window", cfg.Window)
	span("ban", cfg.Ban)
	for _, text := range cfg.Trusted {
		p, err := netip.ParsePrefix(text)
		if a, failed := netip.ParseAddr(text); failed == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("trusted has %q, want an address or a network such as 10.0.0.0/8", text))
		}
		g.trusted = append(g.trusted, p)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("attempts: configuration: %w", err)
	}
	return g, nil
}

// Admit begins an attempt, which Outcome ends, or is a *PausedError. No device may
// try from an address that is banned: its connections may be older than the ban.
func (g *Guard) Admit(from netip.Addr, identity string) error {
	if rest := g.ban(from); rest > 0 {
		g.counts.paused.Add(1)
		return &PausedError{Address: network(from), Wait: rest}
	}
	trusted := g.trusts(from)
	from = network(from)
	who, now := name{from, identity}, g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cfg.Free > 0 {
		failed := 0
		if f := g.names[who]; f != nil && now.Sub(f.since) <= g.forget() {
			if now.Before(f.until) {
				g.counts.paused.Add(1)
				return &PausedError{Address: from, Identity: identity, Wait: f.until.Sub(now)}
			}
			failed = f.count
		}
		if full(g.trying, who, max(g.cfg.Free-failed, 1), now) {
			g.counts.crowded.Add(1)
			return &PausedError{Address: from, Identity: identity}
		}
	}
	limited := g.cfg.AtOnce > 0 && !trusted
	if limited && full(g.atOnce, from, g.cfg.AtOnce, now) {
		g.counts.crowded.Add(1)
		return &PausedError{Address: from}
	}
	if g.cfg.Free > 0 {
		begin(g.trying, who, now)
	}
	if limited {
		begin(g.atOnce, from, now)
	}
	return nil
}

// Outcome ends an attempt that Admit has begun, once, and notes how.
func (g *Guard) Outcome(from netip.Addr, identity string, err error) {
	trusted := g.trusts(from)
	from = network(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	end(g.trying, name{from, identity})
	if !trusted {
		end(g.atOnce, from)
	}
	if err == nil {
		delete(g.names, name{from, identity})
		return
	}
	g.failed(from, identity, trusted, err)
}

// Denied notes a failure of an attempt for which nobody has asked Admit, such as that
// of a device that an adapter does not let in itself.
func (g *Guard) Denied(from netip.Addr, identity string, err error) {
	trusted := g.trusts(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed(network(from), identity, trusted, err)
}

// failed counts a failure, unless it was nobody's fault. The caller holds mu.
func (g *Guard) failed(from netip.Addr, identity string, trusted bool, err error) {
	if !errors.Is(err, auth.ErrDenied) {
		return
	}
	g.counts.failed.Add(1)
	now := g.now()
	if g.cfg.Free > 0 {
		g.failedName(name{from, identity}, now)
	}
	if g.cfg.PerAddress > 0 && !trusted {
		g.failedAddress(from, now)
	}
}

// failedName counts a failure of a name. The caller holds mu.
func (g *Guard) failedName(n name, now time.Time) {
	f := g.names[n]
	if f == nil || now.Sub(f.since) > g.forget() {
		f = &failures{}
		room(g.names, g.cfg.MaxEntries, func(f *failures) bool { return now.Sub(f.since) > g.forget() }, func(*failures) {})
		g.names[n] = f
	}
	f.since = now
	if f.count++; f.count < g.cfg.Free {
		return
	}
	pause := g.cfg.Pause
	for n := f.count - g.cfg.Free; n > 0 && pause < g.cfg.MaxPause; n-- {
		pause *= 2
	}
	f.until = now.Add(min(pause, g.cfg.MaxPause))
}

// forget is how long a failure of a name is remembered.
func (g *Guard) forget() time.Duration { return 2*g.cfg.MaxPause + time.Minute }

// failedAddress counts a failure of an address. The caller holds mu.
func (g *Guard) failedAddress(from netip.Addr, now time.Time) {
	f := g.addresses[from]
	if f == nil {
		room(g.addresses, g.cfg.MaxEntries, func(f *failures) bool { return now.Sub(f.since) > g.cfg.Window && now.After(f.until) }, g.unban)
		f = &failures{since: now}
		g.addresses[from] = f
	}
	if now.Sub(f.since) > g.cfg.Window {
		*f = failures{since: now, until: f.until}
	}
	if f.count++; f.count < g.cfg.PerAddress || now.Before(f.until) {
		return
	}
	g.unban(f) // an earlier one, that nobody has looked at since it was over
	f.until, f.count = now.Add(g.cfg.Ban), 0
	g.counts.banned.Add(1)
	g.bans.Add(1)
}

// unban ends a ban, if there is one. The caller holds mu.
func (g *Guard) unban(f *failures) {
	if !f.until.IsZero() {
		f.until = time.Time{}
		g.bans.Add(-1)
	}
}

// Banned says whether connections of that address are refused now.
func (g *Guard) Banned(from netip.Addr) bool {
	if g.ban(from) == 0 {
		return false
	}
	g.counts.refused.Add(1)
	return true
}

// ban is how long the address is still banned; 0: it is not.
func (g *Guard) ban(from netip.Addr) time.Duration {
	if g.bans.Load() == 0 || g.trusts(from) {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.addresses[network(from)]
	if f == nil || f.until.IsZero() {
		return 0
	}
	rest := f.until.Sub(g.now())
	if rest <= 0 {
		g.unban(f)
		return 0
	}
	return rest
}

// trusts says whether an address is never banned.
func (g *Guard) trusts(from netip.Addr) bool {
	from = from.Unmap().WithZone("")
	for _, p := range g.trusted {
		if p.Contains(from) {
			return true
		}
	}
	return false
}

// Stats is what happened so far.
func (g *Guard) Stats() Stats {
	g.mu.Lock()
	names, trying := len(g.names), len(g.trying)
	g.mu.Unlock()
	return Stats{
		Failed: g.counts.failed.Load(), Paused: g.counts.paused.Load(), Crowded: g.counts.crowded.Load(),
		Banned: g.counts.banned.Load(), Refused: g.counts.refused.Load(), Names: names, Trying: trying,
	}
}

// looked is how many entries a full table looks at for one that is over.
const looked = 8

// room makes room in a full table for another entry: it forgets some that are
// over, or, if there is none among a few, one of these. gone is called for each.
func room[K comparable](table map[K]*failures, most int, over func(*failures) bool, gone func(*failures)) {
	if len(table) < most {
		return
	}
	n := 0
	var last K
	for k, f := range table {
		if over(f) {
			gone(f)
			delete(table, k)
		}
		last = k
		if n++; n == looked {
			break
		}
	}
	if len(table) >= most {
		gone(table[last])
		delete(table, last)
	}
}

// network is the address itself or, for IPv6, its /64, all of which belongs to one
// customer.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
