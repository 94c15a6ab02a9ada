package mqtt

import "github.com/linkspan/linkspan/upstream"

// end finishes all that is left when the lane has ended.
func (ln *lane) end() {
	ln.mu.Lock()
	ln.over = true
	for _, d := range ln.devices {
		if h := d.current; h != nil {
			d.current, h.err = nil, upstream.ErrClosed
			ln.loginDone(h, upstream.ErrClosed)
		}
		d.state = offline
		ln.fail(d, upstream.ErrClosed)
		ln.forget(d)
	}
	for ln.list.first != nil { // nothing but presence is left
		ln.finish(ln.list.first, upstream.ErrClosed)
	}
	for _, done := range ln.left {
		ln.later(func() { done(nil) })
	}
	ln.left = nil
	ln.settle()
	select {
	case <-ln.drained:
	default:
		close(ln.drained)
	}
}

// close begins the end: nothing more is taken, what was is sent.
func (ln *lane) close() {
	ln.mu.Lock()
	if !ln.closing {
		ln.closing = true
		for _, h := range ln.logins {
			if h.done != nil {
				ln.giveUp(h, upstream.ErrClosed)
			}
		}
		ln.logins = nil
	}
	ln.settle()
}

// checkDrained goes on with what waits for everything to be sent: Close, and the
// logout of a device with a connection of its own. mu is held.
func (ln *lane) checkDrained() {
	notices := ln.pending
	if ln.link == nil { // they are not waited for
		for m := ln.list.first; m != nil && notices > 0 && m.presence; m = m.behind {
			notices--
		}
	}
	if ln.link != nil && ln.pending > 0 || ln.link == nil && notices > 0 {
		return
	}
	switch {
	case ln.leaving && ln.link != nil:
		ln.link.Disconnect()
	case !ln.closing || ln.over:
	case !ln.farewell && ln.link != nil:
		ln.farewell = true
		for _, d := range ln.devices {
			if d.announced {
				ln.say(d, false, upstream.Ignore)
			}
		}
		ln.sayBridge(false)
		if ln.pending == 0 {
			ln.checkDrained()
		}
	default:
		ln.farewell = true
		if ln.link != nil {
			ln.link.Disconnect()
		}
		ln.wake()
		select {
		case <-ln.drained:
		default:
			close(ln.drained)
		}
	}
}
