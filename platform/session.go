package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/platform/api"
)

// shift is a device that went online or offline while mu was held, to be told
// of when it is not.
type shift struct {
	dev    *device
	online bool
	via    *link
	cause  string
	told   *link // the gateway to be told that it lost the device; nil: nobody
	code   Code  // what it is told
	stop   *link // the device's own connection, to be closed; nil: none
}

// bring makes l the connection that carries dev. mu is held.
func (p *Platform) bring(dev *device, l *link, now time.Time) (shifts []shift) {
	old := dev.via.Load()
	if old != nil && old != l {
		shifts = append(shifts, p.take(dev, CodeElsewhere.String(), CodeElsewhere, now)...)
		old = nil
	}
	dev.via.Store(l)
	dev.since = now
	if l.dev != dev {
		l.subs[dev] = struct{}{}
	}
	dev.mu.Lock()
	dev.counts.Logins++
	dev.mu.Unlock()
	p.touch(dev)
	if old == nil {
		p.online++
		shifts = append(shifts, shift{dev: dev, online: true, via: l})
	}
	return shifts
}

// take ends dev's session, if it has one. With a code its gateway is told; a
// device with a connection of its own loses that. mu is held.
func (p *Platform) take(dev *device, cause string, code Code, now time.Time) []shift {
	l := dev.via.Load()
	if l == nil {
		return nil
	}
	dev.via.Store(nil)
	dev.since = now
	p.touch(dev)
	p.online--
	s := shift{dev: dev, via: l, cause: cause}
	if l.dev != dev {
		delete(l.subs, dev)
		if code != 0 {
			s.told, s.code = l, code
		}
	} else if code != 0 {
		s.stop = l
	}
	return []shift{s}
}

// tell says what bring and take did to whom it concerns. mu is not held.
func (p *Platform) tell(shifts []shift) {
	if len(shifts) == 0 {
		return
	}
	p.mu.Lock()
	close(p.moved)
	p.moved = make(chan struct{})
	p.mu.Unlock()
	for _, s := range shifts {
		m := api.Message{Kind: api.KindOnline, ProductKey: s.dev.key.product, DeviceName: s.dev.key.device, Cause: s.cause}
		if s.via.dev != s.dev {
			m.Gateway = s.via.dev.name
		}
		if !s.online {
			m.Kind = api.KindOffline
			p.orders.deviceGone(s.dev)
		}
		p.note(m)
		p.log.Debug("presence", zap.String("device", s.dev.name), zap.String("message", m.Kind), zap.String("cause", s.cause))
		if s.told != nil {
			p.forcedOffline(s.told, s.dev, s.code)
		}
		if s.stop != nil {
			s.stop.stop(s.cause)
		}
	}
}

// forcedOffline tells a gateway that it lost a sub-device (Alink, error codes,
// table 10-3). The data names the device, for the id says nothing.
func (p *Platform) forcedOffline(gateway *link, dev *device, code Code) {
	data, _ := json.Marshal(map[string]string{"productKey": dev.key.product, "deviceName": dev.key.device})
	p.answer(gateway, gateway.dev.key, sessionTopic(gateway.dev, "logout"), &reply{id: p.orders.nextID(), code: code, data: data})
}

func sessionTopic(gw *device, verb string) string {
	return "/ext/session/" + gw.key.product + "/" + gw.key.device + "/combine/" + verb
}

// linkOnline brings the device of a new connection online.
func (p *Platform) linkOnline(l *link) {
	p.mu.Lock()
	var shifts []shift
	if !p.closed && p.mayStay(l.dev) {
		l.dev.link = l
		shifts = p.bring(l.dev, l, p.now())
	} else {
		defer l.stop("the device was disabled or deleted meanwhile")
	}
	p.mu.Unlock()
	l.release()
	p.tell(shifts)
}

// mayStay says whether dev may be online. mu is held.
func (p *Platform) mayStay(dev *device) bool { return !dev.disabled && !dev.deleted }

// linkEnded takes everything offline that a connection carried.
func (p *Platform) linkEnded(l *link, cause string) {
	p.mu.Lock()
	now := p.now()
	delete(p.links, l)
	var shifts []shift
	for sub := range l.subs {
		shifts = append(shifts, p.take(sub, "gateway offline: "+cause, 0, now)...)
	}
	if l.dev != nil && l.dev.link == l {
		l.dev.link = nil
		if l.dev.via.Load() == l {
			shifts = append(shifts, p.take(l.dev, cause, 0, now)...)
		}
	}
	p.mu.Unlock()
	l.release()
	slices.SortFunc(shifts, func(a, b shift) int { return strings.Compare(a.dev.name, b.dev.name) })
	p.tell(shifts)
	close(l.done)
}

// WaitOnline returns when the device is online, with an error that wraps
// ctx.Err() when it did not get there in time. The device need not exist yet.
func (p *Platform) WaitOnline(ctx context.Context, productKey, deviceName string) error {
	return p.wait(ctx, key{productKey, deviceName}, true)
}

// WaitOffline returns when the device is not online.
func (p *Platform) WaitOffline(ctx context.Context, productKey, deviceName string) error {
	return p.wait(ctx, key{productKey, deviceName}, false)
}

func (p *Platform) wait(ctx context.Context, k key, online bool) error {
	for {
		p.mu.RLock()
		dev, moved := p.devices[k], p.moved
		is := dev != nil && dev.via.Load() != nil
		p.mu.RUnlock()
		if is == online {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("platform: wait for %s (online: %t): %w", k, online, ctx.Err())
		case <-p.closing:
			return ErrClosed
		}
	}
}
