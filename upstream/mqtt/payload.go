package mqtt

import (
	"encoding/base64"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// payloads are how messages become payloads.
type payloads struct {
	rawOnly                     bool // payload = raw
	property, event, raw, reply rendering
}

func (c *Config) checkPayloads(k *checker) (p payloads) {
	p.rawOnly = c.Payload == PayloadRaw
	for _, t := range []struct {
		key, text string
		into      *rendering
	}{
		{"property", c.Templates.Property, &p.property},
		{"event", c.Templates.Event, &p.event},
		{"raw", c.Templates.Raw, &p.raw},
		{"reply", c.Templates.Reply, &p.reply},
	} {
		if t.text == "" {
			continue
		}
		if c.Payload != PayloadTemplate {
			k.wrong("templates.%s is given, but payload is %s, not template", t.key, c.Payload)
		}
		r, err := parseRendering(t.text)
		if err != nil {
			k.wrong("templates.%s: %w", t.key, err)
		}
		*t.into = r
	}
	if c.Payload == PayloadTemplate && c.Templates == (Templates{}) {
		k.wrong("payload is template, but templates has none")
	}
	return p
}

// append appends the payload of a message of d. It allocates nothing but what dst
// grows by.
func (p *payloads) append(dst []byte, d *device, m *thing.Message) ([]byte, error) {
	bytes := m.Kind == thing.Raw || m.Kind == thing.Publication
	switch {
	case m.Kind == thing.Raw && p.raw != nil:
		return p.raw.append(dst, d, m), nil
	case bytes:
		return append(dst, m.Raw...), nil
	case p.rawOnly && m.Kind == thing.Reply && m.State == thing.Done && len(m.Fields) == 0:
		return append(dst, m.Raw...), nil
	case p.rawOnly:
		return dst, upstream.ErrUnsupported
	}
	template := p.property
	switch m.Kind {
	case thing.Event:
		template = p.event
	case thing.Reply:
		template = p.reply
	default:
	}
	if template != nil {
		return template.append(dst, d, m), nil
	}
	return appendThing(dst, d, m), nil
}

// AppendThing appends the thing JSON of a message of the device: properties, an
// event or a reply. It allocates nothing but what dst grows by, and the names.
func AppendThing(dst []byte, id auth.Identity, m *thing.Message) []byte {
	var v values
	v[productKey], v[deviceName] = id.ProductKey, id.DeviceName
	return appendThing(dst, newDevice(v, nil), m)
}

// appendThing appends the thing JSON of properties, an event or a reply: see the
// page on MQTT brokers.
func appendThing(dst []byte, d *device, m *thing.Message) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, m.Kind.String()...)
	dst = append(dst, '"')
	if m.ID != "" {
		dst = appendMember(dst, "id", m.ID)
	}
	if m.Name != "" {
		dst = appendMember(dst, "name", m.Name)
	}
	dst = append(dst, d.members...)
	dst = append(dst, `,"time":`...)
	dst = thing.AppendInt(dst, timeOf(m).UnixMilli())
	if m.Kind == thing.Reply {
		dst = append(dst, `,"state":"`...)
		dst = append(dst, stateName(m.State)...)
		dst = append(dst, '"')
		if m.Code != 0 {
			dst = append(dst, `,"code":`...)
			dst = thing.AppendInt(dst, int64(m.Code))
		}
		if m.Text != "" {
			dst = appendMember(dst, "text", m.Text)
		}
		if len(m.Raw) > 0 {
			dst = append(dst, `,"raw":"`...)
			dst = base64.StdEncoding.AppendEncode(dst, m.Raw)
			dst = append(dst, '"')
		}
	}
	if m.Kind != thing.Reply || len(m.Fields) > 0 {
		dst = append(dst, `,"fields":`...)
		e := encoders.Get().(*thing.FieldEncoder) //nolint:forcetypeassert // the pool holds no other
		dst = e.Append(dst, m.Fields, nil)
		encoders.Put(e)
	}
	return append(dst, '}')
}

// appendMembers appends who a device is, as members of an object.
func appendMembers(dst []byte, product, device string) []byte {
	return appendMember(appendMember(dst, "productKey", product), "deviceName", device)
}

func appendMember(dst []byte, key, value string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, key...)
	dst = append(dst, `":`...)
	return thing.AppendString(dst, value)
}

// presence is the payload that says whether something is online: a device, or
// with nil the connection of linkspan itself. A last will has no time, for nobody
// knows it before.
func presence(d *device, bridge string, online, will bool) []byte {
	kind := "bridge"
	if d != nil {
		kind = "presence"
	}
	dst := append([]byte(`{"type":"`), kind...)
	dst = append(dst, '"')
	if d != nil {
		dst = append(dst, d.members...)
	}
	dst = append(dst, `,"online":`...)
	dst = strconv.AppendBool(dst, online)
	dst = appendMember(dst, "bridge", bridge)
	if !will {
		dst = append(dst, `,"time":`...)
		dst = thing.AppendInt(dst, time.Now().UnixMilli())
	}
	return append(dst, '}')
}

// timeOf is when m was said.
func timeOf(m *thing.Message) time.Time {
	if m.Time.IsZero() {
		return time.Now()
	}
	return m.Time
}

// stateNames are the states of commands in JSON.
var stateNames = [...]string{
	thing.Done: "done", thing.Refused: "refused", thing.TimedOut: "timedOut", thing.Offline: "offline",
	thing.Superseded: "superseded", thing.Unsupported: "unsupported", thing.Invalid: "invalid", thing.Failed: "failed",
}

func stateName(s thing.State) string {
	if int(s) < len(stateNames) && s != 0 {
		return stateNames[s]
	}
	return stateNames[thing.Failed]
}

// encoders are shared by all connectors.
var encoders = sync.Pool{New: func() any { return thing.NewFieldEncoder("") }}

// appendInside appends s as the inside of a JSON string.
func appendInside(dst []byte, s string) []byte {
	at := len(dst)
	dst = thing.AppendString(dst, s)
	return slices.Delete(dst, at, at+1)[:len(dst)-2]
}
