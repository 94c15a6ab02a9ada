package server

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/linkspan/linkspan/protocol"
)

const (
	maxPanics     = 16  // of one connection, when MaxFaults allows more
	maxHex        = 128 // bytes of a damaged frame in the log
	maxPanicTexts = 256 // distinct stacks that are logged whole
)

// Fault implements protocol.Transport.
func (c *conn) Fault(err error, frame []byte) error {
	counters := &c.loop.counters[c.listener.index]
	var panicked *protocol.PanicError
	isPanic := errors.As(err, &panicked)
	switch {
	case isPanic:
		add(&counters.panics, 1)
		c.loop.server.logPanic(c, panicked, frame)
	case errors.Is(err, protocol.ErrUnsupported):
		add(&counters.unsupported, 1)
		c.loop.server.logFault(c, "frame that nobody can read", err, frame)
	default:
		add(&counters.damaged, 1)
		c.loop.server.logFault(c, "damaged frame", err, frame)
	}
	if c.ended {
		return nil
	}
	limits := &c.listener.limits
	if isPanic {
		if c.panics++; c.panics >= maxPanics {
			return because(CausePanic, err)
		}
	}
	if limits.MaxFaults == 0 {
		return nil
	}
	c.forgive(limits.FaultDecay.Milliseconds())
	if c.faults++; int(c.faults) < limits.MaxFaults {
		return nil
	}
	if isPanic {
		return because(CausePanic, err)
	}
	return because(CauseFaults, err)
}

// forgive takes back one fault for each decay that has passed since the first.
func (c *conn) forgive(decay int64) {
	now := c.loop.ms
	if c.faults == 0 || decay == 0 {
		c.forgave = now
		return
	}
	times := (now - c.forgave) / decay
	c.forgave += times * decay
	c.faults -= uint16(min(times, int64(c.faults))) //nolint:gosec // at most faults
}

func (s *Server) logFault(c *conn, line string, err error, frame []byte) {
	if !s.log.Core().Enabled(zap.DebugLevel) {
		return
	}
	dropped, ok := s.faultLog.allow(c.loop.now)
	if !ok {
		return
	}
	s.log.Debug(line+suppressed(dropped), append(c.fields(frame), zap.NamedError("err", err))...)
}

// Refused implements protocol.Refuser. Refused devices have a rate of their own, so that
// each of a handful is named, also while connections are refused.
func (c *conn) Refused(identity string, err error) {
	s := c.loop.server
	c.tell(s.loginLog, s.log.Warn, "login refused", identity, err)
}

// Failed implements protocol.Teller.
func (c *conn) Failed(identity string, err error) {
	s := c.loop.server
	c.tell(s.failLog, s.log.Error, "not done for a device", identity, err)
}

// tell writes a line about a device into the log, at the rate of limit.
func (c *conn) tell(limit *limitedLog, write func(string, ...zap.Field), line, identity string, err error) {
	if dropped, ok := limit.allow(c.loop.now); ok {
		write(line+suppressed(dropped), zap.String("listener", c.listener.Name), zap.String("protocol", c.listener.Protocol),
			zap.Stringer("remote", c.remote), zap.String("identity", identity), zap.NamedError("err", err))
	}
}

// logPanic logs each distinct stack once, and the others at a limited rate.
func (s *Server) logPanic(c *conn, p *protocol.PanicError, frame []byte) {
	dropped, allowed := s.faultLog.allow(c.loop.now)
	fields := append(c.fields(frame), zap.NamedError("err", p))
	switch {
	case s.stacks.first(p.Stack):
		s.log.Error("panic in a codec or an adapter", append(fields, zap.ByteString("stack", p.Stack))...)
	case allowed:
		s.log.Error("panic again in a codec or an adapter"+suppressed(dropped), fields...)
	}
}

// fields describes the connection and the frame that a fault is about.
func (c *conn) fields(frame []byte) []zap.Field {
	shown := frame
	if len(shown) > maxHex {
		shown = shown[:maxHex]
	}
	return []zap.Field{
		zap.String("listener", c.listener.Name),
		zap.String("protocol", c.listener.Protocol),
		zap.Stringer("remote", c.remote),
		zap.Int("bytes", len(frame)),
		zap.String("message", hex.EncodeToString(shown)),
	}
}

// stacks remembers which panics were seen. It may be used from any goroutine.
type stacks struct {
	mu   sync.Mutex
	seed maphash.Seed
	seen map[uint64]bool // guarded by mu
}

func newStacks() *stacks {
	return &stacks{seed: maphash.MakeSeed(), seen: map[uint64]bool{}}
}

// first says whether that stack is new. Arguments and addresses in it differ
// from call to call: only the names of functions and files count.
func (s *stacks) first(stack []byte) bool {
	sum := maphash.Hash{}
	sum.SetSeed(s.seed)
	for i, depth := 0, 0; i < len(stack); i++ {
		switch b := stack[i]; b {
		case '(':
			depth++
		case ')':
			depth--
		case '\n':
			depth = 0
		default:
			if depth == 0 && (b < '0' || b > '9') {
				_ = sum.WriteByte(b) // never fails
			}
		}
	}
	key := sum.Sum64()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[key] || len(s.seen) >= maxPanicTexts {
		return false
	}
	s.seen[key] = true
	return true
}

// limitedLog lets few lines a second pass and counts the others. It may be used
// from any goroutine.
type limitedLog struct {
	rate    *rate.Limiter
	dropped atomic.Uint64
}

func newLimitedLog(perSecond float64, burst int) *limitedLog {
	return &limitedLog{rate: rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// allow says whether a line may pass, and how many did not since the last.
func (l *limitedLog) allow(now time.Time) (dropped uint64, ok bool) {
	if !l.rate.AllowN(now, 1) {
		l.dropped.Add(1)
		return 0, false
	}
	return l.dropped.Swap(0), true
}

func suppressed(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more that were not logged)", n)
}
