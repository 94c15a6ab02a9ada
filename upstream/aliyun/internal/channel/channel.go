package channel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/h2"
)

// Config is how a channel is opened.
type Config struct {
	Endpoint     *url.URL
	TLS          *tls.Config // nil: the system's authorities
	Credentials  Credentials
	ClearSession bool
	Names        Names
	Timeout      time.Duration // of connecting and authenticating
	Limits       h2.Config     // Scheme and Authority are set from Endpoint
}

// Message is what the platform says.
type Message struct {
	ID      string // empty: it wants no acknowledgement
	Topic   string
	QoS     byte
	Payload []byte // the receiver's own
}

// Handler is told what the platform says. Its methods are called one at a time,
// on the goroutine that reads.
type Handler interface {
	// Received may be called before Open returns: the platform begins at once with
	// what was subscribed before.
	Received(c *Channel, m Message)
	// Ended is called once, last, for a channel that was open.
	Ended(cause error)
}

// Stats is what a channel has counted.
type Stats struct {
	h2.Stats
	Malformed   uint64 // messages without a topic
	AckFailures uint64
}

// Channel is an open message channel. Its methods may be called from any
// goroutine and do not block.
type Channel struct {
	cfg         Config
	conn        *h2.Conn
	handler     Handler
	opened      chan struct{} // closed when Open has succeeded, or never will
	ended       chan struct{} // closed when nothing of the connection is left
	malformed   atomic.Uint64
	ackFailures atomic.Uint64
	ready       atomic.Bool // Open has succeeded
}

// Open connects and authenticates. A refusal is an upstream.RefusedError.
func Open(ctx context.Context, cfg Config, handler Handler) (*Channel, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	nc, err := dial(ctx, cfg.Endpoint, cfg.TLS)
	if err != nil {
		return nil, err
	}
	limits := cfg.Limits
	limits.Scheme, limits.Authority = cfg.Endpoint.Scheme, cfg.Endpoint.Host
	c := &Channel{cfg: cfg, handler: handler, opened: make(chan struct{}), ended: make(chan struct{})}
	c.conn = h2.New(nc, limits, (*pushes)(c))
	c.conn.Start() // from now on c is looked at
	if err := c.authenticate(ctx); err != nil {
		close(c.opened)
		c.conn.Close()
		<-c.ended
		return nil, err
	}
	c.ready.Store(true)
	close(c.opened)
	return c, nil
}

func (c *Channel) authenticate(ctx context.Context) error {
	n := &c.cfg.Names
	clearSession := "0"
	if c.cfg.ClearSession {
		clearSession = "1"
	}
	fields := append(c.cfg.Credentials(time.Now()),
		hpack.HeaderField{Name: n.ClearSession, Value: clearSession},
		hpack.HeaderField{Name: "content-length", Value: "0"})
	result := make(chan error, 1)
	err := c.conn.Do(&h2.Request{Method: n.OpenMethod, Path: n.OpenPath, Header: fields, Stay: true, Done: func(m h2.Message, err error) {
		if err == nil {
			err = c.status(&m)
		}
		result <- err
	}})
	if err != nil {
		return err
	}
	select {
	case err = <-result:
	case <-ctx.Done():
		return fmt.Errorf("channel: authentication: %w", ctx.Err())
	}
	var no *Error
	if errors.As(err, &no) {
		return &upstream.RefusedError{
			Code: no.Status, Temporary: no.Temporary(),
			Reason: strings.TrimSpace("the platform refused the credentials with status "+strconv.Itoa(no.Status)+" "+no.Text) + "; check productKey, deviceName and deviceSecret",
		}
	}
	return err
}

// status is what a response says: nil for success.
func (c *Channel) status(m *h2.Message) error {
	status := m.Status
	if own, err := strconv.Atoi(m.Get(c.cfg.Names.ResponseStatus)); err == nil && own > status {
		status = own
	}
	if status == 200 || status < 300 && !c.cfg.Names.CheckPublishReply {
		return nil
	}
	return &Error{Status: status, Text: string(m.Body[:min(len(m.Body), 200)])}
}

