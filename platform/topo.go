package platform

import (
	"encoding/json"
	"sort"
	"strconv"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform/api"
)

// control works off the requests of a device under /sys/{pk}/{dn}/thing that
// are about the device itself or its topology. It says false for others.
func (p *Platform) control(l *link, dev *device, full, rest string, payload []byte) bool {
	var work func(*link, *device, request) reply
	switch rest {
	case "thing/topo/add":
		work = p.topoAdd
	case "thing/topo/delete":
		work = p.topoDelete
	case "thing/topo/get":
		work = p.topoGet
	case "thing/sub/register":
		work = p.subRegister
	case "thing/sub/unregister":
		work = p.subUnregister
	case "thing/list/found":
		work = p.listFound
	case "thing/deviceinfo/update":
		work = p.tagUpdate
	case "thing/deviceinfo/delete":
		work = p.tagDelete
	case "thing/dsltemplate/get":
		work = func(*link, *device, request) reply { return reply{code: CodeNoTemplate} }
	case "thing/config/get":
		work = func(*link, *device, request) reply { return reply{code: CodeNoConfig} }
	default:
		return false
	}
	r, ok := parseRequest(payload)
	a := reply{code: CodeParameter, detail: "no JSON object with id, params and version 1.0"}
	if ok {
		if refusal, fault := p.requestFault(); fault {
			a = refusal
		} else if a = work(l, dev, r); a.code == CodeOK {
			a = p.committed(a)
		}
	}
	a.id = r.id
	if a.code != CodeOK {
		p.refusedCode(l, rest, a.code, a.detail)
	}
	p.count(dev, kindControl, len(payload), a.code != CodeOK)
	if p.hub.wanted() {
		p.publishMessage(api.Message{
			Kind: api.KindControl, ProductKey: dev.key.product, DeviceName: dev.key.device,
			Name: rest, ID: r.id, Code: int(a.code), Data: json.RawMessage(clone(r.params)),
		})
	}
	p.answer(l, dev.key, full, &a)
	return true
}

// committed is a when what it is about is on the disk, and otherwise says that it
// is not.
func (p *Platform) committed(a reply) reply {
	if err := p.commit(); err != nil {
		p.log.Error("a change is refused, for it cannot be saved", zap.NamedError("err", err))
		return reply{code: CodeServer, detail: "not saved"}
	}
	return a
}

// gatewayOf is the device that may have a topology: one with a connection of
// its own.
func gatewayOf(l *link, dev *device) (reply, bool) {
	if l.dev != dev {
		return reply{code: CodeParameter, detail: "a sub-device has no topology"}, false
	}
	return reply{}, true
}

func (p *Platform) topoAdd(l *link, gw *device, r request) reply {
	if a, ok := gatewayOf(l, gw); !ok {
		return a
	}
	list, ok := parseObjects(r.params)
	if !ok || len(list) > p.cfg.SubDevices {
		return reply{code: CodeParameter, detail: "params is no list of 1 to " + strconv.Itoa(p.cfg.SubDevices) + " devices"}
	}
	devices := make([]*device, 0, len(list))
	for _, o := range list {
		method := "signmethod"
		if o.text(method) == "" { // the pages have it so, but the vendor's SDK for Node.js writes
			method = "signMethod"
		}
		cred, ok := o.credentials(method, p.cfg.Lenient)
		if !ok {
			return reply{code: CodeParameter, detail: "want productKey, deviceName, clientId, signmethod of hmacmd5, hmacsha1, hmacsha256, sign, and a timestamp of digits if any"}
		}
		k := key{cred.productKey, cred.deviceName}
		if k == gw.key {
			return reply{code: CodeSelf}
		}
		dev, err := p.deviceFor(k)
		if err != nil {
			return reply{code: CodeNotFound, detail: err.Error()}
		}
		switch code := p.checkIdentity(dev, &cred); code {
		case CodeSign:
			return reply{code: CodeAuth, detail: "want the " + cred.method + " of " + cred.content(false)}
		case CodeDeleted:
			return reply{code: CodeNotFound, detail: k.String() + " is deleted"}
		default: // a disabled device may be in a topology: it just may not log in
			devices = append(devices, dev)
		}
	}
	var shifts []shift
	p.mu.Lock()
	for _, dev := range devices {
		if dev.parent == gw {
			continue
		}
		if via := dev.via.Load(); via != nil && via.dev != dev {
			shifts = append(shifts, p.take(dev, "moved to gateway "+gw.name, CodeElsewhere, p.now())...)
		}
		p.attach(gw, dev)
	}
	p.mu.Unlock()
	p.tell(shifts)
	return reply{code: CodeOK}
}

