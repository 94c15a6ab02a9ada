package direct

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// RegisterConfig is how devices that come without a secret get one: unique
// certificate per product (developer guide, chapter 9).
type RegisterConfig struct {
	By           string            `conf:"by" doc:"never; https or mqtt: a device that comes without a deviceSecret is registered by its product's secret"`
	Secrets      string            `conf:"secrets" doc:"file that keeps the secrets which devices got, for the platform gives them out once; linkspan writes it, readable by its owner alone. With a data directory it is in its folder secrets by default"`
	Products     []certify.Product `conf:"products" doc:"products with their secrets"`
	Endpoint     string            `conf:"endpoint" doc:"https://host[:port] of HTTPS registration; default: the region's iot-auth host"`
	MQTTEndpoint string            `conf:"mqttEndpoint" doc:"host:port of registration over MQTT and TLS; default: the endpoint's, if that is ssl://, or the product's own host in the region, port 1883"`
}

// The values of register.by.
const (
	RegisterNever = "never"
	RegisterHTTPS = "https"
	RegisterMQTT  = "mqtt"
)

func (r *RegisterConfig) check() (errs []error) {
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("aliyun-direct: register."+format, args...))
	}
	if !slices.Contains([]string{RegisterNever, RegisterHTTPS, RegisterMQTT}, r.By) {
		wrong("by is %q, want one of never, https, mqtt", r.By)
	}
	if _, err := certify.NewRegistrar(nil, nil, r.Products...); err != nil {
		wrong("products: %w", err)
	}
	switch {
	case r.By != RegisterNever && len(r.Products) == 0:
		wrong("by is %s, but register.products is empty: give productKey and productSecret of the devices' products", r.By)
	case r.By == RegisterNever && len(r.Products) > 0:
		wrong("products has no effect unless register.by is https or mqtt")
	}
	if r.Endpoint != "" {
		if _, err := certify.ParseEndpoint(r.Endpoint); err != nil {
			wrong("endpoint: %w", err)
		}
	}
	if r.MQTTEndpoint != "" {
		if _, _, err := net.SplitHostPort(r.MQTTEndpoint); err != nil {
			wrong("mqttEndpoint is %q, want host:port", r.MQTTEndpoint)
		}
	}
	return errs
}

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

// trust is the authorities of the platform's HTTPS services. serverName is the
// broker's, not theirs.
func (s *settings) trust() *tls.Config {
	t := s.tls.Clone()
	t.ServerName = ""
	return t
}

// openRegistrar reads the file of secrets. It returns nil when nobody registers.
func (s *settings) openRegistrar() (*certify.Registrar, error) {
	r := &s.Register
	if !s.registers() {
		return nil, nil //nolint:nilnil // there is none
	}
	way := certify.Way{
		Region: s.Region, Endpoint: r.Endpoint, MQTTEndpoint: r.MQTTEndpoint, TLS: s.trust(), SignMethod: s.sign, Timeout: s.ConnectTimeout,
	}
	if way.MQTTEndpoint == "" && s.endpoint != nil && s.endpoint.Scheme == "ssl" {
		way.MQTTEndpoint, way.TLS = s.endpoint.Host, s.tls
	}
	service := way.MQTT()
	if r.By == RegisterHTTPS {
		var err error
		if service, err = way.HTTPS(); err != nil {
			return nil, err
		}
	}
	store, err := certify.OpenStore(r.Secrets)
	if err != nil {
		return nil, fmt.Errorf("aliyun-direct: register.secrets: %w", err)
	}
	registrar, err := certify.NewRegistrar(store, service, r.Products...)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return registrar, nil
}

// connectBare makes a connection of a device that has come without a secret: with
// the one that is kept, or with one that the platform gives for the product's. One
// that the platform does not take any more, as the device was deleted and made
// again, is replaced, if the platform gives another.
func (c *Connector) connectBare(ctx context.Context, id auth.Identity, t *token) (*mqttlink.Link, *token, error) {
	var refused error
	if secret, kept := c.registrar.Known(id.ProductKey, id.DeviceName); kept {
		id.DeviceSecret = secret
		l, next, err := c.connect(ctx, id, t)
		if !errors.Is(err, auth.ErrDenied) || !c.registrar.Has(id.ProductKey) {
			return l, next, err
		}
		refused = err
	}
	secret, err := c.register(ctx, id)
	if err != nil {
		return nil, nil, cmp.Or(refused, err)
	}
	id.DeviceSecret = secret
	return c.connect(ctx, id, nil)
}

// register gets the secret of a device. One that could not be kept serves until
// linkspan ends.
func (c *Connector) register(ctx context.Context, id auth.Identity) (auth.Secret, error) {
	secret, err := c.registrar.Renew(ctx, id.ProductKey, id.DeviceName)
	if secret == "" {
		c.counts.unregistered.Add(1)
		return "", err
	}
	c.counts.registered.Add(1)
	if err != nil {
		c.counts.unkept.Add(1)
		c.log.Error("aliyun-direct: a secret that the platform gives out once is lost when linkspan ends", zap.String("device", id.String()), zap.NamedError("err", err))
	}
	return secret, nil
}
