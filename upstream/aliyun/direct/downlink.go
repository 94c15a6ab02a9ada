package direct

import (
	"encoding/json"
	"errors"
	"strings"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// The codes under which a device is lost.
const (
	codeDeleted  = 521
	codeDisabled = 522
)

// received takes a message of the platform apart (developer guide, chapter 9), on
// the link's goroutine.
func (d *device) received(p *mqttlink.Packet) {
	if p.TooLarge {
		d.c.counts.malformed.Add(1)
		return
	}
	rest, found := strings.CutPrefix(p.Topic, d.names.Sys()+"/")
	if !found {
		d.command(&thing.Command{Kind: thing.Notice, Topic: p.Topic, Raw: p.Payload})
		return
	}
	switch {
	case rest == "thing/disable":
		d.administered(p, codeDisabled)
	case rest == "thing/delete":
		d.administered(p, codeDeleted)
	case rest == "thing/enable":
		d.administered(p, alink.CodeSuccess)
	case strings.HasPrefix(rest, "thing/event/") && strings.HasSuffix(rest, "/post"+alink.ReplySuffix):
		d.postAnswered(p.Payload)
	case strings.HasPrefix(rest, "thing/") && strings.HasSuffix(rest, alink.ReplySuffix):
		// an answer of our own, by a wildcard
	default:
		d.alink(rest, p)
	}
}

// alink is a request to set or get properties, a call of a service, raw bytes, or
// what nobody but the device understands.
func (d *device) alink(rest string, p *mqttlink.Packet) {
	c, err := alink.Command(rest, p.Topic, p.Payload, d.c.ids.Add(1))
	var wrong *alink.ParamsError
	switch {
	case errors.As(err, &wrong):
		d.c.counts.malformed.Add(1)
		d.mu.Lock()
		d.control(wrong.Topic, wrong.Payload)
		d.mu.Unlock()
	case err != nil:
		d.malformed(p.Topic)
	case c == nil:
		d.command(&thing.Command{Kind: thing.Notice, Topic: p.Topic, Raw: p.Payload})
	default:
		d.command(c)
	}
}

// command hands a command to the device's login, behind done of that.
func (d *device) command(c *thing.Command) {
	d.mu.Lock()
	h := d.current
	switch {
	case h == nil, h.command == nil, h.done != nil && len(h.early) >= maxEarly, len(d.calls) >= maxCalls:
		d.c.counts.unknown.Add(1)
	case h.done != nil:
		h.early = append(h.early, c)
	default:
		d.c.counts.commands.Add(1)
		d.later(func() { h.command(c) })
	}
	d.settle()
}

// control queues an answer of the connector's own. mu is held.
func (d *device) control(topic string, payload []byte) {
	if len(d.controls) >= maxControls || d.link == nil {
		d.c.counts.overloaded.Add(1)
		return
	}
	d.controls = append(d.controls, control{topic, payload})
	d.link.Wake()
}

// administered answers that a device was disabled, enabled or deleted, and ends
// its login in the first and the last case.
func (d *device) administered(p *mqttlink.Packet, code int) {
	var r alink.Request
	if json.Unmarshal(p.Payload, &r) != nil {
		d.malformed(p.Topic)
		return
	}
	d.mu.Lock()
	defer d.settle()
	d.control(p.Topic+alink.ReplySuffix, alink.AppendReply(nil, string(r.ID), alink.CodeSuccess, "success", nil, 0))
	if h := d.current; h != nil && code != alink.CodeSuccess {
		err := aliyun.Refused(code, "")
		d.refuseLogin(h, err)
		d.failMessages(err)
		d.leave(err)
	}
}

// postAnswered goes on with the platform's answer to a property or an event.
func (d *device) postAnswered(payload []byte) {
	if d.c.cfg.Confirm != ConfirmReply {
		return // the platform answers without being asked
	}
	var r struct {
		ID      alink.Text `json:"id"`
		Code    alink.Text `json:"code"`
		Message string     `json:"message"`
	}
	if json.Unmarshal(payload, &r) != nil {
		d.malformed("post_reply")
		return
	}
	code, isCode := r.Code.Number()
	id, isID := r.ID.ID()
	if !isCode || !isID {
		d.malformed("post_reply")
		return
	}
	var err error
	if code != alink.CodeSuccess {
		err = aliyun.Refused(code, r.Message)
	}
	d.mu.Lock()
	defer d.settle()
	for m := d.head; m != nil; m = m.next {
		if m.id == id && m.answered && m.sent && !m.finished {
			d.finish(m, err)
			if d.unsent != nil && d.link != nil {
				d.link.Wake()
			}
			return
		}
	}
}

func (d *device) malformed(topic string) {
	d.c.counts.malformed.Add(1)
	d.c.log.Debug("aliyun-direct: message of the platform not understood", zap.String("device", d.names.String()), zap.String("path", topic))
}

var _ upstream.Device = (*handle)(nil)
