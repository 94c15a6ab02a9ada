package direct

import (
	"errors"
	"sync"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// codeTooMany is the platform's code for too many properties in one message.
const codeTooMany = 6106

// outgoing is a message on its way. It is guarded by its device's mu from submit
// on. A link gets copies of it.
type outgoing struct {
	by       *handle // that it was published by
	done     func(error)
	err      error
	topic    string
	payload  []byte
	next     *outgoing
	deadline int64  // milliseconds
	until    int64  // the last deadline there is, set when its connection was first lost; 0: not yet
	id       uint32 // of the Alink request
	packet   uint16 // MQTT packet identifier
	qos      byte
	finished bool // done is to be called with err
	taken    bool // by link
	sent     bool // was handed to a connection: the platform may have it
	answered bool // done waits for the platform's answer
	acked    bool // the platform's broker has it
	rejected bool // never was to be sent
	reply    bool // to a command: of no order
}

var outgoings = sync.Pool{New: func() any { return new(outgoing) }}

// maxPooled is the largest buffer that is kept for the next message.
const maxPooled = 16 << 10

// free gives m back for reuse.
func (m *outgoing) free() {
	if cap(m.payload) > maxPooled {
		return
	}
	*m = outgoing{payload: m.payload[:0]}
	outgoings.Put(m)
}

// Publish implements [upstream.Device].
func (h *handle) Publish(msg *thing.Message, done func(error)) {
	d := h.dev
	cfg := d.c.cfg
	m, _ := outgoings.Get().(*outgoing)
	m.by, m.done, m.id, m.reply = h, done, d.c.ids.Add(1), msg.Kind == thing.Reply
	var wrong error
	m.topic, m.payload, m.answered, wrong = d.names.Encode(m.payload, m.id, msg)
	if errors.Is(wrong, alink.ErrProperties) {
		wrong = aliyun.Refused(codeTooMany, "")
	}
	m.answered = m.answered && cfg.Confirm == ConfirmReply
	switch msg.QoS {
	case thing.AtMostOnce:
		m.qos = 0
	case thing.AtLeastOnce:
		m.qos = 1
	default:
		m.qos = byte(cfg.QoS)
	}
	d.mu.Lock()
	d.submit(h, m, wrong)
	d.settle()
}

// Resume implements [upstream.Resumer].
func (h *handle) Resume() {
	h.dev.mu.Lock()
	h.order.Resume()
	h.dev.mu.Unlock()
}

// submit takes a message, or ends it in its turn. mu is held.
func (d *device) submit(h *handle, m *outgoing, wrong error) {
	c := d.c
	size := int64(len(m.payload))
	err := h.err
	switch {
	case err != nil:
	case d.refusing:
		err = upstream.ErrClosed
	case wrong != nil:
		err = wrong
		c.counts.invalid.Add(1)
	case h.order.Refuses(m.reply):
		err = upstream.ErrNotConnected
	case m.qos == 0 && d.state != online:
		err = upstream.ErrNotConnected
	case int(d.length) >= c.cfg.Queue, c.bytes.Load() > 0 && c.bytes.Load()+size > c.cfg.QueueBytes:
		err = upstream.ErrOverloaded
		c.counts.overloaded.Add(1)
	}
	if err != nil {
		d.reject(m, err)
		return
	}
	m.deadline = c.now.Load() + c.cfg.HoldTimeout.Milliseconds()
	c.pending.Add(1)
	c.bytes.Add(size)
	c.counts.published.Add(1)
	c.counts.bytes.Add(uint64(size)) //nolint:gosec // not negative
	d.length++
	d.push(m)
	if d.unsent == nil {
		d.unsent = m
		if d.link != nil && d.state == online {
			d.link.Wake()
		}
	}
}

func (d *device) push(m *outgoing) {
	m.next = nil
	if d.tail == nil {
		d.head = m
	} else {
		d.tail.next = m
	}
	d.tail = m
}

// reject ends a message that was not taken, in its turn. When too many such wait
// already it is at once, for a sender that wants order together with all in front of
// it. mu is held.
func (d *device) reject(m *outgoing, err error) {
	m.by.order.Breaks(m.reply, err)
	m.finished, m.rejected, m.err = true, true, err
	m.topic, m.payload = "", nil // nobody sends it, and the queue's limits do not count it
	full := int(d.rejected) >= d.c.cfg.Queue
	if full && !m.by.order.Wanted {
		done := m.done
		d.later(func() { done(err) })
		return
	}
	d.rejected++
	d.push(m)
	if full {
		d.failMessages(upstream.ErrOverloaded)
	}
}

// finish ends a message with err, and those behind it that fail with it; see
// upstream.Login.InOrder. settle calls done. mu is held.
func (d *device) finish(m *outgoing, err error) {
	if m.finished {
		return
	}
	d.finishOne(m, err)
	if !m.by.order.Breaks(m.reply, err) {
		return
	}
	for n := m.next; n != nil; n = n.next {
		switch {
		case n.finished || n.by != m.by || n.reply:
		case n.sent:
			d.finishOne(n, upstream.ErrTimeout)
		default:
			d.finishOne(n, upstream.ErrNotConnected)
		}
	}
}

// finishOne is finish of one message that is not finished. mu is held.
func (d *device) finishOne(m *outgoing, err error) {
	if m.taken && m.qos > 0 && !m.acked {
		d.inFlight--
	}
	m.finished, m.err = true, err
	d.length--
	c := d.c
	c.bytes.Add(-int64(len(m.payload)))
	if err == nil {
		c.counts.acknowledged.Add(1)
	} else {
		c.counts.failed.Add(1)
	}
	if c.pending.Add(-1) == 0 {
		signal(c.drained)
	}
	if d.unsent == m {
		d.unsent = m.next
	}
}

// failMessages ends all messages: with err, or with ErrTimeout when the platform
// may have them. mu is held.
func (d *device) failMessages(err error) {
	for m := d.head; m != nil; m = m.next {
		switch {
		case m.finished:
		case m.sent:
			d.finish(m, upstream.ErrTimeout)
		default:
			d.finish(m, err)
		}
	}
}

// holdMessages makes the messages of a connection that was lost wait for the next
// one, for holdTimeout from the first time on. Those of QoS 0 fail. mu is held.
func (d *device) holdMessages() {
	deadline := d.c.now.Load() + d.c.cfg.HoldTimeout.Milliseconds()
	d.unsent = nil
	for m := d.head; m != nil; m = m.next {
		resent := m.taken
		m.taken = false
		switch {
		case m.finished:
			continue
		case m.qos == 0 && m.sent:
			d.finish(m, upstream.ErrTimeout) // nobody knows
			continue
		case m.qos == 0:
			d.finish(m, upstream.ErrNotConnected)
			continue
		case resent:
			d.c.counts.resent.Add(1)
		}
		if m.until == 0 {
			m.until = deadline
		}
		m.deadline, m.acked = m.until, false
		if d.unsent == nil {
			d.unsent = m
		}
	}
	d.inFlight = 0
}

// expire ends messages whose time is over. mu is held.
func (d *device) expire(now int64) {
	for m := d.head; m != nil; m = m.next {
		switch {
		case m.finished || now <= m.deadline:
		case m.sent:
			if d.link != nil {
				d.link.Probe()
			}
			d.finish(m, upstream.ErrTimeout)
		case d.state == online || d.state == leaving:
			d.finish(m, upstream.ErrOverloaded)
		default:
			d.finish(m, upstream.ErrNotConnected)
		}
	}
	if d.unsent != nil && d.link != nil { // there is room again
		d.link.Wake()
	}
}

// settle calls back what there is to be called, in order, unless somebody does so
// already, who will. mu is held, and released.
func (d *device) settle() {
	if d.delivering {
		d.mu.Unlock()
		return
	}
	d.delivering = true
	for {
		calls := d.calls
		d.calls = nil
		var first, last *outgoing
		for len(calls) == 0 && d.head != nil && d.head.finished {
			m := d.head
			if d.head = m.next; d.head == nil {
				d.tail = nil
			}
			if m.rejected {
				d.rejected--
			}
			m.next = nil
			if last == nil {
				first = m
			} else {
				last.next = m
			}
			last = m
		}
		if len(calls) == 0 && first == nil {
			break
		}
		d.mu.Unlock()
		for _, call := range calls {
			call()
		}
		for m := first; m != nil; {
			next, done, err := m.next, m.done, m.err
			m.free()
			m = next
			done(err)
		}
		d.mu.Lock()
	}
	d.delivering = false
	if d.state == leaving && d.head == nil && len(d.controls) == 0 {
		d.state = ending
		d.link.Disconnect()
	}
	gone := d.empty()
	d.mu.Unlock()
	if gone {
		d.c.forget(d)
	}
}
