package aliyun

import (
	"context"
	"errors"
	"sync"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/carrier"
)

var (
	errLeaked     = errors.New("aliyun: too many messages of this connection were never acknowledged")
	errUnanswered = errors.New("aliyun: a subscription was not answered")
	errClosed     = errors.New("aliyun: gateway is closing")
)

// maxLeaked is how many packet identifiers may be lost to messages that were given
// up and not acknowledged since, before the connection is begun anew.
const maxLeaked = 1 << 14

// link is one connection of a gateway, from the platform's consent until it is
// lost, whatever wire carries it.
//
// It has the goroutines complete and logIn, which serve waits for, and send and
// subscribeDevices, which Close of the connector waits for.
type link struct {
	g        *gateway
	wire     wire
	down     chan struct{} // closed when the link is lost
	once     sync.Once
	wake     chan struct{} // for send
	ackWake  chan struct{} // for complete
	logWake  chan struct{} // for logIn
	subWake  chan struct{} // for subscribeDevices
	written  chan written
	subs     chan subscription
	inFlight int  // guarded by g.mu
	idle     bool // send is waiting to be woken; guarded by g.mu

	mu      sync.Mutex           // guards what follows; taken under g.mu, never the other way round
	packets map[uint32]*outgoing // nil: given up, and neither acknowledged nor cancelled yet
	lost    int                  // packets that were given up
	acked   []acknowledgement
	lastID  uint32 // of packets, when the wire has none of its own
	err     error  // why down was closed
}

// acknowledgement is what the platform says about a message.
type acknowledgement struct {
	m   *outgoing
	err error // nil: it has the message
}

// token tells of the end of what was asked of a wire.
type token = carrier.Token

// written is a message of QoS 0 that the wire writes.
type written struct {
	m     *outgoing
	token token
}

// subscription is a SUBSCRIBE whose acknowledgement is on its way.
type subscription struct {
	device *device
	tokens []token
}

// connect makes a connection of the gateway, with the gateway's own
// subscriptions.
func (g *gateway) connect(ctx context.Context) (*link, error) {
	l := newLink(g)
	ctx, cancel := context.WithTimeout(ctx, g.cfg.ConnectTimeout)
	defer cancel()
	secret, err := g.ownSecret(ctx)
	if err != nil {
		return nil, err
	}
	dial := l.dialMQTT
	if g.cfg.dialer != nil {
		dial = l.dialCarrier
	}
	if err := dial(ctx, secret); err != nil {
		var no *upstream.RefusedError
		if errors.As(err, &no) && !no.Temporary && g.refusedOwn() {
			no.Temporary = true
			no.Reason += "; its secret is asked for anew"
		}
		return nil, err
	}
	g.stale = false // the platform has taken its secret
	if err := l.subscribeGateway(ctx); err != nil {
		l.fail(err)
		l.wire.disconnect()
		return nil, err
	}
	return l, nil
}

func newLink(g *gateway) *link {
	return &link{
		g: g, down: make(chan struct{}),
		wake: make(chan struct{}, 1), ackWake: make(chan struct{}, 1), logWake: make(chan struct{}, 1), subWake: make(chan struct{}, 1),
		written: make(chan written, 64), subs: make(chan subscription, 64),
		packets: map[uint32]*outgoing{},
	}
}

// subscribeGateway subscribes the gateway's own topics.
func (l *link) subscribeGateway(ctx context.Context) error {
	for _, token := range l.wire.subscribe(l.g.gatewayFilters()) {
		select {
		case <-token.Done():
		case <-l.down:
			return l.cause()
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := token.Error(); err != nil {
			return err
		}
		l.wire.granted(token)
	}
	return nil
}

// serve runs the link until it is lost, or ctx is done.
func (l *link) serve(ctx context.Context) {
	// Those that call the wire may be stuck in it for a moment after the end. Nothing
	// waits for them but Close.
	l.g.connector.ended.Go(l.send)
	l.g.connector.ended.Go(l.subscribeDevices)
	var owned sync.WaitGroup
	owned.Go(l.complete)
	owned.Go(l.logIn)
	select {
	case <-l.down:
	case <-ctx.Done():
		l.fail(errClosed)
		l.wire.leave()
	}
	l.wire.disconnect()
	owned.Wait()
}

// fail ends the link; err of the first call is its cause.
func (l *link) fail(err error) {
	l.once.Do(func() {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
		close(l.down)
	})
}

func (l *link) cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *link) open() bool {
	select {
	case <-l.down:
		return false
	default:
		return l.wire.isOpen()
	}
}

// sleeping is l when its sender waits to be woken and there is a reason to: then
// the caller wakes it after letting go of g.mu, which is held.
func (l *link) sleeping() *link {
	if l == nil || !l.idle {
		return nil
	}
	l.idle = false
	return l
}

func (l *link) wakeSender() { signal(l.wake) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// release gives back the place in the window of a message that the sender took.
// g.mu is held.
func (l *link) release(m *outgoing) {
	l.inFlight--
	l.mu.Lock()
	open := l.packets[m.packet] == m
	if open {
		l.packets[m.packet] = nil
		l.lost++
	}
	l.mu.Unlock()
	if open {
		l.wire.cancel(m.packet)
	}
}

// acknowledge notes what the platform says about the message with that packet
// identifier.
func (l *link) acknowledge(id uint32, err error) {
	l.mu.Lock()
	m, sent := l.packets[id]
	delete(l.packets, id)
	switch {
	case m != nil:
		l.acked = append(l.acked, acknowledgement{m, err})
	case sent: // it was given up
		l.lost--
	}
	first := len(l.acked) == 1
	l.mu.Unlock()
	if m != nil && first {
		signal(l.ackWake)
	}
}
