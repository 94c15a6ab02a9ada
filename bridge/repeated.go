package bridge

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/linkspan/linkspan/thing"
)

// Platforms repeat themselves, also after a command has ended: a device may be as fast
// as the copy of a message of QoS 1. So a link knows the last commands that ended, for a
// while: not longer, for a platform that was started anew may count from 1 again, and whoever
// tries commands by hand may take the same id and words again.
const (
	maxConcluded = 16
	concludedFor = 10 * time.Second
)

// concluded is a command that has ended.
type concluded struct {
	sum uint64        // of its id and content
	at  time.Duration // on the bridge's timers
}

// sumOf is the same for commands that are the same but for their deadline.
func sumOf(cmd *thing.Command) uint64 {
	b := make([]byte, 0, 256)
	for _, part := range []string{cmd.ID, cmd.Name, cmd.Topic} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	b = append(b, byte(cmd.Kind))
	b = binary.AppendUvarint(b, uint64(len(cmd.Raw)))
	b = append(b, cmd.Raw...)
	b = thing.AppendFields(b, cmd.Fields)
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// conclude notes that cmd has ended. The caller holds mu.
func (l *link) conclude(cmd *thing.Command) {
	now := l.b.timers.Now()
	l.forgetConcluded(now)
	if len(l.concluded) == maxConcluded {
		l.dropConcluded(1)
	}
	l.concluded = append(l.concluded, concluded{sum: sumOf(cmd), at: now})
}

// hasConcluded says whether that command has ended a short while ago. The caller holds mu.
func (l *link) hasConcluded(cmd *thing.Command) bool {
	if l.forgetConcluded(l.b.timers.Now()); len(l.concluded) == 0 {
		return false
	}
	sum := sumOf(cmd)
	for _, c := range l.concluded {
		if c.sum == sum {
			return true
		}
	}
	return false
}

// forgetConcluded forgets those that ended too long ago. The caller holds mu.
func (l *link) forgetConcluded(now time.Duration) {
	n := 0
	for n < len(l.concluded) && now-l.concluded[n].at >= concludedFor {
		n++
	}
	l.dropConcluded(n)
}

// dropConcluded drops the oldest n. The caller holds mu.
func (l *link) dropConcluded(n int) {
	l.concluded = l.concluded[:copy(l.concluded, l.concluded[n:])]
	if len(l.concluded) == 0 {
		l.concluded = nil
	}
}
