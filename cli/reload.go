package cli

import (
	"context"
	"iter"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/session"
)

// reloader brings what changes in the devices files to the devices that are
// online. start and stop are called once each, by the same goroutine.
type reloader struct {
	devices *devices.Catalog
	bridge  *bridge.Bridge
	away    *away.Connector // nil: nobody may be away
	auth    auth.Provider   // reloaded for each signal; it looks at its files itself otherwise
	tls     []*server.TLS   // likewise
	log     *zap.Logger
	signals <-chan os.Signal // set before start: each one means a reload at once; may be nil

	one     sync.Mutex // held while one reload's changes take effect
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// start watches the files, and reloads them for each signal, until stop.
func (r *reloader) start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.running.Go(func() { r.devices.Watch(ctx, func(c devices.Changes, err error) { r.apply(c, err, time.Now()) }) })
	r.running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.signals:
				began := time.Now()
				c, err := r.devices.Reload()
				r.apply(c, err, began)
				reloadAuth(r.auth)
				r.reloadTLS()
			}
		}
	})
}

// reloadTLS reads the certificates of all listeners again.
func (r *reloader) reloadTLS() {
	read := 0
	for _, t := range r.tls {
		if err := t.Reload(); err != nil {
			r.log.Error("certificates stay as they were", zap.NamedError("err", err))
			continue
		}
		read++
	}
	if read > 0 {
		r.log.Info("certificates were read again", zap.Int("count", read))
	}
}

// stop ends what start has begun. It does nothing without start.
func (r *reloader) stop() {
	if r.cancel != nil {
		r.cancel()
		r.running.Wait()
	}
}

// maxShown is how many mistakes of one reload are logged, one line each.
const maxShown = 20

// apply takes devices offline that a reload has changed or removed, and logs the
// reload.
func (r *reloader) apply(c devices.Changes, err error, began time.Time) {
	if err != nil {
		r.log.Error("devices not reloaded, all stays as it was", zap.NamedError("err", err))
		return
	}
	r.one.Lock()
	defer r.one.Unlock()
	for _, m := range c.Mistakes[:min(len(c.Mistakes), maxShown)] {
		r.log.Error("devices file", zap.NamedError("err", m))
	}
	ended := r.bridge.Revoke(both(c.Changed, c.Removed), session.ErrRevoked)
	if r.away != nil {
		ended += r.away.Revoke(both(c.Changed, c.Removed))
	}
	r.log.Info("devices reloaded", zap.Int("count", r.devices.Len()),
		zap.Int("added", len(c.Added)), zap.Int("changed", len(c.Changed)), zap.Int("removed", len(c.Removed)),
		zap.Int("kept", len(c.Kept)), zap.Int("mistakes", len(c.Mistakes)), zap.Int("offline", ended),
		zap.Duration("duration", time.Since(began)))
}

// both are the names of one list and then of the other.
func both(a, b []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, list := range [][]string{a, b} {
			for name := range slices.Values(list) {
				if !yield(name) {
					return
				}
			}
		}
	}
}
