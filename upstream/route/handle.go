package route

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// handle is one login of a device: at its platform, and at its copies.
type handle struct {
	r      *Router
	target *target
	login  upstream.Login
	key    string
	seq    uint64 // logins that came later have greater ones
	legs   []leg  // one for each copy

	superseded atomic.Bool // by a login at another platform

	mu     sync.Mutex
	done   func(upstream.Device, error)
	device upstream.Device // at the platform; written once, before done is called
	over   bool            // logged out, lost, or refused
}

func newHandle(r *Router, t *target, l upstream.Login, done func(upstream.Device, error)) *handle {
	h := &handle{r: r, target: t, login: l, key: l.Device.ProductKey + "/" + l.Device.DeviceName, done: done}
	if len(t.copies) > 0 {
		h.legs = make([]leg, len(t.copies))
		for i, m := range t.copies {
			h.legs[i] = leg{h: h, mirror: m, index: i}
		}
	}
	return h
}

// inner is the login at the platform.
func (h *handle) inner() upstream.Login {
	l := h.login
	l.Lost = h.lost
	if h.target.CopyCommands && l.Command != nil {
		l.Command = func(c *thing.Command) { h.login.Command(marked(c, ownMark)) }
	}
	return l
}

// The ID of a command says who gave it, when a device may get some of copies:
// one character and a colon, then the ID that it came with.
const (
	ownMark   = '0'
	firstMark = '1' // of the first copy
)

func marked(c *thing.Command, mark rune) *thing.Command {
	m := *c
	m.ID = string(mark) + ":" + c.ID
	return &m
}

// loggedIn goes on when the platform has decided.
func (h *handle) loggedIn(d upstream.Device, err error) {
	to := h.target.to
	h.mu.Lock()
	done := h.done
	h.done = nil
	if err != nil {
		h.over = true
		h.mu.Unlock()
		to.refused.Add(1)
		h.r.forget(h)
		done(nil, err)
		return
	}
	h.device = d
	over, superseded := h.over, h.superseded.Load()
	if !over {
		to.devices.Add(1)
	}
	h.mu.Unlock()
	if over { // lost as soon as it was there
		done(h, nil)
		return
	}
	if superseded {
		h.end()
		d.Logout(upstream.Ignore)
		done(nil, upstream.ErrSuperseded)
		return
	}
	for i := range h.legs {
		h.legs[i].mirror.login(&h.legs[i])
	}
	done(h, nil)
}

// supersede ends a login whose device has come to another platform.
func (h *handle) supersede() {
	h.superseded.Store(true)
	h.mu.Lock()
	d := h.device
	h.mu.Unlock()
	if d != nil { // otherwise loggedIn ends it
		h.end()
		d.Logout(upstream.Ignore)
	}
}

// end ends the login at the copies.
func (h *handle) end() {
	h.r.forget(h)
	h.mu.Lock()
	first := !h.over
	h.over = true
	online := h.device != nil
	h.mu.Unlock()
	if !first {
		return
	}
	if online {
		h.target.to.devices.Add(-1)
	}
	for i := range h.legs {
		h.legs[i].mirror.logout(&h.legs[i])
	}
}

// lost is called when the platform ends the login.
func (h *handle) lost(cause error) {
	h.end()
	if h.login.Lost != nil {
		h.login.Lost(cause)
	}
}

// Publish implements [upstream.Device].
func (h *handle) Publish(m *thing.Message, done func(error)) {
	if m.Kind == thing.Reply {
		h.reply(m, done)
		return
	}
	if len(h.legs) > 0 {
		c := m.Clone()
		for i := range h.legs {
			h.legs[i].mirror.publish(&h.legs[i], c)
		}
	}
	h.device.Publish(m, h.explained(done))
}

// explained is done of a publication, for a login that was superseded without
// its platform's knowledge.
func (h *handle) explained(done func(error)) func(error) {
	if !h.superseded.Load() {
		return done
	}
	return func(err error) {
		if errors.Is(err, upstream.ErrLoggedOut) {
			err = upstream.ErrSuperseded
		}
		done(err)
	}
}

// reply goes to whoever gave the command.
func (h *handle) reply(m *thing.Message, done func(error)) {
	if !h.target.CopyCommands {
		h.device.Publish(m, h.explained(done))
		return
	}
	mark, id, found := strings.Cut(m.ID, ":")
	own := *m
	own.ID = id
	switch i := indexOf(mark); {
	case !found || i >= len(h.legs):
		h.device.Publish(m, h.explained(done)) // which says that it gave no such command
	case i < 0:
		h.device.Publish(&own, h.explained(done))
	default:
		h.legs[i].mirror.publish(&h.legs[i], own.Clone())
		done(nil) // what becomes of it is the copy's affair
	}
}

// indexOf is which copy a mark is of: -1 is the platform itself; more copies
// than there can be when it is nobody's.
func indexOf(mark string) int {
	r := []rune(mark)
	if len(r) != 1 || r[0] < ownMark {
		return maxCopies
	}
	return int(r[0]-ownMark) - 1
}

// maxCopies is beyond the copies of any rule.
const maxCopies = 1 << 20

// Resume implements [upstream.Resumer]: it is the platform that order is kept for.
func (h *handle) Resume() { upstream.Resume(h.device) }

// Logout implements [upstream.Device].
func (h *handle) Logout(done func(error)) {
	h.end()
	h.device.Logout(done)
}
