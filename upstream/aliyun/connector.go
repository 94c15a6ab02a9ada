package aliyun

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/carrier"
)

// Plugin is the connector as configurations name it: aliyun.
var Plugin = upstream.Define("aliyun", DefaultConfig(), func(c Config) (upstream.Connector, error) { return New(c) })

func init() { upstream.Register(Plugin) }

// Connector is the way to the platform. Its methods may be called from any
// goroutine.
type Connector struct {
	cfg      *settings
	gateways []*gateway
	limiter  *rate.Limiter // logins of all gateways
	pacer    *pacer        // logins of each device
	registry *registry     // set by Start; nil: nobody is registered

	mu     sync.Mutex // guards the assignment of devices to gateways; held before a gateway's mu
	host   upstream.Host
	state  connectorState
	cancel context.CancelFunc
	ended  sync.WaitGroup

	hurry chan struct{} // closed when connections have to end at once
	cut   func()        // closes it
}

type connectorState uint8

const (
	notStarted connectorState = iota
	started
	closed
)

// New makes a connector, or reports all that is wrong with the configuration.
// Nothing is connected before [Connector.Start].
func New(cfg Config) (*Connector, error) { return NewOver(cfg, nil) }

// NewOver is [New] for connections that a dialer makes, nil standing for MQTT: for
// packages below this one.
func NewOver(cfg Config, dialer carrier.Dialer) (*Connector, error) {
	s, err := cfg.withDefaults().check(dialer)
	if err != nil {
		return nil, err
	}
	c := &Connector{
		cfg:     s,
		limiter: rate.NewLimiter(rate.Limit(s.LoginRate), max(s.BatchLogin, 1)),
		pacer:   newPacer(s.LoginsPerMinute),
		hurry:   make(chan struct{}),
	}
	c.cut = sync.OnceFunc(func() { close(c.hurry) })
	for i := range s.Gateways {
		c.gateways = append(c.gateways, newGateway(c, i))
	}
	return c, nil
}

var errHangs = errors.New("a connection does not end")

// ErrStarted says that a connector was started a second time.
var ErrStarted = errors.New("aliyun: connector was started before")

