package gbt26875

import (
	"errors"
	"sync"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing"
)

// receipt is one frame of the device on its way to the platform, in as many
// reports as it takes: once all of them have arrived it is answered. It lives on
// the connection's loop. With ack received nobody waits, and it is answered at
// once.
type receipt struct {
	d       *device
	c       *conn
	header  gbt26875.Header
	key     uint64 // of the frame; 0: it is not remembered
	pending int    // reports, and one for the maker
	err     error  // why a report did not arrive
	deny    bool   // the frame is denied when all has arrived
	done    func(error)
}

var receipts sync.Pool

// receive begins the receipt of f.
func (d *device) receive(c *conn, f *gbt26875.Frame, key uint64) *receipt {
	r, ok := receipts.Get().(*receipt)
	if !ok {
		r = &receipt{}
		r.done = r.reported
	}
	r.d, r.c, r.header, r.key, r.pending = d, c, f.Header, key, 1
	return r
}

// report says m to the platform for the device.
func (r *receipt) report(m *thing.Message) {
	done := r.done
	if !r.d.waits {
		done = nil
	}
	if err := r.c.ReportFor(r.d.session, m, done); err != nil {
		r.err = err
		return
	}
	if done != nil {
		r.pending++
	}
}

// raw gives the platform a frame's command and data as they are.
func (r *receipt) raw(s *scratch, f *gbt26875.Frame) {
	s.data = append(append(s.data[:0], byte(f.Command)), f.Data...)
	s.message = thing.Message{Kind: thing.Raw, Raw: s.data}
	r.report(&s.message)
}

func (r *receipt) reported(err error) {
	if err != nil && r.err == nil {
		r.err = err
	}
	r.complete()
}

// complete is one of those that r waits for done. The last has the frame answered.
func (r *receipt) complete() {
	if r.pending--; r.pending > 0 {
		return
	}
	d := r.d
	switch {
	case r.err != nil:
		d.counters.undelivered.Add(1)
		d.memory.forget() // the device will say so again
		d.settle(r.key, frameFailed)
	case r.deny:
		d.settle(r.key, frameDenied)
	default:
		d.settle(r.key, frameDone)
	}
	switch {
	case r.header.Command != gbt26875.CommandSend:
	case r.err == nil && !r.deny:
		d.answer(r.c, &r.header, gbt26875.CommandConfirm, nil)
	case r.err == nil || errors.Is(r.err, auth.ErrDenied):
		d.answer(r.c, &r.header, gbt26875.CommandDeny, nil)
	default: // for now: the device repeats what gets no answer
	}
	*r = receipt{done: r.done}
	receipts.Put(r)
}

// How far a frame has come.
const (
	frameUnknown = iota
	framePending // its answer is on its way
	frameDone    // it has arrived
	frameDenied  // it has arrived, and was denied all the same
	frameFailed  // it has not
)

// A device sends a frame up to three times, ten seconds apart at most, if no
// answer comes. For twice as long it is remembered.
const (
	resendWindow = time.Minute
	maxRecent    = 8
)

// recent is the last frames of a device that were handled.
type recent struct {
	frames [maxRecent]handled
	next   uint8
}

type handled struct {
	key    uint64 // 0: none
	at     time.Time
	serial uint16
	state  uint8
}

// keyOf is a number that two frames share when they are the same: serial number,
// time and data (FNV-1a, 64 bits). It is not 0.
func keyOf(f *gbt26875.Frame) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	key := (uint64(offset)^uint64(f.Serial))*prime ^ uint64(f.Command)
	for _, b := range f.Time {
		key = (key ^ uint64(b)) * prime
	}
	for _, b := range f.Data {
		key = (key ^ uint64(b)) * prime
	}
	return max(key, 1)
}

// before says how far the frame with that key has come when the device sent it
// before; when not, or when it failed, it is on its way from now on. A device that
// says something else with the serial number of a frame does not send that frame
// again: its numbers stand still, and what it says later is news.
func (d *device) before(key uint64, serial uint16, now time.Time) uint8 {
	if d.frames == nil {
		d.frames = &recent{}
	}
	q := d.frames
	for i := range q.frames {
		h := &q.frames[i]
		if h.key != key || now.Sub(h.at) > resendWindow {
			continue
		}
		state := h.state
		if state == frameFailed {
			h.state, h.at = framePending, now
		}
		return state
	}
	for i := range q.frames {
		if q.frames[i].serial == serial {
			q.frames[i].key = 0
		}
	}
	q.frames[q.next] = handled{key, now, serial, framePending}
	q.next = (q.next + 1) % maxRecent
	return frameUnknown
}

// settle notes how the frame with that key fared.
func (d *device) settle(key uint64, state uint8) {
	if key == 0 || d.frames == nil {
		return
	}
	for i := range d.frames.frames {
		if h := &d.frames.frames[i]; h.key == key && h.state == framePending {
			h.state = state
		}
	}
}
