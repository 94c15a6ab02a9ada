package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
)

// orders are the commands that wait for their replies.
type orders struct {
	next  atomic.Uint64
	limit int

	mu      sync.Mutex
	waiting map[string]*order    // by id; guarded by mu
	byDev   map[*device][]*order // oldest first; guarded by mu
}

// order is one command that waits.
type order struct {
	id   string
	dev  *device
	rest string          // its topic behind the device, e.g. thing/service/property/set
	done chan api.Result // holds the one result
}

func (o *orders) init(limit int) {
	o.limit, o.waiting, o.byDev = limit, map[string]*order{}, map[*device][]*order{}
}

// nextID is an id for what the platform sends.
func (o *orders) nextID() string { return strconv.FormatUint(o.next.Add(1), 10) }

func (o *orders) pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting)
}

// ErrTooManyCommands says that Config.Pending commands wait already. Try again
// when some have ended.
var ErrTooManyCommands = errors.New("platform: too many commands wait for their reply (see pending)")

func (o *orders) add(dev *device, id, rest string) (*order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) >= o.limit {
		return nil, ErrTooManyCommands
	}
	x := &order{id: id, dev: dev, rest: rest, done: make(chan api.Result, 1)}
	o.waiting[x.id] = x
	o.byDev[dev] = append(o.byDev[dev], x)
	return x, nil
}

// end removes x and says whether it was still there. mu is held.
func (o *orders) end(x *order) bool {
	if o.waiting[x.id] != x {
		return false
	}
	delete(o.waiting, x.id)
	list := o.byDev[x.dev]
	if i := slices.Index(list, x); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if len(list) == 0 {
		delete(o.byDev, x.dev)
	} else {
		o.byDev[x.dev] = list
	}
	return true
}

// finish gives an order its result, unless it has one.
func (o *orders) finish(x *order, r api.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end(x) {
		x.done <- r
	}
}

// answered is the order that a reply ends: by its id, and for raw data, which
// has none, the device's oldest.
func (o *orders) answered(dev *device, rest, id string, r api.Result) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.byDev[dev] {
		if x.rest == rest && (x.id == id || rest == rawDown) {
			o.end(x)
			x.done <- r
			return true
		}
	}
	return false
}

// deviceGone ends the orders of a device that went offline.
func (o *orders) deviceGone(dev *device) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range slices.Clone(o.byDev[dev]) {
		o.end(x)
		x.done <- api.Result{State: thing.Offline.String(), Message: "the device went offline before it answered"}
	}
}

const rawDown = "thing/model/down_raw"

// sent is the state of a command that nobody waits for.
const sent = "sent"

// Set tells a device to change properties; params is anything that is a JSON
// object. It waits for the reply as long as ctx and Config.CommandTimeout let
// it. How the command ended is in the result; the error says that it could not
// be tried at all: ErrUnknownDevice, ErrTooManyCommands, ErrClosed, or params
// that are none.
func (p *Platform) Set(ctx context.Context, productKey, deviceName string, params any) (api.Result, error) {
	return p.call(ctx, key{productKey, deviceName}, "thing/service/property/set", params, 0)
}

// Get asks a device for properties; no names ask for all it likes to tell. As
// with Set, the result says how that went.
func (p *Platform) Get(ctx context.Context, productKey, deviceName string, names ...string) (api.Result, error) {
	if names == nil {
		names = []string{}
	}
	return p.call(ctx, key{productKey, deviceName}, "thing/service/property/get", names, 0)
}

// Invoke calls a service of a device. As with Set, the result says how that
// went.
func (p *Platform) Invoke(ctx context.Context, productKey, deviceName, service string, params any) (api.Result, error) {
	return p.invoke(ctx, key{productKey, deviceName}, service, params, 0)
}

func (p *Platform) invoke(ctx context.Context, k key, service string, params any, wait time.Duration) (api.Result, error) {
	if !validName(service) || strings.HasSuffix(service, "_reply") {
		return api.Result{}, badRequest("service %q is no identifier", service)
	}
	return p.call(ctx, k, "thing/service/"+service, params, wait)
}

// SendRaw sends bytes to a device that speaks to the platform in bytes. The
// first raw reply after that counts as the answer. As with Set, the result says
// how that went.
func (p *Platform) SendRaw(ctx context.Context, productKey, deviceName string, raw []byte) (api.Result, error) {
	return p.order(ctx, key{productKey, deviceName}, rawDown, p.orders.nextID(), raw, 0)
}

// call sends an Alink request to a device. wait is how long the reply may
// take; 0: the default; below 0: nobody waits.
func (p *Platform) call(ctx context.Context, k key, rest string, params any, wait time.Duration) (api.Result, error) {
	if params == nil {
		params = struct{}{}
	}
	text, err := json.Marshal(params)
	if err != nil {
		return api.Result{}, badRequest("params are no JSON: %v", err)
	}
	if _, list := params.([]string); !list && text[0] != '{' {
		return api.Result{}, badRequest("params are no JSON object: %.40s", text)
	}
	id := p.orders.nextID()
	return p.order(ctx, k, rest, id, alinkRequest(id, rest, text), wait)
}

