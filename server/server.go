package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"go.uber.org/zap"
)

// ErrStarted is returned by Start of a server that was started or closed
// before: make a new one.
var ErrStarted = errors.New("server: started or closed before")

// Server listens for devices. Its methods may be called from any goroutine.
type Server struct {
	cfg            Config
	maxConnections int
	listeners      []*listener
	log            *zap.Logger
	engine         *gnet.Client // gnet's name for an engine that does not listen itself
	made           time.Time

	open       atomic.Int64 // TCP connections whose sockets are open, and those about to be
	peers      atomic.Int64 // UDP peers
	udp        []*udpLoop   // set by Start
	pending    atomic.Int64 // undecoded bytes of all connections
	handshakes *handshakes
	addresses  addresses
	dialling   dialling
	stacks     *stacks
	endLog     *limitedLog
	faultLog   *limitedLog
	refuseLog  *limitedLog
	failLog    *limitedLog
	loginLog   *limitedLog
	dropLog    *limitedLog

	accepting sync.WaitGroup // goroutines of accept
	closing   chan struct{}  // closed when Close begins
	empty     chan struct{}  // open came to 0; holds one
	closed    chan struct{}  // closed when Close is done

	mu      sync.Mutex
	started bool    // guarded by mu
	ending  bool    // guarded by mu
	drains  bool    // loops take no more messages; guarded by mu
	deaf    bool    // the sockets that listen are closed, or about to be; guarded by mu
	loops   []*loop // guarded by mu; only grows
	err     error   // of Close; written before closed is closed
}

// Option is a collaborator of a server.
type Option func(*Server)

// WithLogger makes the server log there. Without it nothing is logged. gnet's
// own messages go to the logger of the server that was made last.
func WithLogger(log *zap.Logger) Option {
	return func(s *Server) {
		if log != nil {
			s.log = log
		}
	}
}

