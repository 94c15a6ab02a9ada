package aliyun

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// rrpcPrefix begins what the platform's caller waits for.
const rrpcPrefix = "rrpc/request/"

// received takes a message of the platform apart, on the wire's goroutine, one after
// the other: it does not publish, and waits for nothing but callbacks that do not
// block.
func (g *gateway) received(l *link, topic string, payload []byte) {
	family, name, rest := parseTopic(topic)
	own := name == g.identity.ProductKey+"/"+g.identity.DeviceName
	switch {
	case family == sessionTopic && own:
		g.sessionReply(payload, rest)
	case family == errorTopic && own:
		g.errorNotice(payload)
	case family == broadcastTopic:
		g.broadcast(topic, payload)
	case family == sysTopic && own:
		g.gatewayMessage(topic, rest, payload)
	case family == sysTopic:
		g.deviceMessage(l, name, rest, topic, payload)
	case family == customTopic || family == otherTopic:
		g.notice(l, topic, payload)
	}
}

// gatewayMessage is one on a topic of the gateway itself.
func (g *gateway) gatewayMessage(topic, rest string, payload []byte) {
	switch {
	case slices.Contains(gatewayReplies, rest):
		g.sessionReply(payload, rest)
	case rest == "thing/topo/add/notify":
		g.notified(topic, payload)
	}
}

// deviceMessage is one on a topic of a device (developer guide, chapter 9).
func (g *gateway) deviceMessage(l *link, name, rest, topic string, payload []byte) {
	if strings.HasSuffix(rest, alink.ReplySuffix) {
		g.deviceReply(l, rest, topic, payload)
		return
	}
	switch {
	case rest == "thing/disable":
		g.administered(name, topic, payload, codeDisabled)
	case rest == "thing/delete":
		g.administered(name, topic, payload, codeDeleted)
	case rest == "thing/enable":
		g.administered(name, topic, payload, codeSuccess)
	case strings.HasPrefix(rest, "thing/event/"), rest == "thing/model/up_raw":
		// our own, by a wildcard
	default:
		g.alink(l, name, rest, topic, payload)
	}
}

// deviceReply is an answer to a device, or one of its own that a subscription
// with a wildcard has brought back. What answers a publication is the device's to
// read.
func (g *gateway) deviceReply(l *link, rest, topic string, payload []byte) {
	switch {
	case strings.HasPrefix(rest, "thing/event/") && strings.HasSuffix(rest, "/post_reply"):
		g.postAnswered(payload)
	case strings.HasPrefix(rest, "thing/service/"), strings.HasPrefix(rest, "thing/model/"),
		rest == "thing/disable_reply", rest == "thing/enable_reply", rest == "thing/delete_reply":
	default:
		g.notice(l, topic, payload)
	}
}

// alink is a request to set or get properties, a call of a service, raw bytes, or
// what nobody but the device understands.
func (g *gateway) alink(l *link, name, rest, topic string, payload []byte) {
	c, err := alink.Command(rest, topic, payload, g.nextID())
	var wrong *alink.ParamsError
	switch {
	case errors.As(err, &wrong):
		g.count(func(s *counters) { s.malformed++ })
		g.mu.Lock()
		if g.devices[name] != nil {
			g.control(wrong.Topic, wrong.Payload)
		}
		g.mu.Unlock()
	case err != nil:
		g.malformed(topic, payload)
	case c == nil:
		g.notice(l, topic, payload)
	default:
		if strings.HasPrefix(rest, rrpcPrefix) {
			c.Deadline = time.Now().Add(g.cfg.RRPCTimeout)
		}
		g.command(l, name, c)
	}
}

// command hands a command to the device's login, behind done of that. What comes
// for a device that nobody logs in is dropped and counted.
func (g *gateway) command(l *link, name string, c *thing.Command) {
	select {
	case g.room <- struct{}{}:
	case <-l.down:
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var h *handle
	if d := g.devices[name]; d != nil {
		h = d.current
	}
	switch {
	case h == nil, h.command == nil, h.done != nil && len(h.early) >= maxEarly:
		g.stats.unknown++
	case h.done != nil:
		h.early = append(h.early, c)
	default:
		g.commandTo(h, c)
		return
	}
	<-g.room
}

// notice hands what is under a topic that the connector does not know to the
// device that the topic names.
func (g *gateway) notice(l *link, topic string, payload []byte) {
	g.mu.Lock()
	name := g.named(topic)
	g.mu.Unlock()
	g.command(l, name, &thing.Command{Kind: thing.Notice, Topic: topic, Raw: payload})
}

// named finds the device whose product and name are two levels of a topic, one
// behind the other. mu is held.
func (g *gateway) named(topic string) string {
	for i := strings.IndexByte(topic, '/'); i >= 0; {
		name, _ := cutName(topic[i+1:])
		if name == "" {
			return ""
		}
		if g.devices[name] != nil {
			return name
		}
		next := strings.IndexByte(topic[i+1:], '/')
		if next < 0 {
			return ""
		}
		i += 1 + next
	}
	return ""
}

// broadcast hands what names no device to the bridge.
func (g *gateway) broadcast(topic string, payload []byte) {
	f := g.host.Broadcast
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil || len(g.calls) >= maxCommands {
		g.stats.unknown++
		return
	}
	g.stats.broadcasts++
	g.later(func() { f(&thing.Command{Kind: thing.Notice, Topic: topic, Raw: payload}) })
}

// administered answers that a device was disabled, enabled or deleted, and takes
// it off in the first and the last case.
func (g *gateway) administered(name, topic string, payload []byte, code int) {
	var r alink.Request
	if json.Unmarshal(payload, &r) != nil {
		g.malformed(topic, payload)
		return
	}
	if code == codeSuccess {
		g.connector.pacer.forgive(name)
	}
	g.mu.Lock()
	defer g.settle()
	d := g.devices[name]
	if d == nil {
		g.stats.unknown++
		return
	}
	g.control(topic+alink.ReplySuffix, alink.AppendReply(nil, string(r.ID), codeSuccess, "success", nil, 0))
	g.log.Info("aliyun: device administered", zap.String("device", name), zap.String("path", topic))
	if code != codeSuccess {
		g.sessionEnded(d, code, "")
	}
}
