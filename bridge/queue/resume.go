package queue

import "github.com/linkspan/linkspan/upstream"

// resumes says whether the device, to which something is about to be sent, is to be told
// that this is so again: see resume. All that failed is known then, for whatever sends
// waits for that. What other goroutines say meanwhile waits, for it could be there before.
func (l *lane) resumes() bool {
	was := l.broken
	l.broken = false
	if was {
		l.detain()
	}
	return was
}

// resume tells a device that what it is sent now is in order again. No lock is held.
func resume(d upstream.Device) {
	if r, ok := d.(upstream.Resumer); ok {
		r.Resume()
	}
}

// detain has what comes wait while messages are on their way straight to the platform,
// which it could overtake: they are another login's, or another goroutine's.
func (l *lane) detain() { l.spilling = l.spilling || l.directs > 0 }
