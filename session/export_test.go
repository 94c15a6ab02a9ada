package session

import "time"

// Rounds is a sweep by hand, at any time.
func (m *Memory) Rounds() func(at time.Time) {
	w := &sweep{m: m}
	check := w.check
	return func(at time.Time) {
		m.clock = func() time.Time { return at }
		w.round(check)
	}
}
