package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
	"github.com/linkspan/linkspan/upstream/aliyun/pop"
)

// RegisterConfig is how devices that come without a secret get one: dynamic
// registration (developer guide, chapters 9 and 11.2).
type RegisterConfig struct {
	By           string            `conf:"by" doc:"never; gateway: the gateway asks for its sub-devices; https or mqtt: each device is registered by its product's secret"`
	Secrets      string            `conf:"secrets" doc:"file that keeps the secrets which devices got, for the platform gives them out once; linkspan writes it, readable by its owner alone. With a data directory it is in its folder secrets by default"`
	Products     []certify.Product `conf:"products" doc:"products with their secrets, if by = https or mqtt; a gateway device without a deviceSecret is registered likewise"`
	Endpoint     string            `conf:"endpoint" doc:"https://host[:port] of HTTPS registration; default: the region's iot-auth host"`
	MQTTEndpoint string            `conf:"mqttEndpoint" doc:"host:port of registration over MQTT and TLS; default: the product's own host in the region, port 1883"`
}

// The values of register.by.
const (
	RegisterNever   = "never"
	RegisterGateway = "gateway"
	RegisterHTTPS   = "https"
	RegisterMQTT    = "mqtt"
)

const (
	registerWorkers = 4    // registrations over HTTPS and MQTT, and writes of secrets, at the same time
	maxRegistering  = 4096 // that wait for one of them
	maxDoubts       = 4096
)

// KeepIn implements upstream.Keeper.
func (c Config) KeepIn(dir string) any {
	c.Register.Secrets = filepath.Join(dir, filepath.Base(DefaultConfig().Register.Secrets))
	return c
}

// Keeps implements upstream.Keeper.
func (c Config) Keeps() (path string, used bool) {
	return c.Register.Secrets, c.Register.By != "" && c.Register.By != RegisterNever
}

// registers says whether devices without a secret get one.
func (s *settings) registers() bool { return s.Register.By != RegisterNever }

func (s *settings) checkRegister() (errs []error) {
	if s.POP.Given() {
		if _, err := pop.New(s.popProfile()); err != nil {
			errs = append(errs, fmt.Errorf("aliyun: pop: %w", err))
		}
	}
	r := &s.Register
	products := map[string]bool{}
	for i, p := range r.Products {
		if p.Key == "" || p.Secret == "" {
			errs = append(errs, fmt.Errorf("aliyun: register.products: %d: want productKey and productSecret", i+1))
		}
		if products[p.Key] {
			errs = append(errs, fmt.Errorf("aliyun: register.products: %s is there twice", p.Key))
		}
		products[p.Key] = true
	}
	byProduct := r.By == RegisterHTTPS || r.By == RegisterMQTT
	switch {
	case byProduct && len(r.Products) == 0:
		errs = append(errs, fmt.Errorf("aliyun: register.by is %s, but register.products is empty: give productKey and productSecret of the devices' products", r.By))
	case !byProduct && len(r.Products) > 0:
		errs = append(errs, errors.New("aliyun: register.products has no effect unless register.by is https or mqtt"))
	}
	if r.Endpoint != "" {
		if _, err := certify.ParseEndpoint(r.Endpoint); err != nil {
			errs = append(errs, fmt.Errorf("aliyun: register.endpoint: %w", err))
		}
	}
	if r.MQTTEndpoint != "" {
		if _, _, err := net.SplitHostPort(r.MQTTEndpoint); err != nil {
			errs = append(errs, fmt.Errorf("aliyun: register.mqttEndpoint is %q, want host:port", r.MQTTEndpoint))
		}
	}
	return errs
}

// obtains says whether a device of the product can get its secret by that of the
// product.
func (s *settings) obtains(productKey string) bool {
	if s.Register.By != RegisterHTTPS && s.Register.By != RegisterMQTT {
		return false
	}
	for _, p := range s.Register.Products {
		if p.Key == productKey {
			return true
		}
	}
	return false
}

