package devices

import (
	"container/list"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// pause is how long nobody is asked after the server could not be reached, so
// that devices whose answers are remembered do not wait behind those that are
// not.
const pause = time.Second

// cache remembers answers. It may be used from any goroutine.
type cache struct {
	max int

	mu    sync.Mutex
	names map[string]*list.Element    // guarded by mu; of *remembrance
	ids   map[[2]string]*list.Element // guarded by mu; those that are known, by product key and device name
	found *list.List                  // guarded by mu; those that are known, most recently needed first
	other *list.List                  // guarded by mu; the other ones, likewise
	asked map[string]*call            // guarded by mu; under way
	quiet time.Time                   // guarded by mu; nobody is asked before

	hits, finds, unknown, failed, stale, paused atomic.Uint64
}

// remembrance is one answer. It is not changed once it is in the cache.
type remembrance struct {
	name    string
	id      auth.Identity
	err     error // ErrUnknown, wrapped; nil: known
	expires time.Time
	gone    time.Time // when it does not even count while the server cannot be asked
}

// call is a question under way.
type call struct {
	done chan struct{} // closed when id and err are there
	id   auth.Identity
	err  error
}

func (c *cache) init(limit int) {
	c.max = limit
	c.names, c.ids, c.asked = map[string]*list.Element{}, map[[2]string]*list.Element{}, map[string]*call{}
	c.found, c.other = list.New(), list.New()
}

// Identity implements [Source]. Several calls for one name at the same time ask
// once. While the server cannot be asked, answers count for HTTPConfig.Stale
// longer; without one the error is [ErrUnavailable].
func (h *HTTP) Identity(name string) (auth.Identity, error) {
	if problem := checkOwnName(name); problem != "" { // nor is it remembered
		return auth.Identity{}, fmt.Errorf("devices: %.64q: %s: %w", name, problem, ErrUnknown)
	}
	c := &h.cache
	now := h.now()
	c.mu.Lock()
	old := c.get(name)
	if old != nil && now.Before(old.expires) {
		c.mu.Unlock()
		c.hits.Add(1)
		return old.id, old.err
	}
	if now.Before(c.quiet) {
		c.mu.Unlock()
		c.paused.Add(1)
		return c.fallBack(old, now, fmt.Errorf("%w: it failed a moment ago", ErrUnavailable))
	}
	if under := c.asked[name]; under != nil {
		c.mu.Unlock()
		<-under.done
		return under.id, under.err
	}
	under := &call{done: make(chan struct{})}
	c.asked[name] = under
	c.mu.Unlock()
	defer func() { // also when asking panics
		c.mu.Lock()
		delete(c.asked, name)
		c.mu.Unlock()
		close(under.done)
	}()
	under.err = ErrUnavailable
	id, err := h.ask(name)
	under.id, under.err = h.learn(name, old, id, err)
	return under.id, under.err
}

// learn takes an answer in.
func (h *HTTP) learn(name string, old *remembrance, id auth.Identity, err error) (auth.Identity, error) {
	c := &h.cache
	now := h.now()
	if err != nil && !errors.Is(err, ErrUnknown) {
		c.failed.Add(1)
		if errors.As(err, new(outage)) {
			c.mu.Lock()
			c.quiet = now.Add(pause)
			c.mu.Unlock()
		}
		return c.fallBack(old, now, err)
	}
	ttl := h.cfg.TTL
	if err != nil {
		ttl = h.cfg.UnknownTTL
		c.unknown.Add(1)
	} else {
		c.finds.Add(1)
	}
	c.put(&remembrance{name: name, id: id, err: err, expires: now.Add(ttl), gone: now.Add(ttl + h.cfg.Stale)})
	return id, err
}

// fallBack is an old answer, if it may still count, else err.
func (c *cache) fallBack(old *remembrance, now time.Time, err error) (auth.Identity, error) {
	if old == nil || !now.Before(old.gone) {
		return auth.Identity{}, err
	}
	c.stale.Add(1)
	return old.id, old.err
}

// get is what is remembered of name, whether it has expired or not. c.mu is
// held.
func (c *cache) get(name string) *remembrance {
	e := c.names[name]
	if e == nil {
		return nil
	}
	r := e.Value.(*remembrance)
	c.list(r).MoveToFront(e)
	return r
}

// list is where r belongs.
func (c *cache) list(r *remembrance) *list.List {
	if r.err == nil {
		return c.found
	}
	return c.other
}

// len is how many answers there are. c.mu is held.
func (c *cache) len() int { return c.found.Len() + c.other.Len() }

// last is the answer to be forgotten next: that about a name nobody knows, if
// these have their share, so that whoever makes names up pushes out no device.
// c.mu is held.
func (c *cache) last() *list.Element {
	if n := c.other.Len(); n > 0 && (n >= c.max/8 || c.found.Len() == 0) {
		return c.other.Back()
	}
	return c.found.Back()
}

func (c *cache) put(r *remembrance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.names[r.name])
	for c.len() >= c.max {
		c.remove(c.last())
	}
	e := c.list(r).PushFront(r)
	c.names[r.name] = e
	if r.err == nil {
		c.ids[[2]string{r.id.ProductKey, r.id.DeviceName}] = e
	}
}

// remove forgets an element, if it is not nil. c.mu is held.
func (c *cache) remove(e *list.Element) {
	if e == nil {
		return
	}
	r := e.Value.(*remembrance)
	c.list(r).Remove(e)
	delete(c.names, r.name)
	if key := [2]string{r.id.ProductKey, r.id.DeviceName}; c.ids[key] == e {
		delete(c.ids, key)
	}
}

// remembered is what is remembered of name: its identity if it was found, and
// whether the server has told at all.
func (h *HTTP) remembered(name string) (id auth.Identity, found, told bool) {
	c := &h.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.get(name)
	if r == nil || !h.now().Before(r.gone) {
		return id, false, false
	}
	return r.id, r.err == nil, true
}

// Name implements [Source], as far as answers are remembered.
func (h *HTTP) Name(id auth.Identity) (name string, ok bool) {
	c := &h.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.ids[[2]string{id.ProductKey, id.DeviceName}]
	if e == nil {
		return "", false
	}
	r := e.Value.(*remembrance)
	if !h.now().Before(r.gone) {
		return "", false
	}
	return r.name, true
}

// Len implements [Source]: how many answers are remembered, those that say
// "unknown" included.
func (h *HTTP) Len() int {
	h.cache.mu.Lock()
	defer h.cache.mu.Unlock()
	return h.cache.len()
}

// Reload implements [Reloader]: every answer has expired now, so that each
// device is asked for again when it comes next. Until then, and while the server
// cannot be asked, the old answers count.
func (h *HTTP) Reload() (Changes, error) {
	c := &h.cache
	now := h.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet = time.Time{}
	for _, l := range []*list.List{c.found, c.other} {
		for e := l.Front(); e != nil; e = e.Next() {
			r := *e.Value.(*remembrance)
			if now.Before(r.expires) {
				r.expires = now
				e.Value = &r
			}
		}
	}
	return Changes{}, nil
}
