package route

import (
	"container/heap"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/internal/quiet"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// mirror is an upstream that gets copies. It owns a goroutine, run, which alone
// calls the upstream and owns the legs; everybody else leaves it something to do.
type mirror struct {
	node *node
	cfg  CopyConfig
	log  *zap.Logger // set before run
	wake chan struct{}
	gone chan struct{} // closed when run has ended

	started chan struct{} // closed when the upstream was started, or could not be
	dead    atomic.Bool   // it could not be
	counts  counts
	quiet   quiet.Line

	current map[string]*leg // run's: by productKey/deviceName
	waiters waiters         // run's: legs that try again later

	parked      int   // run's: messages that wait for logins
	parkedBytes int64 // run's: size of those

	mu      sync.Mutex
	todo    []op
	spare   []op
	logins  int // among todo, not yet begun
	closing bool

	pending atomic.Int64 // messages taken, not yet finished
	bytes   atomic.Int64 // size of those
	idle    chan struct{}
}

// op is something to do.
type op struct {
	kind   opKind
	leg    *leg
	parcel parcel
	device upstream.Device
	err    error
}

type opKind uint8

const (
	loginOp opKind = iota
	loggedInOp
	publishOp
	lostOp
	logoutOp
)

// maxLogins is how many logins may wait until the upstream's methods return.
const maxLogins = 1 << 17

func newMirror(n *node, cfg CopyConfig) *mirror {
	m := &mirror{
		node: n, cfg: cfg, log: zap.NewNop(), wake: make(chan struct{}, 1), gone: make(chan struct{}), started: make(chan struct{}),
		current: map[string]*leg{}, idle: make(chan struct{}, 1),
	}
	if n.primary {
		close(m.started)
	}
	return m
}

// startUp starts the upstream of a mirror that is nobody's platform.
func (m *mirror) startUp(ctx context.Context, host upstream.Host) {
	defer close(m.started)
	if err := m.node.start(ctx, host); err != nil && ctx.Err() == nil {
		m.dead.Store(true)
		m.log.Error("copy: cannot be started, so that nothing is copied there", zap.NamedError("err", err))
	}
}

// login has a device logged in.
func (m *mirror) login(g *leg) {
	m.mu.Lock()
	if g.closed { // meanwhile
		m.mu.Unlock()
		return
	}
	if m.logins >= maxLogins || m.closing || m.dead.Load() {
		m.mu.Unlock()
		m.counts.refusals.Add(1)
		return
	}
	g.taken = true
	m.logins++
	m.add(op{kind: loginOp, leg: g})
}

// logout has a device logged out, if it was logged in.
func (m *mirror) logout(g *leg) {
	m.mu.Lock()
	g.closed = true
	if !g.taken {
		m.mu.Unlock()
		return
	}
	g.taken = false
	m.add(op{kind: logoutOp, leg: g})
}

// publish takes a message, or drops it. The mirror keeps it.
func (m *mirror) publish(g *leg, msg *thing.Message) {
	p := parcel{msg, sizeOf(msg)}
	m.counts.copied.Add(1)
	count, bytes := m.pending.Add(1), m.bytes.Add(p.size)
	if count > int64(m.cfg.Queue) || bytes > m.cfg.QueueBytes && count > 1 {
		m.drop(p, "full")
		m.warn("copy: message dropped, for too many are under way", g.h.key, upstream.ErrOverloaded)
		return
	}
	m.mu.Lock()
	if !g.taken {
		m.mu.Unlock()
		m.drop(p, "offline")
		return
	}
	m.add(op{kind: publishOp, leg: g, parcel: p})
}

// control leaves run something that the upstream has said.
func (m *mirror) control(o op) {
	m.mu.Lock()
	m.add(o)
}

// add appends to what there is to do. mu is held, and released.
func (m *mirror) add(o op) {
	m.todo = append(m.todo, o)
	first := len(m.todo) == 1
	m.mu.Unlock()
	if first {
		m.signal()
	}
}

func (m *mirror) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// run does what there is to do until the mirror is closed and nothing is left,
// or closing has taken too long.
func (m *mirror) run() {
	defer close(m.gone)
	<-m.started
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		m.mu.Lock()
		todo, closing := m.todo, m.closing
		m.todo, m.spare = m.spare[:0], nil
		m.mu.Unlock()
		for i := range todo {
			m.do(&todo[i])
		}
		clear(todo)
		if next := m.retry(time.Now()); next > 0 {
			timer.Reset(next)
		}
		m.mu.Lock()
		if m.spare == nil {
			m.spare = todo[:0]
		}
		more := len(m.todo) > 0
		m.mu.Unlock()
		switch {
		case more:
			continue
		case closing:
			return
		}
		select {
		case <-m.wake:
		case <-timer.C:
		}
	}
}

