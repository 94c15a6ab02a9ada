package aliyun

import (
	"errors"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// encode fills in m's topic and payload for what a device says.
func (m *outgoing) encode(d *device, msg *thing.Message) (err error) {
	cfg := d.gw.cfg
	m.topic, m.payload, m.answered, err = d.names.Encode(m.payload, m.id, msg)
	if err != nil {
		if errors.Is(err, alink.ErrProperties) {
			return refused(codeTooMany, "")
		}
		return err
	}
	m.answered = m.answered && cfg.Confirm == ConfirmReply
	switch msg.QoS {
	case thing.AtMostOnce:
		m.qos = 0
	case thing.AtLeastOnce:
		m.qos = 1
	default:
		m.qos = byte(cfg.QoS)
	}
	return nil
}

// AppendPropertyPost appends the request thing.event.property.post with that id
// and m's fields, each with m's time when it has one (developer guide, chapter 9;
// the plain form is in chapter 8). It allocates nothing but what dst grows by.
func AppendPropertyPost(dst []byte, id uint32, m *thing.Message) []byte {
	return alink.AppendPropertyPost(dst, id, m)
}