// Start implements [upstream.Starter]. It returns when every gateway has tried
// to connect once: nil when the platform was away, for the connector keeps
// trying, an [upstream.RefusedError] with the code of the CONNACK when the
// platform refused a gateway's credentials.
func (c *Connector) Start(ctx context.Context, host upstream.Host) error {
	c.mu.Lock()
	if c.state != notStarted {
		c.mu.Unlock()
		return ErrStarted
	}
	if host.Logger == nil {
		host.Logger = zap.NewNop()
	}
	var err error
	if c.registry, err = c.openRegistry(); err != nil {
		c.state = closed
		c.mu.Unlock()
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.host, c.cancel, c.state = host, cancel, started
	if c.registry != nil {
		for range registerWorkers {
			c.ended.Go(func() { c.registry.work(run) })
		}
	}
	c.mu.Unlock()
	for _, g := range c.gateways {
		g.start(run, host)
	}
	var errs []error
	for _, g := range c.gateways {
		select {
		case err := <-g.attempted:
			if r := (*upstream.RefusedError)(nil); errors.As(err, &r) && !r.Temporary {
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

// Login implements [upstream.Connector]. A first login that the platform refuses
// for now fails with a temporary [upstream.RefusedError]; what to do then is the
// caller's choice. A login waits for the connection, for no longer than
// requestTimeout.
func (c *Connector) Login(l upstream.Login, done func(upstream.Device, error)) {
	c.mu.Lock()
	switch c.state {
	case closed:
		c.mu.Unlock()
		done(nil, upstream.ErrClosed)
		return
	case notStarted:
		c.mu.Unlock()
		done(nil, upstream.ErrNotConnected)
		return
	case started:
	}
	if err := c.checkIdentity(&l); err != nil {
		c.mu.Unlock()
		done(nil, err)
		return
	}
	bare := c.bare(&l)
	d, err := c.assign(&l)
	if err != nil {
		c.mu.Unlock()
		done(nil, err)
		return
	}
	d.bare = bare
	d.gw.login(d, &l, done) // the device's gateway is locked by assign, and unlocked by login
	c.mu.Unlock()
}

func (c *Connector) checkIdentity(l *upstream.Login) error {
	pk, dn := l.Device.ProductKey, l.Device.DeviceName
	if !alink.PlainName(pk) || !alink.PlainName(dn) || len(pk)+len(dn) > maxClientID-1 {
		return refused(codeBadParams, "productKey and deviceName must be names of no more than 63 characters together, in UTF-8, without / + # & |, spaces and control characters")
	}
	for _, g := range c.gateways {
		if g.identity.ProductKey == pk && g.identity.DeviceName == dn {
			return refused(codeSelf, "")
		}
	}
	return nil
}

// assign finds the gateway of a device: the one it is at, else the first with
// room behind the one that its name points to, connected ones first. It returns
// the device with its gateway locked. c.mu is held.
func (c *Connector) assign(l *upstream.Login) (*device, error) {
	name := l.Device.String()
	n := len(c.gateways)
	first := int(hashOf(name) % uint32(n)) //nolint:gosec // n is small and positive
	for i := range n {
		g := c.gateways[(first+i)%n]
		g.mu.Lock()
		if d := g.devices[name]; d != nil {
			return d, nil
		}
		g.mu.Unlock()
	}
	for _, connected := range []bool{true, false} { // when none is, they all may be soon
		for i := range n {
			g := c.gateways[(first+i)%n]
			g.mu.Lock()
			if g.hasRoom() && (g.link != nil) == connected {
				d := newDevice(g, l.Device)
				g.devices[d.name()] = d
				return d, nil
			}
			g.mu.Unlock()
		}
	}
	return nil, c.noRoom()
}

// noRoom says why no gateway takes a device: all have as many as they may, or some
// are full because the platform says so. c.mu is held.
func (c *Connector) noRoom() error {
	said := false
	for _, g := range c.gateways {
		g.mu.Lock()
		g.stats.full++
		said = said || len(g.devices) < c.cfg.MaxDevicesPerGateway
		g.mu.Unlock()
	}
	if said {
		return refused(codeFull, "")
	}
	return upstream.ErrOverloaded
}

// hashOf is FNV-1a: the same for a name at every start and on every node, so that
// a device stays in the topology of one gateway.
func hashOf(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

// lastWords bounds what is left to do when the time of Close is over.
const lastWords = time.Second

// Close implements [upstream.Closer]: no more is taken, what was published
// before is sent and acknowledged within ctx, then the gateways disconnect, which
// takes their devices offline. A connection that is stuck then is cut off a second
// after ctx. It may be called more than once.
func (c *Connector) Close(ctx context.Context) error {
	c.mu.Lock()
	before := c.state
	c.state = closed
	c.mu.Unlock()
	if before == notStarted {
		return nil
	}
	var errs []error
	for _, g := range c.gateways {
		g.refuse()
	}
	for _, g := range c.gateways {
		select {
		case <-g.drained:
		case <-ctx.Done():
			errs = append(errs, ctx.Err())
		}
	}
	c.cancel()
	ended := make(chan struct{})
	go func() { // ends with the goroutines that it waits for
		c.ended.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(2*c.cfg.WriteTimeout + c.cfg.ConnectTimeout): // a call of the wire that hangs takes no longer
	case <-ctx.Done():
		select {
		case <-ended:
		case <-time.After(lastWords):
		}
	}
	c.cut()
	select {
	case <-ended:
	case <-time.After(lastWords):
		errs = append(errs, errHangs)
	}
	if c.registry != nil {
		if err := c.registry.Close(); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("aliyun: close: %w", errs[0])
	}
	return nil
}
