package aliyun

import (
	"context"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// gateway is one gateway device: its devices, and its connection when there is
// one. It owns four goroutines: run connects and reconnects, clock ends what
// takes too long, tell calls back, and whatever a link has. Methods say when they
// want mu held; callbacks are never called under it.
type gateway struct {
	connector *Connector
	cfg       *settings
	identity  auth.Identity // its secret may be empty: see ownSecret
	obtained  auth.Secret   // got in its place; run's goroutine only, as is stale
	stale     bool          // the platform did not take the one that is kept
	short     shorts
	endpoint  *url.URL
	topics    gatewayTopics
	host      upstream.Host
	log       *zap.Logger
	attempted chan error    // the outcome of the first attempt to connect
	drained   chan struct{} // closed when closing and nothing is left to send
	told      chan struct{} // wakes tell
	room      chan struct{} // holds a token for each command that waits for tell
	now       atomic.Int64  // milliseconds, about
	ids       atomic.Uint32 // of Alink requests

	mu           sync.Mutex
	devices      map[string]*device // by productKey/deviceName
	link         *link              // nil while there is no connection
	since        int64              // when link was lost, milliseconds
	queue        sendQueue          // for the sender
	controls     []control          // for the sender, before queue
	wanted       []*device          // to be logged in, in order
	requests     map[uint32]*request
	asked        int                  // logins among requests
	unsubscribed []*device            // logged in, for subscribeDevices
	answers      map[uint32]*outgoing // messages that wait for the platform's answer
	sent         recent               // whose request an id was
	ready        []*device            // whose head is finished; for settle
	calls        []func()             // for tell, in order
	fullUntil    int64                // the platform takes no more devices before: milliseconds
	reported     map[string]int64     // devices that the platform was told of, and when: milliseconds
	allowed      map[string]bool      // devices that the platform wants in the topology
	throttled    []*device            // that were too fast
	pending      int                  // messages published, not yet finished
	bytes        int64                // payload of those
	rejected     int                  // messages refused that wait for their turn
	logouts      int                  // under way
	closing      bool
	ended        bool // calls of tell are over
	stats        counters
}

// control is a message of the gateway's own, at QoS 0.
type control struct {
	topic   string
	payload []byte
}

const (
	maxControls = 8192 // waiting for the sender
	maxCommands = 1024 // waiting for their callback; then the connection is not read
)

func newGateway(c *Connector, i int) *gateway {
	cert := c.cfg.Gateways[i]
	id := cert.identity()
	g := &gateway{
		connector: c, cfg: c.cfg, identity: id, endpoint: c.cfg.endpoints[i], topics: topicsOf(id),
		log:       zap.NewNop(),
		attempted: make(chan error, 1),
		drained:   make(chan struct{}),
		told:      make(chan struct{}, 1),
		room:      make(chan struct{}, maxCommands),
		devices:   map[string]*device{},
		requests:  map[uint32]*request{},
		answers:   map[uint32]*outgoing{},
		reported:  map[string]int64{},
		allowed:   map[string]bool{},
	}
	g.ids.Store(rand.Uint32()) //nolint:gosec // only that two runs differ
	g.now.Store(time.Now().UnixMilli())
	return g
}

func (g *gateway) start(ctx context.Context, host upstream.Host) {
	g.host, g.log = host, host.Logger.With(zap.String("upstream", g.identity.String()))
	g.connector.ended.Add(3)
	tick, stop := context.WithCancel(context.WithoutCancel(ctx)) // clock outlives run
	go func() {                                                  // owned by the connector: Close waits
		defer g.connector.ended.Done()
		defer stop()
		g.run(ctx)
		g.end()
	}()
	go g.clock(tick)
	go g.tell()
}

// nextID is an id for an Alink request.
func (g *gateway) nextID() uint32 { return g.ids.Add(1) }

// run connects, serves the connection until it is lost, and begins again.
func (g *gateway) run(ctx context.Context) {
	pause := g.cfg.ReconnectMin
	first := true
	defer func() {
		if first { // closed before the first attempt: Start waits
			g.attempted <- ctx.Err()
		}
	}()
	for ctx.Err() == nil {
		l, err := g.connect(ctx)
		if err != nil && ctx.Err() == nil {
			g.count(func(s *counters) { s.failures++ }) // before Start returns
		}
		if first {
			first = false
			g.attempted <- err
		}
		if err == nil {
			up := time.Now()
			g.log.Info("aliyun: gateway connected", zap.String("remote", g.endpoint.Host))
			g.serve(ctx, l)
			if ctx.Err() != nil {
				return
			}
			g.log.Warn("aliyun: connection lost", zap.String("remote", g.endpoint.Host), zap.NamedError("cause", l.cause()))
			if time.Since(up) > g.cfg.ReconnectMax {
				pause = g.cfg.ReconnectMin
			}
			g.lasted(time.Since(up), l.cause(), time.Now())
		} else if ctx.Err() == nil {
			g.short.count = 0
			g.log.Warn("aliyun: cannot connect", zap.String("remote", g.endpoint.Host), zap.NamedError("err", err), zap.Duration("duration", pause))
		}
		wait := time.NewTimer(jitter(pause))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
		pause = min(2*pause, g.cfg.ReconnectMax)
	}
}

// jitter is between half of d and d.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) //nolint:gosec // no secret
}

