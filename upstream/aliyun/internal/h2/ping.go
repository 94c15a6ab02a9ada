package h2

import (
	"time"

	"golang.org/x/net/http2"
)

// heartbeat is what pingLoop knows of the PINGs on their way.
type heartbeat struct {
	count uint64
	asked time.Duration // when the oldest question that counts was asked; below 0: none is open
}

// pingLoop keeps the connection alive, ends it when the server is silent, and
// gives up requests that are not answered.
func (c *Conn) pingLoop() {
	ticker := time.NewTicker(c.cfg.PingInterval)
	defer ticker.Stop()
	sweep := time.NewTicker(min(max(c.cfg.RequestTimeout/4, time.Millisecond), time.Second))
	defer sweep.Stop()
	late := time.NewTimer(c.cfg.PingTimeout)
	late.Stop()
	defer late.Stop()
	h := heartbeat{asked: -1}
	leaving := c.leaving
	for {
		select {
		case <-ticker.C:
			if h.asked >= 0 && c.lastRead() > h.asked {
				h.asked = -1 // something came since: the older question is answered
			}
			if h.asked < 0 {
				h.asked = time.Since(c.start)
				late.Reset(c.cfg.PingTimeout)
			}
			h.count++
			c.ping(h.count)
		case <-sweep.C:
			c.overdue()
		case <-leaving: // what is open has some time to end
			leaving = nil
			ticker.Stop()
			late.Reset(min(c.cfg.PingTimeout, maxLeaving))
			c.overdue() // nothing may be open
		case <-late.C:
			switch {
			case leaving == nil:
				c.fail(c.gone())
			case c.lastRead() <= h.asked:
				c.fail(ErrSilent)
			default:
				h.asked = -1
			}
		case <-c.down:
			return
		}
	}
}

// overdue gives up the requests that the server takes too long to answer.
func (c *Conn) overdue() {
	c.mu.Lock()
	now := time.Since(c.start)
	var late []*Request
	for _, s := range c.streams {
		if r := s.request; r != nil && now-s.begun > c.cfg.RequestTimeout {
			late = append(late, r)
			c.drop(s, http2.ErrCodeCancel)
		}
	}
	c.written.Signal()
	end := c.drained()
	c.mu.Unlock()
	for _, r := range late {
		r.Done(Message{}, ErrUnanswered)
	}
	if end != nil {
		c.fail(end)
	}
}

// leave takes no more requests. mu is held.
func (c *Conn) leave(cause error) {
	if c.goAway == nil {
		close(c.leaving)
	}
	c.goAway = cause
}

// gone is why no more requests are taken.
func (c *Conn) gone() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goAway
}

// drained is the end of a connection that takes no more requests once nothing of
// it is open; nil: it goes on. mu is held.
func (c *Conn) drained() error {
	if c.goAway == nil || c.pending.n > 0 || c.over() {
		return nil
	}
	for _, s := range c.streams {
		if s.pushed || s.request != nil {
			return nil
		}
	}
	return c.goAway
}

func (c *Conn) lastRead() time.Duration { return time.Duration(c.read.Load()) }

func (c *Conn) ping(count uint64) {
	var data [8]byte
	for i := range data {
		data[i] = byte(count >> (8 * i))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		_ = c.framer.WritePing(false, data)
		c.written.Signal()
	}
}
