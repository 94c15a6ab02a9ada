package message

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/channel"
)

// Action is what becomes of a message of QoS 1 that a listener has seen.
type Action uint8

// The actions.
const (
	Commit Action = iota // acknowledge it
	Fail                 // do not: it comes again later
	Manual               // not yet: Ack will, or it comes again
)

// Delivery is a message of the platform's.
type Delivery struct {
	Topic     string
	Payload   []byte // the listener's own
	QoS       byte
	MessageID string // empty when there is nothing to acknowledge

	channel *channel.Channel
	acked   atomic.Bool
}

// Listener takes messages. It may take its time: the connection does not wait for
// it, but the messages behind this one do.
type Listener func(*Delivery) Action

// ErrSubscription says that the platform does not grant a subscription.
var ErrSubscription = errors.New("message: subscription refused")

// Subscribe subscribes a topic, or a filter with + and #, at QoS 1, and again on
// each connection. With a listener, that takes its messages; without, the one of
// Connect does. It returns when the platform has answered.
func (c *Client) Subscribe(ctx context.Context, filter string, listener Listener) error {
	c.SetListener(filter, listener)
	for {
		ch, err := c.current()
		if err != nil {
			return err
		}
		if err := c.await(ctx, func(done func(error)) error { return ch.Subscribe(filter, done) }); err != nil {
			return err
		}
		if c.mark(filter, ch) {
			return nil
		}
	}
}

// Unsubscribe ends the subscription of a filter, and what its listener takes.
func (c *Client) Unsubscribe(ctx context.Context, filter string) error {
	c.mu.Lock()
	c.listeners = slices.DeleteFunc(slices.Clone(c.listeners), func(s subscription) bool { return s.filter == filter })
	c.mu.Unlock()
	ch, err := c.current()
	if err != nil {
		return err
	}
	return c.await(ctx, func(done func(error)) error { return ch.Unsubscribe(filter, done) })
}

// SetListener has a listener take what fits a filter, without subscribing it: for
// what the platform sends anyway. Nil: the listener of Connect takes it again.
func (c *Client) SetListener(filter string, listener Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = slices.Clone(c.listeners) // the callbacks read the older one
	for i := range c.listeners {
		if c.listeners[i].filter == filter {
			c.listeners[i].listener = listener
			return
		}
	}
	c.listeners = append(c.listeners, subscription{filter: filter, listener: listener})
}

// mark notes that a filter is to be subscribed on each connection after ch, and
// says whether that is all: another one may be there already.
func (c *Client) mark(filter string, ch *channel.Channel) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = slices.Clone(c.listeners)
	for i := range c.listeners {
		if c.listeners[i].filter == filter {
			c.listeners[i].subscribed = true
		}
	}
	return c.channel == nil || c.channel == ch
}

func (c *Client) current() (*channel.Channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		return nil, upstream.ErrClosed
	case c.channel == nil:
		return nil, upstream.ErrNotConnected
	default:
		return c.channel, nil
	}
}

// await asks and waits for the answer.
func (c *Client) await(ctx context.Context, ask func(done func(error)) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.profile.RequestTimeout)
	defer cancel()
	result := make(chan error, 1)
	if err := ask(func(err error) { result <- err }); err != nil {
		return errors.Join(upstream.ErrNotConnected, err)
	}
	select {
	case err := <-result:
		if refused(err) {
			return errors.Join(ErrSubscription, err)
		}
		return err
	case <-ctx.Done():
		return errors.Join(upstream.ErrTimeout, ctx.Err())
	}
}

// missing is the filters that a new connection lacks. mu is held.
func (c *Client) missing(s *session) (filters []string) {
	for _, sub := range c.listeners {
		if sub.subscribed && !s.subscribed[sub.filter] {
			filters = append(filters, sub.filter)
		}
	}
	return filters
}

// subscribeAgain subscribes on a new connection what was subscribed on the last.
// What the platform does not grant any more costs no connection.
func (c *Client) subscribeAgain(ch *channel.Channel, s *session, filters []string) error {
	type result struct {
		filter string
		err    error
	}
	results := make(chan result, len(filters))
	for _, f := range filters {
		s.subscribed[f] = true
		if err := ch.Subscribe(f, func(err error) { results <- result{f, err} }); err != nil {
			return err
		}
	}
	for range filters {
		select {
		case r := <-results:
			if refused(r.err) {
				c.log.Warn("message: subscription denied", zap.String("path", r.filter), zap.NamedError("err", r.err))
			} else if r.err != nil {
				return r.err
			}
		case err := <-s.ended:
			return err
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	return nil
}

// refused says whether the platform's answer is no, for good.
func refused(err error) bool {
	var no *channel.Error
	return errors.As(err, &no) && !no.Temporary()
}

// callBack calls listeners until the client is closed.
func (c *Client) callBack() {
	for {
		select {
		case d := <-c.queue:
			if l := c.listenerOf(d.Topic); l != nil && l(d) == Commit {
				_ = c.Ack(d) // when it does not arrive, the message comes again
			}
		case <-c.ctx.Done():
			return
		}
	}
}

// listenerOf is the listener of a topic: that of the topic itself, else the first
// whose filter fits, else that of Connect.
func (c *Client) listenerOf(topic string) Listener {
	c.mu.Lock()
	list, found := c.listeners, c.standard
	c.mu.Unlock()
	fits := false
	for _, s := range list {
		switch {
		case s.listener == nil:
		case s.filter == topic:
			return s.listener
		case !fits && matches(s.filter, topic):
			fits, found = true, s.listener
		}
	}
	return found
}

// Ack acknowledges a message that a listener has taken with Manual. An error says
// that the message is going to come again.
func (c *Client) Ack(d *Delivery) error {
	if d.QoS == 0 || d.MessageID == "" || d.acked.Swap(true) {
		return nil
	}
	if err := d.channel.Ack(d.MessageID); err != nil {
		return errors.Join(upstream.ErrNotConnected, err)
	}
	return nil
}

// matches says whether a topic fits a filter (MQTT 3.1.1, section 4.7).
func matches(filter, topic string) bool {
	for {
		f, restF, moreF := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, restT, moreT := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !moreT {
			return !moreF || restF == "#"
		}
		if !moreF {
			return false
		}
		filter, topic = restF, restT
	}
}
