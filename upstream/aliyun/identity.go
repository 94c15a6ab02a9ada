package aliyun

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
	"github.com/linkspan/linkspan/upstream/aliyun/pop"
)

// ownSecret is the secret of a gateway device: the one of the configuration, or
// else one that is got before the first connection, by the product's secret or by
// the account's API. run's goroutine only.
func (g *gateway) ownSecret(ctx context.Context) (auth.Secret, error) {
	if g.identity.DeviceSecret != "" {
		return g.identity.DeviceSecret, nil
	}
	if g.obtained != "" {
		return g.obtained, nil
	}
	secret, err := g.obtain(ctx)
	if err != nil {
		err = fmt.Errorf("aliyun: gateway %s has no deviceSecret, and gets none: %w", g.identity, err)
		var refused *upstream.RefusedError
		if errors.Is(err, auth.ErrDenied) && !errors.As(err, &refused) {
			err = &upstream.RefusedError{Code: codeBadParams, Reason: err.Error()}
		}
		return "", err
	}
	g.log.Info("aliyun: the gateway device has got its secret", zap.String("device", g.identity.String()))
	g.obtained = secret
	return secret, nil
}

func (g *gateway) obtain(ctx context.Context) (auth.Secret, error) {
	pk, dn := g.identity.ProductKey, g.identity.DeviceName
	if g.cfg.obtains(pk) {
		if g.stale { // the platform did not take the one that is kept
			g.stale = false
			return g.connector.registry.Renew(ctx, pk, dn)
		}
		return g.connector.registry.Secret(ctx, pk, dn)
	}
	client, err := pop.New(g.cfg.popProfile(), pop.WithHTTPClient(certify.HTTPClient(g.cfg.tls)))
	if err != nil {
		return "", err
	}
	d, err := client.Ensure(ctx, pk, dn)
	return d.DeviceSecret, err
}

// popProfile is the profile with its defaults.
func (s *settings) popProfile() pop.Profile {
	p := s.POP
	if p.Region == "" {
		p.Region = s.Region
	}
	if p.Timeout == 0 {
		p.Timeout = s.RequestTimeout
	}
	return p
}

// refusedOwn notes that the platform did not take the gateway's own secret, and
// says whether another may be got. run's goroutine only.
func (g *gateway) refusedOwn() bool {
	if g.obtained == "" || g.stale {
		return false
	}
	g.obtained, g.stale = "", true
	return true
}
