package mqtt

import (
	"fmt"
	"strings"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
)

// topics are the topics of a configuration, read. Templates that are nil are of
// messages that there are not.
type topics struct {
	property, event, raw, reply, publication template
	presence, bridge                         template
	down                                     []downTopic // of devices
	broadcast                                []pattern
	byProduct                                bool // devices are told apart by their product, too
}

// downTopic is a topic by which a device is told something.
type downTopic struct {
	what    downKind
	pattern pattern
}

type downKind uint8

const (
	downCommand downKind = iota
	downRaw
	downNotice
)

// checkTopics reads the topics and finds what is wrong with them.
func (c *Config) checkTopics(k *checker, single bool) (t topics) {
	up := &c.Topics.Up
	t.property = k.topic("topics.up.property", up.Property, c.Retain, productKey, deviceName, kind)
	t.event = k.topic("topics.up.event", up.Event, false, productKey, deviceName, kind, name)
	t.raw = k.topic("topics.up.raw", up.Raw, false, productKey, deviceName, kind)
	t.reply = k.topic("topics.up.reply", up.Reply, false, productKey, deviceName, kind, name, commandID)
	t.publication = k.topic("topics.up.publication", up.Publication, false, productKey, deviceName, kind, topicOf)
	if t.publication != nil && !t.publication.has(topicOf) {
		k.wrong("topics.up.publication is %q, want ${topic} in it", up.Publication)
	}
	t.presence = k.topic("topics.presence", c.Topics.Presence, true, productKey, deviceName)
	t.bridge = k.topic("topics.bridge", c.Topics.Bridge, false, clientID)
	if single {
		t.bridge = nil
	}
	if t.property == nil && t.event == nil && t.raw == nil && t.publication == nil {
		k.wrong("topics.up has no topic, so that devices could say nothing: begin with the defaults")
	}

	t.byProduct = true
	add := func(key, text string, what downKind, allowed ...field) {
		if text == "" {
			return
		}
		p, err := parsePattern(text, what == downNotice, allowed...)
		switch {
		case err != nil:
			k.wrong("%s: %w", key, err)
			return
		case !p.has(deviceName) && !single:
			k.wrong("%s is %q, want ${deviceName} in it: devices would share the topic", key, text)
		}
		whole, _ := parseTemplate(text, allowed...) // it was read before
		k.short(key, whole)
		t.byProduct = t.byProduct && p.has(productKey)
		t.down = append(t.down, downTopic{what, p})
	}
	add("topics.down.command", c.Topics.Down.Command, downCommand, productKey, deviceName, kind, name, commandID)
	add("topics.down.raw", c.Topics.Down.Raw, downRaw, productKey, deviceName, commandID)
	for _, text := range c.Topics.Down.Notice {
		add("topics.down.notice", text, downNotice, productKey, deviceName)
	}
	if len(t.down) > maxFilters {
		k.wrong("topics.down has %d topics of a device, want no more than %d", len(t.down), maxFilters)
	}
	for _, text := range c.Topics.Down.Broadcast {
		p, err := parsePattern(text, true)
		if err != nil {
			k.wrong("topics.down.broadcast: %w", err)
		}
		t.broadcast = append(t.broadcast, p)
	}
	if single {
		if len(t.broadcast) > 0 {
			k.wrong("topics.down.broadcast needs connections = shared or pool: nothing is there to subscribe it but the devices' own connections")
		}
		id, err := parseTemplate(c.ClientID, hostName, productKey, deviceName)
		t.byProduct = c.ClientID == "" || err == nil && id.has(productKey)
	}
	t.checkEcho(k)
	return t
}

