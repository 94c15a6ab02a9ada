package route

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Router sends each device to its platform, and copies to others. Its methods
// may be called from any goroutine.
type Router struct {
	targets []target
	nodes   []*node
	log     *zap.Logger
	lost    atomic.Uint64 // logins that no route fits

	mu      sync.Mutex
	current map[string]*handle // by productKey/deviceName: the last login of each device
	seq     uint64
	closed  bool
	started bool
	cancel  context.CancelFunc
}

// node is one upstream.
type node struct {
	name    string
	up      upstream.Connector
	primary bool    // of some route
	mirror  *mirror // nil when no route has it get copies

	logins  atomic.Uint64
	refused atomic.Uint64
	devices atomic.Int64
}

// target is a rule and the upstreams that it names.
type target struct {
	Rule
	to     *node
	copies []*mirror
}

// ErrNoRoute says that none of the routes fits a device.
var ErrNoRoute = errors.New("route: no route fits the device: add one that does to routes, such as { to = NAME } at its end")

// ErrStarted says that a router was started a second time.
var ErrStarted = errors.New("route: router was started before")

// New makes a router in front of upstreams, which are its own from then on. The
// error has every mistake of cfg, as a [KeyError] each.
func New(cfg Config, upstreams map[string]upstream.Connector) (*Router, error) {
	cfg.Copies = cfg.Copies.withDefaults()
	if err := cfg.check(upstreams); err != nil {
		return nil, err
	}
	r := &Router{log: zap.NewNop(), current: map[string]*handle{}, cancel: func() {}}
	byName := map[string]*node{}
	at := func(name string) *node {
		n := byName[name]
		if n == nil {
			n = &node{name: name, up: upstreams[name]}
			byName[name] = n
			r.nodes = append(r.nodes, n)
		}
		return n
	}
	for _, rule := range cfg.Routes {
		t := target{Rule: rule, to: at(rule.To)}
		t.to.primary = true
		for _, name := range rule.Copies {
			n := at(name)
			if n.mirror == nil {
				n.mirror = newMirror(n, cfg.Copies)
			}
			t.copies = append(t.copies, n.mirror)
		}
		r.targets = append(r.targets, t)
	}
	return r, nil
}

// Start implements [upstream.Starter]. It returns when the upstreams that are
// somebody's platform are ready; its error has what all of them say. Those that
// only get copies start meanwhile, and go on doing so when it has returned: when
// one of them cannot be started that is logged, and its copies are dropped.
func (r *Router) Start(ctx context.Context, host upstream.Host) error {
	if host.Logger == nil {
		host.Logger = zap.NewNop()
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.mu.Lock()
	if r.started || r.closed {
		r.mu.Unlock()
		cancel()
		return ErrStarted
	}
	r.started, r.cancel, r.log = true, cancel, host.Logger
	r.mu.Unlock()
	var primaries sync.WaitGroup
	errs := make([]error, len(r.nodes))
	for i, n := range r.nodes {
		own := host
		own.Logger = host.Logger.With(zap.String("upstream", n.name))
		if n.mirror != nil {
			n.mirror.log = own.Logger
			go n.mirror.run() // close waits for it
		}
		if n.primary {
			primaries.Go(func() { errs[i] = n.start(ctx, own) })
		} else {
			own.Broadcast = n.mirror.refuseBroadcast(host.Broadcast, r.allows(n.mirror))
			go n.mirror.startUp(run, own) // closeUp waits for it
		}
	}
	primaries.Wait()
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, r.Close(ctx))
	}
	return nil
}

// allows says whether some route hands the commands of m to devices.
func (r *Router) allows(m *mirror) bool {
	for i := range r.targets {
		t := &r.targets[i]
		for _, c := range t.copies {
			if c == m && t.CopyCommands {
				return true
			}
		}
	}
	return false
}

func (n *node) start(ctx context.Context, host upstream.Host) error {
	s, ok := n.up.(upstream.Starter)
	if !ok {
		return nil
	}
	if err := s.Start(ctx, host); err != nil {
		return fmt.Errorf("route: upstream %s: %w", n.name, err)
	}
	return nil
}

// Login implements [upstream.Connector]: the device's platform decides. It fails
// with [ErrNoRoute] when there is none for the device.
func (r *Router) Login(l upstream.Login, done func(upstream.Device, error)) {
	t := r.find(&l)
	if t == nil {
		r.lost.Add(1)
		done(nil, ErrNoRoute)
		return
	}
	h := newHandle(r, t, l, done)
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		done(nil, upstream.ErrClosed)
		return
	}
	r.seq++
	h.seq = r.seq
	old := r.current[h.key]
	r.current[h.key] = h
	r.mu.Unlock()
	if old != nil && old.target.to != t.to { // its platform does not know
		old.supersede()
	}
	t.to.logins.Add(1)
	t.to.up.Login(h.inner(), h.loggedIn)
}

// find is where a device goes, nil when no route fits it.
func (r *Router) find(l *upstream.Login) *target {
	for i := range r.targets {
		if r.targets[i].fits(l) {
			return &r.targets[i]
		}
	}
	return nil
}

// forget drops a login that is over.
func (r *Router) forget(h *handle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current[h.key] == h {
		delete(r.current, h.key)
	}
}

// Close implements [upstream.Closer]: no more logins are taken, each platform
// finishes within ctx, and copies within closeTimeout. What copies have to say
// about their end is logged. It may be called more than once.
func (r *Router) Close(ctx context.Context) error {
	r.mu.Lock()
	first, started := !r.closed, r.started
	r.closed = true
	r.mu.Unlock()
	if !first {
		return nil
	}
	r.cancel()
	if !started {
		return nil
	}
	var ending sync.WaitGroup
	errs := make([]error, len(r.nodes))
	for i, n := range r.nodes {
		ending.Go(func() {
			if n.mirror != nil {
				n.mirror.close(ctx)
			}
			if n.primary {
				errs[i] = n.close(ctx)
			} else {
				n.mirror.closeUp(ctx)
			}
		})
	}
	ending.Wait()
	return errors.Join(errs...)
}

func (n *node) close(ctx context.Context) error {
	c, ok := n.up.(upstream.Closer)
	if !ok {
		return nil
	}
	if err := c.Close(ctx); err != nil {
		return fmt.Errorf("route: upstream %s: %w", n.name, err)
	}
	return nil
}

// refuseBroadcast is where the broadcasts of an upstream go that only gets
// copies: on, if some route allows its commands, or nowhere.
func (m *mirror) refuseBroadcast(on func(*thing.Command), allowed bool) func(*thing.Command) {
	if allowed && on != nil {
		return on
	}
	return func(*thing.Command) { m.counts.refusedCommands.Add(1) }
}
