package platform

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// request does what a whole request asks for. The paths are the vendor's where
// they are known, and a convention where not: see docs.
func (g *gate) request(s *gateStream) error {
	s.whole, s.push = true, true
	if s.header["x-auth-name"] != "" {
		if g.connected {
			return g.respond(s, 400, "") // once is enough
		}
		if status := g.connect(s); status != 0 {
			return errors.Join(g.respond(s, status, ""), g.goAway("no credentials"))
		}
		s.opens = true
	}
	if !g.connected {
		g.p.refused("http2_unauthenticated")
		return errors.Join(g.respond(s, 401, ""), g.goAway("not authenticated"))
	}
	rest, found := strings.CutPrefix(s.path, "/message/")
	if !found {
		return g.unknown(s)
	}
	verb, escapedTopic, _ := strings.Cut(rest, "/")
	topic, err := topicOf(escapedTopic)
	if err != nil {
		return g.respond(s, 400, "")
	}
	switch id := s.header["x-message-id"]; {
	case verb == "ack" && id != "":
		return g.acknowledge(s, id)
	case verb == "ack" && s.opens, verb == "echo" && s.opens:
		g.mu.Lock()
		g.first, s.stays = s, true
		g.mu.Unlock()
		return nil // the CONNACK answers it
	case verb == "pub" && topic != "":
		return g.publish(s, topic)
	case verb == "sub" && topic != "":
		return g.subscription(s, 0x82, topic)
	case verb == "unsub" && topic != "":
		return g.subscription(s, 0xa2, topic)
	default:
		return g.unknown(s)
	}
}

func (g *gate) unknown(s *gateStream) error {
	g.p.refused("http2_path")
	return g.respond(s, 404, "")
}

// connect sends a CONNECT with a first request's credentials. It returns a status
// when they are none.
func (g *gate) connect(s *gateStream) (status int) {
	h := s.header
	if h["x-auth-name"] != "devicename" {
		g.p.refused("http2_auth_name")
		return 401
	}
	mode, keepAlive := "3", min(max(gateKeepAlive, g.p.cfg.MinKeepAlive), max(g.p.cfg.MaxKeepAlive, g.p.cfg.MinKeepAlive))
	if g.secure {
		mode = "2"
	}
	id := h["x-auth-param-client-id"] + "|securemode=" + mode + ",signmethod=" + h["x-auth-param-signmethod"]
	if t := h["x-auth-param-timestamp"]; t != "" {
		id += ",timestamp=" + t
	}
	flags := byte(0xc0) // user name and password
	if h["x-clear-session"] == "1" {
		flags |= 2
	}
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', 4, flags, byte(keepAlive / time.Second >> 8), byte(keepAlive / time.Second)}
	for _, text := range []string{id + "|", h["x-auth-param-device-name"] + "&" + h["x-auth-param-product-key"], h["x-auth-param-sign"]} {
		body = appendText(body, text)
	}
	g.connected = true
	g.mqttPacket(0x10, body, nil)
	return 0
}

// publish hands a message to the broker.
func (g *gate) publish(s *gateStream, topic string) error {
	head := appendText(nil, topic)
	if qos := s.header["x-qos"]; qos == "" || qos == "0" {
		g.mqttPacket(0x30, head, s.body)
		if s.opens {
			g.mu.Lock()
			g.first = s
			g.mu.Unlock()
			return nil
		}
		return g.respond(s, 200, "")
	}
	g.ask(s)
	g.mqttPacket(0x32, append(head, byte(s.id16>>8), byte(s.id16)), s.body)
	return nil
}

// subscription subscribes a filter, or ends that.
func (g *gate) subscription(s *gateStream, kind byte, filter string) error {
	g.ask(s)
	body := appendText([]byte{byte(s.id16 >> 8), byte(s.id16)}, filter)
	if kind == 0x82 {
		body = append(body, 1) // QoS
	}
	g.mqttPacket(kind, body, nil)
	return nil
}

// ask gives a request the identifier of an MQTT packet.
func (g *gate) ask(s *gateStream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.packet++; g.packet == 0 || g.asked[g.packet] != nil; g.packet++ { // there are fewer streams than identifiers
	}
	s.id16 = g.packet
	g.asked[g.packet] = s
}

// acknowledge ends a message that waits for it.
func (g *gate) acknowledge(s *gateStream, id string) error {
	g.mu.Lock()
	m := g.unacked[id]
	delete(g.unacked, id)
	g.mu.Unlock()
	if m == nil {
		g.p.refused("http2_ack")
		return g.respond(s, 404, "")
	}
	g.mqttPacket(0x40, []byte{byte(m.packet >> 8), byte(m.packet)}, nil)
	return g.respond(s, 200, id)
}

func (g *gate) nextMessageID(packet uint16) string {
	g.serial++
	return strconv.FormatUint(g.serial, 36) + "-" + strconv.Itoa(int(packet))
}
