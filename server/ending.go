package server

import (
	"math"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/linkspan/linkspan/protocol"
)

// terminate ends the connection's protocol, and its socket as soon as may be.
func (c *conn) terminate(e *CloseError) {
	c.ended = true
	for c.timers != nil {
		c.timers.stop()
	}
	c.loop.watches.Remove(&c.timer)
	if c.pending != nil {
		c.loop.server.pending.Add(-int64(len(*c.pending)))
		c.drop()
	}
	add(&c.loop.counters[c.listener.index].closed[e.Cause], 1)
	c.logEnd(e)
	if c.stage != nil {
		c.stage.closed()
	}
	if c.handler != nil {
		c.call(func() { c.handler.Closed(e) })
	}
	if !c.gone {
		c.shut(e)
	}
}

// shut closes the socket: at once, or when the device has had time to read what
// it was sent. A socket that is closed with bytes unread resets the connection,
// which may overtake what was sent before.
func (c *conn) shut(e *CloseError) {
	linger := c.listener.limits.Linger.Milliseconds()
	if !e.Cause.orderly() || linger == 0 || !c.wrote {
		c.closeSocket()
		return
	}
	c.active = c.loop.ms + linger
	c.lingerOn()
}

// lingerOn goes on with closing a socket in order.
func (c *conn) lingerOn() {
	if c.loop.ms >= c.active {
		c.closeSocket()
		return
	}
	next := c.active
	switch {
	case c.socket.outbound() > 0:
		next = min(next, c.loop.ms+flushMillis)
	case !c.halfClosed:
		c.halfClosed = true
		if !c.socket.closeWrite() {
			c.closeSocket()
			return
		}
	}
	c.loop.watch(c, next)
}

// closeSocket closes the socket; socketClosed is called inside.
func (c *conn) closeSocket() {
	if !c.gone {
		c.socket.close()
	}
}

// onWatch looks at the time limits.
func (c *conn) onWatch() {
	if c.ended {
		c.lingerOn()
		return
	}
	c.checkTimes()
	c.settle()
}

// checkTimes ends a connection that is late, or sets the next look at it. The
// time of the last bytes moves without the timer being touched, so that a look
// may find nothing to do.
func (c *conn) checkTimes() {
	limits := &c.listener.limits
	next := int64(math.MaxInt64)
	late := func(limit time.Duration, from int64, cause Cause) bool {
		if limit == 0 {
			return false
		}
		at := from + limit.Milliseconds()
		if c.loop.ms >= at {
			c.end(because(cause, nil))
			return true
		}
		next = min(next, at)
		return false
	}
	awaited := c.awaitsLogin()
	if c.handler == nil && late(limits.Handshake, c.opened, CauseHandshake) ||
		awaited && c.count == 0 && late(limits.FirstMessage, c.opened, CauseFirstMessage) ||
		awaited && !c.online && late(limits.Login, c.offline, CauseLogin) ||
		late(limits.Idle, c.active, CauseIdle) {
		return
	}
	if next != math.MaxInt64 {
		c.loop.watch(c, next)
	}
}

// awaitsLogin says whether the limits for the first message and the login are meant
// for the connection: not once its protocol says that it needs neither.
func (c *conn) awaitsLogin() bool {
	h, ok := c.handler.(protocol.LoginAwaiter)
	return !ok || h.AwaitsLogin()
}

// logEnd logs the connection's end, once.
func (c *conn) logEnd(e *CloseError) {
	level := zapcore.InfoLevel
	if e.Cause.normal() {
		level = zapcore.DebugLevel
	}
	s := c.loop.server
	if !s.log.Core().Enabled(level) {
		return
	}
	dropped := uint64(0)
	if level > zapcore.DebugLevel {
		var ok bool
		if dropped, ok = s.endLog.allow(c.loop.now); !ok {
			return
		}
	}
	fields := make([]zap.Field, 0, 12)
	fields = append(fields,
		zap.String("listener", c.listener.Name),
		zap.String("protocol", c.listener.Protocol),
		zap.Stringer("remote", c.remote),
		zap.Stringer("cause", e.Cause),
		zap.NamedError("err", e.Err),
		zap.Uint64("bytes", c.bytes),
		zap.Uint32("count", c.count),
		zap.Duration("duration", time.Duration(c.loop.ms-c.opened)*time.Millisecond))
	if c.handler != nil {
		if on := c.handler.Session(); on != nil {
			fields = append(fields, zap.String("identity", on.Identity()), zap.Uint64("session", on.Epoch()))
		}
	}
	s.log.Log(level, "connection ended"+suppressed(dropped), fields...)
}
