package platform

import (
	"strconv"
	"time"

	"github.com/linkspan/linkspan/platform/api"
)

// emptyText is the data of a session reply that has nothing to say.
var emptyText = []byte(`""`)

// sessionMessage works off what a gateway publishes under /ext/session.
func (p *Platform) sessionMessage(l *link, verb string, payload []byte, qos byte) bool {
	var work func(*link, request) reply
	switch verb {
	case "combine/login":
		work = p.login
	case "combine/batch_login":
		work = p.batchLogin
	case "combine/logout":
		work = p.logout
	case "combine/batch_logout":
		work = p.batchLogout
	default:
		return false
	}
	r, ok := parseRequest(payload)
	var a reply
	switch {
	case !ok:
		a = reply{code: CodeParameter, detail: "no JSON object with id, params and at most version 1.0", data: emptyText}
	case qos != 0:
		a = reply{code: CodeParameter, detail: "logins and logouts are published with QoS 0", data: emptyText}
	default:
		a = work(l, r)
	}
	a.id = r.id
	if a.code != CodeOK {
		p.refusedCode(l, verb, a.code, a.detail)
	}
	p.answer(l, l.dev.key, "/ext/session/"+l.dev.key.product+"/"+l.dev.key.device+"/"+verb, &a)
	return true
}

// refusedCode counts a refusal with a code of the vendor's and logs it.
func (p *Platform) refusedCode(l *link, verb string, code Code, detail string) {
	p.refused(verb + " " + strconv.Itoa(int(code)))
	m := api.Message{
		Kind: api.KindRefused, ProductKey: l.dev.key.product, DeviceName: l.dev.key.device,
		Name: verb, Code: int(code), Cause: code.String(),
	}
	if detail != "" {
		m.Cause += ": " + detail
	}
	p.note(m)
}

// wanted is one device of a login, already found.
type wanted struct {
	dev  *device
	cred credentials
}

func (p *Platform) login(l *link, r request) reply {
	o, ok := parseObject(r.params)
	if !ok {
		return reply{code: CodeParameter, detail: "params is no object", data: emptyText}
	}
	code, detail, _ := p.logIn(l, []object{o})
	return reply{code: code, detail: detail, data: emptyText}
}

func (p *Platform) batchLogin(l *link, r request) reply {
	a := reply{code: CodeParameter, textCode: true, data: emptyText}
	o, ok := parseObject(r.params)
	if !ok {
		a.detail = "params is no object"
		return a
	}
	list, ok := parseObjects(o["deviceList"])
	switch {
	case !ok:
		a.detail = "params.deviceList is no list of devices"
	case len(list) > p.cfg.Batch:
		a.detail = "more than " + strconv.Itoa(p.cfg.Batch) + " devices"
	default:
		var keys []key
		a.code, a.detail, keys = p.logIn(l, list)
		a.data = deviceList(keys)
	}
	return a
}

// logIn logs all of the devices in, or none. keys are those logged in, or the
// one that stands in the way.
func (p *Platform) logIn(l *link, list []object) (Code, string, []key) {
	if code, fault := p.faults.login(); fault {
		return code, "on purpose", nil
	}
	now := p.now()
	devices := make([]wanted, 0, len(list))
	keys := make([]key, 0, len(list))
	for _, o := range list {
		w, code, detail := p.admit(l, o, now)
		if code != CodeOK {
			return code, detail, []key{{w.cred.productKey, w.cred.deviceName}}
		}
		devices = append(devices, w)
		keys = append(keys, w.dev.key)
	}
	code, detail, dev, shifts := p.bringAll(l, devices, now)
	p.tell(shifts)
	if code != CodeOK {
		return code, detail, []key{dev.key}
	}
	return CodeOK, "", keys
}

