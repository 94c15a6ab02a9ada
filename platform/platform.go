package platform

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
)

// Platform is the local platform. Its methods may be called from any goroutine;
// Start is called once.
//
// Locks: mu comes before device.mu and before link.fmu and link.wmu; none of the
// others is held while one is taken. Nothing is written to a socket under mu.
type Platform struct {
	cfg    Config
	log    *zap.Logger
	now    func() time.Time
	broker *mqtt.Server
	stats  counters
	faults faults
	hub    hub
	nonces nonces
	orders orders
	data   *data // nil: nothing is kept

	products map[string]Product     // does not change
	accounts map[string]auth.Secret // likewise; by access key

	mu      sync.RWMutex
	devices map[key]*device    // guarded by mu
	tokens  map[string]token   // guarded by mu; by iotId
	links   map[*link]struct{} // guarded by mu
	online  int                // guarded by mu
	moved   chan struct{}      // guarded by mu: closed and replaced when a device goes online or offline
	started bool               // guarded by mu
	closed  bool               // guarded by mu

	closing   chan struct{}
	wg        sync.WaitGroup // of the accept loop, the connections, the delayer
	doors     []*door        // guarded by mu until Start has returned
	tls       *tls.Config
	authority []byte
	apiLn     net.Listener
	apiSrv    *http.Server
	authLn    net.Listener
	authSrv   *http.Server
	closeErr  error
	once      sync.Once
}

// Option is something the platform works with.
type Option func(*Platform)

// WithLogger is where the platform logs to; without it, nowhere.
func WithLogger(log *zap.Logger) Option { return func(p *Platform) { p.log = log } }

// WithClock is the time that stamps and limits are of; without it, time.Now.
func WithClock(now func() time.Time) Option { return func(p *Platform) { p.now = now } }

// New makes a platform, which listens after Start. The error names every
// mistake in cfg; ErrData says that the data file cannot be used. What New made
// has to be closed.
func New(cfg Config, opts ...Option) (*Platform, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Platform{
		cfg:     cfg,
		log:     zap.NewNop(),
		now:     time.Now,
		devices: map[key]*device{},
		tokens:  map[string]token{},
		links:   map[*link]struct{}{},
		moved:   make(chan struct{}),
		closing: make(chan struct{}),
	}
	for _, o := range opts {
		o(p)
	}
	p.products, p.accounts = map[string]Product{}, accountsOf(cfg.AccessKeys)
	for _, product := range cfg.Products {
		p.products[product.ProductKey] = product
	}
	p.hub.init(cfg.Log, cfg.Watchers)
	p.orders.init(cfg.Pending)
	p.stats.init()
	p.faults.init()
	if err := p.openFiles(); err != nil {
		p.closeData()
		return nil, err
	}
	if err := p.prepare(); err != nil {
		p.closeData()
		return nil, err
	}
	return p, nil
}

// openFiles opens what the platform writes to.
func (p *Platform) openFiles() (err error) {
	if p.cfg.Data != "" {
		if p.data, err = openData(p); err != nil {
			return err
		}
	}
	if p.cfg.Received != "" {
		p.hub.received, err = openReceived(p.cfg.Received, p.log)
	}
	return err
}

// prepare makes what New is told to.
func (p *Platform) prepare() error {
	var errs []error
	for _, pass := range []bool{false, true} { // gateways first: the order of a file says nothing
		for _, d := range p.cfg.Devices {
			if (d.Gateway != "") == pass {
				errs = append(errs, p.addDevice(d))
			}
		}
	}
	errs = append(errs, p.prepareTLS(), p.commit())
	return errors.Join(errs...)
}

// closeData saves all there is.
func (p *Platform) closeData() {
	if p.hub.received != nil {
		p.closeErr = errors.Join(p.closeErr, p.hub.received.close())
	}
	if p.data == nil {
		return
	}
	if err := p.data.close(); err != nil {
		p.closeErr = errors.Join(p.closeErr, err)
	}
}

