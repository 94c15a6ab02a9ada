package platform

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/thing"
)

const (
	rrpcRequest  = "rrpc/request/"
	rrpcResponse = "rrpc/response/"

	// rrpcWindow is how long the vendor waits for the response.
	rrpcWindow = 8 * time.Second
)

// RRPC sends a device bytes under /sys/{pk}/{dn}/rrpc/request/{message id} and
// waits for its answer under rrpc/response/{message id}, no longer than 8 seconds.
// The answer is in the result's Raw, and its code and data besides when it is an
// Alink reply. As with Set, the result says how that went.
func (p *Platform) RRPC(ctx context.Context, productKey, deviceName string, payload []byte) (api.Result, error) {
	return p.rrpc(ctx, key{productKey, deviceName}, func(string) []byte { return payload }, 0)
}

// InvokeSync calls a service of a device by RRPC, as the vendor does with services
// whose call is synchronous.
func (p *Platform) InvokeSync(ctx context.Context, productKey, deviceName, service string, params any) (api.Result, error) {
	return p.invokeSync(ctx, key{productKey, deviceName}, service, params, 0)
}

func (p *Platform) invokeSync(ctx context.Context, k key, service string, params any, wait time.Duration) (api.Result, error) {
	if !validName(service) || strings.HasSuffix(service, "_reply") {
		return api.Result{}, badRequest("service %q is no identifier", service)
	}
	if params == nil {
		params = struct{}{}
	}
	text, err := json.Marshal(params)
	if err != nil || text[0] != '{' {
		return api.Result{}, badRequest("params are no JSON object: %.40s", text)
	}
	return p.rrpc(ctx, k, func(id string) []byte { return alinkRequest(id, "thing/service/"+service, text) }, wait)
}

func (p *Platform) rrpc(ctx context.Context, k key, payload func(id string) []byte, wait time.Duration) (api.Result, error) {
	if wait <= 0 || wait > rrpcWindow { // there is none that nobody waits for
		wait = rrpcWindow
	}
	id := p.orders.nextID()
	return p.order(ctx, k, rrpcRequest+id, id, payload(id), wait)
}

// rrpcReply takes a device's answer.
func (p *Platform) rrpcReply(dev *device, id string, payload []byte) {
	r := api.Result{State: thing.Done.String(), Raw: clone(payload)}
	var alink struct {
		ID      string          `json:"id"`
		Code    *int            `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if json.Unmarshal(payload, &alink) == nil && alink.Code != nil {
		r.Code, r.Message, r.Data = *alink.Code, alink.Message, alink.Data
		if r.Code != int(CodeOK) {
			r.State = thing.Refused.String()
		}
	}
	p.count(dev, kindReply, len(payload), false)
	if !p.orders.answered(dev, rrpcRequest+id, id, r) {
		p.refused("reply_unexpected")
	}
	if p.hub.wanted() {
		p.publishMessage(api.Message{
			Kind: api.KindReply, ProductKey: dev.key.product, DeviceName: dev.key.device, Name: "rrpc", ID: id, Code: r.Code, Data: r.Data, Raw: clone(payload),
		})
	}
}

func (p *Platform) postServiceSync(r *http.Request) (any, error) {
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	var params json.RawMessage
	if err := body(r, &params); err != nil {
		return nil, err
	}
	return p.invokeSync(r.Context(), keyOf(r), r.PathValue("name"), orEmpty(params), wait)
}

// NotifyTopology tells a gateway to have devices in its topology
// (thing/topo/add/notify), each productKey/deviceName, and waits for its answer.
func (p *Platform) NotifyTopology(ctx context.Context, productKey, deviceName string, devices ...string) (api.Result, error) {
	keys := make([]key, 0, len(devices))
	for _, d := range devices {
		k, ok := parseKey(d)
		if !ok {
			return api.Result{}, badRequest("%s is no productKey/deviceName", strconv.Quote(d))
		}
		keys = append(keys, k)
	}
	const rest = "thing/topo/add/notify"
	id := p.orders.nextID()
	return p.order(ctx, key{productKey, deviceName}, rest, id, alinkRequest(id, rest, deviceList(keys)), 0)
}

func (p *Platform) postTopology(r *http.Request) (any, error) {
	var devices []string
	if err := body(r, &devices); err != nil {
		return nil, err
	}
	return p.NotifyTopology(r.Context(), r.PathValue("pk"), r.PathValue("dn"), devices...)
}

// postRRPC sends what the body is, and answers with what the device does.
func (p *Platform) postRRPC(r *http.Request) (any, error) {
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, badRequest("read body: %v", err)
	}
	return p.rrpc(r.Context(), keyOf(r), func(string) []byte { return payload }, wait)
}
