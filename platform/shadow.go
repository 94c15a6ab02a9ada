package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/linkspan/linkspan/platform/api"
)

// shadow is what a device said of itself under /shadow/update, and what an
// application wants of it. It is guarded by device.mu.
type shadow struct {
	State     shadowState `json:"state"`
	Metadata  shadowStamp `json:"metadata"`
	Version   int64       `json:"version"`
	Timestamp int64       `json:"timestamp"` // in seconds
}

type shadowState struct {
	Reported map[string]json.RawMessage `json:"reported,omitempty"`
	Desired  map[string]json.RawMessage `json:"desired,omitempty"`
}

type shadowStamp struct {
	Reported map[string]stamp `json:"reported,omitempty"`
	Desired  map[string]stamp `json:"desired,omitempty"`
}

type stamp struct {
	Timestamp int64 `json:"timestamp"` // in seconds
}

// clone is a copy that does not change; its values are never written to.
func (s *shadow) clone() *shadow {
	if s == nil {
		return nil
	}
	c := *s
	c.State = shadowState{maps.Clone(s.State.Reported), maps.Clone(s.State.Desired)}
	c.Metadata = shadowStamp{maps.Clone(s.Metadata.Reported), maps.Clone(s.Metadata.Desired)}
	return &c
}

// shadowChange is a request under /shadow/update, or an application's.
type shadowChange struct {
	Method string `json:"method"`
	State  struct {
		Reported json.RawMessage `json:"reported"`
		Desired  json.RawMessage `json:"desired"`
	} `json:"state"`
	Version int64 `json:"version"`
}

// The methods of a shadow.
const (
	shadowGet    = "get"
	shadowUpdate = "update"
	shadowDelete = "delete"
)

// The vendor's codes of a shadow that says no.
const (
	shadowNoJSON   = 400
	shadowNoMethod = 401
	shadowNoState  = 402
	shadowVersion  = 403
	shadowReported = 404
	shadowEmpty    = 405
	shadowUnknown  = 406
	shadowNothing  = 407
	shadowTooMany  = 408
	shadowConflict = 409
)

// shadowError is why a shadow says no.
type shadowError struct {
	code int
	text string
}

func (e *shadowError) Error() string { return "platform: shadow: " + e.text }

// maxShadow is how many attributes a shadow has, reported and desired.
const maxShadow = 128

// shadowMessage takes a request about a device's shadow and answers it.
func (p *Platform) shadowMessage(l *link, dev *device, payload []byte) {
	var c shadowChange
	answer := map[string]any{"method": "reply", "timestamp": p.now().Unix()}
	err := json.Unmarshal(payload, &c)
	var no *shadowError
	switch {
	case len(payload) == 0, string(payload) == "{}":
		no = &shadowError{shadowNothing, "the JSON file is empty"}
	case err != nil:
		no = &shadowError{shadowNoJSON, "invalid JSON format"}
	case c.Version < 0:
		no = &shadowError{shadowVersion, "invalid version field"}
	case c.Method == shadowGet:
		s := p.shadowOf(dev)
		answer["payload"] = map[string]any{"status": "success", "state": s.State, "metadata": s.Metadata, "version": s.Version}
		answer["version"] = s.Version // both places are in the vendor's pages
	case c.Method == "":
		no = &shadowError{shadowNoMethod, "method is missing"}
	case c.Method != shadowUpdate && c.Method != shadowDelete:
		no = &shadowError{shadowUnknown, "invalid method"}
	default:
		var version int64
		if version, no = p.changeShadow(dev, &c); no == nil {
			answer["payload"] = map[string]any{"status": "success", "version": version}
		}
	}
	if no != nil {
		answer["payload"] = map[string]any{"status": "error", "content": map[string]string{"errorcode": strconv.Itoa(no.code), "errormessage": no.text}}
		p.refused("shadow " + strconv.Itoa(no.code))
	}
	p.count(dev, kindControl, len(payload), no != nil)
	if p.hub.wanted() {
		p.publishMessage(api.Message{
			Kind: api.KindControl, ProductKey: dev.key.product, DeviceName: dev.key.device, Name: "shadow", Raw: payload,
		})
	}
	text, _ := json.Marshal(answer) // of parts that were JSON: cannot fail
	p.send(l, dev.key, shadowTopic(dev.key), "", text)
}

