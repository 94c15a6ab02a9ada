package jt808

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// ErrRun is the error of a second Run: make another fleet.
var ErrRun = errors.New("simulate: the fleet has run before")

// Fleet is a number of terminals. Its methods may be called by any goroutine, but
// not by its observers.
type Fleet struct {
	cfg      Config
	interval int64 // ns between reports of a terminal; never: none
	options

	start     time.Time // with the monotonic clock
	terminals []*terminal
	shards    []*shard
	dials     chan struct{}   // a place for each connection that is being made
	ctx       context.Context //nolint:containedctx // of Run, for dialling
	work      sync.WaitGroup  // readers and dialers
	ran       atomic.Bool
	ended     atomic.Bool  // no connection is to be made any more
	draining  atomic.Bool  // no report is to be made any more
	began     atomic.Int64 // when Run began
	until     atomic.Int64 // when it ended
	scratches sync.Pool
}

// dialing is how many connections are being made at once.
const dialing = 256

// Option is a collaborator of a fleet.
type Option func(*options)

type options struct {
	log     *zap.Logger
	dial    Dialer
	acked   func(phone string, number uint64)
	command func(Command)
}

// Dialer opens a connection to the target. from is where it is to come from, nil
// for anywhere. It is called by several goroutines at once.
type Dialer func(ctx context.Context, target string, from net.IP) (net.Conn, error)

// WithLogger makes the fleet log why terminals lose their connections, at level
// debug, and what refuses them, at level warn. Default is not to log.
func WithLogger(log *zap.Logger) Option {
	return func(o *options) { o.log = cmp.Or(log, o.log) }
}

// WithDialer makes connections with dial instead of over TCP: for TLS, or for a
// server in the same process.
func WithDialer(dial Dialer) Option {
	return func(o *options) { o.dial = dial }
}

// WithAcked has f called for every report that was acknowledged, with its number
// (see Config.Number; it is counted even when reports do not carry it). f is called
// by several goroutines at once, must not wait and must not call the fleet.
func WithAcked(f func(phone string, number uint64)) Option {
	return func(o *options) { o.acked = f }
}

// WithCommands has f called for every message of the platform that is not an
// answer, under the conditions of [WithAcked].
func WithCommands(f func(Command)) Option {
	return func(o *options) { o.command = f }
}

// New returns a fleet that is yet to run. It reports all mistakes of cfg at once.
func New(cfg Config, opts ...Option) (*Fleet, error) {
	f := &Fleet{cfg: cfg, options: options{log: zap.NewNop()}, interval: never}
	for _, o := range opts {
		o(&f.options)
	}
	if f.dial == nil {
		f.dial = dialTCP
		if err := errors.Join(cfg.Validate(), crew.CheckFiles(cfg.Devices)); err != nil {
			return nil, err
		}
	} else if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Rate > 0 {
		f.interval = int64(float64(time.Second) / cfg.Rate)
	}
	f.start = time.Now()
	f.dials = make(chan struct{}, dialing)
	f.scratches.New = func() any { return newScratch() }
	for range min(cfg.workers(), cfg.Devices) {
		f.shards = append(f.shards, newShard(f))
	}
	return f, f.makeTerminals()
}

func (f *Fleet) makeTerminals() error {
	mix, err := parseVersions(f.cfg.Versions)
	if err != nil {
		return err
	}
	first, err := strconv.ParseUint(f.cfg.FirstPhone, 10, 64)
	if err != nil {
		return fmt.Errorf("simulate: firstPhone: %w", err)
	}
	sources := f.cfg.sources()
	all := make([]terminal, f.cfg.Devices)
	f.terminals = make([]*terminal, f.cfg.Devices)
	for i := range all {
		t := &all[i]
		t.init(f, i)
		t.version = chooseVersion(mix, t.random())
		t.name = strconv.FormatUint(first+uint64(i), 10) //nolint:gosec // an index
		if t.phone, err = jt808.ParsePhone(t.name, t.version); err != nil {
			return fmt.Errorf("simulate: firstPhone: %w", err)
		}
		if len(sources) > 0 {
			t.source = sources[i%len(sources)]
		}
		f.terminals[i] = t
	}
	return nil
}

func chooseVersion(mix []versionShare, random float64) jt808.Version {
	at := random * mix[len(mix)-1].upTo
	for _, m := range mix {
		if at < m.upTo {
			return m.version
		}
	}
	return mix[len(mix)-1].version
}

// now is the time since the fleet was made, in nanoseconds.
func (f *Fleet) now() int64 { return int64(time.Since(f.start)) }

// Run lets the terminals live until ctx ends or Config.Duration is over, which is
// no error: it returns nil then, with all connections closed and all goroutines
// gone. A fleet runs once: [ErrRun].
func (f *Fleet) Run(ctx context.Context) error {
	if !f.ran.CompareAndSwap(false, true) {
		return ErrRun
	}
	if f.cfg.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.cfg.Duration)
		defer cancel()
	}
	f.ctx = ctx
	began := f.now()
	f.began.Store(max(began, 1))
	gap := 0.0
	if f.cfg.ConnectRate > 0 {
		gap = float64(time.Second) / f.cfg.ConnectRate
	}
	for i, t := range f.terminals {
		t.connectAt = began + int64(float64(i)*gap)
		t.shard.set(t, t.connectAt)
	}
	var shards sync.WaitGroup
	for _, s := range f.shards {
		shards.Go(func() { s.run(ctx) })
	}
	shards.Wait()
	f.until.Store(f.now())
	f.ended.Store(true)
	for _, t := range f.terminals {
		t.end()
	}
	f.work.Wait()
	return nil
}

// Drain stops the making of reports, for good, and waits until all that were made
// have been acknowledged, refused or lost. Terminals stay connected. It returns
// ctx's error if that ends first; [Snapshot] tells how many reports are pending.
func (f *Fleet) Drain(ctx context.Context) error {
	f.draining.Store(true)
	for _, t := range f.terminals {
		t.drain()
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if f.Stats().Pending == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("simulate: %d reports are still pending: %w", f.Stats().Pending, ctx.Err())
		case <-tick.C:
		}
	}
}
