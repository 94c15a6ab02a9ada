package certify

import (
	"context"
	"errors"
	"fmt"

	"github.com/linkspan/linkspan/auth"
)

// ErrNoProductSecret says that a device without a secret is of a product whose
// secret is not known either. Give the device's secret, or that of the product.
var ErrNoProductSecret = auth.Denied("certify: neither the device's secret nor its product's is known")

// Service registers a device of a product, over HTTPS or over MQTT. It may be
// called from any goroutine.
type Service func(ctx context.Context, p Product, deviceName string) (auth.Secret, error)

// Registrar gets the secrets of devices that come without. Its methods may be
// called from any goroutine.
type Registrar struct {
	store    *Store
	service  Service
	products map[string]Product
}

// NewRegistrar makes a registrar that asks service for devices of the products,
// and keeps what it gets in store. Without a service it only knows what store
// does.
func NewRegistrar(store *Store, service Service, products ...Product) (*Registrar, error) {
	r := &Registrar{store: store, service: service, products: map[string]Product{}}
	var errs []error
	for i, p := range products {
		_, twice := r.products[p.Key]
		switch {
		case p.Key == "" || p.Secret == "":
			errs = append(errs, fmt.Errorf("certify: product %d: want productKey and productSecret", i+1))
		case twice:
			errs = append(errs, fmt.Errorf("certify: product %s is there twice", p.Key))
		}
		r.products[p.Key] = p
	}
	return r, errors.Join(errs...)
}

// Known is the secret of a device that is kept.
func (r *Registrar) Known(productKey, deviceName string) (auth.Secret, bool) {
	return r.store.Get(productKey, deviceName)
}

// Has says whether the registrar can register devices of the product.
func (r *Registrar) Has(productKey string) bool {
	_, known := r.products[productKey]
	return known && r.service != nil
}

// Secret is the secret of a device: the one that is kept, or one that the
// platform gives and that is kept from now on. It waits for the platform and for
// the disk.
func (r *Registrar) Secret(ctx context.Context, productKey, deviceName string) (auth.Secret, error) {
	if secret, known := r.Known(productKey, deviceName); known {
		return secret, nil
	}
	return r.Renew(ctx, productKey, deviceName)
}

// Renew is Secret, but asks the platform whatever is kept: for a device whose
// secret the platform does not take any more, because it was deleted and made
// again. What is kept is replaced only by what the platform gives.
func (r *Registrar) Renew(ctx context.Context, productKey, deviceName string) (auth.Secret, error) {
	p, known := r.products[productKey]
	if !known || r.service == nil {
		return "", fmt.Errorf("%w: %s/%s", ErrNoProductSecret, productKey, deviceName)
	}
	secret, err := r.service(ctx, p, deviceName)
	if err != nil {
		return "", err
	}
	return secret, r.Keep(auth.Identity{ProductKey: productKey, DeviceName: deviceName, DeviceSecret: secret})
}

// Keep keeps secrets that came by another way.
func (r *Registrar) Keep(devices ...auth.Identity) error { return r.store.Put(devices...) }

// Len is how many secrets are kept.
func (r *Registrar) Len() int { return r.store.Len() }

// Close closes the store.
func (r *Registrar) Close() error { return r.store.Close() }
