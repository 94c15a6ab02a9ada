package alink

import (
	"sync"
	"time"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Encode appends what the device says to dst, and says where it goes and whether
// the platform answers it. id is that of the Alink request. It allocates nothing
// for properties but what dst grows by; other kinds cost their topic. With an
// error, which is [ErrTopic], [ErrName], [ErrTooLarge], [ErrProperties],
// [ErrCommandID] or upstream.ErrUnsupported, the payload is of no use.
func (n *Name) Encode(dst []byte, id uint32, msg *thing.Message) (topic string, payload []byte, answered bool, err error) {
	payload = dst
	switch msg.Kind {
	case thing.Property:
		if len(msg.Fields) > MaxProperties {
			return "", payload, false, ErrProperties
		}
		topic, answered = n.base, true
		payload = AppendPropertyPost(payload, id, msg)
	case thing.Event:
		if err = CheckName(msg.Name); err != nil {
			return "", payload, false, err
		}
		topic, answered = n.Sys()+"/thing/event/"+msg.Name+"/post", true
		payload = appendEventPost(payload, id, msg)
	case thing.Raw:
		topic = n.Sys() + "/thing/model/up_raw"
		payload = append(payload, msg.Raw...)
	case thing.Publication:
		if topic, err = n.topicOf(msg.Topic); err != nil {
			return "", payload, false, err
		}
		payload = append(payload, msg.Raw...)
	case thing.Reply:
		if topic, payload, err = n.encodeReply(payload, msg); err != nil {
			return "", payload, false, err
		}
	default:
		return "", payload, false, upstream.ErrUnsupported
	}
	switch {
	case len(payload)-len(dst) > MaxPayload:
		err = ErrTooLarge
	case len(topic) > MaxTopic: // of a long name
		err = ErrTopic
	}
	return topic, payload, answered, err
}

// appendEventPost appends the request thing.event.{name}.post (developer guide,
// chapter 9).
func appendEventPost(dst []byte, id uint32, m *thing.Message) []byte {
	dst = AppendHead(dst, id)
	dst = append(dst, `{"value":`...)
	dst = thing.AppendFields(dst, m.Fields)
	dst = append(dst, `,"time":`...)
	dst = thing.AppendInt(dst, eventTime(m.Time))
	dst = append(dst, `},"method":"thing.event.`...)
	dst = appendInside(dst, m.Name)
	return append(dst, `.post"}`...)
}

// AppendHead begins an Alink request up to its parameters.
func AppendHead(dst []byte, id uint32) []byte {
	dst = append(dst, `{"id":"`...)
	dst = thing.AppendInt(dst, int64(id))
	return append(dst, `","version":"1.0","params":`...)
}

// AppendPropertyPost appends the request thing.event.property.post with that id
// and m's fields, each with m's time when it has one (developer guide, chapter 9;
// the plain form is in chapter 8). It allocates nothing but what dst grows by.
func AppendPropertyPost(dst []byte, id uint32, m *thing.Message) []byte {
	dst = AppendHead(dst, id)
	if m.Time.IsZero() {
		dst = thing.AppendFields(dst, m.Fields)
	} else {
		var suffix [64]byte
		after := append(suffix[:0], `,"time":`...)
		after = append(thing.AppendInt(after, m.Time.UnixMilli()), '}')
		e := encoders.Get().(*thing.FieldEncoder) //nolint:forcetypeassert // the pool holds no other
		dst = e.Append(dst, m.Fields, after)
		encoders.Put(e)
	}
	return append(dst, `,"method":"thing.event.property.post"}`...)
}

// encoders are shared by all connectors.
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
