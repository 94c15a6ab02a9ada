package mqtt

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/internal/quiet"
	"github.com/linkspan/linkspan/upstream"
)

// Plugin is the connector as configurations name it: mqtt.
var Plugin = upstream.Define("mqtt", DefaultConfig(), func(c Config) (upstream.Connector, error) { return New(c) })

func init() { upstream.Register(Plugin) }

// Connector is the way to a broker. Its methods may be called from any
// goroutine.
type Connector struct {
	cfg     *settings
	limiter *rate.Limiter // logins
	count   counters
	quiet   struct{ large, invalid, denied, unstable quiet.Line }
	calls   calls
	pace    pace
	now     atomic.Int64 // milliseconds, about
	devices atomic.Int64 // of lanes that devices share

	mu     sync.Mutex // guards what follows; held before a lane's mu
	host   upstream.Host
	state  connectorState
	lanes  []*lane          // shared, or a pool
	own    map[string]*lane // of one device each, by its key
	begin  func(*lane)      // starts a lane
	cancel context.CancelFunc
	ended  sync.WaitGroup // lanes
	served sync.WaitGroup // the goroutines of the connector itself
}

type connectorState uint8

const (
	notStarted connectorState = iota
	started
	closed
)

// New makes a connector, or reports all that is wrong with the configuration.
// Nothing is connected before [Connector.Start].
func New(cfg Config) (*Connector, error) {
	s, err := cfg.check()
	if err != nil {
		return nil, err
	}
	c := &Connector{
		cfg: s, own: map[string]*lane{},
		limiter: rate.NewLimiter(rate.Limit(s.LoginRate), max(int(s.LoginRate/10), 1)),
		calls:   calls{room: make(chan struct{}, maxCommands), wake: make(chan struct{}, 1)},
		pace:    pace{wake: make(chan struct{}, 1)},
	}
	c.now.Store(now())
	return c, nil
}

