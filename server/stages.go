package server

// advance goes on to the connection's next stage: the header of the PROXY
// protocol where one may come, then TLS where the listener has it, which begins the
// protocol itself and stays, then the protocol. rest has arrived and is the next
// stage's; it is not kept.
func (c *conn) advance(rest []byte) {
	if c.stage == nil && c.listener.proxy.trusts(c.remote.Addr()) {
		c.stage = proxyStage{c}
		return
	}
	switch {
	case c.listener.TLS == nil:
		c.advancePlain(rest)
	case c.listener.PlainToo:
		c.stage = sniffStage{c}
		if len(rest) > 0 {
			c.stage.received(rest)
		}
	default:
		c.advanceTLS(rest)
	}
}

// advancePlain goes on to the protocol.
func (c *conn) advancePlain(rest []byte) {
	c.stage = nil
	c.begin()
	if len(rest) > 0 && c.request.Load() == nil {
		c.receive(rest)
	}
}

// advanceTLS goes on to TLS.
func (c *conn) advanceTLS(rest []byte) {
	t := newTLSStage(c)
	c.stage, c.socket = t, t
	if len(rest) > 0 && c.request.Load() == nil {
		t.received(rest)
	}
}

// A stage that needs more than it has been given lets its connection hold that,
// like bytes of the protocol that are not decoded yet.

// gather is what the stage has been given, with in at its end.
func (c *conn) gather(in []byte) []byte {
	if c.pending == nil {
		return in
	}
	c.pending = appendBuffer(c.pending, in)
	c.loop.server.pending.Add(int64(len(in)))
	return *c.pending
}

// keep holds what gather gave until more comes.
func (c *conn) keep(all []byte) {
	if c.pending == nil {
		c.hold(all)
		c.loop.server.pending.Add(int64(len(all)))
	}
}

// handOn ends the stage: the rest of what gather gave is the next stage's.
func (c *conn) handOn(rest []byte, next func(rest []byte)) {
	held := c.pending
	if held != nil {
		c.pending = nil
		c.loop.server.pending.Add(-int64(len(*held)))
	}
	if c.request.Load() == nil {
		next(rest)
	}
	if held != nil {
		freeBuffer(held)
	}
}
