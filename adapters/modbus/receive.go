package modbus

import "bytes"

// data handles what a line that works has sent.
func (l *line) data(in []byte) error {
	if l.wrap == nil {
		return l.take(in, nil)
	}
	if len(l.wrapped) > 0 {
		in = append(l.wrapped, in...)
	}
	s := borrow()
	defer s.giveBack()
	out, n, answer, signs := l.wrap.Unwrap(s.wire[:0], in)
	s.wire = out
	if len(answer) > 0 {
		_ = l.c.Send(answer) // a connection that is closing shows that by its end
	}
	l.counters.heartbeats.Add(uint64(signs)) //nolint:gosec // not negative
	tail := in[n:]
	l.wrapped = keep(l.wrapped, tail)
	return l.take(out, l.wrapped)
}

// keep is rest in memory of its own, or nil.
func keep(old, rest []byte) []byte {
	if len(rest) == 0 {
		return nil
	}
	return append(old[:0], rest...)
}

// take handles bytes of the line. tail is what may be the beginning of a wrapping
// behind them, or their end.
func (l *line) take(in, tail []byte) error {
	if len(l.rest) > 0 {
		in = append(l.rest, in...)
	}
	if l.push != nil {
		return l.pushed(in)
	}
	if l.x.active && len(tail) > 0 {
		whole := append(bytes.Clone(in), tail...)
		if r, err := l.x.expect.Match(whole); err == nil && r.Skipped+r.Size > len(in) {
			in = whole
			l.wrapped = keep(l.wrapped, tail[r.Skipped+r.Size-(len(whole)-len(tail)):])
			in = in[:r.Skipped+r.Size]
		}
	}
	rest, err := l.match(in)
	l.rest = keep(l.rest, rest)
	return err
}

// noise counts what is no answer, and says how many bytes are no heartbeat either.
func (l *line) noise(in []byte) (bytes int) {
	signs := uint64(0)
	for len(in) > 0 {
		n := l.sign(in)
		if n == 0 {
			bytes, n = bytes+1, 1
		} else {
			signs++
		}
		in = in[n:]
	}
	if signs > 0 {
		l.counters.heartbeats.Add(signs)
	}
	if bytes > 0 {
		l.counters.noise.Add(uint64(bytes))
	}
	return bytes
}

// sign is how long the heartbeat at the front of in is; 0 when there is none.
func (l *line) sign(in []byte) int {
	for _, beat := range l.heartbeats {
		if bytes.HasPrefix(in, beat) {
			return len(beat)
		}
	}
	if len(l.packet) > 0 && bytes.HasPrefix(in, l.packet) {
		return len(l.packet)
	}
	return 0
}

// stray counts what came while nothing was asked.
func (l *line) stray(in []byte) {
	n := l.noise(in)
	if n > 0 && l.owed && l.now < l.freeAt {
		l.counters.late.Add(uint64(n)) //nolint:gosec // positive
		l.owed = false
	}
}
