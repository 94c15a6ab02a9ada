package queue

// resumes says whether the device, to which something is about to be sent, is to be told
// that this is in order again, by upstream.Resume and without a lock. All that failed is known then, for whatever sends
// waits for that. What other goroutines say meanwhile waits, for it could be there before.
func (l *lane) resumes() bool {
	was := l.broken
	l.broken = false
	if was {
		l.detain()
	}
	return was
}

// detain has what comes wait while messages are on their way straight to the platform,
// which it could overtake: they are another login's, or another goroutine's.
func (l *lane) detain() { l.spilling = l.spilling || l.directs > 0 }