// registry gets and keeps the secrets of devices that have none. All fields but
// doubts are set once; doubts is guarded by the connector's mu.
type registry struct {
	*certify.Registrar

	jobs   chan func(context.Context) // for the workers
	doubts map[string]bool            // devices whose kept secret the platform did not take; true: asked again
}

// openRegistry reads the file of secrets. It returns nil when nobody registers.
func (c *Connector) openRegistry() (*registry, error) {
	if !c.cfg.registers() {
		return nil, nil //nolint:nilnil // there is none
	}
	service, err := c.cfg.service()
	if err != nil {
		return nil, err
	}
	store, err := certify.OpenStore(c.cfg.Register.Secrets)
	if err != nil {
		return nil, fmt.Errorf("aliyun: register.secrets: %w", err)
	}
	r, err := certify.NewRegistrar(store, service, c.cfg.Register.Products...)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &registry{Registrar: r, jobs: make(chan func(context.Context), maxRegistering), doubts: map[string]bool{}}, nil
}

// service is how a device is registered by its product's secret; nil when its
// gateway registers it.
func (s *settings) service() (certify.Service, error) {
	r := &s.Register
	way := certify.Way{
		Region: s.Region, Endpoint: r.Endpoint, MQTTEndpoint: r.MQTTEndpoint, TLS: s.tls, SignMethod: s.sign, Timeout: s.RequestTimeout,
	}
	switch r.By {
	case RegisterHTTPS:
		return way.HTTPS()
	case RegisterMQTT:
		return way.MQTT(), nil
	default:
		return nil, nil
	}
}

