package away

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/internal/alarmclock"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Connector is another connector whose devices may be away. Its methods may be
// called from any goroutine. No lock is held while anything outside is called.
type Connector struct {
	cfg     Config
	next    upstream.Connector
	logger  *zap.Logger
	counts  counts
	clock   *alarmclock.Clock[*entry]
	waiting atomic.Int64 // commands, of all devices
	running sync.WaitGroup
	done    chan struct{} // ends the clock

	mu      sync.Mutex
	entries map[key]*entry // the present login of each device; guarded by mu
	closed  bool           // guarded by mu

	closing atomic.Bool // nobody goes away any more; set before those who are away are logged out
}

// key is who a device is at its platform.
type key struct{ product, device string }

func keyOf(id auth.Identity) key { return key{id.ProductKey, id.DeviceName} }

// Start implements upstream.Starter.
func (c *Connector) Start(ctx context.Context, host upstream.Host) error {
	c.logger = host.Logger
	if s, ok := c.next.(upstream.Starter); ok {
		if err := s.Start(ctx, host); err != nil {
			return err //nolint:wrapcheck // the connector's own
		}
	}
	c.running.Go(func() { c.clock.Run(c.done, (*entry).due) })
	return nil
}

// Close implements upstream.Closer: it logs out all who are away, and ends the
// connector behind.
func (c *Connector) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.closing.Store(true)
	var left []*entry
	for _, e := range c.entries {
		left = append(left, e)
	}
	c.mu.Unlock()
	if !first {
		return nil
	}
	close(c.done)
	c.running.Wait()
	var out sync.WaitGroup
	for _, e := range left {
		out.Add(1)
		if !e.release(func(error) { out.Done() }) {
			out.Done()
		}
	}
	told := make(chan struct{})
	go func() { // ends when the platform has answered; the connector behind sees to that
		out.Wait()
		close(told)
	}()
	var err error
	select {
	case <-told:
	case <-ctx.Done():
		err = fmt.Errorf("away: close: devices that were away are still being logged out: %w", ctx.Err())
	}
	if closer, ok := c.next.(upstream.Closer); ok {
		if failed := closer.Close(ctx); failed != nil {
			return failed //nolint:wrapcheck // the connector's own
		}
	}
	return err
}

// Login implements upstream.Connector. A device that is away, or online, as the
// same identity and through the same listener is logged in already.
func (c *Connector) Login(l upstream.Login, done func(upstream.Device, error)) {
	at := keyOf(l.Device)
	c.mu.Lock()
	e := c.entries[at]
	if e == nil || c.closed || !e.fits(&l) {
		prior := e
		e = &entry{c: c, login: l}
		e.timer.Value = e
		if !c.closed {
			c.entries[at] = e
		}
		c.mu.Unlock()
		forwarded := l
		forwarded.Command, forwarded.Lost = e.command, e.lost
		h := &handle{entry: e}
		c.next.Login(forwarded, func(d upstream.Device, err error) {
			e.loggedIn(h, d, err, done)
			if prior != nil { // it was away, as another identity or elsewhere; the platform has only one of the two now
				prior.release(upstream.Ignore)
			}
		})
		return
	}
	c.mu.Unlock()
	h, hands := e.takeOver(l)
	if h == nil { // it ended meanwhile
		c.forget(e)
		c.Login(l, done)
		return
	}
	done(h.device(), nil)
	if hands {
		e.handOver()
	}
}

// Revoke logs out those of the devices of these names that are away: they were removed,
// or are someone else now. It says how many. Devices that are there are their
// session's business.
func (c *Connector) Revoke(names iter.Seq[string]) (count int) {
	revoked := map[string]bool{}
	for name := range names {
		revoked[name] = true
	}
	if len(revoked) == 0 {
		return 0
	}
	c.mu.Lock()
	entries := slices.Collect(maps.Values(c.entries))
	c.mu.Unlock()
	for _, e := range entries {
		if revoked[e.name()] && e.release(upstream.Ignore) {
			count++
		}
	}
	return count
}

// forget takes e out of the table, if it is there.
func (c *Connector) forget(e *entry) {
	at := keyOf(e.login.Device)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[at] == e {
		delete(c.entries, at)
	}
}

// handle is one login as the bridge has it: the entry's own, or one that has been
// taken over.
type handle struct {
	entry *entry
	turn  uint64
}

// device is h with what the connector behind can do.
func (h *handle) device() upstream.Device {
	if h.entry.storer != nil {
		return storing{h}
	}
	return h
}

// storing is a handle whose connector keeps messages.
type storing struct{ *handle }

// Store implements upstream.Storer.
func (s storing) Store(m *thing.Message, done func(error)) {
	if s.entry.turn.Load() != s.turn {
		done(upstream.ErrSuperseded)
		return
	}
	s.entry.storer.Store(m, done)
}

// Publish implements upstream.Device.
func (h *handle) Publish(m *thing.Message, done func(error)) {
	if h.entry.turn.Load() != h.turn {
		done(upstream.ErrSuperseded)
		return
	}
	h.entry.device.Publish(m, done)
}

// Logout implements upstream.Device.
func (h *handle) Logout(done func(error)) {
	e := h.entry
	waiting, mine := e.end(h.turn)
	if !mine {
		done(nil)
		return
	}
	e.c.forget(e)
	e.fail(waiting, thing.Offline, "the device went offline")
	e.device.Logout(done)
}

// Leave implements upstream.Leaver: the device may come back.
func (h *handle) Leave(done func(error)) {
	if h.entry.c.cfg.Hold == 0 {
		h.Logout(done)
		return
	}
	if !h.entry.leave(h.turn) {
		h.Logout(done)
		return
	}
	done(nil)
}
