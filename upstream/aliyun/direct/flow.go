package direct

import (
	"errors"

	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// fillSize is about how many bytes are written at a time.
const fillSize = 8 << 10

// flow is a device as one of its links sees it: mqttlink.Owner.
type flow struct {
	d *device
	l *mqttlink.Link
}

// Fill implements [mqttlink.Owner].
func (f flow) Fill(dst []byte) []byte {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != f.l || d.state == ending {
		return dst
	}
	now := d.c.now.Load()
	if d.ask > 0 {
		filters := d.c.cfg.filters(&d.names)
		for len(filters) > 0 {
			n := min(len(filters), subscribeLimit)
			dst = mqttlink.AppendSubscribe(dst, d.newID(), filters[:n], 1)
			filters = filters[n:]
		}
		d.subs, d.ask, d.since = d.ask, 0, now
	}
	for i := range d.controls {
		dst = mqttlink.AppendPublish(dst, d.controls[i].topic, d.controls[i].payload, 0, 0, false, false)
	}
	d.controls = nil
	if d.state != online && d.state != leaving {
		return dst
	}
	for d.unsent != nil && len(dst) < fillSize {
		m := d.unsent
		if m.finished {
			d.unsent = m.next
			continue
		}
		if m.qos > 0 && int(d.inFlight) >= d.c.cfg.InFlight || !d.mayGo(m.qos, now) {
			break
		}
		if m.qos > 0 {
			d.inFlight++
			m.packet = d.newID()
		}
		dst = mqttlink.AppendPublish(dst, m.topic, m.payload, m.packet, m.qos, false, false)
		m.taken, m.sent, m.deadline = true, true, now+d.c.cfg.RequestTimeout.Milliseconds()
		d.unsent = m.next
	}
	return dst
}

// newID is a packet identifier that nothing on its way has. mu is held.
func (d *device) newID() uint16 {
next:
	for {
		d.lastID++
		if d.lastID == 0 {
			continue
		}
		for m := d.head; m != nil && m != d.unsent; m = m.next {
			if m.taken && m.packet == d.lastID {
				continue next
			}
		}
		return d.lastID
	}
}

// Wrote implements [mqttlink.Owner]: messages of QoS 0 are done.
func (f flow) Wrote() {
	d := f.d
	d.mu.Lock()
	if d.link == f.l {
		for m := d.head; m != nil && m != d.unsent; m = m.next {
			if m.qos == 0 && m.taken && !m.acked {
				m.acked = true
				if !m.answered {
					d.finish(m, nil)
				}
			}
		}
	}
	d.settle()
}

// Received implements [mqttlink.Owner].
func (f flow) Received(p *mqttlink.Packet) {
	d := f.d
	switch p.Type {
	case mqttlink.Publish:
		d.received(p)
	case mqttlink.Puback:
		d.mu.Lock()
		d.acknowledged(p.ID)
		d.settle()
	case mqttlink.Suback:
		d.mu.Lock()
		d.subscribed(p)
		d.settle()
	default:
	}
}

// acknowledged goes on with the message of that packet identifier. mu is held.
func (d *device) acknowledged(id uint16) {
	for m := d.head; m != nil && m != d.unsent; m = m.next {
		if m.packet != id || m.qos == 0 || !m.taken || m.acked || m.finished {
			continue
		}
		m.acked = true
		d.inFlight--
		if !m.answered {
			d.finish(m, nil)
		}
		if d.unsent != nil {
			d.link.Wake()
		}
		return
	}
}

var (
	errUnanswered = errors.New("aliyun-direct: a subscription was not answered")
	errDenied     = errors.New("aliyun-direct: the platform denied a subscription")
	errChanged    = errors.New("aliyun-direct: the device's secret has changed")
)

// subscribed goes on with a device whose subscriptions are answered. mu is held.
func (d *device) subscribed(p *mqttlink.Packet) {
	for _, code := range p.Codes {
		if code >= mqttlink.Refused {
			d.c.counts.denied.Add(1)
			d.warn("aliyun-direct: not all is well", errDenied)
		}
	}
	if d.subs > 0 {
		d.subs--
	}
	if d.subs == 0 && d.ask == 0 && d.state == subscribing {
		d.goOnline()
	}
}

// goOnline lets messages go. mu is held.
func (d *device) goOnline() {
	d.state, d.lastErr = online, nil
	if d.current != nil {
		d.loginDone(d.current, nil)
	}
	d.link.Wake()
}
