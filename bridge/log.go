package bridge

import (
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// quietFor is how long a kind of line is kept out of the log after one.
const quietFor = 10 * time.Second

// sparse is one kind of line that devices can cause, logged now and then. It
// may be used from any goroutine.
type sparse struct {
	next   atomic.Int64  // since the bridge was made, for the wall clock may be set back; no line before
	silent atomic.Uint64 // lines kept out since the last one
}

// quiet is the kinds of line that are logged now and then.
type quiet struct{ logins, refusals, commands sparse }

// due says whether a line is to be logged now, and how many there were since
// the last one, itself among them.
func (s *sparse) due(elapsed time.Duration) (count uint64, ok bool) {
	now := int64(elapsed)
	next := s.next.Load()
	if now < next || !s.next.CompareAndSwap(next, now+int64(quietFor)) {
		s.silent.Add(1)
		return 0, false
	}
	return s.silent.Swap(0) + 1, true
}

// warn logs a line about the device, now and then.
func (b *Bridge) warn(kind *sparse, line, identity string, err error) {
	if count, ok := kind.due(time.Since(b.timers.began)); ok {
		fields := []zap.Field{zap.String("identity", identity), zap.NamedError("err", err), zap.Uint64("count", count)}
		if p := (*PanicError)(nil); errors.As(err, &p) {
			fields = append(fields, zap.ByteString("stack", p.Stack))
		}
		if count > 1 {
			line += ", and others that are not logged: count says how many since the last such line"
		}
		b.logger.Warn(line, fields...)
	}
}