func shadowTopic(k key) string { return "/shadow/get/" + k.product + "/" + k.device }

// shadowOf is a copy of a device's shadow, an empty one when it has none.
func (p *Platform) shadowOf(dev *device) *shadow {
	dev.mu.Lock()
	defer dev.mu.Unlock()
	if dev.shadow == nil {
		return &shadow{}
	}
	return dev.shadow.clone()
}

// changeShadow does what c says, or says why not; version is the shadow's then.
func (p *Platform) changeShadow(dev *device, c *shadowChange) (version int64, no *shadowError) {
	if len(c.State.Reported) == 0 && len(c.State.Desired) == 0 {
		return 0, &shadowError{shadowNoState, "state is missing"}
	}
	now := p.now().Unix()
	defer p.touch(dev)
	dev.mu.Lock()
	defer dev.mu.Unlock()
	s := dev.shadow.clone()
	if s == nil {
		s = &shadow{}
	}
	if c.Version != 0 && c.Version <= s.Version && dev.shadow != nil {
		return 0, &shadowError{shadowConflict, fmt.Sprintf("version conflict: it has %d", s.Version)}
	}
	remove := c.Method == shadowDelete
	if no = apply(&s.State.Reported, &s.Metadata.Reported, c.State.Reported, remove, now); no == nil {
		no = apply(&s.State.Desired, &s.Metadata.Desired, c.State.Desired, remove, now)
	}
	if no != nil {
		return 0, no
	}
	if len(s.State.Reported)+len(s.State.Desired) > maxShadow {
		return 0, &shadowError{shadowTooMany, fmt.Sprintf("more than %d attributes", maxShadow)}
	}
	if s.Version++; c.Version != 0 {
		s.Version = c.Version
	}
	s.Timestamp = now
	dev.shadow = s
	return s.Version, nil
}

// apply sets attributes, or takes away those that are "null"; the text "null" in
// the place of all takes all of them away.
func apply(state *map[string]json.RawMessage, stamps *map[string]stamp, change json.RawMessage, remove bool, now int64) *shadowError {
	switch string(change) {
	case "":
		return nil
	case `"null"`, "null":
		*state, *stamps = nil, nil
		return nil
	}
	var values map[string]json.RawMessage
	if json.Unmarshal(change, &values) != nil {
		return &shadowError{shadowReported, "reported or desired is no object"}
	}
	if len(values) == 0 {
		return &shadowError{shadowEmpty, "reported or desired is empty"}
	}
	if *state == nil {
		*state, *stamps = map[string]json.RawMessage{}, map[string]stamp{}
	}
	for name, value := range values {
		if null := string(value) == `"null"` || string(value) == "null"; null || remove {
			delete(*state, name)
			delete(*stamps, name)
			continue
		}
		(*state)[name], (*stamps)[name] = value, stamp{now}
	}
	return nil
}

// Shadow is a device's shadow as JSON: state, metadata, version and timestamp.
func (p *Platform) Shadow(productKey, deviceName string) (json.RawMessage, error) {
	dev := p.device(key{productKey, deviceName})
	if dev == nil {
		return nil, fmt.Errorf("%w: %s/%s", ErrUnknownDevice, productKey, deviceName)
	}
	return json.Marshal(p.shadowOf(dev))
}

