package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/internal/alarmclock"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Devices knows which platform identity a device's own name stands for; see
// bridge.Devices. Identity may wait: it is called on goroutines of the connector's.
type Devices interface {
	Identity(name string) (auth.Identity, error)
}

// state is how far a connector has come.
type state int32

const (
	fresh state = iota
	running
	closing
	closed
)

// Connector stores what is said to another one and forwards it. Its methods may be
// called from any goroutine.
//
// Locks: a lane's lock may be held when the connector's or the log's are taken,
// never the other way round. None is held while anything outside is called.
type Connector struct {
	cfg     Config
	up      upstream.Connector
	devices Devices
	logger  *zap.Logger
	run     uint32 // of this process, in its records
	start   sync.Once
	state   atomic.Int32
	log     *segment.Log
	graves  graves
	clock   *alarmclock.Clock[*lane]
	counts  counts
	quiet   lines

	refusals refusals

	memory  memory
	work    runQueue
	lookups runQueue // of lanes that want to know who they are
	scan    scanner
	tickets atomic.Int64 // of publications that are not done
	guests  atomic.Int64

	ended   chan struct{} // ends goroutines
	running sync.WaitGroup

	mu    sync.Mutex
	lanes map[string]*lane // guarded by mu
}

// Option gives a [Connector] what it works with.
type Option func(*Connector)

// WithLogger makes the connector log; without it it uses the logger of the host
// that starts it. What a device can cause is logged at a limited rate.
func WithLogger(l *zap.Logger) Option { return func(q *Connector) { q.logger = l } }

// New makes a queue in front of up, which is its own from then on. devices is asked
// who the devices are that have left something behind; it may be nil, then these
// wait until they come back. The error has every mistake in cfg.
func New(cfg Config, up upstream.Connector, devices Devices, opts ...Option) (*Connector, error) {
	var errs []error
	if err := cfg.Check(); err != nil {
		errs = append(errs, err)
	}
	if cfg.Mode == ModeOff {
		errs = append(errs, errors.New("mode is off: there is nothing to make"))
	}
	if up == nil {
		errs = append(errs, errors.New("a connector is required"))
	}
	if cfg.Directory == "" || cfg.Dead.Directory == "" {
		errs = append(errs, errors.New("directory and dead.directory are required"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("queue: configuration: %w", err)
	}
	q := &Connector{
		cfg: cfg, up: up, devices: devices, clock: alarmclock.New[*lane](tick), run: newRun(),
		ended: make(chan struct{}), lanes: map[string]*lane{},
	}
	for _, o := range opts {
		o(q)
	}
	q.memory.limit(cfg.Window)
	q.work.init()
	q.lookups.init()
	q.scan.init()
	return q, nil
}

// newRun is a number that hardly any earlier process had.
func newRun() uint32 { return uint32(time.Now().UnixMilli()) } //nolint:gosec // the low bits are wanted

// Start implements [upstream.Starter]: it opens the log, and starts the other
// connector. What is stored is looked through while devices come already.
func (q *Connector) Start(ctx context.Context, host upstream.Host) error {
	first := false
	q.start.Do(func() { first = true })
	if !first {
		return ErrStarted
	}
	if q.logger == nil {
		q.logger = zap.NewNop()
		if host.Logger != nil {
			q.logger = host.Logger.Named("queue")
		}
	}
	if err := q.open(); err != nil {
		return err
	}
	q.begin()
	if s, ok := q.up.(upstream.Starter); ok {
		if err := s.Start(ctx, host); err != nil {
			q.state.Store(int32(closed))
			return errors.Join(err, q.end())
		}
	}
	return nil
}

// open opens the logs.
func (q *Connector) open() (err error) {
	if q.log, err = segment.Open(q.cfg.Directory, q.cfg.Config, segment.WithLogger(q.logger)); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if err = q.graves.open(q.cfg, q.logger); err != nil {
		return errors.Join(fmt.Errorf("queue: dead letters: %w", err), q.log.Close())
	}
	return nil
}

const lookupWorkers = 4

// begin starts the goroutines, which end stops.
func (q *Connector) begin() {
	q.state.Store(int32(running))
	q.running.Go(func() { q.clock.Run(q.ended, func(l *lane) { l.due(time.Now()) }) })
	q.running.Go(q.scanLog)
	for range min(max(runtime.GOMAXPROCS(0), 2), 8) {
		q.running.Go(q.forward)
	}
	for range lookupWorkers {
		q.running.Go(q.lookup)
	}
}

// end stops the goroutines and closes the logs.
func (q *Connector) end() error {
	close(q.ended)
	q.work.close()
	q.lookups.close()
	q.scan.wakeUp()
	q.memory.wakeUp()
	q.running.Wait()
	return errors.Join(q.log.Close(), q.graves.close())
}

// takes says whether what the device of l says is to be stored.
func (q *Connector) takes(l *upstream.Login) bool {
	return (len(q.cfg.Listeners) == 0 || slices.Contains(q.cfg.Listeners, l.Listener)) &&
		(len(q.cfg.Products) == 0 || slices.Contains(q.cfg.Products, l.Device.ProductKey))
}

// Login implements [upstream.Connector]. A login that fails because the platform is
// away succeeds provisionally, see the package.
func (q *Connector) Login(l upstream.Login, done func(upstream.Device, error)) {
	switch state(q.state.Load()) {
	case running:
	case fresh:
		done(nil, ErrNotStarted)
		return
	default:
		done(nil, upstream.ErrClosed)
		return
	}
	s := sender{name: l.Name, listener: l.Listener, product: l.Device.ProductKey, device: l.Device.DeviceName}
	lane := q.lane(s.key(), q.takes(&l) || !q.scan.complete()) // who has left something behind is not known before
	if lane == nil {
		q.up.Login(l, done)
		return
	}
	lane.login(&client{lane: lane, login: l, sender: s, done: done})
}

// key tells devices apart: by their own names or, without one, by their identities.
func (s *sender) key() string {
	if s.name != "" {
		return s.name
	}
	return string(appendNameless(nil, s.product, s.device))
}

// lane finds or makes the lane of a device, and locks it; nil when there is none and
// none is to be made.
func (q *Connector) lane(key string, create bool) *lane {
	for {
		q.mu.Lock()
		l := q.lanes[key]
		if l == nil {
			if !create {
				q.mu.Unlock()
				return nil
			}
			l = &lane{q: q, key: key}
			l.timer.Value = l
			q.lanes[key] = l
		}
		q.mu.Unlock()
		l.mu.Lock()
		if !l.gone {
			return l
		}
		l.mu.Unlock()
	}
}

// known is the lane of a device of which there is a record, not locked.
func (q *Connector) known(key []byte) *lane {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lanes[string(key)]
}

// all are the lanes there are.
func (q *Connector) all() []*lane {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]*lane, 0, len(q.lanes))
	for _, l := range q.lanes {
		list = append(list, l)
	}
	return list
}

// Close implements [upstream.Closer]. It waits for what is on its way to the
// platform, not for what is stored: that is forwarded after the next start. While the
// platform is away nothing arrives, so that Close does not wait for long.
func (q *Connector) Close(ctx context.Context) error {
	if !q.state.CompareAndSwap(int32(running), int32(closing)) {
		q.state.CompareAndSwap(int32(fresh), int32(closed))
		return nil
	}
	arrived := q.drain(ctx)
	q.state.Store(int32(closed))
	errs := []error{q.closeNext(ctx, arrived), q.end()}
	for _, l := range q.all() {
		l.close()
	}
	if n := q.counts.waiting.Load(); n > 0 {
		q.logger.Info("messages wait in the queue for the next start", zap.Int64("count", n))
	}
	return errors.Join(errs...)
}

// stalled is for how long nothing arrives at a platform that is away.
const stalled = 2 * time.Second

// closeNext closes the connector behind the queue. When not everything arrived it need
// not wait for the platform: the queue has what it waits for.
func (q *Connector) closeNext(ctx context.Context, arrived bool) error {
	c, ok := q.up.(upstream.Closer)
	if !ok {
		return nil
	}
	if arrived {
		return c.Close(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, stalled)
	defer cancel()
	err := c.Close(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		q.logger.Info("the platform is away at the end", zap.Error(err))
		return nil
	}
	return err
}

// drain waits until nothing is on its way, or nothing can be: then the devices
// that wait are not logged in. It says whether everything arrived, and gives up after half
// of the time that there is, or when nothing but what is stored is on its way and none of
// that arrives.
func (q *Connector) drain(ctx context.Context) (arrived bool) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	last, since := int64(-1), time.Now()
	for {
		busy, unsafe := false, false
		for _, l := range q.all() {
			onTheWay, notStored := l.busy()
			busy, unsafe = busy || onTheWay, unsafe || notStored
		}
		if !busy {
			return true
		}
		if now := q.counts.waiting.Load(); unsafe || now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > stalled {
			return false
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return false
		}
	}
}

// offline is the answer to a command for a device that is gone.
func offline(cmd *thing.Command) thing.Message {
	m := cmd.Reply(thing.Offline)
	m.Text = "the device is offline"
	return m
}