// serve runs a connection until it is lost or ctx is done.
func (g *gateway) serve(ctx context.Context, l *link) {
	g.mu.Lock()
	g.link = l
	g.stats.connects++
	if g.stats.connects > 1 {
		g.stats.reconnects++
	}
	for _, d := range g.devices { // the order of a map is the jitter of a storm of logins
		if d.state == wanted && !d.inWanted {
			g.wantLogin(d)
		}
	}
	g.mu.Unlock()
	l.serve(ctx)
	g.detach(l)
}

// detach takes the connection that was lost off: what was not acknowledged
// waits for the next one.
func (g *gateway) detach(l *link) {
	g.acknowledged(l) // what came in before the end counts
	l.drainWritten()
	g.mu.Lock()
	g.link, g.since = nil, time.Now().UnixMilli()
	g.queue, g.controls, g.wanted = sendQueue{}, nil, nil
	g.asked, g.unsubscribed = 0, nil
	for _, asked := range g.requests {
		if asked.kind == callRequest {
			asked.done(nil, upstream.ErrNotConnected)
		}
	}
	clear(g.requests)
	clear(g.answers)
	for _, d := range g.devices {
		d.inWanted = false
		g.holdMessages(d)
		switch {
		case d.state == leaving:
			if d.current == nil {
				g.failMessages(d, upstream.ErrLoggedOut)
			}
			g.leftNow(d, nil) // the end of the connection took the device offline
		case d.current == nil:
			g.drop(d, upstream.ErrLoggedOut)
		default:
			d.state, d.again = wanted, false
			d.retryAt = g.since + g.cfg.RequestTimeout.Milliseconds()
		}
	}
	g.settle()
}

// holdMessages makes the messages of a device wait for its next login, for
// holdTimeout from the first time on: one that costs the connection whenever it is
// sent has an end. Those of QoS 0 fail. mu is held.
func (g *gateway) holdMessages(d *device) {
	d.turn, d.departs = nil, false
	deadline := g.now.Load() + g.cfg.HoldTimeout.Milliseconds()
	for m := d.head; m != nil; m = m.next {
		switch {
		case m.state == finished:
		case m.qos == 0 && m.sent:
			g.finish(m, upstream.ErrTimeout) // nobody knows
		case m.qos == 0:
			g.finish(m, upstream.ErrNotConnected)
		default:
			if m.state == taken {
				g.untake(m)
				g.stats.resent++
			}
			if m.until == 0 {
				m.until = deadline
			}
			m.state, m.deadline, m.acked, m.held = waiting, m.until, false, m.sent
		}
	}
}

// end finishes all that is left when the gateway is closed.
func (g *gateway) end() {
	g.mu.Lock()
	for _, d := range g.devices {
		if h := d.current; h != nil {
			d.current, h.err = nil, upstream.ErrClosed
			g.loginDone(h, nil, upstream.ErrClosed)
		}
		g.drop(d, upstream.ErrClosed)
	}
	g.settle()
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.wakeTell()
}

// refuse begins the end: nothing more is taken.
func (g *gateway) refuse() {
	g.mu.Lock()
	if g.closing {
		g.mu.Unlock()
		return
	}
	g.closing = true
	for _, d := range g.devices {
		if h := d.current; h != nil && h.done != nil {
			d.current, h.err = nil, upstream.ErrClosed
			g.loginDone(h, nil, upstream.ErrClosed)
		}
	}
	g.checkDrained()
	g.mu.Unlock()
}

// checkDrained tells Close when nothing is left. mu is held.
func (g *gateway) checkDrained() {
	if !g.closing || g.pending > 0 || g.logouts > 0 {
		return
	}
	select {
	case <-g.drained:
	default:
		close(g.drained)
	}
}

// drop takes a device off that is offline for good: its messages fail with err,
// or with ErrTimeout when the platform may have them. mu is held.
func (g *gateway) drop(d *device, err error) {
	g.failMessages(d, err)
	if d.left != nil {
		g.leftNow(d, nil)
	}
	d.state = offline
	g.forget(d)
}

// failMessages ends all messages of a device. mu is held.
func (g *gateway) failMessages(d *device, err error) {
	for m := d.head; m != nil; m = m.next {
		switch {
		case m.state == finished:
		case m.sent:
			g.finish(m, upstream.ErrTimeout)
		default:
			g.finish(m, err)
		}
	}
}

// forget removes a device that nothing is left of. mu is held.
func (g *gateway) forget(d *device) {
	if d.state == offline && d.current == nil && d.head == nil && !d.delivering && g.devices[d.name()] == d {
		delete(g.devices, d.name())
	}
}

// tell calls back: logins, logouts, lost devices and commands, in order.
func (g *gateway) tell() {
	defer g.connector.ended.Done()
	for range g.told {
		for {
			g.mu.Lock()
			calls, ended := g.calls, g.ended
			g.calls = nil
			g.mu.Unlock()
			if len(calls) == 0 {
				if ended {
					return
				}
				break
			}
			for _, call := range calls {
				call()
			}
		}
	}
}

// later has tell make a call. mu is held.
func (g *gateway) later(call func()) {
	g.calls = append(g.calls, call)
	g.wakeTell()
}

func (g *gateway) wakeTell() {
	select {
	case g.told <- struct{}{}:
	default:
	}
}

func (g *gateway) count(f func(*counters)) {
	g.mu.Lock()
	f(&g.stats)
	g.mu.Unlock()
}

// commandTo has tell hand a command to a login. mu is held, and a token of room
// was taken.
func (g *gateway) commandTo(h *handle, c *thing.Command) {
	g.stats.commands++
	g.later(func() {
		defer func() { <-g.room }()
		h.command(c)
	})
}
