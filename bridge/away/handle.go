package away

import (
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// handle is one login as the bridge has it: the entry's own, or one that has been
// taken over. It may be used from any goroutine.
type handle struct {
	entry    *entry
	turn     uint64
	underway atomic.Int64 // publications that are not done, or not late yet; who ends the last one settles

	mu       sync.Mutex
	late     []func(error) // done of those that came when another login had taken over; guarded by mu
	settling bool          // somebody calls these; guarded by mu
}

// over says whether another login has taken over.
func (h *handle) over() bool { return h.entry.turn.Load() != h.turn }

// device is h with what the connector behind can do.
func (h *handle) device() upstream.Device {
	if h.entry.storer != nil {
		return storing{h}
	}
	return h
}

// storing is a handle whose connector keeps messages.
type storing struct{ *handle }

// Store implements upstream.Storer.
func (s storing) Store(m *thing.Message, done func(error)) {
	if p := s.begin(done); p != nil {
		s.entry.storer.Store(m, p.end)
	}
}

// Publish implements upstream.Device.
func (h *handle) Publish(m *thing.Message, done func(error)) {
	if p := h.begin(done); p != nil {
		h.entry.device.Publish(m, p.end)
	}
}

// publication is a message on its way. It is its handle's until its end is called.
type publication struct {
	handle *handle
	done   func(error)
	end    func(error) // ended, made once
}

var publications sync.Pool // of *publication

// begin is the begin of a publication; nil when another login has taken over: then done
// is called after those of the publications before.
func (h *handle) begin(done func(error)) *publication {
	h.underway.Add(1)
	if h.over() {
		h.mu.Lock()
		h.late = append(h.late, done)
		h.mu.Unlock()
		h.finish()
		return nil
	}
	p, _ := publications.Get().(*publication)
	if p == nil {
		p = &publication{}
		p.end = p.ended
	}
	p.handle, p.done = h, done
	return p
}

// ended is done of a publication.
func (p *publication) ended(err error) {
	h, done := p.handle, p.done
	p.handle, p.done = nil, nil
	publications.Put(p)
	done(err)
	h.finish()
}

// finish ends what begin has begun.
func (h *handle) finish() {
	if h.underway.Add(-1) == 0 && h.over() {
		h.settle()
	}
}

// settle calls done of the publications that were late, once nothing is under way.
func (h *handle) settle() {
	h.mu.Lock()
	if h.settling || h.underway.Load() > 0 {
		h.mu.Unlock()
		return
	}
	h.settling = true
	for len(h.late) > 0 {
		late := h.late
		h.late = nil
		h.mu.Unlock()
		for _, done := range late {
			done(upstream.ErrSuperseded)
		}
		h.mu.Lock()
	}
	h.settling = false
	h.mu.Unlock()
}

// Resume implements upstream.Resumer.
func (h *handle) Resume() {
	if !h.over() {
		upstream.Resume(h.entry.device)
	}
}

// Logout implements upstream.Device.
func (h *handle) Logout(done func(error)) {
	e := h.entry
	left, mine := e.end(h.turn)
	if !mine {
		done(nil)
		return
	}
	e.fail(left, thing.Offline, "the device went offline")
	e.device.Logout(done)
}

// Leave implements upstream.Leaver: the device may come back.
func (h *handle) Leave(done func(error)) {
	if h.entry.s.c.cfg.Hold == 0 || !h.entry.leave(h.turn) {
		h.Logout(done)
		return
	}
	done(nil)
}
