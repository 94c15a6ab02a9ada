package platform

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"
)

// topicOf is the topic that a path names: it begins with a slash.
func topicOf(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	path, _, _ = strings.Cut(path, "?")
	topic, err := url.PathUnescape(path)
	return "/" + topic, err
}

func appendText(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(min(len(s), 1<<16-1))) //nolint:gosec // bounded
	return append(dst, s[:min(len(s), 1<<16-1)]...)
}

// mqttPacket appends a packet for the broker (MQTT 3.1.1, section 2). It belongs
// to read.
func (g *gate) mqttPacket(kind byte, head, body []byte) {
	g.toMQTT = append(g.toMQTT, kind)
	g.toMQTT = binary.AppendUvarint(g.toMQTT, uint64(len(head)+len(body))) //nolint:gosec // lengths
	g.toMQTT = append(append(g.toMQTT, head...), body...)
}

// flushMQTT hands packets to the broker.
func (g *gate) flushMQTT() error {
	if len(g.toMQTT) == 0 {
		return nil
	}
	_, err := g.pipe.Write(g.toMQTT)
	if g.toMQTT = g.toMQTT[:0]; cap(g.toMQTT) > keepOut {
		g.toMQTT = nil
	}
	return err
}

// listen works off what the broker says, and sends again what was not
// acknowledged.
func (g *gate) listen() {
	defer func() { _ = g.pipe.Close() }()
	in := bufio.NewReaderSize(g.pipe, gateBuffer)
	packets := 0
	for {
		_ = g.pipe.SetReadDeadline(time.Now().Add(g.p.cfg.HTTP2Redelivery / 4))
		if _, err := in.Peek(1); err != nil {
			if !errors.Is(err, errTimeout) {
				g.end(nil)
				return
			}
			g.redeliver()
			continue
		}
		packets++
		_ = g.pipe.SetReadDeadline(time.Time{})
		kind, body, err := readPacket(in, g.p.cfg.MaxPayload+1<<17)
		if err == nil {
			err = g.fromMQTT(kind, body)
		}
		if err != nil {
			g.end(err)
			return
		}
		if packets%64 == 0 {
			g.redeliver()
		}
	}
}

var errPacket = errors.New("platform: a packet of the broker's is malformed")

func readPacket(in *bufio.Reader, limit int) (kind byte, body []byte, err error) {
	if kind, err = in.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return 0, nil, err
	}
	if n > uint64(limit) { //nolint:gosec // positive
		return 0, nil, errPacket
	}
	body = make([]byte, n)
	_, err = io.ReadFull(in, body)
	return kind, body, err
}

// fromMQTT translates a packet of the broker's.
func (g *gate) fromMQTT(kind byte, body []byte) error {
	switch kind >> 4 {
	case 2: // CONNACK
		if len(body) < 2 {
			return errPacket
		}
		return g.connack(body[1])
	case 3:
		return g.fromPublish(kind, body)
	case 4, 9, 11: // PUBACK, SUBACK, UNSUBACK
		if len(body) < 2 {
			return errPacket
		}
		status := 200
		if kind>>4 == 9 && (len(body) < 3 || body[2] > 2) {
			status = 403
		}
		g.mu.Lock()
		id := binary.BigEndian.Uint16(body)
		s := g.asked[id]
		delete(g.asked, id)
		if s == nil {
			g.mu.Unlock()
			return nil
		}
		messageID := ""
		if kind>>4 == 4 {
			messageID = g.nextMessageID(id)
		}
		g.mu.Unlock()
		return g.respond(s, status, messageID)
	default: // PINGRESP
		return nil
	}
}

// connack answers the request that authenticates.
func (g *gate) connack(code byte) error {
	g.mu.Lock()
	s := g.first
	g.mu.Unlock()
	status, known := map[byte]int{0: 200, connackServer: 503, connackIdentifier: 400}[code]
	if !known {
		status = 401
	}
	if status != 200 {
		g.mu.Lock()
		var open []*gateStream
		for _, other := range g.streams {
			open = append(open, other)
		}
		g.mu.Unlock()
		var errs []error
		for _, other := range open {
			errs = append(errs, g.respond(other, status, ""))
		}
		return errors.Join(append(errs, g.goAway("refused"))...)
	}
	if s == nil { // the first request publishes or subscribes: that is answered
		return nil
	}
	return g.respond(s, 200, "")
}

// fromPublish has a message pushed.
func (g *gate) fromPublish(kind byte, body []byte) error {
	if len(body) < 2 {
		return errPacket
	}
	n := 2 + int(binary.BigEndian.Uint16(body))
	if len(body) < n {
		return errPacket
	}
	m := &gatePush{topic: string(body[2:n]), payload: body[n:], qos: kind >> 1 & 3}
	if m.qos > 0 {
		if len(m.payload) < 2 {
			return errPacket
		}
		m.packet, m.payload = binary.BigEndian.Uint16(m.payload), m.payload[2:]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.qos > 0 {
		if len(g.unacked) >= maxUnacked {
			g.p.stats.dropped.Add(1)
			return nil
		}
		m.id = g.nextMessageID(m.packet)
		g.unacked[m.id] = m
	}
	return g.push(m)
}