// New returns a server with those listeners, which Start starts. An error names
// every mistake in the configuration.
func New(cfg Config, listeners []Listener, opts ...Option) (*Server, error) {
	errs := []error{cfg.Check()}
	names, addresses := map[string]bool{}, map[string]string{}
	s := &Server{
		cfg:       cfg,
		log:       zap.NewNop(),
		made:      time.Now(),
		stacks:    newStacks(),
		endLog:    newLimitedLog(100, 1000),
		faultLog:  newLimitedLog(10, 100),
		refuseLog: newLimitedLog(1, 10),
		failLog:   newLimitedLog(1, 10),
		loginLog:  newLimitedLog(1, 10),
		dropLog:   newLimitedLog(1, 10),
		closing:   make(chan struct{}),
		empty:     make(chan struct{}, 1),
		closed:    make(chan struct{}),
	}
	s.dialling.ctx, s.dialling.cancel = context.WithCancel(context.Background())
	for i, given := range listeners {
		given.Reconnect.fill()
		if err := given.validate(); err != nil {
			errs = append(errs, fmt.Errorf("listener %q: %w", given.Name, err))
		}
		if names[given.Name] {
			errs = append(errs, fmt.Errorf("listener %q: another one has the same name", given.Name))
		}
		names[given.Name] = true
		given.Limits.fill()
		given.fillNetwork()
		at := given.Network + " " + given.Address
		if other, taken := addresses[at]; taken && !given.dials() && !strings.HasSuffix(given.Address, ":0") {
			errs = append(errs, fmt.Errorf("listener %q: %s is the address of %q too", given.Name, given.Address, other))
		}
		addresses[at] = given.Name
		proxy, err := given.Proxy.build()
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %q: %w", given.Name, err))
		}
		s.listeners = append(s.listeners, &listener{Listener: given, index: i, limits: given.Limits, proxy: proxy, datagrams: given.isUDP()})
	}
	if len(listeners) == 0 {
		errs = append(errs, errors.New("no listeners"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("server: bad configuration: %w", err)
	}
	for _, o := range opts {
		o(s)
	}
	return s, s.prepare()
}

// prepare fills in what depends on the machine.
func (s *Server) prepare() error {
	if s.cfg.Loops == 0 {
		s.cfg.Loops = min(runtime.GOMAXPROCS(0), maxLoops)
	}
	if s.cfg.MaxPending == 0 {
		s.cfg.MaxPending = DefaultConfig().MaxPending
	}
	if s.cfg.MaxHandshakes == 0 {
		s.cfg.MaxHandshakes = DefaultConfig().MaxHandshakes
	}
	if s.cfg.HandshakeCPUs == 0 {
		s.cfg.HandshakeCPUs = max(runtime.GOMAXPROCS(0)/2, 1)
	}
	s.handshakes = newHandshakes(s.cfg.MaxHandshakes, s.cfg.HandshakeCPUs)
	files := fileLimit()
	most := files - max(files/10, 64) // for logs, queues, upstreams, and connections that change hands
	s.maxConnections = s.cfg.MaxConnections
	if s.maxConnections == 0 {
		s.maxConnections = max(most, 1)
	} else if s.maxConnections > most {
		s.log.Warn(fmt.Sprintf("maxConnections is more than %d open files allow: raise the limit (ulimit -n)", files),
			zap.Int("count", s.maxConnections))
	}
	engine, err := gnet.NewClient(&events{Server: s},
		gnet.WithNumEventLoop(s.cfg.Loops),
		gnet.WithTCPNoDelay(gnet.TCPDelay), // that is: leave it as admit has set it
		gnet.WithLogger(gnetLogger{s.log.Sugar()}))
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	s.engine = engine
	return nil
}

// Start returns when all listeners listen. When one cannot, none does, and the
// error names it. ctx bounds Start alone, not the server.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.ending {
		return ErrStarted
	}
	s.started = true
	var errs []error
	for _, l := range s.listeners {
		if err := l.listen(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		if err := s.listenUDP(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		if err := s.engine.Start(); err != nil {
			errs = append(errs, fmt.Errorf("event loops: %w", err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.closeUDP()
		for _, l := range s.listeners {
			if l.socket != nil {
				_ = l.socket.Close() // nothing to lose
			}
		}
		s.ending, s.deaf = true, true
		s.dialling.cancel()
		close(s.closing)
		close(s.closed)
		return fmt.Errorf("server: start: %w", err)
	}
	s.runUDP()
	s.watchTLS()
	s.dialAll()
	for _, l := range s.listeners {
		s.serve(l)
	}
	return nil
}

// serve begins to take l's connections, and says so.
func (s *Server) serve(l *listener) {
	names := []zap.Field{zap.String("listener", l.Name), zap.String("protocol", l.Protocol)}
	if l.dials() {
		s.log.Info("connecting to devices", append(names, zap.Int("count", len(l.Connect)))...)
		return
	}
	if !l.datagrams {
		s.accepting.Add(acceptors)
		for range acceptors {
			go s.accept(l) // ends when the socket is closed; Close waits
		}
	}
	s.log.Info("listening on "+l.Network+" "+l.local.String(), names...)
}

// Addr is the address that the listener of that name listens on, with its real
// port; nil before Start, for one that connects to its devices, and for a name
// that is unknown.
func (s *Server) Addr(name string) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if l.Name == name {
			return l.local
		}
	}
	return nil
}

// Close ends the server, in better order after a Drain: new connections are refused, every connection ends
// with CauseShutdown, what was written to devices leaves, and the loops stop.
// When ctx is done what is left is cut off, and the error says how much that
// was. Adapters' functions that come to Do later still run. A second Close waits
// for the first.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.ending
	s.ending = true
	started := s.started
	s.mu.Unlock()
	if first {
		close(s.closing)
		if !started {
			s.dialling.cancel()
			close(s.closed)
			return nil
		}
		s.stopListening(ctx)
		go s.shutdown(ctx) // ends by itself, soon after ctx
	}
	select {
	case <-s.closed:
		return s.err
	case <-ctx.Done():
	}
	select { // it takes but a moment now, unless an adapter blocks a loop
	case <-s.closed:
		return s.err
	case <-time.After(time.Second):
		return fmt.Errorf("server: close: an event loop does not stop: %w", ctx.Err())
	}
}

func (s *Server) shutdown(ctx context.Context) {
	defer close(s.closed)
	accepted := make(chan struct{})
	go func() { // ends when the loops have taken what was accepted
		s.accepting.Wait()
		close(accepted)
	}()
	select {
	case <-accepted:
	case <-ctx.Done():
	}
	for _, l := range s.allLoops() {
		l.do(nil, l.endAll) //nolint:contextcheck // a loop has no context
	}
	for s.present() > 0 && ctx.Err() == nil {
		select {
		case <-s.empty:
		case <-ctx.Done():
		}
	}
	if left := s.present(); left > 0 {
		s.err = fmt.Errorf("server: close: %d connections were cut off: %w", left, ctx.Err())
	}
	<-accepted // with the loops alive, for they answer each acceptor
	loops := s.allLoops()
	for _, l := range loops {
		l.stop()
	}
	if err := s.engine.Stop(); err != nil && s.err == nil {
		s.err = fmt.Errorf("server: close: %w", err)
	}
	s.stopUDP()
	s.handshakes.end()
	for _, l := range loops {
		l.drain()
	}
}

func (s *Server) allLoops() []*loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loops[:len(s.loops):len(s.loops)]
}

// loopOf finds or makes the loop of a connection.
func (s *Server) loopOf(events gnet.EventLoop) *loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loops {
		if l.events == events {
			return l
		}
	}
	l := newLoop(s, events)
	l.draining = s.drains
	s.loops = append(s.loops, l)
	return l
}

// isClosing says whether Close was called.
func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}