// admit checks what concerns one device alone.
func (p *Platform) admit(l *link, o object, now time.Time) (w wanted, code Code, detail string) {
	cred, ok := o.credentials("signMethod", p.cfg.Lenient)
	w.cred = cred
	if !ok {
		return w, CodeParameter, "want productKey, deviceName, clientId of at most 64, signMethod of hmacmd5, hmacsha1, hmacsha256, sign, and a timestamp of digits if any"
	}
	k := key{cred.productKey, cred.deviceName}
	if k == l.dev.key {
		return w, CodeParameter, "the gateway is no sub-device of itself"
	}
	dev, err := p.deviceFor(k)
	if err != nil {
		return w, CodeNotFound, err.Error()
	}
	w.dev = dev
	if !p.paced(dev, now) {
		return w, CodeTooFast, ""
	}
	if code := p.checkIdentity(dev, &cred); code != CodeOK {
		if code == CodeSign {
			detail = "want the " + cred.method + " of " + cred.content(false)
			if cred.cleanSession != "" && cred.verify(p.secretOf(dev), true) {
				detail = "cleanSession must not be signed"
			}
		}
		return w, code, detail
	}
	return w, CodeOK, ""
}

// paced notes a try to log in and says whether it is not one too many.
func (p *Platform) paced(dev *device, now time.Time) bool {
	limit := p.cfg.LoginsPerMinute
	if limit == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	recent := dev.logins[:0]
	for _, at := range dev.logins {
		if now.Sub(at) < time.Minute {
			recent = append(recent, at)
		}
	}
	dev.logins = recent
	if len(recent) >= limit {
		return false
	}
	dev.logins = append(recent, now)
	return true
}

// bringAll checks what concerns the gateway and its topology, and then brings
// all devices online. dev is the one that stands in the way.
func (p *Platform) bringAll(l *link, list []wanted, now time.Time) (code Code, detail string, dev *device, shifts []shift) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := make(map[*device]bool, len(list))
	fresh := 0
	for _, w := range list {
		dev = w.dev
		switch {
		case seen[dev]:
			return CodeParameter, dev.name + " occurs twice", dev, nil
		case dev.deleted:
			return CodeDeleted, "", dev, nil
		case dev.disabled:
			return CodeForbidden, "", dev, nil
		case dev.parent != l.dev && !p.cfg.AutoRegister:
			return CodeNoTopology, dev.name + " is not in the topology of " + l.dev.name, dev, nil
		}
		seen[dev] = true
		if dev.via.Load() != l {
			fresh++
		}
	}
	if len(l.subs)+fresh > p.cfg.SubDevices {
		return CodeTooManyDevices, "at most " + strconv.Itoa(p.cfg.SubDevices), dev, nil
	}
	for _, w := range list {
		if w.dev.parent != l.dev {
			p.attach(l.dev, w.dev)
		}
		shifts = append(shifts, p.bring(w.dev, l, now)...)
	}
	return CodeOK, "", dev, shifts
}

func (p *Platform) logout(l *link, r request) reply {
	o, ok := parseObject(r.params)
	if !ok {
		return reply{code: CodeParameter, detail: "params is no object", data: emptyText}
	}
	code, detail, _ := p.logOut(l, []object{o})
	return reply{code: code, detail: detail, data: emptyText}
}

func (p *Platform) batchLogout(l *link, r request) reply {
	a := reply{code: CodeParameter, textCode: true, data: emptyText}
	list, ok := parseObjects(r.params)
	switch {
	case !ok:
		a.detail = "params is no list of devices"
	case len(list) > p.cfg.Batch:
		a.detail = "more than " + strconv.Itoa(p.cfg.Batch) + " devices"
	default:
		var keys []key
		a.code, a.detail, keys = p.logOut(l, list)
		a.data = deviceList(keys)
	}
	return a
}

// logOut logs all of the devices out, or none.
func (p *Platform) logOut(l *link, list []object) (Code, string, []key) {
	keys := make([]key, 0, len(list))
	for _, o := range list {
		k, ok := o.key()
		if !ok {
			return CodeParameter, "want productKey and deviceName", nil
		}
		keys = append(keys, k)
	}
	now := p.now()
	var shifts []shift
	p.mu.Lock()
	for _, k := range keys {
		dev := p.devices[k]
		if dev == nil || dev == l.dev || dev.via.Load() != l {
			p.mu.Unlock()
			return CodeNoSession, k.String(), []key{k}
		}
	}
	for _, k := range keys {
		shifts = append(shifts, p.take(p.devices[k], "logged out", 0, now)...)
	}
	p.mu.Unlock()
	p.tell(shifts)
	return CodeOK, "", keys
}
