package aliyun

import (
	"encoding/json"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/thing"
)

// received takes a message of the platform apart, on paho's goroutine, one after
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
	switch rest {
	case "thing/topo/add_reply":
		g.sessionReply(payload, rest)
	case "thing/topo/add/notify":
		// The devices log in when they come; there is nothing to do before.
		r := struct {
			ID text `json:"id"`
		}{}
		if json.Unmarshal(payload, &r) != nil {
			g.malformed(rest, payload)
			return
		}
		g.mu.Lock()
		g.control(topic+replySuffix, appendReply(nil, string(r.ID), codeSuccess, "success", nil, 0))
		g.mu.Unlock()
	}
}

// deviceMessage is one on a topic of a device (developer guide, chapter 9).
func (g *gateway) deviceMessage(l *link, name, rest, topic string, payload []byte) {
	if strings.HasSuffix(rest, replySuffix) {
		g.deviceReply(l, rest, topic, payload)
		return
	}
	service, isService := strings.CutPrefix(rest, "thing/service/")
	rrpc, isRRPC := strings.CutPrefix(rest, "rrpc/request/")
	switch {
	case isService:
		g.alink(l, name, topic, service, "", payload)
	case isRRPC:
		g.rrpc(l, name, topic, rrpc, payload)
	case rest == "thing/model/down_raw":
		g.command(l, name, &thing.Command{ID: idRaw + strconv.FormatUint(uint64(g.nextID()), 10), Kind: thing.RawDown, Raw: payload})
	case rest == "thing/disable":
		g.administered(name, topic, payload, codeDisabled)
	case rest == "thing/delete":
		g.administered(name, topic, payload, codeDeleted)
	case rest == "thing/enable":
		g.administered(name, topic, payload, codeSuccess)
	case strings.HasPrefix(rest, "thing/event/"), rest == "thing/model/up_raw":
		// our own, by a wildcard
	default:
		g.notice(l, topic, payload)
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

// alinkRequest is what the platform asks.
type alinkRequest struct {
	ID     text            `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// alink is a request to set or get properties, or a call of a service. With an
// rrpc message id its reply goes where RRPC replies go.
func (g *gateway) alink(l *link, name, topic, service, rrpc string, payload []byte) {
	var r alinkRequest
	if err := json.Unmarshal(payload, &r); err != nil {
		g.malformed(topic, payload)
		return
	}
	c := &thing.Command{}
	var err error
	prefix := idCall
	switch service {
	case "property/set":
		prefix, c.Kind = idSet, thing.SetProperties
		c.Fields, err = parseParams(r.Params)
	case "property/get":
		prefix, c.Kind = idGet, thing.GetProperties
		c.Fields, err = parseNames(r.Params)
	default:
		c.Kind, c.Name = thing.Service, service
		if err = checkName(service); err == nil {
			c.Fields, err = parseParams(r.Params)
		}
	}
	if rrpc != "" {
		prefix = idRRPC + rrpc + ":"
	}
	c.ID = prefix + string(r.ID)
	if err == nil {
		g.command(l, name, c)
		return
	}
	g.count(func(s *counters) { s.malformed++ })
	answer := topic + replySuffix
	if rrpc != "" {
		answer = strings.Replace(topic, "/rrpc/request/", "/rrpc/response/", 1)
	}
	g.mu.Lock()
	if g.devices[name] != nil {
		g.control(answer, appendReply(nil, string(r.ID), codeBadParams, err.Error(), nil, 0))
	}
	g.mu.Unlock()
}

// rrpc is a request that the platform's caller waits for (developer guide,
// chapter 6.4): an Alink request, or bytes of a user's own, which become a notice;
// they are answered by a publication to the response topic.
func (g *gateway) rrpc(l *link, name, topic, id string, payload []byte) {
	var r alinkRequest
	if json.Unmarshal(payload, &r) == nil {
		if service, found := strings.CutPrefix(r.Method, "thing.service."); found {
			g.alink(l, name, topic, strings.Replace(service, "property.", "property/", 1), id, payload)
			return
		}
	}
	g.notice(l, topic, payload)
}

func parseParams(params json.RawMessage) ([]thing.Field, error) {
	if len(params) == 0 || string(params) == "null" {
		return nil, nil
	}
	return thing.ParseFields(params)
}

// parseNames reads the names of the properties that are asked for.
func parseNames(params json.RawMessage) ([]thing.Field, error) {
	if len(params) == 0 || string(params) == "null" || string(params) == "{}" {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(params, &list); err != nil {
		return nil, err
	}
	fields := make([]thing.Field, len(list))
	for i, name := range list {
		fields[i].Name = name
	}
	return fields, nil
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
	var r alinkRequest
	if json.Unmarshal(payload, &r) != nil {
		g.malformed(topic, payload)
		return
	}
	g.mu.Lock()
	defer g.settle()
	d := g.devices[name]
	if d == nil {
		g.stats.unknown++
		return
	}
	g.control(topic+replySuffix, appendReply(nil, string(r.ID), codeSuccess, "success", nil, 0))
	g.log.Info("aliyun: device administered", zap.String("device", name), zap.String("path", topic))
	if code != codeSuccess {
		g.sessionEnded(d, code, "")
	}
}
