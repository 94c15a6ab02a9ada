package mqtt

import (
	"context"
	"sync"
	"time"
)

// calls makes calls back, in order, on a goroutine of its own: logins, logouts,
// lost devices and commands.
type calls struct {
	room chan struct{} // holds a token for each command that waits

	mu    sync.Mutex // guards what follows; taken under a lane's
	list  []func()
	ended bool
	wake  chan struct{}
}

func (t *calls) add(call func()) {
	t.mu.Lock()
	t.list = append(t.list, call)
	t.mu.Unlock()
	t.signal()
}

func (t *calls) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// end has run make the calls that are left, and return.
func (t *calls) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.signal()
}

func (t *calls) run() {
	for range t.wake {
		for {
			t.mu.Lock()
			list, ended := t.list, t.ended
			t.list = nil
			t.mu.Unlock()
			if len(list) == 0 {
				if ended {
					return
				}
				break
			}
			for _, call := range list {
				call()
			}
		}
	}
}

// later has a call made. mu may be held.
func (ln *lane) later(call func()) { ln.c.calls.add(call) }

// pace logs devices in again no faster than loginRate.
type pace struct {
	mu   sync.Mutex // guards list; taken under a lane's
	list []*device
	wake chan struct{}
}

func (p *pace) add(d *device) {
	p.mu.Lock()
	p.list = append(p.list, d)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (c *Connector) runPace(ctx context.Context) {
	p := &c.pace
	for {
		p.mu.Lock()
		list := p.list
		p.list = nil
		p.mu.Unlock()
		for _, d := range list {
			if c.limiter.Wait(ctx) != nil {
				return
			}
			d.ln.turn(d)
		}
		if len(list) > 0 {
			continue
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
	}
}

// runClock ends what takes too long.
func (c *Connector) runClock(ctx context.Context) {
	every := min(100*time.Millisecond, c.cfg.RequestTimeout/4, c.cfg.HoldTimeout/4)
	ticker := time.NewTicker(max(every, time.Millisecond))
	defer ticker.Stop()
	var lanes []*lane
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-ticker.C:
			ms := t.UnixMilli()
			c.now.Store(ms)
			lanes = c.allLanes(lanes[:0])
			for _, ln := range lanes {
				ln.expire(ms)
			}
			clear(lanes)
		}
	}
}
