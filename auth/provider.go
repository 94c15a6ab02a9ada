package auth

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrBadCredentials says that a device's own credentials are not right. Trying
// again with the same ones is of no use.
var ErrBadCredentials = Denied("auth: bad credentials")

// ErrUnavailable says that credentials could not be checked now. It is not
// [ErrDenied]: the device may try again later.
var ErrUnavailable = errors.New("auth: credentials cannot be checked now")

// Provider checks a device's own credentials before its platform is asked: the
// Java SDK's AuthProvider. The bridge calls it from several goroutines, never
// from an event loop. Whoever made a provider that has Close() error closes it,
// once its bridge is closed.
type Provider interface {
	// Authenticate returns nil for a device that may go online,
	// ErrBadCredentials (wrapped or not) for one that may not, and another
	// error when it could not find out. identity is the device's own name for
	// itself; credentials are what its protocol offers, and may be none.
	Authenticate(ctx context.Context, identity string, credentials []string) error
}

// Func is a function as a [Provider].
type Func func(ctx context.Context, identity string, credentials []string) error

// Authenticate implements [Provider].
func (f Func) Authenticate(ctx context.Context, identity string, credentials []string) error {
	return f(ctx, identity, credentials)
}

// None is the provider that asks nothing: every device may go online as far as
// it is concerned. A bridge that is given None works as one that is given no
// provider.
type None struct{}

// Authenticate implements [Provider].
func (None) Authenticate(context.Context, string, []string) error { return nil }

// NoConfig is the configuration of a provider that has none.
type NoConfig struct{}

// Credential is the n-th of credentials, counted from 0. It returns
// [ErrBadCredentials], wrapped, when there are fewer.
func Credential(credentials []string, n int) (string, error) {
	if n < 0 || n >= len(credentials) {
		return "", fmt.Errorf("%w: the device gave %d credentials, the one wanted is number %d, counted from 0", ErrBadCredentials, len(credentials), n)
	}
	return credentials[n], nil
}

// Stats is what a provider has counted.
type Stats struct {
	Checks   uint64 `metric:"linkspan_auth_checks_total" doc:"local checks of devices' credentials"`
	Denied   uint64 `metric:"linkspan_auth_denied_total" doc:"checks that found credentials wrong"`
	Failures uint64 `metric:"linkspan_auth_failures_total" doc:"checks that could not find out"`
	Cached   uint64 `metric:"linkspan_auth_cached_total" doc:"checks answered from the memory of recent successes"`
}

// Counter counts for [Stats]. Its methods may be called from any goroutine.
type Counter struct{ checks, denied, failures, cached atomic.Uint64 }

// Count counts a check that ended with err, which it returns.
func (c *Counter) Count(err error) error {
	c.checks.Add(1)
	switch {
	case err == nil:
	case errors.Is(err, ErrDenied):
		c.denied.Add(1)
	default:
		c.failures.Add(1)
	}
	return err
}

// Cached counts a check that was answered from memory.
func (c *Counter) Cached() {
	c.checks.Add(1)
	c.cached.Add(1)
}

// Stats is what happened so far.
func (c *Counter) Stats() Stats {
	return Stats{Checks: c.checks.Load(), Denied: c.denied.Load(), Failures: c.failures.Load(), Cached: c.cached.Load()}
}