// Publish publishes payload, which belongs to the channel until done is called:
// once, when the platform has answered or the connection has ended. An error says
// that the message was not taken, and that done is not called: ErrDraining,
// h2.ErrBusy, or why the connection has ended.
func (c *Channel) Publish(topic string, qos byte, payload []byte, done func(id string, err error)) (*h2.Request, error) {
	n := &c.cfg.Names
	r := &h2.Request{
		Method: n.PublishMethod, Path: pathOf(n.PublishPath, topic), Body: payload,
		Header: []hpack.HeaderField{
			{Name: n.QoS, Value: digits[qos&1]},
			{Name: "content-length", Value: strconv.Itoa(len(payload))},
		},
		Done: func(m h2.Message, err error) {
			if err == nil {
				err = c.status(&m)
			}
			done(m.Get(n.MessageID), err)
		},
	}
	return r, taken(c.conn.Do(r))
}

// Cancel gives up what Publish was asked for.
func (c *Channel) Cancel(r *h2.Request) { c.conn.Cancel(r) }

var digits = [2]string{"0", "1"}

// Subscribe subscribes a filter; done is called as that of Publish is.
func (c *Channel) Subscribe(filter string, done func(error)) error {
	return c.filter(c.cfg.Names.SubscribePath, filter, done)
}

// Unsubscribe ends the subscription of a filter.
func (c *Channel) Unsubscribe(filter string, done func(error)) error {
	return c.filter(c.cfg.Names.UnsubscribePath, filter, done)
}

func (c *Channel) filter(path, filter string, done func(error)) error {
	if c.cfg.Names.NoSubscription {
		done(nil)
		return nil
	}
	n := &c.cfg.Names
	return taken(c.conn.Do(&h2.Request{
		Method: n.SubscribeMethod, Path: pathOf(path, filter),
		Header: []hpack.HeaderField{{Name: n.QoS, Value: "1"}, {Name: "content-length", Value: "0"}},
		Done: func(m h2.Message, err error) {
			if err == nil {
				err = c.status(&m)
			}
			done(err)
		},
	}))
}

// Ack acknowledges a message. That the platform did not hear it shows by the
// message coming again.
func (c *Channel) Ack(id string) error {
	n := &c.cfg.Names
	return c.conn.Do(&h2.Request{
		Method: n.AckMethod, Path: n.AckPath, Header: []hpack.HeaderField{{Name: n.MessageID, Value: id}},
		Done: func(m h2.Message, err error) {
			if err != nil || c.status(&m) != nil {
				c.ackFailures.Add(1)
			}
		},
	})
}

// Close ends the channel and waits until nothing of it is left. It may not be
// called by what a Handler does.
func (c *Channel) Close() {
	c.conn.Close()
	<-c.ended
}

// Abort ends the channel and does not wait.
func (c *Channel) Abort() { c.conn.Close() }

// Stats is a snapshot.
func (c *Channel) Stats() Stats {
	return Stats{Stats: c.conn.Stats(), Malformed: c.malformed.Load(), AckFailures: c.ackFailures.Load()}
}

// pushes is the channel as the connection's handler.
type pushes Channel

// Pushed implements h2.Handler.
func (p *pushes) Pushed(m h2.Message) {
	c := (*Channel)(p)
	n := &c.cfg.Names
	topic := m.Get(n.Topic)
	if topic == "" || m.Status >= 300 {
		c.malformed.Add(1)
		return
	}
	got := Message{ID: m.Get(n.MessageID), Topic: topic, Payload: m.Body}
	if q := m.Get(n.QoS); q != "" && q != "0" {
		got.QoS = 1
	}
	c.handler.Received(c, got)
}

// Ended implements h2.Handler.
func (p *pushes) Ended(cause error) {
	c := (*Channel)(p)
	<-c.opened
	if c.ready.Load() {
		c.handler.Ended(cause)
	}
	close(c.ended)
}
