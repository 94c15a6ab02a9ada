package server

import (
	"github.com/panjf2000/gnet/v2"
	"go.uber.org/zap"
)

// events is a server as gnet sees it. Its methods are called on the loops.
type events struct {
	gnet.BuiltinEventEngine
	*Server
}

// OnOpen begins a connection that admit has made.
func (e *events) OnOpen(raw gnet.Conn) (out []byte, action gnet.Action) {
	c, ok := raw.Context().(*conn)
	if !ok {
		return nil, gnet.Close
	}
	l := e.loopOf(raw.EventLoop())
	l.enter()
	c.tcp.Conn = raw
	c.open(l, &c.tcp)
	return nil, gnet.None
}

// open begins a connection whose socket is open.
func (c *conn) open(l *loop, s socket) {
	c.socket, c.loop = s, l
	c.opened, c.offline, c.active, c.forgave = l.ms, l.ms, l.ms, l.ms
	l.add(c)
	c.listener.accepted.Add(1)
	if l.server.isClosing() {
		c.end(because(CauseShutdown, nil))
	} else {
		c.advance(nil)
	}
	c.settle()
	if !c.ended {
		c.checkTimes()
	}
}

// begin makes the connection's handler, which what arrives from now on is for.
func (c *conn) begin() {
	c.call(func() {
		c.handler = c.listener.Open(c, c.listener.Host)
		if err := c.handler.Opened(); err != nil {
			c.end(classify(err))
		}
	})
	if c.handler == nil { // the protocol panicked
		c.end(because(CausePanic, nil))
	}
}

// OnTraffic takes what has arrived off gnet's hands.
func (e *events) OnTraffic(raw gnet.Conn) gnet.Action {
	c, ok := raw.Context().(*conn)
	if !ok {
		return gnet.Close
	}
	in, _ := raw.Next(-1) // nothing is ever left with gnet: this is the loop's read buffer, not copied
	if c.ended || len(in) == 0 {
		return gnet.None // the socket is about to be closed
	}
	c.loop.enter()
	c.arrived(in)
	return gnet.None
}

// arrived takes bytes off the socket, which it does not keep.
func (c *conn) arrived(in []byte) {
	l := c.loop
	c.active = l.ms
	c.bytes += uint64(len(in))
	n := &l.counters[c.listener.index]
	add(&n.reads, 1)
	add(&n.bytesIn, uint64(len(in)))
	if c.request.Load() == nil && !l.draining {
		if c.stage != nil {
			c.stage.received(in)
		} else {
			c.receive(in)
		}
	}
	c.settle()
}

// OnClose notes that a socket is closed. It may be called inside a callback of
// the handler, when a write fails.
func (e *events) OnClose(raw gnet.Conn, err error) gnet.Action {
	c, ok := raw.Context().(*conn)
	if !ok || c.loop == nil {
		return gnet.None
	}
	c.loop.enter()
	if err == nil && e.isClosing() {
		c.socketClosed(because(CauseShutdown, nil))
	} else {
		c.socketClosed(broken(err))
	}
	return gnet.None
}

// socketClosed notes that the socket has closed, and ends the connection with
// that cause unless it has one.
func (c *conn) socketClosed(cause *CloseError) {
	c.gone = true
	c.loop.remove(c)
	c.loop.watches.Remove(&c.timer)
	if t, ok := c.stage.(*tlsStage); ok && t.unheard(cause) {
		return // until it was heard
	}
	c.left(cause)
}

// left ends a connection whose socket has closed.
func (c *conn) left(cause *CloseError) {
	c.end(cause)
	c.settle()
	c.loop.watches.Remove(&c.timer)
	if c.stage != nil {
		c.stage.closed()
	}
	c.loop.server.free(c)
}

var _ gnet.Runnable = (*loop)(nil)

// gnetLogger takes gnet's messages. It never ends the process.
type gnetLogger struct{ log *zap.SugaredLogger }

func (g gnetLogger) Debugf(format string, args ...any) { g.log.Debugf("gnet: "+format, args...) }

// Infof is for what nobody needs to know: that gnet starts.
func (g gnetLogger) Infof(format string, args ...any)  { g.log.Debugf("gnet: "+format, args...) }
func (g gnetLogger) Warnf(format string, args ...any)  { g.log.Warnf("gnet: "+format, args...) }
func (g gnetLogger) Errorf(format string, args ...any) { g.log.Errorf("gnet: "+format, args...) }
func (g gnetLogger) Fatalf(format string, args ...any) { g.log.Errorf("gnet: "+format, args...) }
