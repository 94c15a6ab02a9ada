package aliyun

import (
	"strconv"
	"sync"
	"time"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// encode fills in m's topic and payload for what a device says. It allocates
// nothing for properties once m's buffer has grown; other kinds cost their topic.
func (m *outgoing) encode(d *device, msg *thing.Message) error {
	g := d.gw
	switch msg.Kind {
	case thing.Property:
		if len(msg.Fields) > maxProperties {
			return refused(codeTooMany, "")
		}
		m.topic, m.answered = d.base, true
		m.payload = AppendPropertyPost(m.payload, m.id, msg)
	case thing.Event:
		if err := checkName(msg.Name); err != nil {
			return err
		}
		m.topic, m.answered = d.sys()+"/thing/event/"+msg.Name+"/post", true
		m.payload = appendHead(m.payload, m.id)
		m.payload = append(m.payload, `{"value":`...)
		m.payload = thing.AppendFields(m.payload, msg.Fields)
		m.payload = append(m.payload, `,"time":`...)
		m.payload = strconv.AppendInt(m.payload, eventTime(msg.Time), 10)
		m.payload = append(m.payload, `},"method":"thing.event.`...)
		m.payload = appendInside(m.payload, msg.Name)
		m.payload = append(m.payload, `.post"}`...)
	case thing.Raw:
		m.topic = d.sys() + "/thing/model/up_raw"
		m.payload = append(m.payload, msg.Raw...)
	case thing.Publication:
		topic, err := d.topicOf(msg.Topic)
		if err != nil {
			return err
		}
		m.topic = topic
		m.payload = append(m.payload, msg.Raw...)
	case thing.Reply:
		if err := m.encodeReply(d, msg); err != nil {
			return err
		}
	default:
		return upstream.ErrUnsupported
	}
	switch {
	case len(m.payload) > maxPayload:
		return ErrTooLarge
	case len(m.topic) > maxTopic: // of a long name
		return ErrTopic
	}
	m.answered = m.answered && g.cfg.Confirm == ConfirmReply
	switch msg.QoS {
	case thing.AtMostOnce:
		m.qos = 0
	case thing.AtLeastOnce:
		m.qos = 1
	default:
		m.qos = byte(g.cfg.QoS)
	}
	return nil
}

// appendHead begins an Alink request up to its parameters.
func appendHead(dst []byte, id uint32) []byte {
	dst = append(dst, `{"id":"`...)
	dst = strconv.AppendUint(dst, uint64(id), 10)
	return append(dst, `","version":"1.0","params":`...)
}

// AppendPropertyPost appends the request thing.event.property.post with that id
// and m's fields, each with m's time when it has one (developer guide, chapter 9;
// the plain form is in chapter 8). It allocates nothing but what dst grows by.
func AppendPropertyPost(dst []byte, id uint32, m *thing.Message) []byte {
	dst = appendHead(dst, id)
	if m.Time.IsZero() {
		dst = thing.AppendFields(dst, m.Fields)
	} else {
		var suffix [32]byte
		after := append(suffix[:0], `,"time":`...)
		after = append(strconv.AppendInt(after, m.Time.UnixMilli(), 10), '}')
		e := encoders.Get().(*thing.FieldEncoder) //nolint:forcetypeassert // the pool holds no other
		dst = e.Append(dst, m.Fields, after)
		encoders.Put(e)
	}
	return append(dst, `,"method":"thing.event.property.post"}`...)
}

// encoders are shared by all gateways.
var encoders = sync.Pool{New: func() any { return thing.NewFieldEncoder(`{"value":`) }}

// eventTime is when an event happened in milliseconds: now, when its device did
// not say.
func eventTime(t time.Time) int64 {
	if t.IsZero() {
		t = time.Now()
	}
	return t.UnixMilli()
}

// appendInside appends s as the inside of a JSON string.
func appendInside(dst []byte, s string) []byte {
	at := len(dst)
	dst = thing.AppendString(dst, s)
	copy(dst[at:], dst[at+1:len(dst)-1])
	return dst[:len(dst)-2]
}
