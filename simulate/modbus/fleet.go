package modbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/codec/modbus"
)

// ErrRun is the error of a second Run: make another fleet.
var ErrRun = errors.New("simulate: the fleet has run before")

// dialing is how many connections are being made at once.
const dialing = 256

// Fleet is a number of lines. Its methods may be called by any goroutine.
type Fleet struct {
	cfg  Config
	mode modbus.Mode
	options
	counters

	start     time.Time // with the monotonic clock
	buses     []*bus
	links     []*link // one for each bus when they dial
	listeners []net.Listener
	shards    []*shard
	dials     chan struct{}   // a place for each connection that is being made
	ctx       context.Context //nolint:containedctx // of Run, for dialling
	work      sync.WaitGroup  // readers, dialers and accepters
	ran       atomic.Bool
	began     atomic.Int64 // when Run began
	until     atomic.Int64 // when it ended

	mu       sync.Mutex
	ended    bool           // no connection is to be made any more; guarded by mu
	accepted map[*link]bool // the open ones of listeners; guarded by mu
}

// Option is a collaborator of a fleet.
type Option func(*options)

type options struct {
	log     *zap.Logger
	dial    Dialer
	image   *Image
	written func(Written)
}

// Dialer opens a connection to the target. It is called by several goroutines at
// once.
type Dialer func(ctx context.Context, target string) (net.Conn, error)

// WithLogger makes the fleet log why lines lose their connections, at level
// debug. Default is not to log.
func WithLogger(log *zap.Logger) Option {
	return func(o *options) { o.log = cmp.Or(log, o.log) }
}

// WithDialer makes connections with dial instead of over TCP: for TLS, or for a
// server in the same process.
func WithDialer(dial Dialer) Option { return func(o *options) { o.dial = dial } }

// WithImage gives slaves an image instead of the file of Config.Image.
func WithImage(image *Image) Option { return func(o *options) { o.image = image } }

// WithWritten has f called for everything that is written into slaves. f is
// called by several goroutines at once, must not wait and must not call the
// fleet.
func WithWritten(f func(Written)) Option { return func(o *options) { o.written = f } }

