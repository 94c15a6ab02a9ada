package aliyun

import "github.com/linkspan/linkspan/upstream"

// submit takes a message that a login has published.
func (h *handle) submit(m *outgoing) {
	d := h.lock()
	g := d.gw
	m.dev = d
	err := h.err
	switch {
	case err != nil:
	case m.err != nil:
		err = m.err
		g.stats.invalid++
	case g.closing:
		err = upstream.ErrClosed
	case h.order.Refuses(m.reply):
		err = upstream.ErrNotConnected
	case m.qos == 0 && (d.state != online || g.link == nil || !g.link.open()):
		err = upstream.ErrNotConnected
	case g.pending >= g.cfg.Queue, g.pending > 0 && g.bytes+int64(len(m.payload)) > g.cfg.QueueBytes:
		err = upstream.ErrOverloaded
		g.stats.overloaded++
	}
	if err != nil {
		g.reject(d, m, err)
		return
	}
	m.err = nil
	m.deadline = g.now.Load() + g.cfg.HoldTimeout.Milliseconds()
	g.pending++
	g.bytes += int64(len(m.payload))
	g.stats.published++
	g.stats.bytes += uint64(len(m.payload))
	d.push(m)
	var wake *link
	if d.state == online {
		g.queueOrWait(d, m)
		wake = g.link.sleeping()
	}
	g.mu.Unlock()
	if wake != nil {
		wake.wakeSender()
	}
}

// reject ends a message that was not taken, in its turn. When too many such wait
// already it is at once, for a sender that wants order together with all in front of
// it. mu is held, and released.
func (g *gateway) reject(d *device, m *outgoing, err error) {
	m.by.order.Breaks(m.reply, err)
	full := g.rejected >= g.cfg.Queue
	if d.head == nil && !d.delivering || full && !m.by.order.Wanted {
		g.mu.Unlock()
		done := m.done
		m.free()
		done(err)
		return
	}
	g.rejected++
	m.state, m.err, m.rejected = finished, err, true
	m.topic, m.payload = "", nil // nobody sends it, and the queue's limits do not count it
	d.push(m)
	if full {
		g.failMessages(d, upstream.ErrOverloaded)
		g.settle()
		return
	}
	g.mu.Unlock()
}

// finish ends a message with err, and those behind it that fail with it; see
// upstream.Login.InOrder. done is called by the next settle. mu is held.
func (g *gateway) finish(m *outgoing, err error) {
	if m.state == finished {
		return
	}
	g.finishOne(m, err)
	if !m.by.order.Breaks(m.reply, err) {
		return
	}
	for n := m.next; n != nil; n = n.next {
		switch {
		case n.state == finished || n.by != m.by || n.reply:
		case n.sent:
			g.finishOne(n, upstream.ErrTimeout)
		default:
			g.finishOne(n, upstream.ErrNotConnected)
		}
	}
}

// finishOne is finish of one message that is not finished. mu is held.
func (g *gateway) finishOne(m *outgoing, err error) {
	if m.state == taken {
		g.untake(m)
	}
	m.state, m.err = finished, err
	g.nextTurn(m)
	g.pending--
	g.bytes -= int64(len(m.payload))
	if err == nil {
		g.stats.acknowledged++
	} else {
		g.stats.failed++
	}
	if d := m.dev; d.head == m && !d.delivering {
		d.delivering = true
		g.ready = append(g.ready, d)
	}
}

// untake undoes that the sender took a message. mu is held.
func (g *gateway) untake(m *outgoing) {
	if m.answered {
		delete(g.answers, m.id)
	}
	if g.link != nil && g.tracked(m) {
		g.link.release(m)
	}
}

// settle calls done of what is finished, in order. mu is held, and released.
func (g *gateway) settle() {
	g.checkDrained()
	var wake *link
	if g.queue.head != nil { // the window may have room again, whoever's turn it is
		wake = g.link.sleeping()
	}
	if len(g.ready) == 0 {
		g.mu.Unlock()
		if wake != nil {
			wake.wakeSender()
		}
		return
	}
	ready := g.ready
	g.ready = nil
	for len(ready) > 0 {
		var chain finishedList
		for _, d := range ready {
			for d.head != nil && d.head.state == finished {
				m := d.pop()
				if m.rejected {
					g.rejected--
				}
				chain.push(m)
			}
		}
		g.mu.Unlock()
		if wake != nil {
			wake.wakeSender()
			wake = nil
		}
		chain.call()
		g.mu.Lock()
		keep := ready[:0]
		for _, d := range ready {
			if d.head != nil && d.head.state == finished {
				keep = append(keep, d)
				continue
			}
			d.delivering = false
			g.forget(d)
		}
		ready = keep
	}
	if g.ready == nil {
		g.ready = ready[:0]
	}
	g.mu.Unlock()
}

// finishedList is messages whose done is to be called. It links them as their
// device's list did, for the sender's queue may still hold them.
type finishedList struct{ head, tail *outgoing }

func (l *finishedList) push(m *outgoing) {
	if l.tail == nil {
		l.head = m
	} else {
		l.tail.next = m
	}
	l.tail = m
}

// call calls done of each. Messages that nobody else can hold any more are
// reused.
func (l *finishedList) call() {
	for m := l.head; m != nil; {
		next, done, err := m.next, m.done, m.err
		if m.acked && !m.held && err == nil || m.rejected {
			m.free()
		}
		m = next
		done(err)
	}
}