// Start listens and returns when devices and callers of the API can connect.
func (p *Platform) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if p.started {
		return errors.New("platform: started twice")
	}
	broker, err := newBroker(p)
	if err != nil {
		return fmt.Errorf("platform: MQTT broker: %w", err)
	}
	if err = p.openDoors(ctx); err != nil {
		return err
	}
	if err = p.listenHTTP(ctx); err != nil {
		p.closeDoors()
		return err
	}
	if err := broker.Serve(); err != nil {
		p.closeDoors()
		p.closeHTTP()
		return fmt.Errorf("platform: MQTT broker: %w", err)
	}
	p.broker, p.started = broker, true
	p.serveDoors()
	p.wg.Add(1)
	go p.faults.run(p) // Close waits for it
	if p.data != nil {
		p.wg.Go(p.data.run)
	}
	if p.apiLn != nil {
		p.serveAPI()
		p.log.Info("platform API is up", zap.Stringer("listener", p.apiLn.Addr()))
	}
	if p.authLn != nil {
		p.serveAuth()
	}
	p.log.Info("platform is up", zap.Stringer("listener", p.doors[tcpDoor].ln.Addr()))
	return nil
}

// listenHTTP listens for the HTTP API and the vendor's HTTP services. mu is held.
func (p *Platform) listenHTTP(ctx context.Context) (err error) {
	if p.cfg.APIAddress != "" {
		if p.apiLn, err = listen(ctx, "the API", "apiAddress", p.cfg.APIAddress); err != nil {
			return err
		}
	}
	if p.cfg.AuthAddress == "" {
		return nil
	}
	if p.authLn, err = listen(ctx, "authentication", "authAddress", p.cfg.AuthAddress); err != nil {
		p.closeHTTP()
		return err
	}
	if p.cfg.AuthTLS {
		p.authLn = tls.NewListener(p.authLn, p.tls)
	}
	return nil
}

// closeHTTP undoes listenHTTP when nothing was served.
func (p *Platform) closeHTTP() {
	for _, ln := range []net.Listener{p.apiLn, p.authLn} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// APIAddr is where the HTTP API listens, host:port; empty before Start and
// without one.
func (p *Platform) APIAddr() string { return p.addr(&p.apiLn) }

func (p *Platform) addr(ln *net.Listener) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if *ln == nil {
		return ""
	}
	return (*ln).Addr().String()
}

// Close ends all connections, watches and commands and waits, within ctx, until
// nothing of them is left. Calling it again changes nothing.
func (p *Platform) Close(ctx context.Context) error {
	p.once.Do(func() {
		p.mu.Lock()
		started := p.started
		p.closed = true
		links := make([]*link, 0, len(p.links))
		for l := range p.links {
			links = append(links, l)
		}
		p.mu.Unlock()
		close(p.closing)
		if !started {
			p.faults.endRules()
			p.hub.close()
			p.closeData()
			return
		}
		p.closeDoors()
		for _, l := range links {
			l.stop("the platform closes")
		}
		p.faults.endRules() // and the sockets of half-open connections with them
		waitFor(ctx, links)
		p.hub.close() // whoever watches has seen all that was acknowledged
		if p.apiSrv != nil {
			p.closeErr = p.apiSrv.Shutdown(ctx)
			_ = p.apiSrv.Close()
		}
		if p.authSrv != nil {
			p.closeErr = errors.Join(p.closeErr, p.authSrv.Shutdown(ctx))
			_ = p.authSrv.Close()
		}
		ended := make(chan struct{})
		go func() { // ends with the connections, whose sockets are closed
			p.wg.Wait()
			_ = p.broker.Close()
			close(ended)
		}()
		select {
		case <-ended:
		case <-ctx.Done():
			p.closeErr = errors.Join(p.closeErr, fmt.Errorf("platform: close: %w", ctx.Err()))
		}
		p.closeData()
	})
	return p.closeErr
}

// waitFor waits, within ctx, until nothing is left of connections that have no
// sockets any more.
func waitFor(ctx context.Context, links []*link) {
	for _, l := range links {
		select {
		case <-l.done:
		case <-ctx.Done():
			return
		}
	}
}

// addLink makes room for a connection.
func (p *Platform) addLink(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.connections.Add(1)
	if p.closed {
		return false
	}
	if len(p.links) >= p.cfg.MaxConnections {
		p.refused("connect_limit")
		return false
	}
	p.links[l] = struct{}{}
	p.wg.Add(1)
	return true
}