func (p *Platform) topoDelete(l *link, gw *device, r request) reply {
	return p.dropSubDevices(l, gw, r, false)
}

// subUnregister removes dynamically registered devices altogether.
func (p *Platform) subUnregister(l *link, gw *device, r request) reply {
	return p.dropSubDevices(l, gw, r, true)
}

func (p *Platform) dropSubDevices(l *link, gw *device, r request, destroy bool) reply {
	if a, ok := gatewayOf(l, gw); !ok {
		return a
	}
	list, ok := parseObjects(r.params)
	if !ok {
		return reply{code: CodeParameter, detail: "params is no list of devices"}
	}
	keys := make([]key, 0, len(list))
	seen := make(map[key]bool, len(list))
	for _, o := range list {
		k, ok := o.key()
		switch {
		case !ok:
			return reply{code: CodeParameter, detail: "want productKey and deviceName"}
		case seen[k]:
			return reply{code: CodeParameter, detail: k.String() + " occurs twice"}
		}
		seen[k] = true
		keys = append(keys, k)
	}
	var shifts []shift
	p.mu.Lock()
	for _, k := range keys {
		if dev := p.devices[k]; dev == nil || dev.deleted || dev.parent != gw {
			p.mu.Unlock()
			return reply{code: CodeNotFound, detail: k.String() + " is not in the topology"}
		}
	}
	for _, k := range keys {
		dev := p.devices[k]
		if via := dev.via.Load(); via != nil && via.dev == gw {
			shifts = append(shifts, p.take(dev, "removed from the topology", 0, p.now())...)
		}
		p.detach(dev)
		if destroy {
			shifts = append(shifts, p.take(dev, "unregistered", CodeDeleted, p.now())...) // its own connection
			for sub := range dev.children {
				p.detach(sub)
			}
			delete(p.devices, k)
			delete(p.tokens, dev.iotID())
			p.alter(dev)
		}
	}
	p.mu.Unlock()
	p.tell(shifts)
	return reply{code: CodeOK}
}

func (p *Platform) topoGet(_ *link, gw *device, _ request) reply {
	p.mu.RLock()
	keys := make([]key, 0, len(gw.children))
	for dev := range gw.children {
		keys = append(keys, dev.key)
	}
	p.mu.RUnlock()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	return reply{code: CodeOK, data: deviceList(keys)}
}

// subRegister hands out the secrets of sub-devices and puts them into the
// topology (dynamic registration).
func (p *Platform) subRegister(l *link, gw *device, r request) reply {
	if a, ok := gatewayOf(l, gw); !ok {
		return a
	}
	list, ok := parseObjects(r.params)
	if !ok || len(list) > p.cfg.SubDevices {
		return reply{code: CodeParameter, detail: "params is no list of devices"}
	}
	type registered struct {
		IotID        string `json:"iotId"`
		ProductKey   string `json:"productKey"`
		DeviceName   string `json:"deviceName"`
		DeviceSecret string `json:"deviceSecret"`
	}
	out := make([]registered, 0, len(list))
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range list {
		k, ok := o.key()
		switch {
		case !ok:
			return reply{code: CodeParameter, detail: "want productKey and deviceName"}
		case k == gw.key:
			return reply{code: CodeSelf}
		}
		if code := p.mayRegister(k.product); code != CodeOK {
			return reply{code: code, detail: k.product}
		}
		dev := p.devices[k]
		if dev == nil && p.cfg.AutoRegister {
			dev, _ = p.create(k, p.cfg.AutoSecret)
		}
		if dev == nil || dev.deleted {
			return reply{code: CodeNotFound, detail: k.String()}
		}
		if dev.secret == "" { // made on the fly: from now on its signature counts
			dev.secret, dev.unverified = randomSecret(), false
			p.alter(dev)
		}
		p.attach(gw, dev)
		out = append(out, registered{dev.iotID(), k.product, k.device, revealed(dev.secret)})
	}
	data, _ := json.Marshal(out) // strings only: cannot fail
	return reply{code: CodeOK, data: data}
}