func (m *mirror) do(o *op) {
	switch o.kind {
	case loginOp:
		m.mu.Lock()
		m.logins--
		m.mu.Unlock()
		if m.dead.Load() {
			o.leg.leave("offline")
			return
		}
		o.leg.enter()
	case loggedInOp:
		o.leg.loggedIn(o.device, o.err)
	case publishOp:
		o.leg.send(o.parcel)
	case lostOp:
		o.leg.lost(o.err)
	case logoutOp:
		o.leg.logout()
	}
}

// retry begins the logins whose time has come, and says when the next one's
// does; 0: there is none.
func (m *mirror) retry(now time.Time) time.Duration {
	for len(m.waiters) > 0 {
		g := m.waiters[0]
		if wait := g.at.Sub(now); wait > 0 {
			return wait
		}
		m.unwait(g)
		g.state = idle
		g.enter()
	}
	return 0
}

func (m *mirror) wait(g *leg)   { heap.Push(&m.waiters, g) }
func (m *mirror) unwait(g *leg) { heap.Remove(&m.waiters, g.heap) }

// finished ends a message, however that was.
func (m *mirror) finished(p parcel) {
	m.bytes.Add(-p.size)
	if m.pending.Add(-1) == 0 {
		select {
		case m.idle <- struct{}{}:
		default:
		}
	}
}

// drop ends a message that does not reach the copy.
func (m *mirror) drop(p parcel, cause string) {
	m.counts.dropped(cause)
	m.finished(p)
}

// close lets what is under way reach the copy, for closeTimeout at most.
func (m *mirror) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.CloseTimeout)
	defer cancel()
	for m.pending.Load() > 0 && ctx.Err() == nil {
		select {
		case <-m.idle:
		case <-ctx.Done():
			m.log.Warn("copy: not all messages have reached it", zap.Int64("count", m.pending.Load()))
		}
	}
	m.mu.Lock()
	m.closing = true
	m.mu.Unlock()
	m.signal()
	select {
	case <-m.gone:
	case <-ctx.Done():
	}
}

// closeUp closes an upstream that is nobody's platform.
func (m *mirror) closeUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.CloseTimeout)
	defer cancel()
	ended := make(chan error, 1)
	go func() { // ends with the upstream's Start and Close, which may not keep to their contexts
		<-m.started
		ended <- m.node.close(ctx)
	}()
	select {
	case err := <-ended:
		if err != nil {
			m.log.Warn("copy: did not end in order", zap.NamedError("err", err))
		}
	case <-ctx.Done():
		m.log.Warn("copy: did not end in time", zap.NamedError("err", ctx.Err()))
	}
}

// sizeOf is about what a message takes in memory.
func sizeOf(m *thing.Message) int64 {
	return int64(messageSize + len(m.Fields)*fieldSize + len(m.Raw))
}

// waiters is a heap of legs by when they try again.
type waiters []*leg

func (w waiters) Len() int           { return len(w) }
func (w waiters) Less(i, j int) bool { return w[i].at.Before(w[j].at) }
func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].heap, w[j].heap = i, j
}

// Push implements heap.Interface.
func (w *waiters) Push(x any) {
	g, _ := x.(*leg)
	g.heap = len(*w)
	*w = append(*w, g)
}

// Pop implements heap.Interface.
func (w *waiters) Pop() any {
	last := len(*w) - 1
	g := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	return g
}
