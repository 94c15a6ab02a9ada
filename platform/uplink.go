package platform

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/platform/api"
)

// uplink works off what a client published. It says whether the broker is to
// forward it to subscribers, as it does with custom topics.
func (p *Platform) uplink(l *link, pk *packets.Packet) (forward bool) {
	if l.client.Closed() {
		return false // a violation before it ended the connection
	}
	if len(pk.Payload) > p.cfg.MaxPayload {
		p.violation(l, "payload_too_large", pk.TopicName)
		return false
	}
	if len(pk.TopicName) > maxTopicLen {
		p.violation(l, "topic_too_long", pk.TopicName)
		return false
	}
	t := parseTopic(pk.TopicName)
	switch t.family {
	case sysFamily:
		if dev := p.carried(l, t.owner); dev != nil {
			return p.sysMessage(l, dev, pk, t.rest)
		}
		p.notCarried(l, pk)
	case sessionFamily:
		if t.owner != l.dev.key || !p.sessionMessage(l, t.rest, pk.Payload, pk.FixedHeader.Qos) {
			p.violation(l, "publish_topic", pk.TopicName)
		}
	case otaFamily, shadowFamily, extFamily, customFamily:
		if dev := p.carried(l, t.owner); dev != nil {
			switch {
			case t.family == shadowFamily && t.rest == "update":
				p.shadowMessage(l, dev, pk.Payload)
				return false
			case t.family == extFamily && t.rest == "ntp":
				p.ntpMessage(l, dev, pk.Payload)
			}
			return p.customMessage(l, dev, pk)
		}
		p.notCarried(l, pk)
	case broadFamily:
		if p.carriesProduct(l, t.owner.product) {
			return p.customMessage(l, l.dev, pk)
		}
		p.violation(l, "publish_topic", pk.TopicName)
	case unknownFamily, errorFamily:
		p.violation(l, "publish_topic", pk.TopicName)
	}
	return false
}

// carried is the device with that key when l carries its session.
func (p *Platform) carried(l *link, k key) *device {
	if l.dev.key == k {
		return l.dev
	}
	if dev := p.device(k); dev != nil && dev.via.Load() == l {
		return dev
	}
	return nil
}

