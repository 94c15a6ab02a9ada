package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/internal/alarmclock"
	"github.com/linkspan/linkspan/internal/quiet"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/upstream"
)

// state is the bridge's own.
type state int32

const (
	fresh state = iota
	started
	closing
)

// Bridge is the core SDK. Its methods may be called from any goroutine.
type Bridge struct {
	cfg      Config
	up       upstream.Connector
	devices  Devices
	sessions Sessions
	listener session.Listener
	auth     auth.Provider
	slow     bool
	revision atomic.Uint64 // of what devices says; see Revoke
	downlink DownlinkHandler
	logger   *zap.Logger

	state   atomic.Int32
	links   atomic.Uint64
	work    atomic.Int64  // logins and logouts under way
	share   int64         // of MaxInFlight that a stripe has for itself
	empty   chan struct{} // holds a token when, while closing, something came to its end
	stripes [stripes]stripe
	counts  counts
	quiet   lines

	timers     *alarmclock.Clock[*pending] // deadlines of commands and logins
	admission  *admission
	checks     *lanes // of credentials
	pushes     *lanes // to the downlink handler
	broadcasts *lanes

	life    sync.Mutex
	ctx     context.Context // guarded by life; of credential checks, ends with the bridge
	cancel  context.CancelFunc
	done    chan struct{}  // ends timers and admission
	running sync.WaitGroup // of timers and admission
	closed  chan struct{}  // Close has finished
}

// New returns a bridge of devices to up. It reports every mistake in cfg at
// once.
func New(cfg Config, up upstream.Connector, devices Devices, opts ...Option) (*Bridge, error) {
	b := &Bridge{
		cfg: cfg, up: up, devices: devices, logger: zap.NewNop(),
		quiet: lines{logins: quiet.Line{Burst: atOnce}},
		share: int64(cfg.MaxInFlight / stripes),
		empty: make(chan struct{}, 1), done: make(chan struct{}), closed: make(chan struct{}),
	}
	for _, o := range opts {
		o(b)
	}
	errs := cfg.check()
	if up == nil || devices == nil {
		errs = append(errs, errors.New("a connector and devices are required"))
	}
	if b.sessions == nil {
		var listener []session.MemoryOption
		if b.listener != nil {
			listener = append(listener, session.WithListener(b.listener))
		}
		m, err := session.NewMemory(cfg.Sessions, listener...)
		if err != nil {
			errs = append(errs, sessionsErrors(cfg.Sessions.Check())...)
		}
		b.sessions = m
	}
	if len(errs) > 0 {
		return nil, configurationError(errs)
	}
	if e, ok := b.sessions.(expirer); ok {
		e.OnTimeout(b.timedOut)
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.timers = alarmclock.New[*pending](tick)
	b.admission = newAdmission(cfg)
	b.checks = newLanes(1, cfg.AuthWorkers, cfg.AuthQueue)
	b.pushes = newLanes(cfg.DownlinkWorkers, 1, cfg.DownlinkQueue)
	b.broadcasts = newLanes(1, 1, 16)
	return b, nil
}

// Start starts the connector, and returns once it is ready to log devices in.
// After an error the bridge may be started again.
func (b *Bridge) Start(ctx context.Context) error {
	b.life.Lock()
	defer b.life.Unlock()
	switch state(b.state.Load()) {
	case started:
		return nil
	case closing:
		return ErrClosed
	case fresh:
	}
	if s, ok := b.up.(upstream.Starter); ok {
		if err := s.Start(ctx, upstream.Host{Logger: b.logger, Broadcast: b.broadcast}); err != nil {
			return fmt.Errorf("bridge: start: %w", err)
		}
	}
	if r, ok := b.sessions.(runner); ok {
		r.Start()
	}
	if b.auth != nil || b.slow {
		b.checks.start()
	}
	if b.downlink != nil {
		b.pushes.start()
	}
	b.broadcasts.start()
	b.running.Go(func() { b.timers.Run(b.done, func(p *pending) { p.link.expired(p) }) })
	b.running.Go(func() { b.admission.run(b.done) })
	b.state.Store(int32(started))
	return nil
}

// Close ends the bridge: it accepts nothing further, waits for the messages that
// are under way, logs all devices out and closes their channels with ErrClosed,
// and closes the connector. When ctx is done before, it goes through these steps
// without waiting and says what was left. Further calls wait for the first.
func (b *Bridge) Close(ctx context.Context) error {
	b.life.Lock()
	was := state(b.state.Swap(int32(closing)))
	b.life.Unlock()
	if was == closing {
		select {
		case <-b.closed:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("bridge: close: %w", ctx.Err())
		}
	}
	defer close(b.closed)
	b.cancel()
	if was == fresh {
		return nil
	}
	for _, l := range b.admission.close() {
		l.end(ending{cause: ErrClosed})
	}
	var errs []error
	if err := b.drain(ctx); err != nil {
		errs = append(errs, fmt.Errorf("%d messages are still under way: %w", b.underWay(), err))
	}
	for name, l := range map[string]*lanes{"a check of credentials": b.checks, "a broadcast": b.broadcasts} {
		if err := l.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s does not end: %w", name, err))
		}
	}
	for s := range b.sessions.All() {
		if l := b.bound(s); l != nil {
			l.end(ending{cause: ErrClosed, logout: true})
		}
		s.CloseChannel(ErrClosed)
	}
	if err := b.wait(ctx); err != nil {
		errs = append(errs, fmt.Errorf("%d logins and logouts are still under way: %w", b.work.Load(), err))
	}
	if c, ok := b.up.(upstream.Closer); ok {
		if err := c.Close(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	if err := b.pushes.stop(ctx); err != nil {
		errs = append(errs, fmt.Errorf("the downlink handler does not return: %w", err))
	}
	close(b.done)
	b.running.Wait()
	if r, ok := b.sessions.(runner); ok {
		r.Stop()
	}
	if len(errs) > 0 {
		return fmt.Errorf("bridge: close: %w", errors.Join(errs...))
	}
	return nil
}

// drain waits for the messages that are under way, but keeps a quarter of the
// time that ctx gives for what comes behind.
func (b *Bridge) drain(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)*3/4)
		defer cancel()
	}
	return b.await(ctx, func() bool { return b.underWay() == 0 })
}

