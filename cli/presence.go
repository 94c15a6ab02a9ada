package cli

import (
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/session"
)

// presenceLog logs devices going online and offline. It is called by the
// session manager's one goroutine, in order.
func presenceLog(log *zap.Logger) session.Listener {
	return session.ListenerFunc(func(e session.Event) {
		fields := []zap.Field{zap.String("identity", e.Session.Identity()), zap.Uint64("session", e.Epoch)}
		switch e.Kind {
		case session.WentOnline:
			log.Info("device online", fields...)
		case session.WentOffline:
			c := e.Session.Counters()
			log.Info("device offline", append(fields, zap.NamedError("cause", e.Cause),
				zap.Uint64("count", c.Messages), zap.Uint64("bytes", c.Bytes))...)
		case session.HeartbeatLost:
			log.Debug("heartbeat lost", append(fields, zap.Int("count", e.Lost))...)
		case session.TimedOut:
			log.Info("device timed out", append(fields, zap.Int("count", e.Lost))...)
		case session.Created, session.Discarded: // the bridge logs why a device did not go online
		}
	})
}
