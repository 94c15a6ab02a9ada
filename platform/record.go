package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform/api"
)

// record is a device as the data file has it.
type record struct {
	ProductKey   string                  `json:"productKey"`
	DeviceName   string                  `json:"deviceName"`
	DeviceSecret string                  `json:"deviceSecret,omitempty"`
	Unverified   bool                    `json:"unverified,omitempty"`
	Disabled     bool                    `json:"disabled,omitempty"`
	Deleted      bool                    `json:"deleted,omitempty"`
	Gone         bool                    `json:"gone,omitempty"` // there is nothing of it any more
	Online       bool                    `json:"online,omitempty"`
	Gateway      string                  `json:"gateway,omitempty"` // whose topology it is in
	Since        time.Time               `json:"since,omitzero"`
	LastSeen     time.Time               `json:"lastSeen,omitzero"`
	Token        string                  `json:"token,omitempty"` // of HTTPS authentication
	TokenExpires time.Time               `json:"tokenExpires,omitzero"`
	Counters     api.Counters            `json:"counters"`
	Properties   map[string]api.Property `json:"properties,omitempty"`
	Events       []api.Event             `json:"events,omitempty"`
	Tags         map[string]string       `json:"tags,omitempty"`
	Shadow       *shadow                 `json:"shadow,omitempty"`
}

// records are devices as they are now. In list a device that another one has
// come for is replaced by that.
func (p *Platform) records(list []*device) []record {
	out := make([]record, len(list))
	p.mu.RLock()
	for i, dev := range list {
		if now := p.devices[dev.key]; now != nil {
			dev, list[i] = now, now
		}
		r := &out[i]
		*r = record{
			ProductKey: dev.key.product, DeviceName: dev.key.device, DeviceSecret: revealed(dev.secret),
			Unverified: dev.unverified, Disabled: dev.disabled, Deleted: dev.deleted, Gone: p.devices[dev.key] != dev,
			Online: dev.via.Load() != nil, Since: dev.since,
		}
		if dev.parent != nil {
			r.Gateway = dev.parent.name
		}
		if t, has := p.tokens[dev.iotID()]; has {
			r.Token, r.TokenExpires = revealed(t.secret), t.expires
		}
	}
	p.mu.RUnlock()
	return out
}

// said adds to r what the device has said.
func (r *record) said(dev *device) {
	dev.mu.Lock()
	defer dev.mu.Unlock()
	r.Counters, r.LastSeen = dev.counts, dev.lastSeen
	r.Properties = make(map[string]api.Property, len(dev.props))
	for name, prop := range dev.props {
		r.Properties[name] = api.Property{Value: json.RawMessage(bytes.Clone(prop.value)), Time: prop.time}
	}
	r.Events = append(append([]api.Event{}, dev.events[dev.next:]...), dev.events[:dev.next]...)
	r.Tags = maps.Clone(dev.tags)
	r.Shadow = dev.shadow.clone()
}

// restore makes the devices of the data file. It is called before anybody else
// knows p, in two rounds: gateways may stand behind their sub-devices.
func (p *Platform) restore(list map[key]*record) error {
	for k, r := range list {
		if !validName(k.product) || !validName(k.device) {
			return fmt.Errorf("%q/%q is no device", k.product, k.device)
		}
		dev, err := p.create(k, auth.Secret(r.DeviceSecret))
		if err != nil {
			return fmt.Errorf("%w; there are %d", err, len(list))
		}
		dev.unverified, dev.disabled, dev.deleted = r.Unverified, r.Disabled, r.Deleted
		dev.since, dev.lastSeen, dev.counts, dev.tags = r.Since, r.LastSeen, r.Counters, r.Tags
		if r.Online && r.LastSeen.After(r.Since) {
			dev.since = r.LastSeen // its session ended then or later; nobody saw it
		}
		for name, prop := range r.Properties {
			dev.keep([]byte(name), prop.Value, prop.Time, p.cfg.Properties)
		}
		for _, e := range r.Events {
			dev.remember(e, p.cfg.Events)
		}
		dev.shadow = r.Shadow
		if r.Token != "" && p.now().Before(r.TokenExpires) {
			p.tokens[dev.iotID()] = token{k, auth.Secret(r.Token), r.TokenExpires}
		}
	}
	for k, r := range list {
		if gk, ok := parseKey(r.Gateway); ok && p.devices[gk] != nil && gk != k {
			p.attach(p.devices[gk], p.devices[k])
		}
	}
	return nil
}
