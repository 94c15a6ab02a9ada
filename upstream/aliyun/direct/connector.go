package direct

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/linkspan/linkspan/internal/quiet"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// Plugin is the connector as configurations name it: aliyun-direct.
var Plugin = upstream.Define("aliyun-direct", DefaultConfig(), func(c Config) (upstream.Connector, error) { return New(c) })

func init() { upstream.Register(Plugin) }

// Connector is the way to the platform. Its methods may be called from any
// goroutine. Locks: mu before a device's mu, that before queueMu.
type Connector struct {
	cfg     *settings
	limiter *rate.Limiter
	slots   chan struct{}   // one for each connection being made
	tokens  *certify.Client // nil: none are wanted
	asks    *http.Client    // of tokens
	log     *zap.Logger
	quiet   quiet.Line // an outage is one event, not ten thousand
	counts  counts
	ids     atomic.Uint32 // of Alink requests
	now     atomic.Int64  // milliseconds, about
	bytes   atomic.Int64  // payload of messages waiting or in flight
	pending atomic.Int64  // messages waiting or in flight
	drained chan struct{} // holds a token when pending may have become 0

	registrar *certify.Registrar // set by Start; nil: nobody is registered

	mu      sync.Mutex
	devices map[string]*device // by productKey/deviceName
	recent  map[string]recent  // of devices that have gone, while it matters
	state   connectorState
	ctx     context.Context //nolint:containedctx // of the connector's life
	cancel  context.CancelFunc
	ended   sync.WaitGroup // of all goroutines, those of connections among them

	queueMu sync.Mutex
	queue   []*device // that want to be connected, in order
	wake    chan struct{}
}

type connectorState uint8

const (
	notStarted connectorState = iota
	started
	closing // no more is taken
	closed
)

// ErrStarted says that a connector was started a second time.
var ErrStarted = errors.New("aliyun-direct: connector was started before")

// New makes a connector, or reports all that is wrong with the configuration.
func New(cfg Config) (*Connector, error) {
	s, err := cfg.withDefaults().check()
	if err != nil {
		return nil, err
	}
	c := &Connector{
		cfg: s, limiter: rate.NewLimiter(rate.Limit(s.ConnectRate), max(1, int(s.ConnectRate/10))), slots: make(chan struct{}, s.Connecting),
		log: zap.NewNop(), drained: make(chan struct{}, 1), devices: map[string]*device{}, recent: map[string]recent{}, wake: make(chan struct{}, 1),
	}
	if s.Auth == AuthHTTPS {
		c.asks = certify.HTTPClient(s.trust())
		if c.tokens, err = s.tokenService(c.asks); err != nil {
			return nil, fmt.Errorf("aliyun-direct: authEndpoint: %w", err)
		}
	}
	c.now.Store(time.Now().UnixMilli())
	c.ids.Store(uint32(time.Now().UnixNano())) //nolint:gosec // only that two runs differ
	return c, nil
}

// Start implements [upstream.Starter]. Nothing is connected before a device logs
// in.
func (c *Connector) Start(ctx context.Context, host upstream.Host) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != notStarted {
		return ErrStarted
	}
	var err error
	if c.registrar, err = c.cfg.openRegistrar(); err != nil {
		return err
	}
	if host.Logger != nil {
		c.log = host.Logger
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.state = started
	c.ended.Go(c.connectAll)
	c.ended.Go(c.clock)
	return nil
}

// Login implements [upstream.Connector]. It waits for the device's connection, for
// no longer than requestTimeout, and fails then with ErrNotConnected and the
// reason. A refusal of the platform's, or a connect too many within a minute, is an
// [upstream.RefusedError].
func (c *Connector) Login(l upstream.Login, done func(upstream.Device, error)) {
	c.mu.Lock()
	switch c.state {
	case notStarted:
		c.mu.Unlock()
		done(nil, upstream.ErrNotConnected)
		return
	case closing, closed:
		c.mu.Unlock()
		done(nil, upstream.ErrClosed)
		return
	case started:
	}
	pk, dn := l.Device.ProductKey, l.Device.DeviceName
	if !alink.PlainName(pk) || !alink.PlainName(dn) || len(c.cfg.ClientIDPrefix)+len(pk)+len(dn) > maxClientID-1 {
		c.mu.Unlock()
		done(nil, aliyun.Refused(alink.CodeBadParams, "productKey and deviceName must be names of no more than 63 characters together, in UTF-8, without / + # & |, spaces and control characters"))
		return
	}
	name := pk + "/" + dn
	d := c.devices[name]
	if d == nil {
		if len(c.devices) >= c.cfg.MaxDevices {
			c.mu.Unlock()
			c.counts.full.Add(1)
			done(nil, fmt.Errorf("%w: %d devices are connected (maxDevices)", upstream.ErrOverloaded, c.cfg.MaxDevices))
			return
		}
		d = newDevice(c, l.Device)
		d.recent = c.recent[name]
		delete(c.recent, name)
		c.devices[name] = d
	}
	d.mu.Lock()
	c.mu.Unlock()
	d.login(&l, done)
	d.settle()
}