// wait waits for everything that is under way.
func (b *Bridge) wait(ctx context.Context) error {
	return b.await(ctx, func() bool { return b.underWay() == 0 && b.work.Load() == 0 })
}

func (b *Bridge) await(ctx context.Context, over func() bool) error {
	for !over() {
		select {
		case <-b.empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// drained is called when something that Close may wait for came to its end.
func (b *Bridge) drained() {
	if state(b.state.Load()) == closing {
		select {
		case b.empty <- struct{}{}:
		default:
		}
	}
}

// finished is called when a login or a logout came to its end.
func (b *Bridge) finished() {
	b.work.Add(-1)
	b.drained()
}

// ready is nil while devices may come online and say things.
func (b *Bridge) ready() error {
	switch state(b.state.Load()) {
	case started:
		return nil
	case closing:
		return ErrClosed
	case fresh:
	}
	return ErrNotStarted
}

// timedOut ends a session whose heartbeats stopped.
func (b *Bridge) timedOut(s *session.Session) {
	if l := b.bound(s); l != nil {
		l.end(ending{cause: session.ErrHeartbeatTimeout, logout: true})
	} else {
		b.sessions.Close(s, session.ErrHeartbeatTimeout)
	}
	s.CloseChannel(session.ErrHeartbeatTimeout)
}

// authenticate asks the auth provider, if there is one.
func (b *Bridge) authenticate(identity string, credentials []string) error {
	if b.auth == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(b.ctx, b.cfg.AuthTimeout)
	defer cancel()
	err := guarded(func() error { return b.auth.Authenticate(ctx, identity, credentials) })
	if err != nil {
		return fmt.Errorf("bridge: credentials of %q: %w", identity, err)
	}
	return nil
}

// Sessions is what holds the sessions.
func (b *Bridge) Sessions() Sessions { return b.sessions }

// Devices is what the bridge was made with.
func (b *Bridge) Devices() Devices { return b.devices }
