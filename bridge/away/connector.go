package away

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/internal/alarmclock"
	"github.com/linkspan/linkspan/upstream"
)

// Connector is another connector whose devices may be away. Its methods may be
// called from any goroutine.
//
// Locks: a seat's may be held when the connector's, those of its overdue commands, its clock or its
// log are taken, never the other way round, and never two seats'. None is held while anything outside is
// called.
type Connector struct {
	cfg     Config
	next    upstream.Connector
	disk    *Disk // nil: commands are in memory alone
	logger  *zap.Logger
	log     atomic.Pointer[segment.Log] // nil without disk, and before Start
	counts  counts
	quiet   lines
	clock   *alarmclock.Clock[*seat]
	waiting atomic.Int64 // letters, of all devices
	bytes   atomic.Int64 // of these
	overdue overdue
	// remembers is for how long overdue commands are; constant.
	remembers time.Duration
	running   sync.WaitGroup
	done      chan struct{} // ends the clock

	mu     sync.Mutex
	seats  map[key]*seat // guarded by mu
	closed bool          // guarded by mu

	closing atomic.Bool // nobody goes away any more; set before those who are away are logged out
}

// key is who a device is at its platform.
type key struct{ product, device string }

func keyOf(id auth.Identity) key { return key{id.ProductKey, id.DeviceName} }

// Start implements upstream.Starter: it reads the commands that an earlier process has
// left.
func (c *Connector) Start(ctx context.Context, host upstream.Host) error {
	c.logger = host.Logger.Named("away")
	if err := c.open(); err != nil {
		return err
	}
	if s, ok := c.next.(upstream.Starter); ok {
		if err := s.Start(ctx, host); err != nil {
			return errors.Join(err, c.closeLog())
		}
	}
	c.running.Go(func() { c.clock.Run(c.done, (*seat).due) })
	return nil
}

// Close implements upstream.Closer: it logs out all who are away, and ends the
// connector behind. Commands on the disk wait for the next process.
func (c *Connector) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if !first {
		return nil
	}
	c.closing.Store(true)
	close(c.done)
	c.running.Wait()
	var out sync.WaitGroup
	for _, s := range c.all() {
		out.Add(1)
		if !s.release(func(error) { out.Done() }) {
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
			err = failed
		}
	}
	c.farewell()
	return errors.Join(err, c.closeLog())
}

// farewell says what becomes of the commands that still wait.
func (c *Connector) farewell() {
	var left, lost int64
	for _, s := range c.all() {
		s.mu.Lock()
		for _, l := range s.waiting {
			if l.disk != nowhere {
				left++
			} else {
				lost++
			}
		}
		s.mu.Unlock()
	}
	if left > 0 {
		c.logger.Info("commands wait for their devices on the disk, until the next start", zap.Int64("count", left))
	}
	if lost > 0 {
		c.counts.untold.Add(uint64(lost))
		c.logger.Warn("commands of devices that are logged out are lost: they waited in memory alone", zap.Int64("count", lost))
	}
}

// seat finds or makes the seat of a device, and locks it.
func (c *Connector) seat(at key) *seat {
	for {
		c.mu.Lock()
		s := c.seats[at]
		if s == nil {
			s = &seat{c: c, at: at}
			s.timer.Value = s
			c.seats[at] = s
		}
		c.mu.Unlock()
		s.mu.Lock()
		if !s.gone {
			return s
		}
		s.mu.Unlock()
	}
}

// all are the seats there are.
func (c *Connector) all() []*seat {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*seat, 0, len(c.seats))
	for _, s := range c.seats {
		list = append(list, s)
	}
	return list
}

// Login implements upstream.Connector. A device that is away, or online, as the
// same identity and through the same listener is logged in already. Commands that have
// waited are handed over once the login is done.
func (c *Connector) Login(l upstream.Login, done func(upstream.Device, error)) {
	s := c.seat(keyOf(l.Device))
	s.name = l.Name
	prior := s.entry
	if prior != nil && prior.fits(&l) {
		h, hands := prior.takeOver(l)
		s.leave()
		done(h.device(), nil)
		if hands {
			s.handOver()
		}
		return
	}
	e := &entry{s: s, login: l}
	s.entry = e
	s.leave()
	forwarded := l
	forwarded.Command, forwarded.Lost = e.command, e.lost
	h := &handle{entry: e}
	c.next.Login(forwarded, func(d upstream.Device, err error) {
		e.loggedIn(h, d, err, done)
		if prior != nil { // it was away, as another identity or elsewhere; the platform has only one of the two now
			prior.release(upstream.Ignore)
		}
		if err != nil {
			s.vacate()
		}
	})
}

// Revoke logs out those of the devices of these names that are away: they were removed,
// or are someone else now; and it drops the commands that wait for them. It says how many
// were logged out. Devices that are there are their session's business.
func (c *Connector) Revoke(names iter.Seq[string]) (count int) {
	revoked := slices.Collect(names)
	if len(revoked) == 0 {
		return 0
	}
	is := make(map[string]bool, len(revoked))
	for _, name := range revoked {
		is[name] = true
	}
	for _, s := range c.all() {
		if s.revoke(is) {
			count++
		}
	}
	return count
}
