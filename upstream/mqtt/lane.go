package mqtt

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

var (
	errLeaked      = errors.New("mqtt: too many messages of this connection were never acknowledged")
	errUnanswered  = errors.New("mqtt: a subscription was not answered")
	errCredentials = errors.New("mqtt: the device has other credentials")
)

// lane is one client at the broker: its devices, their messages in one order, and
// its connection when there is one. With a connection for each device it has one
// device and ends with it. It owns the goroutine that connects, reads, and
// connects again, and the link's that writes. Methods say when they want mu held;
// callbacks are never called under it.
type lane struct {
	c      *Connector
	cfg    *settings
	count  *counters // of the connector
	log    *zap.Logger
	number int     // in a pool
	only   *device // with a connection for each device: the device; else nil
	self   *device // says whether the lane's own connection is up
	nudge  chan struct{}

	attempted chan error    // the outcome of the first attempt to connect
	drained   chan struct{} // closed when closing and nothing is left to send

	mu         sync.Mutex
	devices    map[string]*device
	link       *mqttlink.Link // nil while there is no connection
	endpoint   int            // that the last connection was made to
	clientID   string
	idle       bool                 // the link's writer sleeps
	list       outList              // unfinished messages
	packets    map[uint16]*outgoing // by packet identifier; nil: given up
	written    []*outgoing          // of QoS 0, which Fill has appended last
	controls   []*question          // to be asked
	asked      map[uint16]*question // by packet identifier
	unanswered int                  // questions of no device that devices wait for
	released   bool                 // devices may log in
	logins     []*handle            // that wait
	ready      []*device            // whose head is finished; for settle
	failing    []*handle            // of which a message has failed for now; for settle
	lastID     uint16
	inFlight   int // messages of QoS 1 taken
	leaked     int // packet identifiers of messages that were given up
	pending    int // messages in the list
	bytes      int64
	early      int64 // bytes of commands that wait for done of logins
	rejected   int   // messages refused that wait for their turn
	short      int   // connections in a row that did not last
	left       []func(error)
	turned     bool // the only device's turn to connect has come
	leaving    bool // the only device logs out: the connection ends when all is sent
	closing    bool
	farewell   bool // closing: everybody was said to be offline
	over       bool // has ended
}

func newLane(c *Connector, number int) *lane {
	return &lane{
		c: c, cfg: c.cfg, count: &c.count, log: c.host.Logger, number: number,
		self:      &device{},
		nudge:     make(chan struct{}, 1),
		attempted: make(chan error, 1),
		drained:   make(chan struct{}),
		devices:   map[string]*device{},
		packets:   map[uint16]*outgoing{},
		asked:     map[uint16]*question{},
	}
}

// run connects, serves the connection until it is lost, and begins again, until
// ctx is done or nobody needs the lane any more.
func (ln *lane) run(ctx context.Context) {
	defer ln.end()
	pause, first := ln.cfg.ReconnectMin, true
	defer func() {
		if first { // closed before the first attempt: Start waits
			ln.attempted <- ctx.Err()
		}
	}()
	for ctx.Err() == nil && ln.needed() {
		link, err := ln.connect(ctx)
		if err != nil && ctx.Err() == nil {
			ln.count.failures.Add(1) // before Start returns
		}
		if first {
			first = false
			ln.attempted <- err
		}
		if err == nil {
			lasted, again := ln.serve(ctx, link)
			if lasted {
				pause = ln.cfg.ReconnectMin
			}
			if again {
				continue
			}
		} else if ctx.Err() == nil {
			ln.log.Log(ln.level(zap.WarnLevel), "mqtt: cannot connect", zap.NamedError("err", err), zap.Duration("duration", pause))
			ln.refusedBy(err)
		}
		if ctx.Err() != nil || !ln.needed() {
			return
		}
		wait := time.NewTimer(jitter(pause))
		select {
		case <-wait.C:
		case <-ln.nudge:
			wait.Stop()
		case <-ctx.Done():
			wait.Stop()
		}
		pause = min(2*pause, ln.cfg.ReconnectMax)
	}
}

// jitter is between half of d and d.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) //nolint:gosec // no secret
}

