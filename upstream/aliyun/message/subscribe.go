package message

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

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
	ch, err := c.current()
	if err != nil {
		return err
	}
	if err := c.await(ctx, func(done func(error)) error { return ch.Subscribe(filter, done) }); err != nil {
		return err
	}
	c.mark(filter, true)
	return nil
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

// mark notes that a filter is to be subscribed on each connection.
func (c *Client) mark(filter string, subscribed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = slices.Clone(c.listeners)
	for i := range c.listeners {
		if c.listeners[i].filter == filter {
			c.listeners[i].subscribed = subscribed
		}
	}
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
		var no *channel.Error
		if errors.As(err, &no) && !no.Temporary() {
			return errors.Join(ErrSubscription, err)
		}
		return err
	case <-ctx.Done():
		return errors.Join(upstream.ErrTimeout, ctx.Err())
	}
}

// subscribeAgain subscribes on a new connection what was subscribed on the last.
func (c *Client) subscribeAgain(ch *channel.Channel, s *session) error {
	c.mu.Lock()
	list := c.listeners
	c.mu.Unlock()
	results := make(chan error, len(list))
	n := 0
	for _, sub := range list {
		if !sub.subscribed {
			continue
		}
		if err := ch.Subscribe(sub.filter, func(err error) { results <- err }); err != nil {
			return err
		}
		n++
	}
	for range n {
		select {
		case err := <-results:
			if err != nil {
				return err
			}
		case err := <-s.ended:
			return err
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	return nil
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
