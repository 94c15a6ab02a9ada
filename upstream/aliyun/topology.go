package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// SubDevice is a device in the topology of a gateway.
type SubDevice struct {
	Gateway auth.Identity // without its secret
	Device  auth.Identity // likewise
}

// Topology asks the platform which devices are under each gateway that is
// connected (thing/topo/get).
func (c *Connector) Topology(ctx context.Context) (list []SubDevice, err error) {
	for _, g := range c.gateways {
		r, err := g.call(ctx, "thing/topo/get", "thing.topo.get", []byte("{}"))
		if errors.Is(err, upstream.ErrNotConnected) && len(c.gateways) > 1 {
			continue
		}
		if err != nil {
			return nil, err
		}
		var devices []names
		if err = json.Unmarshal(r.Data, &devices); err != nil {
			return nil, fmt.Errorf("aliyun: topology of %s: %w", g.identity, err)
		}
		for _, d := range devices {
			list = append(list, SubDevice{
				Gateway: auth.Identity{ProductKey: g.identity.ProductKey, DeviceName: g.identity.DeviceName},
				Device:  auth.Identity{ProductKey: d.ProductKey, DeviceName: d.DeviceName},
			})
		}
	}
	return list, nil
}

// RemoveTopology takes devices out of the topology of the gateway that has them
// (thing/topo/delete); those that are online go offline. Their secrets do not
// matter.
func (c *Connector) RemoveTopology(ctx context.Context, devices ...auth.Identity) error {
	return c.each(ctx, "thing/topo/delete", "thing.topo.delete", devices)
}

// Unregister removes devices that were registered dynamically from the platform
// (thing/sub/unregister), for good.
func (c *Connector) Unregister(ctx context.Context, devices ...auth.Identity) error {
	return c.each(ctx, "thing/sub/unregister", "thing.sub.unregister", devices)
}

// ReportFound tells the platform of devices that may want to be under a gateway
// (thing/list/found); it may answer with a notice to add them (thing/topo/add/notify).
func (c *Connector) ReportFound(ctx context.Context, devices ...auth.Identity) error {
	if len(devices) == 0 {
		return nil
	}
	params := appendList(nil, devices)
	err := upstream.ErrNotConnected
	for _, g := range c.gateways {
		if _, err = g.call(ctx, "thing/list/found", "thing.list.found", params); !errors.Is(err, upstream.ErrNotConnected) {
			return err
		}
	}
	return err
}

// each asks for each device at the gateway that has it, one after the other.
func (c *Connector) each(ctx context.Context, rest, method string, devices []auth.Identity) error {
	var errs []error
	for _, d := range devices {
		errs = append(errs, c.one(ctx, rest, method, d))
	}
	return errors.Join(errs...)
}

func (c *Connector) one(ctx context.Context, rest, method string, d auth.Identity) error {
	name := d.String()
	err := upstream.ErrNotConnected
	first := int(hashOf(name) % uint32(len(c.gateways))) //nolint:gosec // small and positive
	for i := range c.gateways {
		g := c.gateways[(first+i)%len(c.gateways)]
		_, err = g.call(ctx, rest, method, appendList(nil, []auth.Identity{d}))
		var refused *upstream.RefusedError
		if errors.As(err, &refused) && refused.Code == codeNoDevice { // it is under another one
			continue
		}
		if !errors.Is(err, upstream.ErrNotConnected) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("aliyun: %s of %s: %w", method, name, err)
	}
	return nil
}

func appendList(dst []byte, devices []auth.Identity) []byte {
	dst = append(dst, '[')
	for i, d := range devices {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"productKey":`...)
		dst = thing.AppendString(dst, d.ProductKey)
		dst = append(dst, `,"deviceName":`...)
		dst = append(thing.AppendString(dst, d.DeviceName), '}')
	}
	return append(dst, ']')
}

// answered is the outcome of a call.
type answered struct {
	reply *reply
	err   error
}

// call asks the platform something in the gateway's own name, and waits for the
// answer.
func (g *gateway) call(ctx context.Context, rest, method string, params []byte) (*reply, error) {
	came := make(chan answered, 1)
	g.mu.Lock()
	if g.link == nil || g.closing {
		g.mu.Unlock()
		return nil, upstream.ErrNotConnected
	}
	id := g.ask(callRequest, nil)
	g.requests[id].done = func(r *reply, err error) { came <- answered{r, err} }
	payload := append(append(alink.AppendHead(nil, id), params...), `,"method":"`...)
	g.control(alink.SysPrefix+g.identity.String()+"/"+rest, append(append(payload, method...), '"', '}'))
	g.mu.Unlock()
	select {
	case a := <-came:
		return a.reply, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// callAnswered ends a call. mu is held.
func callAnswered(asked *request, r *reply, code int) {
	if code != codeSuccess {
		asked.done(nil, refused(code, r.Message))
		return
	}
	asked.done(r, nil)
}

const (
	maxFound   = 4096
	foundAgain = time.Hour // before the same device is reported again
	maxAllowed = 4096
)

// found reports a device that the platform does not know, so that somebody may
// put it there. mu is held.
func (g *gateway) found(d *device) {
	if !g.cfg.ReportFound || g.link == nil {
		return
	}
	now := time.Now().UnixMilli()
	if at, told := g.reported[d.name()]; told && now-at < foundAgain.Milliseconds() {
		return
	}
	if len(g.reported) >= maxFound {
		clear(g.reported)
	}
	g.reported[d.name()] = now
	g.stats.found++
	id := g.ask(callRequest, nil)
	g.requests[id].done = func(_ *reply, err error) {
		if err != nil {
			g.log.Debug("aliyun: the platform does not note the device", zap.NamedError("err", err))
		}
	}
	payload := append(d.appendNames(append(alink.AppendHead(nil, id), '[')), `}],"method":"thing.list.found"}`...)
	g.control(g.topics.found, payload)
}

// notified goes on with the platform's wish to have devices in the topology: they
// are added when they log in, whatever manageTopology says.
func (g *gateway) notified(topic string, payload []byte) {
	r, _, _ := parseReply(payload)
	if r.ID == "" {
		g.malformed("thing/topo/add/notify", payload)
		return
	}
	g.mu.Lock()
	defer g.settle()
	for _, name := range r.devices() {
		if len(g.allowed) >= maxAllowed {
			clear(g.allowed)
		}
		g.allowed[name] = true
		delete(g.reported, name)
		g.log.Info("aliyun: the platform wants a device in the topology", zap.String("device", name))
	}
	g.control(topic+alink.ReplySuffix, alink.AppendReply(nil, string(r.ID), codeSuccess, "success", nil, 0))
}
