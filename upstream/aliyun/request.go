package aliyun

import (
	"strconv"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// requestKind is what was asked of the platform.
type requestKind uint8

const (
	loginRequest requestKind = iota
	topologyRequest
	logoutRequest
	registerRequest
	callRequest // in the gateway's own name
)

// request waits for its reply. It is guarded by the gateway's mu.
type request struct {
	kind     requestKind
	devices  []*device
	deadline int64               // milliseconds
	done     func(*reply, error) // of a callRequest: called under mu, once
}

// ask notes a request and gives it an id. mu is held.
func (g *gateway) ask(kind requestKind, devices []*device) uint32 {
	id := g.nextID()
	g.requests[id] = &request{kind: kind, devices: devices, deadline: time.Now().UnixMilli() + g.cfg.RequestTimeout.Milliseconds()}
	g.stats.requests++
	if kind == loginRequest {
		g.asked++
	}
	return id
}

// answer takes the request with that id, nil when there is none. mu is held.
func (g *gateway) answer(id uint32) *request {
	r := g.requests[id]
	if r == nil {
		return nil
	}
	delete(g.requests, id)
	if r.kind == loginRequest {
		g.asked--
		if len(g.wanted) > 0 && g.link != nil {
			signal(g.link.logWake)
		}
	}
	return r
}

// clientID is a sub-device's client identifier.
func (d *device) clientID() string { return d.productKey() + "." + d.deviceName() }

func (d *device) sign(method auth.SignMethod, stamp string) string {
	return alink.Sign(method, d.identity(), d.clientID(), stamp)
}

// appendLogin appends the parameters of a login (developer guide, chapters 9 and
// 10.1), where the method's key is signMethod.
func (d *device) appendLogin(dst []byte, cfg *settings, stamp string) []byte {
	dst = d.appendSigned(dst, cfg, stamp, "signMethod")
	dst = append(dst, `,"cleanSession":"`...)
	dst = strconv.AppendBool(dst, cfg.CleanSession)
	return append(dst, `"}`...)
}

// appendSigned appends an object without its end: the names of a device, signed.
func (d *device) appendSigned(dst []byte, cfg *settings, stamp, methodKey string) []byte {
	dst = d.appendNames(dst)
	for _, p := range [...]struct{ key, value string }{
		{"clientId", d.clientID()}, {"timestamp", stamp}, {methodKey, string(cfg.sign)}, {"sign", d.sign(cfg.sign, stamp)},
	} {
		dst = append(dst, ',', '"')
		dst = append(dst, p.key...)
		dst = append(dst, '"', ':')
		dst = thing.AppendString(dst, p.value)
	}
	return dst
}

func (d *device) appendNames(dst []byte) []byte {
	dst = append(dst, `{"productKey":`...)
	dst = thing.AppendString(dst, d.productKey())
	dst = append(dst, `,"deviceName":`...)
	return thing.AppendString(dst, d.deviceName())
}

// sendTopology asks the platform to put devices under the gateway (developer
// guide, chapter 9), where the method's key is signmethod. mu is held.
func (g *gateway) sendTopology(devices []*device) {
	id := g.ask(topologyRequest, devices)
	stamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	payload := append(alink.AppendHead(nil, id), '[')
	for i, d := range devices {
		d.state, d.topology = adding, true
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = append(d.appendSigned(payload, g.cfg, stamp, "signmethod"), '}')
	}
	payload = append(payload, `],"method":"thing.topo.add"}`...)
	g.control(g.topics.topoAdd, payload)
}
