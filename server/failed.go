package server

import "go.uber.org/zap"

// Failed implements protocol.Teller.
func (c *conn) Failed(identity string, err error) {
	s := c.loop.server
	if dropped, ok := s.failLog.allow(c.loop.now); ok {
		s.log.Error("not done for a device"+suppressed(dropped), zap.String("listener", c.listener.Name), zap.String("protocol", c.listener.Protocol),
			zap.Stringer("remote", c.remote), zap.String("identity", identity), zap.NamedError("err", err))
	}
}
