package queue

import (
	"errors"
	"sync"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
)

const (
	// refusedFor is how long a device that the platform has refused for good is not admitted
	// without its consent.
	refusedFor = 5 * time.Minute
	// maxRefusals is how many such devices are remembered. Those that were refused first are
	// forgotten first.
	maxRefusals = 1 << 14
)

// refusals are the devices that the platform has lately refused for good, under the keys of
// their lanes. They may be used from any goroutine.
type refusals struct {
	mu         sync.Mutex
	young, old map[string]refusal // guarded by mu; each has half of them at most
	turned     time.Time          // when old was young; guarded by mu
}

// refusal is the platform's word about a device as one identity: with another secret it may
// well be let in.
type refusal struct {
	identity auth.Identity
	no       *upstream.RefusedError
	at       time.Time
}

// note notes how a login has ended, if that says something about the next one: it succeeded, or
// was refused for good.
func (r *refusals) note(key string, id auth.Identity, err error, now time.Time) {
	var no *upstream.RefusedError
	if err != nil && (!errors.As(err, &no) || no.Temporary || no.Repeated) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.young, key)
	delete(r.old, key)
	if no == nil {
		return
	}
	if len(r.young) >= maxRefusals/2 || now.Sub(r.turned) >= refusedFor {
		r.old, r.young, r.turned = r.young, nil, now
	}
	if r.young == nil {
		r.young = map[string]refusal{}
	}
	r.young[key] = refusal{id, no, now}
}

// of is why the platform has refused the device, nil if it has not lately, or not as that
// identity.
func (r *refusals) of(key string, id auth.Identity, now time.Time) *upstream.RefusedError {
	r.mu.Lock()
	defer r.mu.Unlock()
	said, known := r.young[key]
	if !known {
		said, known = r.old[key]
	}
	if !known || said.identity != id || now.Sub(said.at) >= refusedFor {
		return nil
	}
	return said.no.Repeat()
}