// revealed is the one place where a secret leaves the platform: that is what
// dynamic registration is for.
func revealed(s auth.Secret) string { return s.Reveal() }

// listFound takes note of devices that a gateway has found.
func (p *Platform) listFound(l *link, gw *device, r request) reply {
	if a, ok := gatewayOf(l, gw); !ok {
		return a
	}
	list, ok := parseObjects(r.params)
	if !ok || len(list) > p.cfg.SubDevices {
		return reply{code: CodeParameter, detail: "params is no list of 1 to " + strconv.Itoa(p.cfg.SubDevices) + " devices"}
	}
	known := map[string]bool{} // products that were looked for
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, o := range list {
		pk, dn := o.text("productKey"), o.text("deviceName")
		if pk == "" || dn == "" {
			return reply{code: CodeParameter, detail: "want productKey and deviceName"}
		}
		if len(dn) < 4 || len(dn) > 32 || !validName(dn) {
			return reply{code: CodeDeviceName, detail: dn}
		}
		if !p.cfg.AutoRegister && !known[pk] && !p.hasProduct(pk) {
			return reply{code: CodeProductNotFound, detail: pk}
		}
		known[pk] = true
	}
	return reply{code: CodeOK}
}

// hasProduct says whether any device is of the product. mu is held.
func (p *Platform) hasProduct(pk string) bool {
	for k := range p.devices {
		if k.product == pk {
			return true
		}
	}
	return false
}

// maxTags is the vendor's bound on the tags of one request, and ours on those
// of one device.
const maxTags = 200

func (p *Platform) tagUpdate(_ *link, dev *device, r request) reply {
	list, ok := parseObjects(r.params)
	if !ok || len(list) > maxTags {
		return reply{code: CodeParameter, detail: "params is no list of 1 to 200 tags"}
	}
	for _, o := range list {
		if name := o.text("attrKey"); !validTag(name) || o.text("attrValue") == "" {
			return reply{code: CodeParameter, detail: "want attrKey (letters, digits, underscores, at most 100) and attrValue"}
		}
	}
	dev.mu.Lock()
	defer dev.mu.Unlock()
	if dev.tags == nil {
		dev.tags = map[string]string{}
	}
	for _, o := range list {
		name := o.text("attrKey")
		if _, has := dev.tags[name]; !has && len(dev.tags) >= maxTags {
			return reply{code: CodeParameter, detail: "more than 200 tags"}
		}
		dev.tags[name] = o.text("attrValue")
	}
	return reply{code: CodeOK}
}

func (p *Platform) tagDelete(_ *link, dev *device, r request) reply {
	list, ok := parseObjects(r.params)
	if !ok {
		return reply{code: CodeParameter, detail: "params is no list of tags"}
	}
	dev.mu.Lock()
	defer dev.mu.Unlock()
	for _, o := range list {
		delete(dev.tags, o.text("attrKey"))
	}
	return reply{code: CodeOK}
}

// validTag says whether s may be a tag's name: a letter or an underscore, then
// also digits, at most 100 bytes.
func validTag(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case '0' <= c && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return true
}
