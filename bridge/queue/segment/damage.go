package segment

import (
	"fmt"

	"go.uber.org/zap"
)

// lose finishes the indexes that are missing in a file. If they were not taken out on
// purpose they are counted as damaged. State is held.
func (l *Log) lose(s *segment, from, to uint32, damaged bool) {
	if s.removed { // with all that was in it
		return
	}
	var lost int64
	for i := from; i < to; i++ {
		if s.done.set(i) {
			lost++
		}
	}
	l.counts.waiting.Add(-lost)
	if damaged {
		l.counts.damaged.Add(uint64(lost)) //nolint:gosec // not negative
	}
}

// skipped counts and logs bytes that are no record, once, however often they
// are met.
func (l *Log) skipped(s *segment, g gap) {
	l.state.Lock()
	g.from = max(g.from, s.reported)
	known := g.to <= g.from
	if !known {
		s.reported = g.to
		s.gaps++
	}
	n := s.gaps
	if g.err != nil {
		s.unreadable = true
	}
	l.state.Unlock()
	if known {
		return
	}
	if g.err != nil {
		l.counts.failures.Add(1)
	}
	l.counts.damagedBytes.Add(uint64(g.size())) //nolint:gosec // positive
	l.logGap(s, g, n)
}

// gapsLogged is how many gaps of a file are logged one by one; of those behind,
// the 16th, the 32nd and so on.
const gapsLogged = 8

func (l *Log) logGap(s *segment, g gap, n int) {
	if n > gapsLogged && n&(n-1) != 0 {
		return
	}
	cause := "the content is damaged"
	if g.err != nil {
		cause = "the disk does not read it; the file is kept"
	}
	l.logger.Error(fmt.Sprintf("queue: bytes %d to %d of a file were skipped", g.from, g.to-1),
		zap.String("path", s.path), zap.String("cause", cause), zap.Int64("bytes", g.size()), zap.Int("count", n), zap.NamedError("err", g.err))
}