// serve runs a connection until it is lost or ctx is done. It says whether it
// lasted, and whether it was ended on this side, to begin again at once.
func (ln *lane) serve(ctx context.Context, link *mqttlink.Link) (lasted, again bool) {
	up := time.Now()
	if !ln.attach(link) { // nobody needs it any more
		link.Disconnect()
	}
	stop := context.AfterFunc(ctx, func() { link.Close(nil) })
	cause := link.Run(flow{ln, link})
	stop()
	lasted = time.Since(up) > ln.cfg.ReconnectMax
	again = errors.Is(cause, mqttlink.ErrClosed) || errors.Is(cause, errCredentials)
	if !again {
		ln.log.Log(ln.level(zap.WarnLevel), "mqtt: connection lost", zap.String("remote", link.RemoteAddr().String()), zap.NamedError("cause", cause))
	}
	ln.mu.Lock()
	if ln.short++; lasted || again {
		ln.short = 0
	}
	ln.mu.Unlock()
	ln.detach()
	return lasted, again
}

// level is that of what happens to the lane: one device's connection is none of
// linkspan's own.
func (ln *lane) level(l zapcore.Level) zapcore.Level {
	if ln.only != nil {
		return zap.DebugLevel
	}
	return l
}

// attach takes a new connection into use, and says whether anybody needs it.
func (ln *lane) attach(link *mqttlink.Link) bool {
	ln.mu.Lock()
	defer ln.unlock()
	ln.link, ln.idle = link, false
	if ln.count.connects.Add(1); ln.known() {
		ln.count.reconnects.Add(1)
	}
	ln.list.unsent = ln.list.first
	for m := ln.list.first; m != nil && !link.Resumed(); m = m.behind {
		m.dup = false
	}
	if ln.only != nil {
		ln.released = true
		ln.release()
		return ln.only.current != nil && !ln.farewell
	}
	if ln.farewell {
		return false
	}
	ln.sayBridge(true)
	var filters []string
	if ln.number == 0 {
		filters = ln.cfg.topics.shared(ln.cfg.wildcard)
	}
	for len(filters) > 0 {
		n := min(len(filters), maxFilters)
		ln.controls = append(ln.controls, &question{filters: filters[:n]})
		ln.unanswered++
		filters = filters[n:]
	}
	if ln.unanswered == 0 {
		ln.release()
	}
	return true
}

// known says whether the lane was connected before. mu is held.
func (ln *lane) known() bool {
	before := ln.self.known
	ln.self.known = true
	return before
}

// release lets devices log in. mu is held.
func (ln *lane) release() {
	ln.released = true
	for _, d := range ln.devices { // the order of a map is the jitter of a storm of logins
		if d.state == wanted {
			ln.wantLogin(d)
		}
	}
}

// detach takes the connection that was lost off: what was not acknowledged waits
// for the next one.
func (ln *lane) detach() {
	ln.mu.Lock()
	ln.link, ln.released, ln.unanswered, ln.controls, ln.written = nil, false, 0, nil, nil
	clear(ln.asked)
	for m := ln.list.first; m != nil; {
		next := m.behind
		switch {
		case m.qos == 0 && m.taken:
			ln.finish(m, upstream.ErrTimeout) // nobody knows
		case m.qos == 0:
			ln.finish(m, upstream.ErrNotConnected)
		case m.presence && (m.online || m.dev.current != nil || ln.only != nil):
			ln.untake(m)
			ln.finish(m, nil) // the next login says it, or the last will has
		case m.taken:
			ln.untake(m)
			ln.count.resent.Add(1)
			if m.presence {
				m.dev.notice = m
			}
		}
		m = next
	}
	for id, m := range ln.packets {
		if m == nil {
			delete(ln.packets, id)
		}
	}
	ln.leaked = 0
	ln.list.unsent = ln.list.first
	for _, d := range ln.devices {
		if d.current != nil {
			d.state = wanted
			continue
		}
		d.state = offline
		if ln.only != nil {
			ln.fail(d, upstream.ErrLoggedOut)
		}
		ln.forget(d)
	}
	if ln.leaving {
		ln.stay()
	}
	ln.unstable()
	ln.settle()
}

// untake makes m one that was not sent over this connection. mu is held.
func (ln *lane) untake(m *outgoing) {
	if m.taken && m.qos > 0 {
		ln.inFlight--
	}
	m.dup = m.dup || m.taken
	m.taken = false
}
