// Package static is a credential provider that knows devices' secrets, hashed,
// from a file: lines of an identity, a colon and a hash.
//
//	# made by linkspan auth hash, or htpasswd -B
//	13800138001:$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy
//	meter-7:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$...
//
// The file is looked at again when a device logs in and some time has passed. A
// file that has mistakes changes nothing: the one before stays in force.
//
// Hashes are slow on purpose, so successes are remembered for a short time
// (package recent), and at most [Config].Checks are under way at once. An identity
// that is not in the file costs as much as a wrong secret.
package static

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/crypto/bcrypt"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/recent"
)

// Config is the section auth.static.
type Config struct {
	File       string        `conf:"file" doc:"lines of IDENTITY:HASH; a relative path starts at the configuration's folder"`
	Credential int           `conf:"credential" doc:"which of a device's credentials is the secret, counted from 0"`
	Reload     time.Duration `conf:"reload" doc:"how long after a look at the file it is looked at again, when a device logs in; 0: never"`
	MaxFile    int64         `conf:"maxFile,bytes" doc:"the file must not be larger"`
	Checks     int           `conf:"checks" doc:"hashes computed at the same time; further devices wait; 0: as many as there are processors"`
	Limits     Limits        `conf:"limits" doc:"what one hash may cost"`
	Cache      recent.Config `conf:"cache" doc:"successes that are remembered, so that devices that come back cost no hash"`
}

// DefaultConfig has no file: it has to be written.
func DefaultConfig() Config {
	return Config{
		Reload: 5 * time.Second, MaxFile: 256 << 20,
		Limits: Limits{BcryptCost: 14, ArgonMemory: 256 << 20, ArgonPasses: 16, ArgonThreads: 16},
		Cache:  recent.Config{Entries: 100_000, Lifetime: 10 * time.Minute},
	}
}

func (c Config) validate() []error {
	var errs []error
	check := func(ok bool, key string, value any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s is %v, want %s", key, value, want))
		}
	}
	check(c.File != "", "file", `""`, "the path of a file")
	check(c.Credential >= 0 && c.Credential <= 15, "credential", c.Credential, "0 to 15")
	check(c.Reload >= 0, "reload", c.Reload, "0 or more")
	check(c.MaxFile > 0 && c.MaxFile <= 1<<31, "maxFile", c.MaxFile, "1 to 2 GiB")
	check(c.Checks >= 0 && c.Checks <= 1<<12, "checks", c.Checks, "0 to 4096")
	check(c.Limits.BcryptCost >= bcrypt.MinCost && c.Limits.BcryptCost <= bcrypt.MaxCost, "limits.bcryptCost", c.Limits.BcryptCost, "4 to 31")
	check(c.Limits.ArgonMemory >= 8<<10 && c.Limits.ArgonMemory <= 4<<30, "limits.argonMemory", c.Limits.ArgonMemory, "8 KiB to 4 GiB")
	check(c.Limits.ArgonPasses >= 1 && c.Limits.ArgonPasses <= 1<<16, "limits.argonPasses", c.Limits.ArgonPasses, "1 to 65536")
	check(c.Limits.ArgonThreads >= 1 && c.Limits.ArgonThreads <= 255, "limits.argonThreads", c.Limits.ArgonThreads, "1 to 255")
	if err := c.Cache.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("cache: %w", err))
	}
	return errs
}

// Plugin is the provider "static".
var Plugin = auth.Define("static", DefaultConfig(), func(c Config, h auth.Host) (auth.Provider, error) {
	c.File = h.Path(c.File)
	return New(c, WithLogger(h.Log()))
})

func init() { auth.Register(Plugin) }

// Provider checks secrets. Its methods may be called from any goroutine.
type Provider struct {
	cfg     Config
	logger  *zap.Logger
	now     func() time.Time
	table   atomic.Pointer[table]
	recent  *recent.Successes
	running chan struct{} // holds a token for each hash that is computed
	looked  atomic.Int64  // at the file, in nanoseconds since began
	began   time.Time

	loading sync.Mutex  // held while the file is read
	refused error       // guarded by loading; why the file is not in force as it is now
	tried   os.FileInfo // guarded by loading; of the file that was refused

	count                   auth.Counter
	reloads, reloadFailures atomic.Uint64
}

// Option gives a [Provider] what it works with.
type Option func(*Provider)

// WithLogger makes the provider log what becomes of the file.
func WithLogger(l *zap.Logger) Option { return func(p *Provider) { p.logger = l } }

// WithClock makes now the time. It is time.Now otherwise.
func WithClock(now func() time.Time) Option { return func(p *Provider) { p.now = now } }