// work does jobs until ctx is done. It is owned by the connector: Close waits.
func (r *registry) work(ctx context.Context) {
	for {
		select {
		case job := <-r.jobs:
			job(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// do has a worker do a job, and says whether there is room for it.
func (r *registry) do(job func(context.Context)) bool {
	select {
	case r.jobs <- job:
		return true
	default:
		return false
	}
}

// bare fills in the secret of a device that comes without, if it is known. It
// says whether the device has none of its own. c.mu is held.
func (c *Connector) bare(l *upstream.Login) bool {
	if c.registry == nil || l.Device.DeviceSecret != "" {
		return false
	}
	if again, doubted := c.registry.doubts[l.Device.String()]; doubted && !again {
		return true // register it anew
	}
	l.Device.DeviceSecret, _ = c.registry.Known(l.Device.ProductKey, l.Device.DeviceName)
	return true
}

// doubt notes that the platform does not take the kept secret of a device. The
// next login registers it anew, and should that be refused, the one behind it
// tries what is kept again.
func (c *Connector) doubt(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.registry.doubts) >= maxDoubts {
		clear(c.registry.doubts)
	}
	c.registry.doubts[name] = false
}

// doubted says whether a kept secret does not count this time.
func (c *Connector) doubted(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	again, doubted := c.registry.doubts[name]
	if doubted {
		c.registry.doubts[name] = true
	}
	return doubted && !again
}

// registerFirst takes those out of a batch of logins that have to be registered
// first, and begins that. mu is held.
func (g *gateway) registerFirst(batch []*device) (rest []*device) {
	if !g.cfg.registers() {
		return batch
	}
	var register []*device
	for _, d := range batch {
		if d.secret == "" && d.bare {
			register = append(register, d)
		} else {
			rest = append(rest, d)
		}
	}
	switch {
	case len(register) == 0:
	case g.cfg.Register.By == RegisterGateway:
		g.sendRegister(register)
	default:
		for _, d := range register {
			g.registerAlone(d)
		}
	}
	return rest
}

// registerAlone has a worker register a device by its product's secret. mu is
// held.
func (g *gateway) registerAlone(d *device) {
	c := g.connector
	pk, dn := d.productKey(), d.deviceName()
	d.state = registering
	if c.registry.do(func(ctx context.Context) {
		get := c.registry.Secret
		if c.doubted(d.name()) {
			get = c.registry.Renew
		}
		secret, err := get(ctx, pk, dn)
		g.registered(d, secret, err)
	}) {
		g.stats.requests++
		return
	}
	g.stats.overloaded++
	g.notLoggedIn(d, upstream.ErrOverloaded, retryLater)
}

// sendRegister asks the platform for the secrets of sub-devices. mu is held.
func (g *gateway) sendRegister(devices []*device) {
	id := g.ask(registerRequest, devices)
	payload := append(alink.AppendHead(nil, id), '[')
	for i, d := range devices {
		d.state = registering
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = append(d.appendNames(payload), '}')
	}
	g.control(g.topics.register, append(payload, `],"method":"thing.sub.register"}`...))
}

// registerAnswered: the secrets of devices come, or a batch is refused as a whole,
// whose devices then ask one by one. mu is held.
func (g *gateway) registerAnswered(devices []*device, r *reply, code int) {
	if code != codeSuccess {
		for _, d := range devices {
			switch {
			case d.state != registering:
			case len(devices) > 1:
				d.alone = true
				g.wantLogin(d)
			default:
				g.notRegistered(d, certify.Refused(d.productKey(), d.deviceName(), code, r.Message))
			}
		}
		return
	}
	var list []struct {
		names

		DeviceSecret string `json:"deviceSecret"`
	}
	_ = json.Unmarshal(r.Data, &list) // what is missing shows below
	secrets := make(map[string]auth.Secret, len(list))
	ids := make([]auth.Identity, 0, len(list))
	for _, e := range list {
		if e.DeviceSecret != "" {
			secrets[e.ProductKey+"/"+e.DeviceName] = auth.Secret(e.DeviceSecret)
			ids = append(ids, auth.Identity{ProductKey: e.ProductKey, DeviceName: e.DeviceName, DeviceSecret: auth.Secret(e.DeviceSecret)})
		}
	}
	c := g.connector
	keep := func(context.Context) {
		err := c.registry.Keep(ids...)
		for _, d := range devices {
			secret, came := secrets[d.name()]
			if !came {
				g.registered(d, "", fmt.Errorf("%w: no secret of %s", certify.ErrAnswer, d.name()))
				continue
			}
			g.registered(d, secret, err)
		}
	}
	if len(ids) > 0 && c.registry.do(keep) {
		return
	}
	for _, d := range devices {
		if d.state == registering {
			g.notLoggedIn(d, certify.ErrAnswer, retryLater)
		}
	}
}

// registered goes on with a device that has got its secret, or has not. A secret
// that could not be kept serves until linkspan ends.
func (g *gateway) registered(d *device, secret auth.Secret, err error) {
	if err == nil {
		g.connector.trust(d.name())
	}
	g.mu.Lock()
	defer g.settle()
	if secret != "" {
		g.stats.registered++
		if errors.Is(err, certify.ErrStore) {
			g.stats.unkept++
			g.log.Error("aliyun: a secret that the platform gives out once is lost when linkspan ends", zap.String("device", d.name()), zap.NamedError("err", err))
		}
		if d.bare {
			d.secret = secret
		}
	}
	switch {
	case d.state != registering: // the connection was lost meanwhile
	case d.current == nil:
		g.drop(d, upstream.ErrLoggedOut)
	case d.secret == "":
		g.notRegistered(d, err)
	default:
		d.again = false
		g.wantLogin(d)
	}
}

// notRegistered goes on with a device that got no secret. mu is held.
func (g *gateway) notRegistered(d *device, err error) {
	g.stats.unregistered++
	what := retryLater
	if errors.Is(err, auth.ErrDenied) {
		what = giveUp
	}
	g.notLoggedIn(d, err, what)
}

// trust ends doubt about a device's secret.
func (c *Connector) trust(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.registry.doubts, name)
}