// forget removes a device that nothing is left of.
func (c *Connector) forget(d *device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if name := d.names.String(); d.empty() && c.devices[name] == d {
		delete(c.devices, name)
		if d.paced > c.now.Load() {
			c.recent[name] = d.recent
		}
	}
}

// prune forgets devices that may connect as they like again.
func (c *Connector) prune(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, r := range c.recent {
		if r.paced <= now {
			delete(c.recent, name)
		}
	}
}

// enqueue has a device connected, in its turn. The device's mu is held.
func (c *Connector) enqueue(d *device) {
	c.queueMu.Lock()
	c.queue = append(c.queue, d)
	c.queueMu.Unlock()
	signal(c.wake)
}

func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// connectAll begins connections, no faster and no more at a time than it may.
func (c *Connector) connectAll() {
	for {
		c.queueMu.Lock()
		var d *device
		if len(c.queue) > 0 {
			d = c.queue[0]
			c.queue[0] = nil
			if c.queue = c.queue[1:]; len(c.queue) == 0 {
				c.queue = nil
			}
		}
		c.queueMu.Unlock()
		if d == nil {
			select {
			case <-c.wake:
				continue
			case <-c.ctx.Done():
				return
			}
		}
		if c.limiter.Wait(c.ctx) != nil {
			return
		}
		select {
		case c.slots <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		c.ended.Go(d.live)
	}
}

// all are the devices there are now.
func (c *Connector) all(into []*device) []*device {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.devices {
		into = append(into, d)
	}
	return into
}

// clock looks after the times of all devices.
func (c *Connector) clock() {
	every := min(250*time.Millisecond, c.cfg.RequestTimeout/4, c.cfg.HoldTimeout/4, c.cfg.ReconnectMin/2)
	ticker := time.NewTicker(max(every, time.Millisecond))
	defer ticker.Stop()
	var list []*device
	pruned := time.Now()
	for {
		select {
		case <-c.ctx.Done():
			return
		case now := <-ticker.C:
			c.now.Store(now.UnixMilli())
			if now.Sub(pruned) > time.Minute {
				pruned = now
				c.prune(now.UnixMilli())
			}
			list = c.all(list[:0])
			for i, d := range list {
				d.tick(now)
				list[i] = nil
			}
			if cap(list) > 2*len(list)+1024 {
				list = nil
			}
		}
	}
}

// lastWords bounds what is left to do when the time of Close is over.
const lastWords = time.Second

// untilEnded waits for all goroutines. Connections that are stuck are cut off a
// second after ctx.
func (c *Connector) untilEnded(ctx context.Context) {
	ended := make(chan struct{})
	go func() { // ends with the goroutines that it waits for
		c.ended.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	select {
	case <-ended:
		return
	case <-time.After(lastWords):
	}
	for _, d := range c.all(nil) {
		d.hangUp()
	}
	<-ended // every call that it waits for ends with its connection, or with the connector's context
}

// Close implements [upstream.Closer]: no more is taken, what was published before
// is sent and acknowledged within ctx, then all devices disconnect; a connection
// that is stuck then is cut off a second after ctx. It may be called more than
// once.
func (c *Connector) Close(ctx context.Context) error {
	c.mu.Lock()
	before := c.state
	c.state = closing
	c.mu.Unlock()
	if before != started {
		return nil
	}
	for _, d := range c.all(nil) {
		d.refuse()
	}
	var late error
	for c.pending.Load() > 0 && late == nil {
		select {
		case <-c.drained:
		case <-ctx.Done():
			late = fmt.Errorf("aliyun-direct: close: %w", ctx.Err())
		}
	}
	for _, d := range c.all(nil) {
		d.disconnect()
	}
	c.cancel()
	c.untilEnded(ctx)
	for _, d := range c.all(nil) {
		d.abandon()
	}
	if c.asks != nil {
		c.asks.CloseIdleConnections()
	}
	if c.registrar != nil {
		if err := c.registrar.Close(); err != nil {
			late = errors.Join(late, fmt.Errorf("aliyun-direct: register.secrets: %w", err))
		}
	}
	c.mu.Lock()
	c.state = closed
	c.mu.Unlock()
	return late
}
