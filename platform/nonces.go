package platform

import (
	"sync"
	"time"
)

// nonces remembers which were used, for a while and not too many. Its method may
// be called from any goroutine.
type nonces struct {
	mu   sync.Mutex
	seen map[string]time.Time // guarded by mu
	ring []string             // guarded by mu: in order
}

// first says whether nonce is new, and remembers it.
func (n *nonces) first(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil {
		n.seen = map[string]time.Time{}
	}
	for len(n.ring) > 0 && (len(n.ring) >= maxNonces || now.Sub(n.seen[n.ring[0]]) > popWindow) {
		delete(n.seen, n.ring[0])
		n.ring = n.ring[1:]
	}
	if _, used := n.seen[nonce]; used {
		return false
	}
	n.seen[nonce] = now
	n.ring = append(n.ring, nonce)
	return true
}
