package mqtt

import "github.com/linkspan/linkspan/upstream"

// submit takes a message that a login has published.
func (ln *lane) submit(h *handle, m *outgoing) {
	ln.mu.Lock()
	err := h.err
	switch {
	case err != nil:
	case m.err != nil:
		err = m.err
		ln.count.invalid.Add(1)
	case ln.closing:
		err = upstream.ErrClosed
	case h.order.Refuses(m.reply):
		err = upstream.ErrNotConnected
	case m.qos == 0 && ln.link == nil:
		err = upstream.ErrNotConnected
	case ln.pending >= ln.cfg.Queue, ln.pending > 0 && ln.bytes+int64(len(m.payload)) > ln.cfg.QueueBytes:
		err = upstream.ErrOverloaded
		ln.count.overloaded.Add(1)
	}
	if err != nil {
		ln.reject(h.dev, m, err)
		return
	}
	ln.count.published.Add(1)
	ln.count.bytes.Add(uint64(len(m.payload)))
	ln.enqueue(m)
	ln.unlock()
}

// enqueue puts a message into the list. mu is held.
func (ln *lane) enqueue(m *outgoing) {
	m.err = nil
	m.born = ln.c.now.Load()
	ln.pending++
	ln.bytes += int64(len(m.payload))
	if m.presence {
		m.dev.saying++
	} else {
		m.dev.push(m)
	}
	if m.urgent {
		ln.list.pushFirst(m)
	} else {
		ln.list.push(m)
	}
}

// unlock lets go of mu, and wakes the link's writer when it sleeps over
// something that it could send.
func (ln *lane) unlock() {
	wake := ln.link
	if wake == nil || !ln.idle || !ln.sendable() {
		wake = nil
	} else {
		ln.idle = false
	}
	ln.mu.Unlock()
	if wake != nil {
		wake.Wake()
	}
}

// sendable says whether the writer has something that it may send. mu is held.
func (ln *lane) sendable() bool {
	if len(ln.controls) > 0 && len(ln.asked) < maxAsked {
		return true
	}
	m := ln.list.unsent
	return m != nil && (m.qos == 0 || ln.room())
}

// room says whether a message of QoS 1 may be sent: what is in flight and what was
// given up leave packet identifiers for it. mu is held.
func (ln *lane) room() bool { return ln.inFlight < ln.cfg.InFlight && ln.leaked <= maxLeaked }

// reject ends a message that was not taken, in its turn. When too many such wait
// already it is at once, for a sender that wants order together with all in front of
// it. mu is held, and released.
func (ln *lane) reject(d *device, m *outgoing, err error) {
	ln.count.failed.Add(1)
	m.by.order.Breaks(m.reply, err)
	full := ln.rejected >= ln.cfg.Queue
	if d.head == nil && !d.delivering || full && !m.by.order.Wanted {
		ln.mu.Unlock()
		done := m.done
		m.free()
		done(err)
		return
	}
	ln.rejected++
	m.finished, m.err, m.rejected = true, err, true
	m.topic, m.payload = "", nil // nobody sends it, and the queue's limits do not count it
	d.push(m)
	if full {
		ln.fail(d, upstream.ErrOverloaded)
		ln.settle()
		return
	}
	ln.mu.Unlock()
}

// finish ends a message with err: done is called by the next settle. mu is held.
func (ln *lane) finish(m *outgoing, err error) {
	if m.finished {
		return
	}
	if m.packet != 0 {
		if m.taken {
			ln.inFlight--
			ln.packets[m.packet] = nil // the identifier is not free before its PUBACK
			ln.leaked++
		} else {
			delete(ln.packets, m.packet)
		}
		m.packet = 0
	}
	ln.list.remove(m)
	m.finished, m.err = true, err
	ln.pending--
	ln.bytes -= int64(len(m.payload))
	d := m.dev
	if m.presence {
		ln.said(d, m)
		return
	}
	if err == nil {
		ln.count.acknowledged.Add(1)
	} else {
		ln.count.failed.Add(1)
	}
	if m.by.order.Breaks(m.reply, err) && !m.by.failing {
		m.by.failing = true
		ln.failing = append(ln.failing, m.by)
	}
	if d.head == m && !d.delivering {
		d.delivering = true
		ln.ready = append(ln.ready, d)
	}
}

// failBehind fails the messages behind those that have failed for now. Whoever has
// walked along the lane's list has done so by now. mu is held.
func (ln *lane) failBehind() {
	for i := 0; i < len(ln.failing); i++ {
		h, behind := ln.failing[i], false
		for m := h.dev.head; m != nil; m = m.next {
			switch {
			case m.by != h || m.reply:
			case m.finished:
				behind = behind || upstream.Temporary(m.err)
			case !behind:
			case m.sent:
				ln.finish(m, upstream.ErrTimeout)
			default:
				ln.finish(m, upstream.ErrNotConnected)
			}
		}
		h.failing = false
		ln.failing[i] = nil
	}
	ln.failing = ln.failing[:0]
}

// said goes on when presence was said, or need not be any more. It is not in the
// order of the device's own messages. mu is held.
func (ln *lane) said(d *device, m *outgoing) {
	if d.notice == m {
		d.notice = nil
	}
	d.saying--
	done := m.done
	ln.later(func() { done(nil) })
	ln.forget(d)
}

// acknowledged ends the message of a PUBACK. mu is held.
func (ln *lane) acknowledged(id uint16) {
	m, known := ln.packets[id]
	switch {
	case !known: // the broker's mistake
		return
	case m == nil: // it was given up
		delete(ln.packets, id)
		ln.leaked--
		return
	case !m.taken: // of the connection before: it is sent again in any case
		return
	}
	delete(ln.packets, id)
	ln.inFlight--
	m.packet = 0
	ln.finish(m, nil)
}

// settle calls done of what is finished, in order for each device. mu is held,
// and released. Several goroutines may be in it, each with devices of its own.
func (ln *lane) settle() {
	ln.failBehind()
	ln.checkDrained()
	for len(ln.ready) > 0 {
		d := ln.ready[len(ln.ready)-1]
		ln.ready = ln.ready[:len(ln.ready)-1]
		for d.head != nil && d.head.finished {
			var first, last *outgoing // chained by next, as they were
			for d.head != nil && d.head.finished {
				if d.head.rejected {
					ln.rejected--
				}
				if last = d.head; first == nil {
					first = last
				}
				d.head = last.next
			}
			last.next = nil
			if d.head == nil {
				d.tail = nil
			}
			ln.unlock()
			call(first)
			ln.mu.Lock()
		}
		d.delivering = false
		ln.forget(d)
	}
	ln.unlock()
}

// call calls done of messages. Those that nobody else can hold any more are
// reused.
func call(m *outgoing) {
	for m != nil {
		next, done, err := m.next, m.done, m.err
		if err == nil || m.rejected {
			m.free()
		}
		m = next
		done(err)
	}
}

// fail ends all messages of a device. mu is held.
func (ln *lane) fail(d *device, err error) {
	for m := d.head; m != nil; m = m.next {
		switch {
		case m.finished:
		case m.sent:
			ln.finish(m, upstream.ErrTimeout)
		default:
			ln.finish(m, err)
		}
	}
}