// Start implements [upstream.Starter]. It returns when each connection that all
// devices share was tried once: nil when the broker was away, for the connector
// keeps trying, an [upstream.RefusedError] with the code of the CONNACK when the
// broker refused linkspan itself. With a connection for each device there is
// nothing to wait for.
func (c *Connector) Start(ctx context.Context, host upstream.Host) error {
	c.mu.Lock()
	if c.state != notStarted {
		c.mu.Unlock()
		return ErrStarted
	}
	if host.Logger == nil {
		host.Logger = zap.NewNop()
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.host, c.cancel, c.state = host, cancel, started
	c.begin = func(ln *lane) { c.ended.Go(func() { ln.run(run) }) } // Close waits
	if !c.cfg.single {
		for i := range c.cfg.lanes {
			c.lanes = append(c.lanes, newLane(c, i))
		}
	}
	lanes := c.lanes
	c.served.Go(c.calls.run)
	c.served.Go(func() { c.runPace(run) })
	c.served.Go(func() { c.runClock(run) })
	for _, ln := range lanes {
		c.begin(ln)
	}
	c.mu.Unlock()
	var errs []error
	for _, ln := range lanes {
		select {
		case err := <-ln.attempted:
			if permanent(err) {
				errs = append(errs, err)
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				errs = append(errs, ctx.Err())
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, c.Close(ctx))
	}
	return nil
}

// Login implements [upstream.Connector]. It waits for the broker, for no longer
// than requestTimeout, and for its turn.
func (c *Connector) Login(l upstream.Login, done func(upstream.Device, error)) {
	c.mu.Lock()
	d, err := c.device(&l)
	c.mu.Unlock()
	if err != nil {
		done(nil, err)
		return
	}
	d.ln.login(d, &l, done) // the lane is locked by device, and unlocked by login
}

// device finds the device of a login, or makes it, and locks its lane. mu is held.
func (c *Connector) device(l *upstream.Login) (*device, error) {
	switch c.state {
	case closed:
		return nil, upstream.ErrClosed
	case notStarted:
		return nil, upstream.ErrNotConnected
	case started:
	}
	v, err := identify(l.Device)
	if err != nil {
		return nil, err
	}
	d := newDevice(v, &c.cfg.topics)
	if c.cfg.single {
		return c.ownDevice(l, d)
	}
	ln := c.laneOf(d.key)
	ln.mu.Lock()
	switch old := ln.devices[d.key]; {
	case old != nil && old.names == d.names:
		return old, nil
	case old != nil:
		err = sharing(old)
	case c.devices.Load() >= int64(c.cfg.MaxDevices):
		c.count.full.Add(1)
		err = upstream.ErrOverloaded
	default:
		d.ln = ln
		ln.devices[d.key] = d
		c.devices.Add(1)
		return d, nil
	}
	ln.mu.Unlock()
	return nil, err
}

// ownDevice finds the device of a login, with a lane of its own, or takes d, and
// locks the lane. mu is held.
func (c *Connector) ownDevice(l *upstream.Login, d *device) (*device, error) {
	if ln := c.own[d.key]; ln != nil {
		if ln.only.names != d.names {
			return nil, sharing(ln.only)
		}
		ln.mu.Lock()
		return ln.only, nil
	}
	if len(c.own) >= c.cfg.MaxDevices {
		c.count.full.Add(1)
		return nil, upstream.ErrOverloaded
	}
	ln := newLane(c, 0)
	d.ln, ln.only, d.secret = ln, d, l.Device.DeviceSecret
	ln.devices[d.key] = d
	c.own[d.key] = ln
	ln.mu.Lock()
	c.begin(ln)
	return d, nil
}

func sharing(d *device) error {
	return refused(CodeShared, "the device "+d.names+", which is online, would share topics or an identifier with this one: put ${productKey} into topics.down, or into clientId")
}

// laneOf is the lane of a device: the same for a key at every start.
func (c *Connector) laneOf(key string) *lane {
	h := uint32(2166136261) // FNV-1a
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return c.lanes[h%uint32(len(c.lanes))] //nolint:gosec // few
}

// allLanes appends all lanes to list.
func (c *Connector) allLanes(list []*lane) []*lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	list = append(list, c.lanes...)
	for _, ln := range c.own {
		list = append(list, ln)
	}
	return list
}

// values are what the placeholders of a lane's CONNECT stand for. The lane's mu is
// held.
func (c *Connector) values(ln *lane) (v values) {
	v[hostName], v[number] = c.cfg.host, strconv.Itoa(ln.number)
	if d := ln.only; d != nil {
		v[productKey], v[deviceName], v[deviceSecret] = d.product(), d.device(), d.secret.Reveal()
	}
	return v
}

func passwordOf(t template, v *values) auth.Secret { return auth.Secret(t.with(v)) }

// Close implements [upstream.Closer]: no more is taken, what was published before
// is sent and acknowledged within ctx, devices are said to be offline, and the
// connections end. It may be called more than once.
func (c *Connector) Close(ctx context.Context) error {
	c.mu.Lock()
	before := c.state
	c.state = closed
	c.mu.Unlock()
	if before == notStarted {
		return nil
	}
	lanes := c.allLanes(nil)
	for _, ln := range lanes {
		ln.close()
	}
	var late error
	for _, ln := range lanes {
		select {
		case <-ln.drained:
		case <-ctx.Done():
			late = ctx.Err()
		}
	}
	ended := make(chan struct{})
	go func() { // ends with the goroutines that it waits for
		c.ended.Wait()
		close(ended)
	}()
	select {
	case <-ended: // each has said goodbye
	case <-time.After(c.cfg.WriteTimeout):
	case <-ctx.Done():
	}
	c.cancel()
	<-ended // what is under way ends with its network connection
	c.calls.end()
	c.served.Wait()
	if late != nil {
		return fmt.Errorf("mqtt: close: %w", late)
	}
	return nil
}