// topic reads a template of topics to publish to; own says that the topic has to
// be a device's own.
func (k *checker) topic(key, text string, own bool, allowed ...field) template {
	if text == "" {
		return nil
	}
	t := k.template(key, text, allowed...)
	sample := sampleValues("x")
	if t == nil {
		return nil
	}
	if err := checkTopic(t.with(&sample)); err != nil {
		k.wrong("%s: %w", key, err)
	}
	k.short(key, t)
	if own && !t.has(deviceName) {
		k.wrong("%s is %q, want ${deviceName} in it: each device's retained message would take the place of the others'", key, text)
	}
	return t
}

// short finds topics that names of devices could make longer than MQTT allows.
func (k *checker) short(key string, t template) {
	longest := sampleValues(strings.Repeat("x", maxName))
	if n := len(t.with(&longest)); n > maxTopic {
		k.wrong("%s: with the longest names it has %d bytes, and MQTT allows %d", key, n, maxTopic)
	}
}

func sampleValues(text string) (v values) {
	for i := range v {
		v[i] = text
	}
	return v
}

// checkEcho finds topics of devices' own messages that would come back.
func (t *topics) checkEcho(k *checker) {
	sample := sampleValues("\x00") // a level that no pattern has written out
	for key, up := range map[string]template{
		"topics.up.property": t.property, "topics.up.event": t.event, "topics.up.raw": t.raw, "topics.up.reply": t.reply,
		"topics.presence": t.presence, "topics.bridge": t.bridge,
	} {
		if up == nil {
			continue
		}
		topic := up.with(&sample)
		patterns := append([]pattern{}, t.broadcast...)
		for _, d := range t.down {
			patterns = append(patterns, d.pattern)
		}
		for _, p := range patterns {
			if v := (values{}); p.match(topic, &v) {
				k.wrong("topics.down: the filter %s gets back what is said under %s", p.filter(nil), key)
			}
		}
	}
}

// key is the name by which a device is known: what a topic tells of it.
func (t *topics) key(product, device string) string {
	if !t.byProduct {
		return device
	}
	return product + "/" + device
}

// filters are what is subscribed for a device; for nil, for all devices.
func (t *topics) filters(v *values) []string {
	filters := make([]string, 0, len(t.down))
	for _, d := range t.down {
		filters = append(filters, d.pattern.filter(v))
	}
	return filters
}

// shared are the filters of what belongs to no device, and with wildcard of what
// belongs to all.
func (t *topics) shared(wildcard bool) (filters []string) {
	if wildcard {
		filters = t.filters(nil)
	}
	for _, p := range t.broadcast {
		filters = append(filters, p.filter(nil))
	}
	return filters
}

// identify fills in what a device's topics are made of, or says that it cannot.
func identify(id auth.Identity) (v values, err error) {
	if !isLevel(id.ProductKey) || !isLevel(id.DeviceName) {
		return v, refused(CodeIdentity, fmt.Sprintf("productKey and deviceName must be texts of no more than %d bytes, in UTF-8, without / + # and control characters", maxName))
	}
	v[productKey], v[deviceName] = id.ProductKey, id.DeviceName
	return v, nil
}

// of is the topic of a message of d, or why it has none.
func (t *topics) of(d *device, m *thing.Message) (string, error) {
	if m.Kind == thing.Property && d.property != "" {
		return d.property, nil
	}
	v := d.values()
	v[kind] = m.Kind.String()
	var topic template
	switch m.Kind {
	case thing.Event:
		topic, v[name] = t.event, m.Name
	case thing.Raw:
		topic = t.raw
	case thing.Reply:
		topic, v[name], v[commandID] = t.reply, m.Name, m.ID
	case thing.Publication:
		topic, v[topicOf] = t.publication, m.Topic
	default:
	}
	for _, f := range [...]field{name, commandID} {
		if topic.has(f) && !isLevel(v[f]) {
			return "", fmt.Errorf("%w: ${%s} is %q", ErrName, fieldNames[f], v[f])
		}
	}
	text := topic.with(&v)
	return text, checkTopic(text)
}

// clientText says whether s can be a client identifier or a user name.
func clientText(s string) bool { return topicText(s) && len(s) <= maxTopic }
