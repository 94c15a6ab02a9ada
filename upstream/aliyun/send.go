package aliyun

import (
	"time"

	"github.com/linkspan/linkspan/upstream"
)

// sendBatch is how many messages the sender takes at once.
const sendBatch = 64

// send hands messages to the wire, which may block, until the link is lost.
func (l *link) send() {
	buf := make([]*outgoing, 0, sendBatch)
	for {
		controls, batch, idle := l.g.take(l, buf[:0])
		if idle {
			select {
			case <-l.wake:
				continue
			case <-l.down:
				return
			}
		}
		for _, c := range controls {
			if !l.handOver(l.wire.control(c.topic, c.payload)) {
				return
			}
		}
		if !l.sendAll(batch) {
			return
		}
	}
}

// sendAll sends a batch and says whether the link is still up.
func (l *link) sendAll(batch []*outgoing) bool {
	for i := 0; i < len(batch); i++ {
		m := batch[i]
		if m.logout {
			n := 1
			for !m.alone && i+n < len(batch) && batch[i+n].logout && !batch[i+n].alone && n < l.g.cfg.BatchLogin {
				n++
			}
			if !l.sendLogouts(batch[i : i+n]) {
				return false
			}
			i += n - 1
			continue
		}
		if !l.open() {
			return false // what was taken waits for the next connection
		}
		tracked := l.g.tracked(m) // m may be finished and reused as soon as it is published
		sent := l.wire.publish(m)
		if !l.handOver(sent) {
			return false
		}
		if tracked {
			continue
		}
		select {
		case l.written <- written{m, sent}:
		case <-l.down:
			return false
		}
	}
	return true
}

// handOver looks at the token of what was just published: an error that is
// there at once says that the connection is of no use.
func (l *link) handOver(token token) bool {
	select {
	case <-token.Done():
		if err := token.Error(); err != nil {
			l.fail(err)
			return false
		}
	default:
	}
	return true
}

// take gives the sender what may be sent now, or says that it is idle.
func (g *gateway) take(l *link, buf []*outgoing) (controls []control, batch []*outgoing, idle bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.link != l { // l was lost, and its sender was stuck in the wire until now
		return nil, nil, true
	}
	controls, g.controls = g.controls, nil
	deadline := g.now.Load() + g.cfg.RequestTimeout.Milliseconds()
	for len(buf) < cap(buf) && g.queue.head != nil {
		m := g.queue.head
		switch {
		case m.state == finished: // its time was over
			g.queue.pop()
			continue
		case m.logout:
			buf = append(buf, g.queue.pop())
			continue
		case g.tracked(m) && l.inFlight >= g.cfg.InFlight:
			l.idle = len(buf) == 0 && controls == nil
			return controls, buf, l.idle
		}
		g.queue.pop()
		m.state, m.sent, m.deadline = taken, true, deadline
		if g.tracked(m) {
			l.inFlight++
		}
		if m.answered {
			g.answers[m.id] = m
		}
		g.sent.add(m.id, m.dev)
		buf = append(buf, m)
	}
	l.idle = len(buf) == 0 && controls == nil
	return controls, buf, l.idle
}

// control queues a message of the gateway's own. mu is held.
func (g *gateway) control(topic string, payload []byte) {
	if len(g.controls) >= maxControls {
		g.stats.overloaded++
		return
	}
	g.controls = append(g.controls, control{topic, payload})
	if l := g.link.sleeping(); l != nil {
		l.wakeSender()
	}
}

// complete ends messages that were acknowledged or written, and subscriptions
// that were, until the link is lost.
func (l *link) complete() {
	var current subscription
	late := time.NewTimer(time.Hour)
	defer late.Stop()
	for {
		subs, granted := l.subs, (<-chan struct{})(nil)
		if len(current.tokens) > 0 {
			subs, granted = nil, current.tokens[0].Done()
		}
		select {
		case <-l.ackWake:
			l.g.acknowledged(l)
		case w := <-l.written:
			if !l.await(w) {
				return
			}
		case current = <-subs:
			late.Reset(l.g.cfg.RequestTimeout)
		case <-granted:
			if err := current.tokens[0].Error(); err != nil {
				l.fail(err)
				return
			}
			l.wire.granted(current.tokens[0])
			if current.tokens = current.tokens[1:]; len(current.tokens) == 0 {
				l.g.subscribed(current.device)
			}
		case <-late.C:
			if len(current.tokens) > 0 {
				l.fail(errUnanswered)
				return
			}
		case <-l.down:
			return
		}
	}
}

// await waits until the wire has written a message of QoS 0.
func (l *link) await(w written) bool {
	select {
	case <-w.token.Done():
		l.ended(w)
		return true
	case <-l.down:
		select {
		case <-w.token.Done():
			l.ended(w)
		default:
			l.g.mu.Lock()
			l.g.finish(w.m, upstream.ErrTimeout)
			l.g.settle()
		}
		return false
	}
}

// ended finishes a message of QoS 0 whose token is done.
func (l *link) ended(w written) {
	g := l.g
	g.mu.Lock()
	switch err := w.token.Error(); {
	case w.m.state == finished: // it took too long
	case err != nil:
		g.finish(w.m, upstream.ErrTimeout)
	default:
		w.m.acked = true
		if !w.m.answered {
			g.finish(w.m, nil)
		}
	}
	g.settle()
}

// drainWritten ends what send had given complete when the link was lost.
func (l *link) drainWritten() {
	for {
		select {
		case w := <-l.written:
			l.await(w)
		default:
			return
		}
	}
}

// acknowledged ends the messages that the platform has acknowledged.
func (g *gateway) acknowledged(l *link) {
	l.mu.Lock()
	acked := l.acked
	l.acked = nil
	l.mu.Unlock()
	if len(acked) == 0 {
		return
	}
	g.mu.Lock()
	for _, a := range acked {
		m := a.m
		if m.state != taken || m.acked {
			continue // its time was over, or it waits for its device's next login
		}
		m.acked = true
		if !m.answered || a.err != nil {
			g.finish(m, a.err)
		}
		g.nextTurn(m)
	}
	g.settle()
	clear(acked)
	l.mu.Lock()
	if l.acked == nil {
		l.acked = acked[:0]
	}
	l.mu.Unlock()
}
