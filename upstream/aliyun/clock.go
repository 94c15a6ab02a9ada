package aliyun

import (
	"context"
	"time"

	"github.com/linkspan/linkspan/upstream"
)

// clock ends what takes too long.
func (g *gateway) clock(ctx context.Context) {
	defer g.connector.ended.Done()
	every := min(100*time.Millisecond, g.cfg.RequestTimeout/4, g.cfg.HoldTimeout/4)
	ticker := time.NewTicker(max(every, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-ticker.C:
			now := t.UnixMilli()
			g.now.Store(now)
			g.expire(now)
		}
	}
}

// expire ends requests, messages and waiting logins whose time is over.
func (g *gateway) expire(now int64) {
	g.mu.Lock()
	for id, r := range g.requests {
		if now > r.deadline {
			g.requestTimedOut(g.answer(id))
		}
	}
	for _, d := range g.devices {
		g.expireMessages(d, now)
		switch {
		case d.state == pausing && now > d.retryAt:
			g.wantLogin(d)
		case g.link == nil && d.current != nil && d.current.done != nil && now > d.retryAt:
			h := d.current
			d.current, h.err = nil, upstream.ErrNotConnected
			g.loginDone(h, nil, upstream.ErrNotConnected)
			g.drop(d, upstream.ErrNotConnected)
		}
	}
	if len(g.throttled) > 0 {
		g.unthrottle()
	}
	g.settle()
}

// expireMessages fails the messages of a device whose time is over. mu is held.
func (g *gateway) expireMessages(d *device, now int64) {
	for m := d.head; m != nil; m = m.next {
		switch {
		case m.state == finished || now <= m.deadline:
		case m.sent:
			g.finish(m, upstream.ErrTimeout)
		case g.link != nil && d.state == online:
			g.finish(m, upstream.ErrOverloaded)
		default:
			g.finish(m, upstream.ErrNotConnected)
		}
	}
}
