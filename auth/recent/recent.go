// Package recent remembers for a short time which credentials were right, so
// that devices that come back all at once do not cost a slow check each.
//
// It holds neither credentials nor identities: only keyed hashes of them, whose
// key is made at random for each [Successes] and never leaves it.
package recent

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
	"time"
)

// Config says how much is remembered, and for how long.
type Config struct {
	Entries  int           `conf:"entries" doc:"successes that are remembered at most, of 60 to 100 bytes each; the oldest are forgotten first; 0: none"`
	Lifetime time.Duration `conf:"lifetime" doc:"how long a success is remembered, counted from the check itself; 0: not at all"`
}

// Limits of [Config].
const (
	maxEntries  = 1 << 24
	maxLifetime = 24 * time.Hour
)

// Validate reports all that makes no sense in c.
func (c Config) Validate() error {
	var errs []error
	if c.Entries < 0 || c.Entries > maxEntries {
		errs = append(errs, fmt.Errorf("entries is %d, want 0 to %d", c.Entries, maxEntries))
	}
	if c.Lifetime < 0 || c.Lifetime > maxLifetime {
		errs = append(errs, fmt.Errorf("lifetime is %s, want 0 to %s", c.Lifetime, maxLifetime))
	}
	return errors.Join(errs...)
}

// Key stands for what was checked.
type Key [sha256.Size]byte

// Successes is the memory. Its methods may be called from any goroutine.
type Successes struct {
	cfg    Config
	now    func() time.Time
	began  time.Time
	hashes sync.Pool // of keyed hashes

	mu    sync.Mutex
	young map[Key]time.Duration // guarded by mu; when they were checked, since began
	old   map[Key]time.Duration // guarded by mu; likewise, filled before young was
}

// New returns an empty memory, or nil when cfg wants none: a nil *Successes
// remembers nothing. now is the time; nil is time.Now.
func New(cfg Config, now func() time.Time) *Successes {
	if cfg.Entries <= 0 || cfg.Lifetime <= 0 {
		return nil
	}
	if now == nil {
		now = time.Now
	}
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	s := &Successes{cfg: cfg, now: now, began: now(), young: map[Key]time.Duration{}}
	s.hashes.New = func() any { return hmac.New(sha256.New, secret) }
	return s
}

// Key is the key of a check. Parts are told apart: "ab", "c" is not "a", "bc".
func (s *Successes) Key(identity string, parts ...string) (k Key) {
	if s == nil {
		return k
	}
	h := s.hashes.Get().(hash.Hash) // New makes nothing else
	defer s.hashes.Put(h)
	h.Reset()
	var size [8]byte
	write := func(part string) {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	write(identity)
	for _, p := range parts {
		write(p)
	}
	h.Sum(k[:0])
	return k
}

// Has says whether the check of k succeeded not longer ago than the lifetime.
func (s *Successes) Has(k Key) bool {
	if s == nil {
		return false
	}
	now := s.now().Sub(s.began)
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.young[k]
	if !ok {
		at, ok = s.old[k]
	}
	return ok && now-at < s.cfg.Lifetime
}

// Add notes that the check of k has succeeded.
func (s *Successes) Add(k Key) {
	if s == nil {
		return
	}
	now := s.now().Sub(s.began)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= max(1, s.cfg.Entries/2) {
		s.old, s.young = s.young, make(map[Key]time.Duration)
	}
	delete(s.old, k)
	s.young[k] = now
}

// Len is the number of successes that are held, expired ones among them.
func (s *Successes) Len() int {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.young) + len(s.old)
}
