package http2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/carrier"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/channel"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/h2"
)

const (
	maxHeader = 16 << 10
	maxBody   = 256<<10 + 4096 // the platform's limit of a message
	pushes    = 256
	controls  = 10_000 // requests besides messages that may wait: logins, logouts, subscriptions
)

// dialer makes connections for the gateways of a connector. Its methods may be
// called from any goroutine.
type dialer struct {
	cfg      Config
	endpoint func(auth.Identity) (*url.URL, error)
	tls      *tls.Config
	sign     auth.SignMethod

	mu    sync.Mutex
	conns map[*conn]struct{} // guarded by mu
	past  Stats              // of connections that have ended; guarded by mu
}

// Endpoint implements carrier.Dialer.
func (d *dialer) Endpoint(gateway auth.Identity) string {
	u, err := d.endpoint(gateway)
	if err != nil {
		return ""
	}
	return u.Host
}

// Dial implements carrier.Dialer.
func (d *dialer) Dial(ctx context.Context, gateway auth.Identity, events carrier.Events) (carrier.Conn, error) {
	endpoint, err := d.endpoint(gateway)
	if err != nil {
		return nil, err
	}
	c := &conn{dialer: d, events: events, sent: map[uint32]*h2.Request{}, opened: make(chan struct{})}
	clientID := d.cfg.ClientIDPrefix + gateway.ProductKey + "." + gateway.DeviceName
	ch, err := channel.Open(ctx, channel.Config{
		Endpoint: endpoint, TLS: d.tls, ClearSession: d.cfg.CleanSession, Names: d.cfg.Names, Timeout: d.cfg.ConnectTimeout,
		Credentials: channel.Device(d.sign, gateway, clientID, true),
		Limits: h2.Config{
			Window: d.cfg.Window, MaxHeader: maxHeader, MaxBody: maxBody, Streams: d.cfg.Streams, Pushes: pushes,
			Pending:        d.cfg.InFlight + controls,
			RequestTimeout: d.cfg.RequestTimeout,
			PingInterval:   d.cfg.Heartbeat, PingTimeout: d.cfg.HeartbeatTimeout, WriteTimeout: d.cfg.WriteTimeout,
		},
	}, c)
	if err != nil {
		return nil, err
	}
	c.channel = ch
	d.mu.Lock()
	d.conns[c] = struct{}{}
	d.mu.Unlock()
	close(c.opened)
	return c, nil
}

func (d *dialer) stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.past
	for c := range d.conns {
		now := c.channel.Stats()
		s.add(&now)
		s.Streams += now.Open
		s.Pending += now.Pending
	}
	return s
}

func (s *Stats) add(of *channel.Stats) {
	s.Pushed += of.Pushed
	s.Refused += of.Refused
	s.Resets += of.Resets
	s.Malformed += of.Malformed
	s.AckFailures += of.AckFailures
}

// conn is one connection, as a carrier and as the channel's handler.
type conn struct {
	dialer  *dialer
	events  carrier.Events
	channel *channel.Channel
	opened  chan struct{} // closed when channel is set and the dialer knows c

	mu   sync.Mutex
	sent map[uint32]*h2.Request // guarded by mu: not yet answered
}

// Received implements channel.Handler: what was taken in is acknowledged.
func (c *conn) Received(ch *channel.Channel, m channel.Message) {
	c.events.Received(m.Topic, m.Payload)
	if m.QoS > 0 && m.ID != "" {
		_ = ch.Ack(m.ID) // when it does not arrive, the message comes again
	}
}

// Ended implements channel.Handler.
func (c *conn) Ended(cause error) {
	<-c.opened
	d := c.dialer
	d.mu.Lock()
	now := c.channel.Stats()
	d.past.add(&now)
	delete(d.conns, c)
	d.mu.Unlock()
	c.events.Lost(cause)
}

// Publish implements carrier.Conn.
func (c *conn) Publish(id uint32, topic string, qos byte, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock() // so that the answer does not come before the request is noted
	r, err := c.channel.Publish(topic, qos, payload, func(_ string, err error) { c.answered(id, err) })
	if err == nil {
		c.sent[id] = r
	}
	return draining(err)
}

// draining says it in the carrier's words when the channel takes no more.
func draining(err error) error {
	if errors.Is(err, channel.ErrDraining) {
		return fmt.Errorf("%w: %w", carrier.ErrDraining, err)
	}
	return err
}

// answered ends a message, unless the connection ended before it: then it waits
// for the next.
func (c *conn) answered(id uint32, err error) {
	c.mu.Lock()
	delete(c.sent, id)
	c.mu.Unlock()
	if final, outcome, _ := channel.Outcome(err); final {
		c.events.Acknowledged(id, outcome)
	}
}

// Cancel implements carrier.Conn.
func (c *conn) Cancel(id uint32) {
	c.mu.Lock()
	r := c.sent[id]
	delete(c.sent, id)
	c.mu.Unlock()
	if r != nil {
		c.channel.Cancel(r)
	}
}

// Control implements carrier.Conn.
func (c *conn) Control(topic string, payload []byte) error {
	_, err := c.channel.Publish(topic, 0, payload, func(string, error) {})
	return draining(err)
}

// Subscribe implements carrier.Conn.
func (c *conn) Subscribe(filter string) carrier.Subscription {
	s := &subscription{done: make(chan struct{})}
	end := func(err error) {
		final, outcome, unsent := channel.Outcome(err)
		var no *upstream.RefusedError
		switch {
		case final && errors.As(outcome, &no) && !no.Temporary:
			s.denied = filter
		case unsent: // the connection is about to end, and what is on its way may go on until then
			return
		default:
			s.err = outcome
		}
		close(s.done)
	}
	switch err := c.channel.Subscribe(filter, end); {
	case err == nil, errors.Is(err, channel.ErrDraining):
	default:
		end(err)
	}
	return s
}

// Unsubscribe implements carrier.Conn. Many at a time do not take the room of what
// has to be said.
func (c *conn) Unsubscribe(filter string) {
	if c.channel.Stats().Pending > controls/2 {
		return
	}
	_ = c.channel.Unsubscribe(filter, func(error) {}) // the end of the device's session ends it, too
}

// Abort implements carrier.Conn.
func (c *conn) Abort() { c.channel.Abort() }

// Close implements carrier.Conn.
func (c *conn) Close() { c.channel.Close() }

// subscription is a carrier.Subscription.
type subscription struct {
	done   chan struct{}
	err    error
	denied string
}

// Done implements carrier.Token.
func (s *subscription) Done() <-chan struct{} { return s.done }

// Error implements carrier.Token.
func (s *subscription) Error() error { return s.err }

// Denied implements carrier.Subscription.
func (s *subscription) Denied() string {
	<-s.done
	return s.denied
}
