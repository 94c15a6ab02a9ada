package aliyun

import (
	"errors"
	"io"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/internal/quiet"
)

// maxShort is how many connections in a row the platform may end before they are reconnectMax
// old; after that it is no accident.
const maxShort = 3

// shorts are connections of a gateway that the platform ends soon after it has taken them,
// without a word, for MQTT 3.1.1 has none. So it does when somebody else connects with the same
// certificate, whom our next connection ends in turn.
type shorts struct {
	count int // in a row; run's goroutine only
	quiet quiet.Line
}

// lasted notes that a connection has ended, and how long it lasted.
func (g *gateway) lasted(up time.Duration, cause error, now time.Time) {
	switch s := &g.short; {
	case up > g.cfg.ReconnectMax:
		s.count = 0
	case hungUp(cause):
		if s.count++; s.count < maxShort {
			return
		}
		if count, due := s.quiet.Due(now); due {
			g.log.Warn("aliyun: the platform ends the connection soon after it was made, again and again: is the gateway's certificate in use elsewhere?",
				zap.String("remote", g.endpoint.Host), zap.Uint64("count", count))
		}
	}
}

// hungUp says whether the other side has ended a connection.
func hungUp(cause error) bool {
	return errors.Is(cause, io.EOF) || errors.Is(cause, io.ErrUnexpectedEOF) || errors.Is(cause, syscall.ECONNRESET) || errors.Is(cause, syscall.EPIPE)
}