// New reads the file. It reports every mistake in cfg at once, and then every
// mistake in the file.
func New(cfg Config, opts ...Option) (*Provider, error) {
	p := &Provider{cfg: cfg, logger: zap.NewNop(), now: time.Now}
	for _, o := range opts {
		o(p)
	}
	if errs := cfg.validate(); len(errs) > 0 {
		return nil, fmt.Errorf("static: configuration: %w", errors.Join(errs...))
	}
	checks := cfg.Checks
	if checks == 0 {
		checks = runtime.GOMAXPROCS(0)
	}
	p.running = make(chan struct{}, checks)
	p.recent = recent.New(cfg.Cache, p.now)
	p.began = p.now()
	t, err := readFile(cfg.File, cfg)
	if err != nil {
		return nil, err
	}
	p.table.Store(t)
	return p, nil
}

// Authenticate implements [auth.Provider].
func (p *Provider) Authenticate(ctx context.Context, identity string, credentials []string) error {
	p.refresh()
	secret, err := auth.Credential(credentials, p.cfg.Credential)
	if err == nil && len(secret) > maxSecret {
		err = fmt.Errorf("%w: the secret is longer than %d bytes", auth.ErrBadCredentials, maxSecret)
	}
	if err != nil { // says nothing about who is in the file
		return p.count.Count(err)
	}
	e, known := p.table.Load().find(identity)
	if known {
		if p.recent.Has(p.recent.Key(identity, secret, e.text)) {
			p.count.Cached()
			return nil
		}
	}
	return p.count.Count(p.verify(ctx, identity, secret, e, known))
}

func (p *Provider) verify(ctx context.Context, identity, secret string, e *entry, known bool) error {
	select {
	case p.running <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("static: all %d checks are busy: %w: %w", cap(p.running), auth.ErrUnavailable, context.Cause(ctx))
	}
	defer func() { <-p.running }()
	if e == nil || !e.matches(secret) || !known {
		return auth.ErrBadCredentials
	}
	p.recent.Add(p.recent.Key(identity, secret, e.text))
	return nil
}

// refresh looks at the file when that is due. One caller does so; the others
// work with what is there.
func (p *Provider) refresh() {
	if p.cfg.Reload == 0 {
		return
	}
	now, looked := int64(p.now().Sub(p.began)), p.looked.Load()
	if now-looked < int64(p.cfg.Reload) || !p.looked.CompareAndSwap(looked, now) {
		return
	}
	_ = p.load(false) // logged, and counted
}

// Reload reads the file now. When it has mistakes they are the error, and the
// file before stays in force.
func (p *Provider) Reload() error { return p.load(true) }

func (p *Provider) load(always bool) error {
	p.loading.Lock()
	defer p.loading.Unlock()
	info, err := os.Stat(p.cfg.File)
	if err == nil && !always {
		if p.table.Load().same(info) {
			p.refused, p.tried = nil, nil
			return nil
		}
		if p.tried != nil && (&table{info: p.tried}).same(info) {
			return p.refused // told before
		}
	}
	var t *table
	if err == nil {
		t, err = readFile(p.cfg.File, p.cfg)
	}
	if err != nil {
		p.reloadFailures.Add(1)
		again := p.refused != nil && p.refused.Error() == err.Error()
		if !again {
			p.logger.Error("secrets file is not taken; the one before stays in force", zap.String("path", p.cfg.File), zap.NamedError("err", err))
		}
		p.refused, p.tried = err, info
		if errors.Is(err, fs.ErrPermission) { // the right to read it leaves no trace in info
			p.tried = nil
		}
		return fmt.Errorf("static: reload: %w", err)
	}
	p.refused, p.tried = nil, nil
	p.table.Store(t)
	p.reloads.Add(1)
	p.logger.Info("secrets file read", zap.String("path", p.cfg.File), zap.Int("count", len(t.hashes)))
	return nil
}

// Len is the number of devices in the file.
func (p *Provider) Len() int { return len(p.table.Load().hashes) }

// Stats is what a [Provider] has counted.
type Stats struct {
	Auth           auth.Stats
	Remembered     int    `metric:"linkspan_auth_remembered_successes" doc:"successful checks that are remembered"`
	Identities     int    `metric:"linkspan_auth_static_identities" doc:"devices in the secrets file"`
	Reloads        uint64 `metric:"linkspan_auth_static_reloads_total" doc:"changes of the secrets file that were taken"`
	ReloadFailures uint64 `metric:"linkspan_auth_static_reload_failures_total" doc:"attempts to read a changed secrets file that failed; the one before stays in force"`
}

// Stats is what happened so far.
func (p *Provider) Stats() Stats {
	return Stats{
		Auth: p.count.Stats(), Remembered: p.recent.Len(), Identities: p.Len(),
		Reloads: p.reloads.Load(), ReloadFailures: p.reloadFailures.Load(),
	}
}
