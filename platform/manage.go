package platform

import (
	"fmt"
	"net/http"

	"github.com/linkspan/linkspan/platform/api"
)

// badRequest is a mistake of the caller's.
func badRequest(format string, args ...any) error {
	return &api.Error{Status: http.StatusBadRequest, Code: api.CodeBadRequest, Message: fmt.Sprintf(format, args...)}
}

// Disable ends the device's session and refuses its logins (code 522, CONNACK
// 5) until Enable. Its client is sent thing/disable first.
func (p *Platform) Disable(productKey, deviceName string) error {
	return p.manage(key{productKey, deviceName}, "thing/disable", func(dev *device) []shift {
		dev.disabled = true
		return p.take(dev, CodeForbidden.String(), CodeForbidden, p.now())
	})
}

// Enable lets a disabled device log in again. Its client, or its gateway's, is
// sent thing/enable.
func (p *Platform) Enable(productKey, deviceName string) error {
	return p.manage(key{productKey, deviceName}, "thing/enable", func(dev *device) []shift {
		dev.disabled = false
		return nil
	})
}

// Delete ends the device's session, takes it out of its topology and refuses
// its logins (code 521, CONNACK 5). Its client is sent thing/delete first. What
// it said is forgotten; AddDevice brings it back.
func (p *Platform) Delete(productKey, deviceName string) error {
	return p.manage(key{productKey, deviceName}, "thing/delete", func(dev *device) []shift {
		dev.deleted, dev.disabled = true, false
		p.detach(dev)
		for sub := range dev.children {
			p.detach(sub)
		}
		dev.mu.Lock()
		dev.props, dev.events, dev.next, dev.tags, dev.shadow = nil, nil, 0, nil, nil
		dev.mu.Unlock()
		return p.take(dev, CodeDeleted.String(), CodeDeleted, p.now())
	})
}

// Kick ends the device's session: a sub-device's gateway is told so with code
// 427, a connection of its own is closed. The device may come back at once.
func (p *Platform) Kick(productKey, deviceName string) error {
	return p.manage(key{productKey, deviceName}, "", func(dev *device) []shift {
		return p.take(dev, "kicked", CodeElsewhere, p.now())
	})
}

// manage changes a device under mu, after its client was sent a notice.
func (p *Platform) manage(k key, notice string, change func(*device) []shift) error {
	p.mu.RLock()
	dev := p.devices[k]
	var l *link
	if dev != nil && !dev.deleted {
		if l = dev.via.Load(); l == nil && dev.parent != nil {
			l = dev.parent.link
		}
	}
	p.mu.RUnlock()
	if dev == nil {
		return fmt.Errorf("%w: %s", ErrUnknownDevice, k)
	}
	topic := "/sys/" + k.product + "/" + k.device + "/" + notice
	carried := l != nil && dev.via.Load() == l // others need not listen to it
	if l != nil && notice != "" && (carried || l.autoSub || l.wants(k, topic, "")) {
		p.send(l, k, topic, "", alinkRequest(p.orders.nextID(), notice, []byte("{}")))
	}
	p.mu.Lock()
	shifts := change(dev)
	p.alter(dev)
	p.mu.Unlock()
	p.tell(shifts)
	return p.commit()
}