// alinkRequest is what the platform sends to devices.
func alinkRequest(id, rest string, params []byte) []byte {
	method := strings.ReplaceAll(rest, "/", ".")
	b := make([]byte, 0, 64+len(method)+len(params))
	b = append(b, `{"method":"`...)
	b = append(b, method...)
	b = append(b, `","id":"`...)
	b = append(b, id...)
	b = append(b, `","params":`...)
	b = append(b, params...)
	return append(b, `,"version":"1.0"}`...)
}

// order sends a command and waits for its end.
func (p *Platform) order(ctx context.Context, k key, rest, id string, payload []byte, wait time.Duration) (api.Result, error) {
	dev := p.device(k)
	if dev == nil {
		return api.Result{}, fmt.Errorf("%w: %s", ErrUnknownDevice, k)
	}
	if len(payload) > p.cfg.MaxPayload {
		return api.Result{}, badRequest("the command has %d bytes, at most %d go", len(payload), p.cfg.MaxPayload)
	}
	start := p.now()
	r, err := p.try(ctx, dev, rest, id, payload, wait)
	if err != nil {
		return r, err
	}
	r.ID = id
	if r.State != sent {
		r.Latency = api.Duration(p.now().Sub(start))
	}
	p.commandEnded(r.State)
	p.note(api.Message{
		Kind: api.KindCommand, ProductKey: k.product, DeviceName: k.device,
		Name: strings.TrimPrefix(rest, "thing/"), ID: id, Code: r.Code, Cause: r.State,
	})
	return r, nil
}

func (p *Platform) try(ctx context.Context, dev *device, rest, id string, payload []byte, wait time.Duration) (api.Result, error) {
	select {
	case <-p.closing:
		return api.Result{}, ErrClosed
	default:
	}
	l := dev.via.Load()
	if l == nil {
		return api.Result{State: thing.Offline.String(), Message: "the device is not online"}, nil
	}
	var x *order
	if wait >= 0 {
		var err error
		if x, err = p.orders.add(dev, id, rest); err != nil {
			return api.Result{}, err
		}
	}
	topic := "/sys/" + dev.key.product + "/" + dev.key.device + "/" + rest
	if !p.push(l, dev.key, topic, payload) {
		r := api.Result{State: thing.Failed.String(), Message: "the client that carries the device has not subscribed to " + topic}
		if x != nil {
			p.orders.finish(x, r)
			r = <-x.done
		}
		return r, nil
	}
	if x == nil {
		return api.Result{State: sent}, nil
	}
	return p.await(ctx, x, wait), nil
}

// await waits for the result of x.
func (p *Platform) await(ctx context.Context, x *order, wait time.Duration) api.Result {
	if wait == 0 {
		wait = p.cfg.CommandTimeout
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case r := <-x.done:
		return r
	case <-timer.C:
		p.orders.finish(x, api.Result{State: thing.TimedOut.String(), Message: fmt.Sprintf("no reply within %s", wait)})
	case <-ctx.Done():
		p.orders.finish(x, api.Result{State: thing.TimedOut.String(), Message: "the caller stopped waiting"})
	case <-p.closing:
		p.orders.finish(x, api.Result{State: thing.Failed.String(), Message: "the platform closes"})
	}
	return <-x.done // of finish, or of the reply that was faster
}

// commandReply takes a device's reply to a command.
func (p *Platform) commandReply(l *link, dev *device, rest, full string, payload []byte) {
	var id, text string
	var data json.RawMessage
	code, hasCode := 0, false
	ok := fields(payload, func(key, value []byte) bool {
		switch string(key) {
		case "id":
			b, _ := scalar(value)
			id = string(b)
		case "code": // devices write it as a text too
			b, _ := scalar(value)
			n, err := strconv.Atoi(string(b))
			code, hasCode = n, err == nil
		case "data":
			data = clone(value)
		case "message":
			b, _ := unquote(value)
			text = string(b)
		}
		return true
	})
	ok = ok && id != "" && hasCode
	p.count(dev, kindReply, len(payload), !ok)
	if !ok {
		p.refusedCode(l, "reply", CodeParameter, dev.name+": want a JSON object with id and code under "+full)
		return
	}
	r := api.Result{State: thing.Done.String(), Code: code, Message: text, Data: data}
	if code != int(CodeOK) {
		r.State = thing.Refused.String()
	}
	if !p.orders.answered(dev, rest, id, r) && strings.HasPrefix(rest, "thing/service/") {
		p.refused("reply_unexpected") // too late, or to nothing
	}
	if p.hub.wanted() {
		p.publishMessage(api.Message{
			Kind: api.KindReply, ProductKey: dev.key.product, DeviceName: dev.key.device,
			Name: strings.TrimPrefix(rest, "thing/"), ID: id, Code: code, Data: data, Cause: text,
		})
	}
}

// commandRawReply takes a device's answer in bytes.
func (p *Platform) commandRawReply(dev *device, payload []byte) {
	r := api.Result{State: thing.Done.String(), Raw: clone(payload)}
	if !p.orders.answered(dev, rawDown, "", r) {
		p.refused("reply_unexpected")
	}
	if p.hub.wanted() {
		p.publishMessage(api.Message{
			Kind: api.KindReply, ProductKey: dev.key.product, DeviceName: dev.key.device, Name: "model/down_raw", Raw: payload,
		})
	}
}
