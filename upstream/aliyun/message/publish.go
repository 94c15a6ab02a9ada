package message

import (
	"context"
	"errors"
	"time"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/channel"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/h2"
)

// Token is a message on its way to the platform. Its methods may be called from
// any goroutine.
type Token struct {
	topic    string
	payload  []byte
	qos      byte
	deadline time.Time   // guarded by the client's mu, as is what follows
	until    time.Time   // the last deadline there is, set when its connection was first lost
	sent     bool        // the platform may have it
	before   bool        // from a request before this one
	request  *h2.Request // its own while it is open
	done     chan struct{}
	id       string // set before done is closed, as is err
	err      error
}

// Done is closed when the platform has the message, or not.
func (t *Token) Done() <-chan struct{} { return t.done }

// Err is why the platform has the message not, nil when it has; it is to be asked
// once Done is closed. upstream.RefusedError, ErrTimeout, ErrNotConnected,
// ErrOverloaded and ErrClosed tell the causes apart.
func (t *Token) Err() error { return t.err }

// MessageID is the platform's identifier of the message, once Done is closed;
// empty when it gave none.
func (t *Token) MessageID() string { return t.id }

// Wait waits for the outcome.
func (t *Token) Wait(ctx context.Context) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lane is the messages to one topic, in order; the first may be on its way. It is
// guarded by the client's mu.
type lane struct {
	topic string
	list  []*Token
	busy  bool // the first is on its way
}

// ErrMessage says that a message has no topic that begins with a slash, or a
// quality of service other than 0 and 1, or more than 256 KiB.
var ErrMessage = errors.New("message: want a topic that begins with a slash, QoS 0 or 1, and up to 256 KiB")

const maxPayload = 256 << 10

// Publish sends a message. It keeps payload until the token is done.
func (c *Client) Publish(topic string, payload []byte, qos byte) *Token {
	t := &Token{topic: topic, payload: payload, qos: qos, done: make(chan struct{})}
	c.mu.Lock()
	var err error
	switch {
	case len(topic) < 2 || topic[0] != '/' || qos > 1 || len(payload) > maxPayload:
		err = ErrMessage
	case c.closing:
		err = upstream.ErrClosed
	case qos == 0 && c.channel == nil:
		err = upstream.ErrNotConnected
	case c.pending >= c.profile.Queue:
		err = upstream.ErrOverloaded
	}
	if err != nil {
		c.stats.Failed++
		c.mu.Unlock()
		t.err = err
		close(t.done)
		return t
	}
	t.deadline = time.Now().Add(c.profile.HoldTimeout)
	c.pending++
	l := c.lanes[topic]
	if l == nil {
		l = &lane{topic: topic}
		c.lanes[topic] = l
	}
	l.list = append(l.list, t)
	c.mu.Unlock()
	c.advance(l)
	return t
}

// advance sends the first of a lane.
func (c *Client) advance(l *lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !l.busy && len(l.list) > 0 && c.channel != nil {
		t := l.list[0]
		ch := c.channel
		r, err := ch.Publish(t.topic, t.qos, t.payload, func(id string, err error) { c.answered(l, t, id, err) })
		switch {
		case err == nil:
		case errors.Is(err, h2.ErrBusy):
			c.finish(l, t, upstream.ErrOverloaded)
			continue
		case t.qos > 0: // the connection is about to end
			return
		default:
			c.finish(l, t, upstream.ErrNotConnected)
			continue
		}
		l.busy, t.request, t.before, t.sent = true, r, t.sent, true
		t.deadline = time.Now().Add(c.profile.RequestTimeout)
	}
	if len(l.list) == 0 && c.lanes[l.topic] == l {
		delete(c.lanes, l.topic)
	}
}

// answered goes on with a message that was answered, or that the end of the
// connection leaves open.
func (c *Client) answered(l *lane, t *Token, id string, err error) {
	c.mu.Lock()
	if len(l.list) == 0 || l.list[0] != t || t.request == nil {
		c.mu.Unlock()
		return // its time was over
	}
	l.busy, t.request = false, nil
	final, outcome, unsent := channel.Outcome(err)
	switch {
	case final:
		t.id = id
		c.finish(l, t, outcome)
	case t.qos == 0 && !unsent:
		c.finish(l, t, upstream.ErrTimeout)
	case t.qos == 0:
		c.finish(l, t, upstream.ErrNotConnected)
	default: // it waits for the next connection
		t.sent = t.before || !unsent
		if t.until.IsZero() {
			t.until = time.Now().Add(c.profile.HoldTimeout)
		}
		t.deadline = t.until
		c.stats.Resent++
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.advance(l)
}

// finish ends the first message of a lane. mu is held.
func (c *Client) finish(l *lane, t *Token, err error) {
	l.list[0] = nil
	l.list = l.list[1:]
	c.pending--
	if t.err = err; err == nil {
		c.stats.Published++
	} else {
		c.stats.Failed++
	}
	close(t.done)
	c.checkDrained()
}

// checkDrained tells Close when nothing is left. mu is held.
func (c *Client) checkDrained() {
	if !c.closing || c.pending > 0 {
		return
	}
	select {
	case <-c.drained:
	default:
		close(c.drained)
	}
}

// clock ends what takes too long.
func (c *Client) clock() {
	every := min(100*time.Millisecond, c.profile.RequestTimeout/4, c.profile.HoldTimeout/4)
	ticker := time.NewTicker(max(every, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case now := <-ticker.C:
			for _, l := range c.expire(now) {
				c.advance(l)
			}
		}
	}
}

// expire ends the messages whose time is over, and names the lanes that go on.
func (c *Client) expire(now time.Time) (lanes []*lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lanes {
		before := len(l.list)
		for len(l.list) > 0 && now.After(l.list[0].deadline) {
			t := l.list[0]
			if t.request != nil && c.channel != nil {
				c.channel.Cancel(t.request)
			}
			l.busy, t.request = false, nil
			c.finish(l, t, t.outcome(upstream.ErrNotConnected))
		}
		if len(l.list) < before {
			lanes = append(lanes, l)
		}
	}
	return lanes
}

// outcome is why the platform has a message not, for all that is known.
func (t *Token) outcome(unsent error) error {
	if t.sent {
		return upstream.ErrTimeout
	}
	return unsent
}

// failAll ends what is left when the client is closed.
func (c *Client) failAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, l := range c.lanes {
		for len(l.list) > 0 {
			c.finish(l, l.list[0], l.list[0].outcome(upstream.ErrClosed))
		}
		delete(c.lanes, topic)
	}
}
