package server

// advance goes on to the connection's next stage: the header of the PROXY
// protocol where one may come, then TLS where the listener has it, which begins the
// protocol itself and stays, then the protocol. rest has arrived and is the next
// stage's; it is not kept.
func (c *conn) advance(rest []byte) {
	switch c.stage.(type) {
	case nil:
		if c.listener.proxy.trusts(c.remote.Addr()) {
			c.stage = proxyStage{c}
			return
		}
	case proxyStage:
		c.stage = nil
	}
	if c.listener.TLS != nil {
		t := newTLSStage(c)
		c.stage, c.socket = t, t
		if len(rest) > 0 && c.request.Load() == nil {
			t.received(rest)
		}
		return
	}
	c.begin()
	if len(rest) > 0 && c.request.Load() == nil {
		c.receive(rest)
	}
}