// Desire asks a device, by its shadow, to be as desired, a JSON object, says. A
// device that is online is told with a message of method control; one that is not
// finds it when it asks.
func (p *Platform) Desire(productKey, deviceName string, desired any) error {
	dev := p.device(key{productKey, deviceName})
	if dev == nil {
		return fmt.Errorf("%w: %s/%s", ErrUnknownDevice, productKey, deviceName)
	}
	text, err := json.Marshal(desired)
	if err != nil {
		return badRequest("desired is no JSON: %v", err)
	}
	c := shadowChange{Method: shadowUpdate}
	c.State.Desired = text
	if _, no := p.changeShadow(dev, &c); no != nil {
		return badRequest("%s", no.text)
	}
	l := dev.via.Load()
	if l == nil {
		return nil
	}
	s := p.shadowOf(dev)
	message, err := json.Marshal(map[string]any{
		"method":  "control",
		"payload": map[string]any{"status": "success", "state": s.State, "metadata": s.Metadata},
		"version": s.Version, "timestamp": s.Timestamp,
	})
	if err != nil {
		return err
	}
	p.push(l, dev.key, shadowTopic(dev.key), message)
	return nil
}

func (p *Platform) getShadow(r *http.Request) (any, error) {
	return p.Shadow(r.PathValue("pk"), r.PathValue("dn"))
}

func (p *Platform) postShadow(r *http.Request) (any, error) {
	var desired json.RawMessage
	if err := body(r, &desired); err != nil {
		return nil, err
	}
	if err := p.Desire(r.PathValue("pk"), r.PathValue("dn"), desired); err != nil {
		return nil, err
	}
	return p.getShadow(r)
}

// ntpMessage answers a device that asks for the time under /ext/ntp/{pk}/{dn}/request.
func (p *Platform) ntpMessage(l *link, dev *device, payload []byte) {
	var in struct {
		Sent json.RawMessage `json:"deviceSendTime"`
	}
	if json.Unmarshal(payload, &in) != nil || len(in.Sent) == 0 {
		p.refused("ntp")
		return
	}
	now := strconv.FormatInt(p.now().UnixMilli(), 10)
	text, _ := json.Marshal(map[string]any{"deviceSendTime": in.Sent, "serverRecvTime": now, "serverSendTime": now}) // was JSON
	p.send(l, dev.key, "/ext/ntp/"+dev.key.product+"/"+dev.key.device+"/response", "", text)
}

// Publish sends a device a payload under any topic of its own, as a rule of the
// platform's or an application does: /{pk}/{dn}/user/get, /ota/device/upgrade/{pk}/{dn},
// /sys/{pk}/{dn}/thing/config/push. The result says whether the device's client
// listens to it.
func (p *Platform) Publish(productKey, deviceName, topic string, payload []byte) (api.Result, error) {
	k := key{productKey, deviceName}
	dev := p.device(k)
	t := parseTopic(topic)
	switch {
	case dev == nil:
		return api.Result{}, fmt.Errorf("%w: %s", ErrUnknownDevice, k)
	case wild(topic), len(topic) > maxTopicLen, t.owner != k:
		return api.Result{}, badRequest("topic %q is none of %s", topic, k)
	case len(payload) > p.cfg.MaxPayload:
		return api.Result{}, badRequest("the payload has %d bytes, at most %d go", len(payload), p.cfg.MaxPayload)
	}
	l := dev.via.Load()
	if l == nil {
		return api.Result{State: "offline", Message: "the device is not online"}, nil
	}
	if !p.push(l, k, topic, payload) {
		return api.Result{State: "failed", Message: "the client that carries the device has not subscribed to " + topic}, nil
	}
	return api.Result{State: sent}, nil
}

var errPublish = errors.New(`want {"topic":"/pk/dn/user/get","payload":{...}} or "text":"..." for what is no JSON`)

func (p *Platform) postPublish(r *http.Request) (any, error) {
	var in struct {
		Topic   string          `json:"topic"`
		Payload json.RawMessage `json:"payload"`
		Text    string          `json:"text"`
	}
	if err := body(r, &in); err != nil {
		return nil, err
	}
	if in.Topic == "" || in.Payload != nil && in.Text != "" {
		return nil, badRequest("%v", errPublish)
	}
	if in.Payload == nil {
		in.Payload = json.RawMessage(in.Text)
	}
	return p.Publish(r.PathValue("pk"), r.PathValue("dn"), in.Topic, in.Payload)
}
