package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/platform/api"
)

// hub hands messages to those who watch, and keeps the last notable ones.
type hub struct {
	watching atomic.Int32
	sequence atomic.Uint64
	lagged   atomic.Uint64

	mu       sync.RWMutex
	watchers map[*Watch]struct{} // guarded by mu
	limit    int
	closed   bool // guarded by mu

	received *received // nil: there is no such file; does not change

	logMu sync.Mutex
	log   []api.Message // a ring once it is full; guarded by logMu
	next  int           // guarded by logMu
	keep  int
}

func (h *hub) init(keep, limit int) {
	h.watchers, h.keep, h.limit = map[*Watch]struct{}{}, keep, limit
}

// wanted says whether anybody watches, or messages are written down: if not, they
// need not be built.
func (h *hub) wanted() bool { return h.watching.Load() > 0 || h.received != nil }

// Filter is which messages a watch gets: those that fit every field that is
// not empty.
type Filter struct {
	ProductKey string
	DeviceName string
	Kinds      []string // of api.Message
}

func (f *Filter) takes(m *api.Message) bool {
	if f.ProductKey != "" && f.ProductKey != m.ProductKey || f.DeviceName != "" && f.DeviceName != m.DeviceName {
		return false
	}
	return len(f.Kinds) == 0 || slices.Contains(f.Kinds, m.Kind)
}

// Watch is somebody who watches the platform's messages. It must be closed. Its
// methods may be called from any goroutine, Next by one at a time.
type Watch struct {
	hub    *hub
	filter Filter
	queue  chan api.Message
	missed atomic.Uint64
	done   chan struct{}
	once   sync.Once
}

// ErrTooManyWatchers says that Config.Watchers is reached. Close one.
var ErrTooManyWatchers = errors.New("platform: too many watchers (see watchers)")

// Subscribe watches the messages that fit filter, from now on. A watcher that
// falls behind by Config.WatchQueue messages misses some, and is told so by a
// message of kind api.KindLagged.
func (p *Platform) Subscribe(filter Filter) (*Watch, error) {
	w := &Watch{hub: &p.hub, filter: filter, queue: make(chan api.Message, p.cfg.WatchQueue), done: make(chan struct{})}
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	switch {
	case p.hub.closed:
		return nil, ErrClosed
	case len(p.hub.watchers) >= p.hub.limit:
		return nil, ErrTooManyWatchers
	}
	p.hub.watchers[w] = struct{}{}
	p.hub.watching.Add(1)
	return w, nil
}

// Next is the next message. It waits for one until ctx is done; after Close,
// and after the platform's, it returns ErrClosed once what was queued is out.
func (w *Watch) Next(ctx context.Context) (api.Message, error) {
	if n := w.missed.Swap(0); n > 0 {
		return api.Message{Kind: api.KindLagged, Count: n}, nil
	}
	select {
	case m := <-w.queue:
		return m, nil
	default:
	}
	select {
	case m := <-w.queue:
		return m, nil
	case <-w.done:
		select {
		case m := <-w.queue: // it came just before the end
			return m, nil
		default:
			return api.Message{}, ErrClosed
		}
	case <-ctx.Done():
		return api.Message{}, ctx.Err()
	}
}

// Close ends the watch.
func (w *Watch) Close() {
	w.once.Do(func() {
		w.hub.mu.Lock()
		delete(w.hub.watchers, w)
		w.hub.watching.Add(-1)
		w.hub.mu.Unlock()
		close(w.done)
	})
}

func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	list := make([]*Watch, 0, len(h.watchers))
	for w := range h.watchers {
		list = append(list, w)
	}
	h.mu.Unlock()
	for _, w := range list {
		w.Close()
	}
}

func (h *hub) stats() (watchers int, lagged uint64) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.watchers), h.lagged.Load()
}

// publishMessage gives m to those who watch. Data and Raw are copied when one
// does.
func (p *Platform) publishMessage(m api.Message) {
	h := &p.hub
	if m.Time.IsZero() {
		m.Time = p.now()
	}
	m.Sequence = h.sequence.Add(1)
	if h.received != nil {
		h.received.note(&m)
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	copied := false
	for w := range h.watchers {
		if !w.filter.takes(&m) {
			continue
		}
		if !copied {
			m.Data, m.Raw, copied = json.RawMessage(bytes.Clone(m.Data)), bytes.Clone(m.Raw), true
		}
		select {
		case w.queue <- m:
		default:
			w.missed.Add(1)
			h.lagged.Add(1)
		}
	}
}

// note is publishMessage of something notable, which the log keeps.
func (p *Platform) note(m api.Message) {
	m.Time = p.now()
	p.publishMessage(m)
	h := &p.hub
	h.logMu.Lock()
	defer h.logMu.Unlock()
	switch {
	case h.keep == 0:
	case len(h.log) < h.keep:
		h.log = append(h.log, m)
	default:
		h.log[h.next] = m
		h.next = (h.next + 1) % h.keep
	}
}

// Log is the last notable things that happened, oldest first: devices going
// online and offline, events, commands, refusals.
func (p *Platform) Log() []api.Message {
	h := &p.hub
	h.logMu.Lock()
	defer h.logMu.Unlock()
	return append(append([]api.Message{}, h.log[h.next:]...), h.log[:h.next]...)
}
