package gbt26875

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/simulate/internal/crew"
)

// ErrRun is the error of a second Run: make another fleet.
var ErrRun = errors.New("simulate: the fleet has run before")

// Fleet is a number of panels. Its methods may be called by any goroutine, but not
// by its observers.
type Fleet struct {
	cfg      Config
	interval int64 // ns between routine reports of a panel; never: none
	options

	first     uint64 // address
	centre    gbt26875.Address
	layout    []place
	steps     []step
	start     time.Time // with the monotonic clock
	panels    []*panel
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
	alarms  func(Alarm)
	command func(Command)
}

// Dialer opens a connection to the target. from is where it is to come from, nil
// for anywhere. It is called by several goroutines at once.
type Dialer func(ctx context.Context, target string, from net.IP) (net.Conn, error)

// WithLogger makes the fleet log why panels lose their connections, at level debug,
// and what of a script fails, at level warn. Default is not to log.
func WithLogger(log *zap.Logger) Option {
	return func(o *options) { o.log = cmp.Or(log, o.log) }
}

// WithDialer makes connections with dial instead of over TCP or UDP: for TLS, or for
// a server in the same process.
func WithDialer(dial Dialer) Option {
	return func(o *options) { o.dial = dial }
}

// WithAlarms has f called for every fire, fault and end of one, when it is first
// sent. f is called by several goroutines at once, must not wait and must not call the
// fleet.
func WithAlarms(f func(Alarm)) Option {
	return func(o *options) { o.alarms = f }
}

// WithCommands has f called for every control and request of the centre that a panel
// has answered, under the conditions of [WithAlarms].
func WithCommands(f func(Command)) Option {
	return func(o *options) { o.command = f }
}

// New returns a fleet that is yet to run. It reports all mistakes of cfg at once.
func New(cfg Config, opts ...Option) (*Fleet, error) {
	f := &Fleet{cfg: cfg, options: options{log: zap.NewNop()}, interval: never}
	for _, o := range opts {
		o(&f.options)
	}
	err := cfg.Validate()
	if f.dial == nil {
		f.dial = cfg.dial
		err = errors.Join(err, crew.CheckFiles(cfg.Devices))
	}
	if err == nil {
		err = f.build()
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Fleet) build() error {
	cfg := &f.cfg
	first, err := gbt26875.ParseAddress(cfg.FirstAddress)
	if err != nil {
		return fmt.Errorf("simulate: firstAddress: %w", err)
	}
	if f.first = first.Uint(); f.first+uint64(cfg.Devices)-1 >= 1<<48 { //nolint:gosec // positive
		return fmt.Errorf("simulate: firstAddress: from %s on there are no %d addresses", cfg.FirstAddress, cfg.Devices)
	}
	if f.centre, err = gbt26875.ParseAddress(cfg.Centre); err != nil {
		return fmt.Errorf("simulate: centre: %w", err)
	}
	if f.layout, err = layout(cfg.Parts); err != nil {
		return err
	}
	if f.steps, err = readScript(cfg.Script, cfg.Devices, cfg.Parts); err != nil {
		return err
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
	f.makePanels()
	return nil
}

func (f *Fleet) makePanels() {
	sources := f.cfg.sources()
	all := make([]panel, f.cfg.Devices)
	parts := make([]part, f.cfg.Devices*f.cfg.Parts)
	f.panels = make([]*panel, f.cfg.Devices)
	for i := range all {
		p := &all[i]
		p.parts, parts = parts[:f.cfg.Parts:f.cfg.Parts], parts[f.cfg.Parts:]
		p.init(f, i)
		if len(sources) > 0 {
			p.source = sources[i%len(sources)]
		}
		f.panels[i] = p
	}
}

// now is the time since the fleet was made, in nanoseconds.
func (f *Fleet) now() int64 { return int64(time.Since(f.start)) }

// Run lets the panels live until ctx ends or Config.Duration is over, which is no
// error: it returns nil then, with all connections closed and all goroutines gone.
// A fleet runs once: [ErrRun].
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
	began := max(f.now(), 1)
	f.began.Store(began)
	gap := 0.0
	if f.cfg.ConnectRate > 0 {
		gap = float64(time.Second) / f.cfg.ConnectRate
	}
	for i, p := range f.panels {
		p.begin(began, began+int64(float64(i)*gap))
	}
	var running sync.WaitGroup
	for _, s := range f.shards {
		running.Go(func() { s.run(ctx) })
	}
	running.Go(func() { f.play(ctx) })
	running.Wait()
	f.until.Store(f.now())
	f.ended.Store(true)
	for _, p := range f.panels {
		p.end()
	}
	f.work.Wait()
	return nil
}

// begin has the panel connect then, and lets things happen at it.
func (p *panel) begin(now, connectAt int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connectAt = connectAt
	p.fireAt = p.nextChance(now, p.fleet.cfg.Fires)
	p.faultAt = p.nextChance(now, p.fleet.cfg.PartFaults)
	p.schedule()
}

// Drain stops the making of reports, for good, and waits until all that were made
// have been confirmed, refused or lost. Panels stay connected. It returns ctx's
// error if that ends first; [Snapshot] tells how many reports are pending.
func (f *Fleet) Drain(ctx context.Context) error {
	f.draining.Store(true)
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