// New returns a fleet that is yet to run. It reports all mistakes of cfg at once.
func New(cfg Config, opts ...Option) (*Fleet, error) {
	f := &Fleet{cfg: cfg, options: options{log: zap.NewNop(), dial: dialTCP}, start: time.Now(), accepted: map[*link]bool{}}
	for _, o := range opts {
		o(&f.options)
	}
	errs := []error{cfg.Validate()}
	if f.image == nil {
		var err error
		f.image, err = openImage(cfg.Image)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	f.mode, _ = modbus.ParseMode(cfg.Mode) // it was checked
	f.dials = make(chan struct{}, dialing)
	for range min(cfg.workers(), cfg.Lines) {
		f.shards = append(f.shards, newShard(f))
	}
	units, _ := parseUnits(cfg.Units, 1)
	dead, _ := parseUnits(cfg.Dead, 0)
	for i := range cfg.Lines {
		f.buses = append(f.buses, f.newBus(i, units, dead))
		if cfg.Listen != "" {
			continue
		}
		l, err := f.newLink(f.buses[i])
		if err != nil {
			return nil, err
		}
		f.links = append(f.links, l)
	}
	return f, nil
}

func openImage(path string) (*Image, error) {
	if path == "" {
		return &Image{plain: true}, nil
	}
	file, err := os.Open(path) //nolint:gosec // the operator's file
	if err != nil {
		return nil, fmt.Errorf("simulate: image: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	return ReadImage(file)
}

func (f *Fleet) newBus(i int, units, dead []uint8) *bus {
	b := &bus{fleet: f, line: i, phase: float64(i) * 0.618}
	for _, u := range units {
		s := slave{unit: u}
		if !f.image.plain {
			if s.sheet = f.image.units[u]; s.sheet == nil {
				s.sheet = &sheet{}
			}
		}
		for _, d := range dead {
			s.dead = s.dead || d == u
		}
		b.slaves = append(b.slaves, s)
	}
	return b
}

// now is the time since the fleet was made, in nanoseconds.
func (f *Fleet) now() int64 { return int64(time.Since(f.start)) }

// Listen opens the ports of Config.Listen, so that Addrs knows them before Run.
// Who does not Run the fleet after that closes it.
func (f *Fleet) Listen(ctx context.Context) error {
	if f.cfg.Listen == "" || len(f.listeners) > 0 {
		return nil
	}
	host, text, _ := net.SplitHostPort(f.cfg.Listen) // it was checked
	port, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("simulate: listen: port %q is no number", text)
	}
	for i := range f.cfg.Lines {
		at := port
		if port > 0 {
			at += i
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(at)))
		if err != nil {
			f.Close()
			return fmt.Errorf("simulate: listen: %w", err)
		}
		f.listeners = append(f.listeners, listener)
	}
	return nil
}

// Addrs is where the slaves of each line wait for connections, once Listen has
// opened the ports.
func (f *Fleet) Addrs() []string {
	addrs := make([]string, 0, len(f.listeners))
	for _, l := range f.listeners {
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// Close closes the ports that Listen has opened, of a fleet that is not run.
func (f *Fleet) Close() {
	for _, l := range f.listeners {
		_ = l.Close() // nothing was sent on it
	}
	f.listeners = nil
}

// Run lets the lines live until ctx ends or Config.Duration is over, which is no
// error: it returns nil then, with all connections closed and all goroutines
// gone. A fleet runs once: [ErrRun].
func (f *Fleet) Run(ctx context.Context) error {
	if !f.ran.CompareAndSwap(false, true) {
		return ErrRun
	}
	if err := f.Listen(ctx); err != nil {
		return err
	}
	if f.cfg.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.cfg.Duration)
		defer cancel()
	}
	f.ctx = ctx
	began := f.now()
	f.began.Store(max(began, 1))
	for i, listener := range f.listeners {
		f.work.Go(func() { f.accept(listener, f.buses[i]) })
	}
	gap := 0.0
	if f.cfg.ConnectRate > 0 {
		gap = float64(time.Second) / f.cfg.ConnectRate
	}
	for i, l := range f.links {
		l.connectAt = began + int64(float64(i)*gap)
		l.shard.set(l, l.connectAt)
	}
	var shards sync.WaitGroup
	for _, s := range f.shards {
		shards.Go(func() { s.run(ctx) })
	}
	shards.Wait()
	f.until.Store(f.now())
	f.end()
	f.work.Wait()
	return nil
}

// end closes all connections, for good.
func (f *Fleet) end() {
	for _, listener := range f.listeners {
		_ = listener.Close() // nothing was sent on it
	}
	f.mu.Lock()
	f.ended = true
	all := append([]*link(nil), f.links...)
	for l := range f.accepted {
		all = append(all, l)
	}
	f.mu.Unlock()
	for _, l := range all {
		l.end()
	}
}

// Get is what a slave holds at an address now; ok is whether there is one. Lines
// count from 0.
func (f *Fleet) Get(line int, unit uint8, at modbus.Address) (word uint16, ok bool) {
	if line < 0 || line >= len(f.buses) {
		return 0, false
	}
	b := f.buses[line]
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.find(unit)
	if s == nil {
		return 0, false
	}
	s.drifted = nil
	return b.get(s, at.Area, at.Offset)
}

// Set makes a slave hold word at an address, be it one that masters cannot write;
// it says whether there is such a slave with room for it.
func (f *Fleet) Set(line int, unit uint8, at modbus.Address, word uint16) (ok bool) {
	if line < 0 || line >= len(f.buses) {
		return false
	}
	b := f.buses[line]
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.find(unit)
	if s == nil || len(s.written) >= maxWritten {
		return false
	}
	if s.written == nil {
		s.written = map[key]uint16{}
	}
	s.written[keyOf(at.Area, at.Offset)] = word
	return true
}

// SetDead makes a slave stop answering, or answer again; it says whether there is
// such a slave.
func (f *Fleet) SetDead(line int, unit uint8, dead bool) (ok bool) {
	if line < 0 || line >= len(f.buses) {
		return false
	}
	b := f.buses[line]
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.find(unit)
	if s != nil {
		s.dead = dead
	}
	return s != nil
}
