package platform

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
)

// reply is what the platform answers on the Alink level.
type reply struct {
	id       string // of the request; always a text, as in the vendor's samples
	code     Code
	detail   string // behind the code's text: what is wrong with the request
	data     []byte // JSON; nil: {}
	method   string // empty: session replies have none
	textCode bool   // batch replies of sessions write the code as a text
}

// append writes r as JSON.
func (r *reply) append(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = thing.AppendString(dst, r.id)
	dst = append(dst, `,"code":`...)
	if r.textCode {
		dst = append(dst, '"')
	}
	dst = strconv.AppendInt(dst, int64(r.code), 10)
	if r.textCode {
		dst = append(dst, '"')
	}
	dst = append(dst, `,"message":`...)
	if r.detail == "" {
		dst = thing.AppendString(dst, r.code.String())
	} else {
		dst = thing.AppendString(dst, r.code.String()+": "+r.detail)
	}
	dst = append(dst, `,"data":`...)
	if r.data == nil {
		dst = append(dst, `{}`...)
	} else {
		dst = append(dst, r.data...)
	}
	if r.method != "" {
		dst = append(dst, `,"method":"`...) // from the topic: needs no escapes but checked ones
		dst = append(dst, r.method...)
		dst = append(dst, `","version":"1.0"`...)
	}
	return append(dst, '}')
}

// answer sends r under topic + "_reply" to l, about the device owner.
func (p *Platform) answer(l *link, owner key, topic string, r *reply) {
	var room [320]byte
	p.send(l, owner, topic, "_reply", r.append(room[:0]))
}

// send sends a payload that answers something, unless the platform pretends to
// hang or nobody wants it.
func (p *Platform) send(l *link, owner key, topic, suffix string, payload []byte) {
	if p.faults.active.Load() {
		silent, delay := p.faults.replies()
		if silent {
			return
		}
		if delay > 0 {
			p.faults.later(delayed{p.now().Add(delay), p.sending(l, owner, topic, suffix, payload), p.stats.drop})
			return
		}
	}
	if p.faults.armed.Load() > 0 {
		if p.struckDown(l, owner, topic, suffix, p.sending(l, owner, topic, suffix, payload)) {
			return
		}
	}
	p.sendNow(l, owner, topic, suffix, payload)
}

// sending is sendNow for later, when topic and payload may be others.
func (p *Platform) sending(l *link, owner key, topic, suffix string, payload []byte) func() {
	topic, payload = strings.Clone(topic), bytes.Clone(payload)
	return func() { p.sendNow(l, owner, topic, suffix, payload) }
}

func (p *Platform) sendNow(l *link, owner key, topic, suffix string, payload []byte) {
	if !l.autoSub && !l.wants(owner, topic, suffix) {
		p.unsubscribed(l, topic+suffix)
		return
	}
	if l.publish(topic, suffix, payload) {
		p.stats.replies.Add(1)
	}
}

// unsubscribed counts what nobody subscribed to; the log has the first of a
// connection, for that is a mistake more often than not.
func (p *Platform) unsubscribed(l *link, topic string) {
	p.stats.unsubscribed.Add(1)
	if l.told.CompareAndSwap(false, true) {
		p.noteRefusal(l, "not sent, for the client has not subscribed to it", topic)
	}
}

// millis reads a timestamp in milliseconds; the zero time when there is none.
func millis(text []byte) time.Time {
	var n int64
	if len(text) == 0 || len(text) > 15 {
		return time.Time{}
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return time.Time{}
		}
		n = n*10 + int64(c-'0')
	}
	return time.UnixMilli(n)
}

// noteRefusal puts something that was not taken into the log.
func (p *Platform) noteRefusal(l *link, cause, topic string) {
	m := api.Message{Kind: api.KindRefused, Cause: cause, Topic: topic}
	if l != nil && l.dev != nil {
		m.ProductKey, m.DeviceName = l.dev.key.product, l.dev.key.device
	}
	p.note(m)
}

func refusalMessage(l *link, dev *device, no *connectError) api.Message {
	m := api.Message{Kind: api.KindRefused, Cause: no.Error(), Code: int(no.code)}
	if dev == nil {
		dev = l.dev
	}
	if dev != nil {
		m.ProductKey, m.DeviceName = dev.key.product, dev.key.device
	}
	return m
}