// carriesProduct says whether l carries the session of a device of that product:
// such a device may speak and listen to broadcasts of its product.
func (p *Platform) carriesProduct(l *link, product string) bool {
	if l.dev.key.product == product {
		return true
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for dev := range l.subs {
		if dev.key.product == product {
			return true
		}
	}
	return false
}

// notCarried tells a gateway that it spoke for a device that has no session
// through it (error codes, table 10-4). The connection stays.
func (p *Platform) notCarried(l *link, pk *packets.Packet) {
	p.refused("publish 520")
	p.noteRefusal(l, "publish 520: "+CodeNoSession.String(), strings.Clone(pk.TopicName))
	r, _ := parseRequest(pk.Payload)
	a := reply{id: r.id, code: CodeNoSession, detail: pk.TopicName}
	p.send(l, l.dev.key, "/ext/error/"+l.dev.key.product+"/"+l.dev.key.device, "", a.append(nil))
}

// violation ends a connection that did what no device may do: the vendor
// notifies its owner by closing it (error codes, overview).
func (p *Platform) violation(l *link, cause, topic string) {
	p.refused(cause)
	p.noteRefusal(l, cause, strings.Clone(topic))
	p.log.Warn("connection broke the rules",
		zap.String("device", l.dev.name), zap.String("cause", cause), zap.String("path", topic))
	l.client.Stop(packets.ErrNotAuthorized)
	l.stop(cause + ": " + topic)
}

// maySubscribe says whether a client may subscribe to the filter, or get what
// was published under the topic: those of its own device, of the sub-devices
// it carries, and of broadcasts to their products.
func (p *Platform) maySubscribe(l *link, filter string) bool {
	t := parseTopic(filter)
	switch t.family {
	case broadFamily:
		if t.rest != "" && p.carriesProduct(l, t.owner.product) {
			return true
		}
	case sessionFamily, errorFamily:
		if t.owner == l.dev.key {
			return p.room(l, t.owner, filter)
		}
	case sysFamily, otaFamily, shadowFamily, extFamily, customFamily:
		if p.carried(l, t.owner) != nil {
			return p.room(l, t.owner, filter)
		}
	case unknownFamily:
	}
	if filter != "" { // it is when OnSubscribe has counted it
		p.refused("subscribe_topic")
		p.noteRefusal(l, "subscribe_topic", strings.Clone(filter))
	}
	return false
}

// room says whether the client may hold one more subscription about the device.
func (p *Platform) room(l *link, owner key, filter string) bool {
	limit := p.cfg.Subscriptions
	if limit == 0 || l.filterCount(owner) < limit || l.has(owner, filter) || !wild(filter) && l.wants(owner, filter, "") {
		return true
	}
	p.refused("subscriptions")
	p.noteRefusal(l, "subscriptions", strings.Clone(filter))
	return false
}

// sysMessage works off what a device published under /sys/{pk}/{dn}/.
func (p *Platform) sysMessage(l *link, dev *device, pk *packets.Packet, rest string) (forward bool) {
	const event = "thing/event/"
	switch {
	case rest == "thing/event/property/post":
		p.propertyPost(l, dev, pk.TopicName, pk.Payload)
	case strings.HasPrefix(rest, event) && strings.HasSuffix(rest, "/post") && len(rest) > len(event)+len("/post"):
		p.eventPost(l, dev, pk.TopicName, rest[len(event):len(rest)-len("/post")], pk.Payload)
	case rest == "thing/model/up_raw":
		p.rawPost(l, dev, pk.TopicName, pk.Payload)
	case rest == "thing/model/down_raw_reply":
		p.count(dev, kindReply, len(pk.Payload), false)
		p.commandRawReply(dev, pk.Payload)
	case strings.HasPrefix(rest, rrpcResponse):
		p.rrpcReply(dev, rest[len(rrpcResponse):], pk.Payload)
	case strings.HasPrefix(rest, "thing/") && strings.HasSuffix(rest, "_reply"):
		p.commandReply(l, dev, strings.TrimSuffix(rest, "_reply"), pk.TopicName, pk.Payload)
	case p.control(l, dev, pk.TopicName, rest, pk.Payload):
	default:
		return p.customMessage(l, dev, pk)
	}
	return false
}

// customMessage takes what the platform has no meaning for.
func (p *Platform) customMessage(l *link, dev *device, pk *packets.Packet) (forward bool) {
	if strings.Count(pk.TopicName, "/") > maxTopicLevels {
		p.violation(l, "topic_too_deep", pk.TopicName)
		return false
	}
	p.count(dev, kindCustom, len(pk.Payload), false)
	if p.hub.wanted() {
		p.publishMessage(api.Message{
			Kind: api.KindCustom, ProductKey: dev.key.product, DeviceName: dev.key.device,
			Topic: pk.TopicName, Raw: pk.Payload,
		})
	}
	return true
}

// post is a device's message taken apart, as parts of its bytes.
type post struct {
	id     []byte
	params []byte
	silent bool // "sys":{"ack":0}: wants no reply
}

// parsePost reads the frame of a post whose method is prefix + name + suffix.
// detail says what is wrong with it.
func parsePost(payload []byte, name string) (m post, detail string) {
	ok := fields(payload, func(key, value []byte) bool {
		switch string(key) {
		case "id":
			m.id, _ = scalar(value)
		case "params":
			m.params = value
		case "version":
			if text, isText := unquote(value); !isText || string(text) != alinkVersion {
				detail = `version is not "1.0"`
			}
		case "method":
			if text, isText := unquote(value); !isText || !isMethod(text, name) {
				detail = "method is not thing.event." + name + ".post"
			}
		case "sys":
			m.silent = bytes.Contains(value, []byte(`"ack":0`))
		}
		return true
	})
	switch {
	case !ok:
		detail = "no JSON object"
	case detail != "":
	case len(m.id) == 0:
		detail = "id is missing"
	case len(m.params) == 0 || m.params[0] != '{':
		detail = "params is no object"
	}
	return m, detail
}

// isMethod says whether text is thing.event.{name}.post, without building it.
func isMethod(text []byte, name string) bool {
	const head, tail = "thing.event.", ".post"
	return len(text) == len(head)+len(name)+len(tail) &&
		string(text[:len(head)]) == head &&
		string(text[len(head):len(head)+len(name)]) == name &&
		string(text[len(text)-len(tail):]) == tail
}

// propertyPost is the way of most messages there are.
func (p *Platform) propertyPost(l *link, dev *device, full string, payload []byte) {
	m, detail := parsePost(payload, "property")
	code := CodeOK
	if detail != "" {
		code = CodeParameter
	}
	if code == CodeOK {
		code, detail = p.keepProperties(dev, m.params)
	}
	p.count(dev, kindProperty, len(payload), code != CodeOK)
	if code == CodeOK && p.hub.wanted() {
		p.publishMessage(api.Message{
			Kind: api.KindProperty, ProductKey: dev.key.product, DeviceName: dev.key.device,
			ID: string(m.id), Data: json.RawMessage(m.params),
		})
	}
	p.answerPost(l, dev, full, "property", &m, code, detail)
}

// keepProperties stores the properties of a post: all of them, or none.
func (p *Platform) keepProperties(dev *device, params []byte) (Code, string) {
	if len(params) > p.cfg.PostProperties*len(`"":0,`) { // otherwise they cannot be too many
		n := 0
		fields(params, func(_, _ []byte) bool { n++; return true }) // valid: parsePost has been over it
		if n > p.cfg.PostProperties {
			return CodeMapSize, ""
		}
	}
	now := p.now()
	full := false
	dev.mu.Lock()
	defer dev.mu.Unlock()
	fields(params, func(key, value []byte) bool {
		value, at := timed(value, now)
		if bytes.IndexByte(key, '\\') >= 0 {
			key, _ = unquote(quoted(key))
		}
		full = full || !dev.keep(key, value, at, p.cfg.Properties)
		return true
	})
	if full {
		p.refused("properties") // the rest of the post counts
	}
	return CodeOK, ""
}

func quoted(key []byte) []byte {
	return append(append([]byte{'"'}, key...), '"')
}

// timed is the value of {"value":v,"time":ms}, and that time; other values are
// themselves.
func timed(value []byte, now time.Time) ([]byte, time.Time) {
	if value[0] != '{' {
		return value, now
	}
	var inner, at []byte
	wrapped := fields(value, func(key, v []byte) bool {
		switch string(key) {
		case "value":
			inner = v
		case "time":
			at, _ = scalar(v)
		default:
			return false
		}
		return true
	})
	if !wrapped || inner == nil {
		return value, now
	}
	if t := millis(at); !t.IsZero() {
		now = t
	}
	return inner, now
}

func (p *Platform) eventPost(l *link, dev *device, full, name string, payload []byte) {
	m, detail := parsePost(payload, strings.ReplaceAll(name, "/", "."))
	code := CodeOK
	if detail != "" {
		code = CodeParameter
	}
	p.count(dev, kindEvent, len(payload), code != CodeOK)
	if code == CodeOK {
		value, at := timed(m.params, p.now())
		e := api.Event{Name: strings.Clone(name), Value: json.RawMessage(clone(value)), Time: at}
		dev.mu.Lock()
		dev.remember(e, p.cfg.Events)
		dev.mu.Unlock()
		p.touch(dev)
		p.note(api.Message{
			Kind: api.KindEvent, ProductKey: dev.key.product, DeviceName: dev.key.device,
			Name: e.Name, ID: string(m.id), Data: e.Value,
		})
	}
	p.answerPost(l, dev, full, name, &m, code, detail)
}

// answerPost answers a post of a property or an event as configured.
func (p *Platform) answerPost(l *link, dev *device, full, name string, m *post, code Code, detail string) {
	if code != CodeOK {
		cause := "event post" // not by name: devices may call their events anything
		if name == "property" {
			cause = "property post"
		}
		p.refusedCode(l, cause, code, strings.TrimSuffix(dev.name+": "+detail, ": "))
	}
	if p.cfg.Reply == ReplyNone || m.silent || p.cfg.Reply == ReplyErrors && code == CodeOK {
		return
	}
	r := reply{id: string(m.id), code: code, detail: detail}
	if name == "property" {
		r.method = "thing.event.property.post"
	} else if validName(name) {
		r.method = "thing.event." + name + ".post"
	}
	p.answer(l, dev.key, full, &r)
}

// rawPost takes bytes that the vendor gives to a script of the user's. Here
// nobody interprets them; the reply has no bytes.
func (p *Platform) rawPost(l *link, dev *device, full string, payload []byte) {
	p.count(dev, kindRaw, len(payload), false)
	if p.hub.wanted() {
		p.publishMessage(api.Message{
			Kind: api.KindRaw, ProductKey: dev.key.product, DeviceName: dev.key.device, Raw: payload,
		})
	}
	if p.cfg.Reply == ReplyAll {
		p.send(l, dev.key, full, "_reply", nil)
	}
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }
