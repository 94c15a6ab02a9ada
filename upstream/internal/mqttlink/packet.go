package mqttlink

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Type is the type of a control packet (MQTT 3.1.1, table 2.1).
type Type byte

// The types of packet that a link has to do with.
const (
	connect     Type = 1
	Connack     Type = 2
	Publish     Type = 3
	Puback      Type = 4
	subscribe   Type = 8
	Suback      Type = 9
	unsubscribe Type = 10
	Unsuback    Type = 11
	pingreq     Type = 12
	Pingresp    Type = 13
	disconnect  Type = 14
)

// String is the type's name in the standard.
func (t Type) String() string {
	names := [...]string{
		1: "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
		"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT",
	}
	if int(t) < len(names) && names[t] != "" {
		return names[t]
	}
	return fmt.Sprintf("type(%d)", byte(t))
}

// Packet is a packet that a broker has sent. Topic and Payload are the owner's
// to keep; Codes is not.
type Packet struct {
	Type     Type
	ID       uint16 // PUBLISH of QoS 1, PUBACK, SUBACK, UNSUBACK
	QoS      byte   // PUBLISH
	Dup      bool   // PUBLISH
	Retained bool   // PUBLISH: kept by the broker since before the subscription
	Topic    string // PUBLISH
	Payload  []byte // PUBLISH
	TooLarge bool   // PUBLISH: the payload was larger than MaxPayload, and thrown away
	Codes    []byte // SUBACK: one for each filter, 0x80 for a refusal; CONNACK: flags and return code
}

// Refused is the code of a SUBACK for a filter that the broker does not grant
// (MQTT 3.1.1, section 3.9.3).
const Refused = 0x80

// ErrMalformed says that a broker has sent what is no packet of MQTT 3.1.1, or
// none that a client may get.
var ErrMalformed = errors.New("mqttlink: malformed packet")

// maxAnswer is how many bytes a packet that is no PUBLISH may have: a broker has
// no reason to send a client of ours a longer one.
const maxAnswer = 4096

// appendHead appends the fixed header of a packet with so many bytes behind it.
func appendHead(dst []byte, t Type, flags byte, remaining int) []byte {
	dst = append(dst, byte(t)<<4|flags)
	for remaining > 127 {
		dst = append(dst, byte(remaining)|0x80)
		remaining >>= 7
	}
	return append(dst, byte(remaining))
}

func appendText(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s))) //nolint:gosec // callers check the length
	return append(dst, s...)
}

// AppendPublish appends a PUBLISH. id counts with QoS 1 alone. The topic has no
// more than 65535 bytes.
//
//	| 0011 dup qos retain | remaining length | topic | packet identifier | payload |
func AppendPublish(dst []byte, topic string, payload []byte, id uint16, qos byte, retain, dup bool) []byte {
	flags, remaining := qos<<1, 2+len(topic)+len(payload)
	if retain {
		flags |= 1
	}
	if qos > 0 {
		remaining += 2
		if dup {
			flags |= 8
		}
	}
	dst = appendText(appendHead(dst, Publish, flags, remaining), topic)
	if qos > 0 {
		dst = binary.BigEndian.AppendUint16(dst, id)
	}
	return append(dst, payload...)
}

// AppendSubscribe appends a SUBSCRIBE for all filters with that quality of
// service.
func AppendSubscribe(dst []byte, id uint16, filters []string, qos byte) []byte {
	remaining := 2
	for _, f := range filters {
		remaining += 3 + len(f)
	}
	dst = binary.BigEndian.AppendUint16(appendHead(dst, subscribe, 2, remaining), id)
	for _, f := range filters {
		dst = append(appendText(dst, f), qos)
	}
	return dst
}

// AppendUnsubscribe appends an UNSUBSCRIBE.
func AppendUnsubscribe(dst []byte, id uint16, filters []string) []byte {
	remaining := 2
	for _, f := range filters {
		remaining += 2 + len(f)
	}
	dst = binary.BigEndian.AppendUint16(appendHead(dst, unsubscribe, 2, remaining), id)
	for _, f := range filters {
		dst = appendText(dst, f)
	}
	return dst
}

func appendPuback(dst []byte, id uint16) []byte {
	return binary.BigEndian.AppendUint16(appendHead(dst, Puback, 0, 2), id)
}

// appendConnect appends the CONNECT that o asks for.
func appendConnect(dst []byte, o *Options) []byte {
	flags, remaining := byte(0), 10+2+len(o.ClientID)
	if o.Clean {
		flags |= 0x02
	}
	if o.Will != nil {
		flags |= 0x04 | o.Will.QoS<<3
		if o.Will.Retain {
			flags |= 0x20
		}
		remaining += 4 + len(o.Will.Topic) + len(o.Will.Payload)
	}
	user, password := o.Username, o.Password.Reveal()
	if user != "" {
		flags |= 0x80
		remaining += 2 + len(user)
		if password != "" { // none without a user name: section 3.1.2.9
			flags |= 0x40
			remaining += 2 + len(password)
		}
	}
	dst = appendText(appendHead(dst, connect, 0, remaining), "MQTT")
	dst = append(dst, 4, flags)
	dst = binary.BigEndian.AppendUint16(dst, o.keepAlive())
	dst = appendText(dst, o.ClientID)
	if o.Will != nil {
		dst = appendText(appendText(dst, o.Will.Topic), string(o.Will.Payload))
	}
	if user != "" {
		dst = appendText(dst, user)
		if password != "" {
			dst = appendText(dst, password)
		}
	}
	return dst
}

// reader reads packets.
type reader struct {
	*bufio.Reader
	maxPayload int
	small      []byte // of packets that are no PUBLISH
}

// next reads a packet.
func (r *reader) next(p *Packet) error {
	first, err := r.ReadByte()
	if err != nil {
		return err
	}
	remaining, err := r.remaining()
	if err != nil {
		return err
	}
	*p = Packet{Type: Type(first >> 4)}
	if p.Type == Publish {
		return r.publish(p, first&0x0f, remaining)
	}
	if first&0x0f != 0 || remaining > maxAnswer {
		return fmt.Errorf("%w: %v", ErrMalformed, p.Type)
	}
	if cap(r.small) < remaining {
		r.small = make([]byte, max(remaining, 64))
	}
	body := r.small[:remaining]
	if _, err := io.ReadFull(r, body); err != nil {
		return cutShort(err)
	}
	return p.read(body)
}

// read takes the body of a packet that is no PUBLISH.
func (p *Packet) read(body []byte) error {
	ok := false
	switch p.Type {
	case Connack:
		ok, p.Codes = len(body) == 2, body
	case Puback, Unsuback:
		if ok = len(body) == 2; ok {
			p.ID = binary.BigEndian.Uint16(body)
		}
	case Suback:
		if ok = len(body) > 2; ok {
			p.ID, p.Codes = binary.BigEndian.Uint16(body), body[2:]
		}
	case Pingresp:
		ok = len(body) == 0
	default: // nothing that a client gets who sends and subscribes no QoS 2
	}
	if !ok {
		return fmt.Errorf("%w: %v of %d bytes", ErrMalformed, p.Type, len(body))
	}
	return nil
}

// publish reads the rest of a PUBLISH.
func (r *reader) publish(p *Packet, flags byte, remaining int) error {
	p.QoS, p.Dup, p.Retained = flags>>1&3, flags&8 != 0, flags&1 != 0
	if p.QoS > 1 {
		return fmt.Errorf("%w: PUBLISH with QoS %d, which was not subscribed", ErrMalformed, p.QoS)
	}
	var pair [2]byte
	if _, err := io.ReadFull(r, pair[:]); err != nil {
		return cutShort(err)
	}
	length := int(binary.BigEndian.Uint16(pair[:]))
	if remaining -= 2 + length + 2*int(p.QoS); remaining < 0 || length == 0 {
		return fmt.Errorf("%w: PUBLISH with a topic of %d bytes", ErrMalformed, length)
	}
	topic := make([]byte, length)
	if _, err := io.ReadFull(r, topic); err != nil {
		return cutShort(err)
	}
	p.Topic = string(topic)
	if p.QoS > 0 {
		if _, err := io.ReadFull(r, pair[:]); err != nil {
			return cutShort(err)
		}
		p.ID = binary.BigEndian.Uint16(pair[:])
	}
	if remaining > r.maxPayload {
		p.TooLarge = true
		_, err := r.Discard(remaining)
		return cutShort(err)
	}
	p.Payload = make([]byte, remaining)
	_, err := io.ReadFull(r, p.Payload)
	return cutShort(err)
}

// remaining reads a remaining length (MQTT 3.1.1, section 2.2.3).
func (r *reader) remaining() (n int, err error) {
	for shift := 0; shift <= 21; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, cutShort(err)
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: remaining length of more than 4 bytes", ErrMalformed)
}

// cutShort is err, which is not io.EOF in the middle of a packet.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
