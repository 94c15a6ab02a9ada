package aliyun

import (
	"context"
	"errors"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/carrier"
)

// wire is the connection below a link: MQTT, or a carrier. send and
// subscribeDevices call it, and may block in it.
type wire interface { //nolint:interfacebloat // a connection is one thing, and has one user
	// publish takes a message. The end of one that is tracked is told by the
	// link's acknowledge, that of another by the token; a token that is done at
	// once with an error says that the connection is of no use.
	publish(m *outgoing) token
	control(topic string, payload []byte) token
	subscribe(filters []string) []token
	unsubscribe(filters []string) token
	granted(of token) // looks at a token of subscribe that is done
	cancel(id uint32) // gives up a packet that was not acknowledged
	isOpen() bool
	leave()      // ends the connection in good order
	disconnect() // ends what is left
}

// tracked says whether the end of a message is told by an acknowledgement.
func (g *gateway) tracked(m *outgoing) bool { return m.qos > 0 || g.cfg.dialer != nil }

// enqueue has a message sent, which its device may do now: when messages may
// overtake one another, once the one before it was acknowledged. mu is held.
func (g *gateway) enqueue(m *outgoing) {
	if g.cfg.dialer != nil {
		if m.dev.turn != nil {
			m.state = inLine
			return
		}
		m.dev.turn = m
	}
	m.state = queued
	g.queue.push(m)
}

// nextTurn has the message behind m sent, when it was m's turn, and the logout
// behind the last. mu is held.
func (g *gateway) nextTurn(m *outgoing) {
	d := m.dev
	if d.turn != m {
		return
	}
	d.turn = nil
	for n := m.next; n != nil; n = n.next {
		if n.state == inLine {
			g.enqueue(n)
			return
		}
	}
	if d.departs {
		d.departs = false
		g.pushLogout(d, false)
	}
}

// carried is a carrier as a wire.
type carried struct {
	l       *link
	conn    carrier.Conn
	closing atomic.Bool // it takes no more: what is on its way goes on
}

// dialCarrier makes a connection by the dialer of the configuration.
func (l *link) dialCarrier(ctx context.Context, secret auth.Secret) error {
	id := l.g.identity
	id.DeviceSecret = secret
	conn, err := l.g.cfg.dialer.Dial(ctx, id, (*events)(l))
	if err != nil {
		return err
	}
	l.wire = &carried{l: l, conn: conn}
	return nil
}

// events is a link as what a carrier's connection tells.
type events link

// Received implements carrier.Events.
func (e *events) Received(topic string, payload []byte) {
	(*link)(e).g.received((*link)(e), topic, payload)
}

// Acknowledged implements carrier.Events.
func (e *events) Acknowledged(id uint32, err error) { (*link)(e).acknowledge(id, err) }

// Lost implements carrier.Events.
func (e *events) Lost(err error) { (*link)(e).fail(err) }

// outcome is a token that was done from the beginning.
type outcome struct{ err error }

var done = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Done implements carrier.Token.
func (outcome) Done() <-chan struct{} { return done }

// Error implements carrier.Token.
func (o outcome) Error() error { return o.err }

func (w *carried) publish(m *outgoing) token {
	l := w.l
	l.mu.Lock()
	l.lastID++
	id := l.lastID
	m.packet = id
	l.packets[id] = m
	l.mu.Unlock()
	return w.sent(w.conn.Publish(id, m.topic, m.qos, m.payload))
}

func (w *carried) control(topic string, payload []byte) token {
	return w.sent(w.conn.Control(topic, payload))
}

// sent is the outcome of handing a message over: one that the connection does not
// take waits for the next. A connection that drains is left to end by itself.
func (w *carried) sent(err error) token {
	if err == nil {
		return outcome{}
	}
	w.closing.Store(true)
	if errors.Is(err, carrier.ErrDraining) {
		return outcome{}
	}
	return outcome{err}
}

func (w *carried) subscribe(filters []string) (tokens []token) {
	for _, f := range filters {
		tokens = append(tokens, w.conn.Subscribe(f))
	}
	return tokens
}

func (w *carried) unsubscribe(filters []string) token {
	for _, f := range filters {
		w.conn.Unsubscribe(f)
	}
	return outcome{}
}

func (w *carried) granted(of token) {
	s, ok := of.(carrier.Subscription)
	if !ok {
		return
	}
	if filter := s.Denied(); filter != "" {
		w.l.g.count(func(s *counters) { s.denied++ })
		w.l.g.log.Warn("aliyun: subscription denied", zap.String("path", filter))
	}
}

func (w *carried) cancel(id uint32) {
	w.conn.Cancel(id)
	w.l.acknowledge(id, nil) // nothing comes of it any more
}

func (w *carried) isOpen() bool { return !w.closing.Load() }

func (w *carried) leave() { w.conn.Close() }

func (w *carried) disconnect() { w.conn.Close() }
