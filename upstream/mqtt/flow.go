package mqtt

import (
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// fillSize is about how many bytes are written at a time.
const fillSize = 32 << 10

// question is a SUBSCRIBE or an UNSUBSCRIBE.
type question struct {
	filters []string
	leave   bool    // UNSUBSCRIBE
	dev     *device // nil: of what belongs to no device
	login   uint32  // of dev
	askedAt int64   // milliseconds
}

// flow is a lane as its link sees it: mqttlink.Owner.
type flow struct {
	*lane
	link *mqttlink.Link
}

// Fill implements [mqttlink.Owner].
func (f flow) Fill(dst []byte) []byte {
	ln := f.lane
	ln.mu.Lock()
	defer ln.mu.Unlock()
	start, now := len(dst), ln.c.now.Load()
	dst = ln.ask(dst, now)
	for m := ln.list.unsent; m != nil && len(dst) < fillSize; m = m.behind {
		if m.qos > 0 {
			if !ln.room() {
				break
			}
			ln.inFlight++
			if m.packet == 0 {
				m.packet = ln.newID()
				ln.packets[m.packet] = m
			}
		} else {
			ln.written = append(ln.written, m)
		}
		dst = mqttlink.AppendPublish(dst, m.topic, m.payload, m.packet, m.qos, m.retain, m.dup)
		m.taken, m.sent, m.sentAt = true, true, now
		if m.dev.notice == m {
			m.dev.notice = nil
		}
		ln.list.unsent = m.behind
	}
	ln.idle = len(dst) == start
	return dst
}

// ask appends the subscriptions that are due. mu is held.
func (ln *lane) ask(dst []byte, now int64) []byte {
	for len(ln.controls) > 0 && len(ln.asked) < maxAsked && len(dst) < fillSize {
		q := ln.controls[0]
		ln.controls[0] = nil
		ln.controls = ln.controls[1:]
		q.askedAt = now
		if q.dev != nil && q.login == q.dev.login {
			q.dev.asked = now
		}
		id := ln.newID()
		ln.asked[id] = q
		if q.leave {
			dst = mqttlink.AppendUnsubscribe(dst, id, q.filters)
		} else {
			dst = mqttlink.AppendSubscribe(dst, id, q.filters, byte(ln.cfg.QoS))
		}
	}
	if len(ln.controls) == 0 {
		ln.controls = nil
	}
	return dst
}

// newID is a packet identifier that nothing on its way has. mu is held.
func (ln *lane) newID() uint16 {
	for {
		ln.lastID++
		_, message := ln.packets[ln.lastID]
		_, asked := ln.asked[ln.lastID]
		if ln.lastID != 0 && !message && !asked {
			return ln.lastID
		}
	}
}

// Wrote implements [mqttlink.Owner]: messages of QoS 0 are done.
func (f flow) Wrote() {
	ln := f.lane
	ln.mu.Lock()
	if len(ln.written) == 0 {
		ln.mu.Unlock()
		return
	}
	for i, m := range ln.written {
		ln.finish(m, nil)
		ln.written[i] = nil
	}
	ln.written = ln.written[:0]
	ln.settle()
}

// Received implements [mqttlink.Owner].
func (f flow) Received(p *mqttlink.Packet) {
	ln := f.lane
	switch p.Type {
	case mqttlink.Publish:
		ln.received(p, f.link)
	case mqttlink.Puback:
		ln.mu.Lock()
		ln.acknowledged(p.ID)
		ln.settle()
	case mqttlink.Suback, mqttlink.Unsuback:
		ln.answered(p)
	default:
	}
}

// answered goes on with what waits for a subscription.
func (ln *lane) answered(p *mqttlink.Packet) {
	ln.mu.Lock()
	defer ln.settle()
	q := ln.asked[p.ID]
	if q == nil {
		return
	}
	delete(ln.asked, p.ID)
	if q.leave {
		return
	}
	denied := ""
	for i, code := range p.Codes {
		if code >= mqttlink.Refused && i < len(q.filters) {
			denied = q.filters[i]
			ln.count.denied.Add(1)
			ln.warn(&ln.c.quiet.denied, "mqtt: subscription denied", zap.String("path", denied))
		}
	}
	if q.dev != nil {
		ln.subscribed(q.dev, q.login, denied)
		return
	}
	if ln.unanswered--; ln.unanswered == 0 {
		ln.release()
	}
}

// expire ends what takes too long.
func (ln *lane) expire(now int64) {
	ln.mu.Lock()
	link := ln.link
	request := ln.cfg.RequestTimeout.Milliseconds()
	for m := ln.list.first; m != nil && m != ln.list.unsent && now > m.sentAt+request; {
		next := m.behind
		if link != nil {
			link.Probe()
		}
		ln.count.timeouts.Add(1)
		ln.finish(m, upstream.ErrTimeout)
		m = next
	}
	ln.expireUnsent(now)
	ln.expireLogins(now)
	var cause error
	if ln.leaked > maxLeaked {
		cause = errLeaked
	}
	for _, q := range ln.asked {
		if now > q.askedAt+request {
			cause = errUnanswered
		}
	}
	ln.settle()
	if link != nil && cause != nil {
		link.Close(cause)
	}
	if link != nil {
		link.Tick(time.UnixMilli(now))
	}
}

// expireUnsent fails messages that wait for too long. What says who is online
// waits on, but those who wait for it do not. mu is held.
func (ln *lane) expireUnsent(now int64) {
	hold := ln.cfg.HoldTimeout.Milliseconds()
	for m := ln.list.unsent; m != nil; {
		next := m.behind
		switch late := now > m.born+hold; {
		case m.presence && late:
			ln.later(func(done func(error)) func() { return func() { done(nil) } }(m.done))
			m.done, m.born = upstream.Ignore, now
		case m.presence:
		case !late:
			return
		case m.sent:
			ln.finish(m, upstream.ErrTimeout)
		case ln.link != nil:
			ln.finish(m, upstream.ErrOverloaded)
		default:
			ln.finish(m, upstream.ErrNotConnected)
		}
		m = next
	}
}

// expireLogins fails logins that found no broker, or got no answer. mu is held.
func (ln *lane) expireLogins(now int64) {
	keep := ln.logins[:0]
	for _, h := range ln.logins {
		d := h.dev
		switch {
		case h.done == nil:
			continue
		case ln.link == nil && now > h.by:
			ln.giveUp(h, upstream.ErrNotConnected)
			continue
		case d.state == subscribing && d.asked != 0 && now > d.asked+ln.cfg.RequestTimeout.Milliseconds():
			ln.giveUp(h, upstream.ErrTimeout)
			continue
		}
		keep = append(keep, h)
	}
	clear(ln.logins[len(keep):])
	ln.logins = keep
}
