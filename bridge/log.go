package bridge

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/internal/quiet"
)

// lines is the kinds of line that devices can cause, logged now and then.
type lines struct{ logins, refusals, commands quiet.Line }

// atOnce is how many refused logins are logged before they are thinned out: each device of
// a handful is named.
const atOnce = 10

// warn logs a line about the device, now and then.
func (b *Bridge) warn(kind *quiet.Line, line, identity string, err error) {
	if count, ok := kind.Due(time.Now()); ok {
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
