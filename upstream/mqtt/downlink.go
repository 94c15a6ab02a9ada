package mqtt

import (
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/internal/quiet"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// received hands on what the broker has sent, on the link's reading goroutine.
func (ln *lane) received(p *mqttlink.Packet, link *mqttlink.Link) {
	if p.TooLarge {
		ln.count.malformed.Add(1)
		ln.warn(&ln.c.quiet.large, "mqtt: message larger than maxPayload dropped", zap.String("path", clip(p.Topic)))
		return
	}
	t := &ln.cfg.topics
	var v values
	for i := range t.down {
		if !t.down[i].pattern.match(p.Topic, &v) {
			continue
		}
		if what := t.down[i].what; what == downNotice || !ln.old(p) {
			ln.tell(what, p, &v, link)
		}
		return
	}
	for _, pattern := range t.broadcast {
		if pattern.match(p.Topic, &v) {
			if !ln.old(p) {
				ln.broadcast(p)
			}
			return
		}
	}
	ln.count.unknown.Add(1)
}

// old says whether a command was retained, and counts it: it may be of last year,
// and would be obeyed again with each login.
func (ln *lane) old(p *mqttlink.Packet) bool {
	if p.Retained {
		ln.count.retained.Add(1)
	}
	return p.Retained
}

// tell gives a device a command.
func (ln *lane) tell(what downKind, p *mqttlink.Packet, v *values, link *mqttlink.Link) {
	at, key := ln, ln.cfg.topics.key(v[productKey], v[deviceName])
	if ln.only != nil {
		key = ln.only.key
		if v[deviceName] != "" && v[deviceName] != ln.only.device() || v[productKey] != "" && v[productKey] != ln.only.product() {
			ln.count.unknown.Add(1)
			return
		}
	} else {
		at = ln.c.laneOf(key)
	}
	c, err := ln.cfg.topics.parseCommand(what, ln.cfg.payloads.rawOnly, p.Topic, p.Payload, v)
	select {
	case ln.c.calls.room <- struct{}{}: // a callback has it
	case <-link.Down():
		return
	}
	if !at.command(key, c, int64(len(p.Payload)), err) {
		<-ln.c.calls.room
	}
}

// command hands a command to a device's login, behind done of that, or says what
// is wrong with it. It says whether a callback will make room. What comes for a
// device that nobody logs in is dropped and counted.
func (ln *lane) command(key string, c *thing.Command, size int64, err error) bool {
	ln.mu.Lock()
	var h *handle
	d := ln.devices[key]
	if d != nil {
		h = d.current
	}
	switch {
	case h == nil, h.command == nil, h.done != nil && (len(h.early) >= maxEarly || ln.early+size > ln.cfg.QueueBytes):
		ln.count.unknown.Add(1)
	case err != nil:
		ln.count.malformed.Add(1)
		ln.warn(&ln.c.quiet.invalid, "mqtt: command not understood", zap.String("device", d.names), zap.String("err", clip(err.Error())))
		ln.replyInvalid(h, c, err)
		return false
	case h.done != nil:
		h.early = append(h.early, c)
		h.size += size
		ln.early += size
	default:
		ln.count.commands.Add(1)
		ln.later(func() {
			defer func() { <-ln.c.calls.room }()
			h.command(c)
		})
		ln.mu.Unlock()
		return true
	}
	ln.mu.Unlock()
	return false
}

// replyInvalid answers a command that was not understood. mu is held, and
// released.
func (ln *lane) replyInvalid(h *handle, c *thing.Command, err error) {
	ln.mu.Unlock()
	if c.ID == "" {
		return
	}
	reply := c.Reply(thing.Invalid)
	reply.Text = clip(err.Error())
	h.Publish(&reply, upstream.Ignore)
}

// warn logs what a peer can do as often as it likes, now and then.
func (ln *lane) warn(line *quiet.Line, text string, fields ...zap.Field) {
	if count, due := line.Due(time.Now()); due {
		ln.log.Warn(text, append(fields, zap.Uint64("count", count))...)
	}
}

// clip is text, or its beginning: topics, and what is wrong with commands that it
// quotes, may be long.
func clip(text string) string {
	if len(text) <= maxReason {
		return text
	}
	return strings.ToValidUTF8(text[:maxReason], "") + "..."
}

// broadcast hands what names no device to the bridge.
func (ln *lane) broadcast(p *mqttlink.Packet) {
	f := ln.c.host.Broadcast
	if f == nil {
		ln.count.unknown.Add(1)
		return
	}
	select {
	case ln.c.calls.room <- struct{}{}:
	default:
		ln.count.overloaded.Add(1)
		return
	}
	ln.count.broadcasts.Add(1)
	c := &thing.Command{Kind: thing.Notice, Topic: p.Topic, Raw: p.Payload}
	ln.later(func() {
		defer func() { <-ln.c.calls.room }()
		f(c)
	})
}
