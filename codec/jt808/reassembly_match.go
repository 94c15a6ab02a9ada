package jt808

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/linkspan/linkspan/codec"
)

// sameMessage reports whether two packages can be of one message by all but
// their serials.
func sameMessage(a, b *Header) bool {
	return a.ID == b.ID && a.Total == b.Total && a.Phone == b.Phone && a.Encryption == b.Encryption
}

func packageError(h *Header, offset int) error {
	return &codec.FrameError{Offset: offset, Reason: fmt.Sprintf("package %d of %d", h.Index, h.Total)}
}

// find returns the message that f is a package of, nil if it begins another one;
// duplicate says that the message has this very package.
//
// Of several that it could belong to, one where its serial is exactly where
// consecutive sending would have it comes first, then one where it is in order,
// the latest of them. One where it is out of order is right only if the terminal
// has shown that its serials mean nothing, or was asked for the package: then it
// may have the serial of the day.
func (r *Reassembler) find(f *Frame) (found *partial, duplicate bool) {
	var ordered, other *partial
	for i := len(r.partials) - 1; i >= 0; i-- {
		p := r.partials[i]
		if !sameMessage(&p.header, &f.Header) {
			continue
		}
		if p.refused {
			if d := f.Serial - p.header.Serial; uint32(d) <= 2*uint32(f.Total) {
				return p, false
			}
			continue
		}
		at, have := p.search(f.Index)
		if have {
			if p.pieces[at].serial == f.Serial && bytes.Equal(p.pieces[at].body, f.Body) {
				return p, true
			}
			continue
		}
		switch fit := p.fit(at, f); {
		case fit == exact:
			return p, false
		case fit == inOrder && ordered == nil:
			ordered = p
		case fit == disorder && other == nil && (!p.serials || p.wanted || len(p.pieces) == 1):
			other = p
		}
	}
	return cmp.Or(ordered, other), false
}

// fitness says how well a package's serial goes with a message's.
type fitness int

const (
	disorder fitness = iota
	inOrder
	exact
)

// fit compares f's serial with those of its neighbours in p, between which it
// would be inserted at that place. Distances are modulo 65536 and forward up to
// half of that.
func (p *partial) fit(at int, f *Frame) fitness {
	best := exact
	if at > 0 {
		best = min(best, order(p.pieces[at-1].index, p.pieces[at-1].serial, f.Index, f.Serial))
	}
	if at < len(p.pieces) {
		best = min(best, order(f.Index, f.Serial, p.pieces[at].index, p.pieces[at].serial))
	}
	return best
}

// order compares the distance of two packages' serials with that of their indexes.
func order(index, serial, laterIndex, laterSerial uint16) fitness {
	switch d := laterSerial - serial; {
	case d == laterIndex-index:
		return exact
	case d > laterIndex-index && d < 1<<15:
		return inOrder
	}
	return disorder
}

// search is where the package with that index is in p.pieces, or would be.
func (p *partial) search(index uint16) (at int, have bool) {
	if n := len(p.pieces); n > 0 && p.pieces[n-1].index < index { // mostly
		return n, false
	}
	return slices.BinarySearchFunc(p.pieces, index, func(a piece, want uint16) int { return cmp.Compare(a.index, want) })
}

// start begins a message with the package f.
func (r *Reassembler) start(f *Frame) *partial {
	p := &partial{header: f.Header, serials: true}
	r.partials = append(r.partials, p)
	return p
}

// add keeps a copy of f, which p does not have.
func (p *partial) add(f *Frame) {
	at, _ := p.search(f.Index)
	if p.fit(at, f) == disorder {
		p.serials = false
	}
	body := append(make([]byte, 0, len(f.Body)), f.Body...)
	p.pieces = slices.Insert(p.pieces, at, piece{index: f.Index, serial: f.Serial, body: body})
	p.size += len(body) + pieceOverhead
}

// whole is the message. All pieces are there.
func (p *partial) whole() *Frame {
	n := 0
	for _, q := range p.pieces {
		n += len(q.body)
	}
	f := &Frame{Header: p.header, Body: make([]byte, 0, n)}
	f.Serial, f.Total, f.Index = p.pieces[0].serial, 0, 0
	for _, q := range p.pieces {
		f.Body = append(f.Body, q.body...)
	}
	return f
}

// firstSerial is that of package 1, or what it should have been.
func (p *partial) firstSerial() uint16 {
	return p.pieces[0].serial - (p.pieces[0].index - 1)
}

const maxMissing = 255 // what the count of message 0x8003 has room for in 2013

// missing is the indexes that are not there, up to maxMissing of them.
func (p *partial) missing() []uint16 {
	var out []uint16
	next := uint32(1)
	for i := 0; i <= len(p.pieces); i++ {
		end := uint32(p.header.Total) + 1
		if i < len(p.pieces) {
			end = uint32(p.pieces[i].index)
		}
		for ; next < end; next++ {
			if len(out) == maxMissing {
				return out
			}
			out = append(out, uint16(next)) //nolint:gosec // at most Total
		}
		next = end + 1
	}
	return out
}

func (p *partial) dropped(cause error) Dropped {
	d := Dropped{Header: p.header, Received: len(p.pieces), Cause: cause}
	for _, q := range p.pieces {
		d.Bytes += len(q.body)
	}
	return d
}

// remove forgets p.
func (r *Reassembler) remove(p *partial) {
	i := slices.Index(r.partials, p)
	r.partials = slices.Delete(r.partials, i, i+1)
	if len(r.partials) == 0 {
		r.partials = nil
	}
}

// toEnd makes p the one last added to.
func (r *Reassembler) toEnd(p *partial) {
	if n := len(r.partials); r.partials[n-1] != p {
		i := slices.Index(r.partials, p)
		copy(r.partials[i:], r.partials[i+1:])
		r.partials[n-1] = p
	}
}

// finish remembers that p is complete.
func (r *Reassembler) finish(p *partial, now time.Time) {
	r.stats.Completed++
	if len(r.finished) == maxFinished {
		r.finished = slices.Delete(r.finished, 0, 1)
	}
	d := finished{header: p.header, first: p.pieces[0].serial, last: p.pieces[len(p.pieces)-1].serial, at: now}
	d.header.Serial = d.first // as in the frame that Add returns
	d.sums = make([]uint32, len(p.pieces))
	for i, q := range p.pieces {
		d.sums[i] = crc32.ChecksumIEEE(q.body)
	}
	r.finished = append(r.finished, d)
}

// isFinished reports whether f is a late copy of a package of a message that is
// complete: its serial lies where that message's were, and its content is the
// same. A terminal whose answer was lost sends packages again; they must not begin
// a message that never ends. If only the content is another one, the terminal has
// used its serials again, for another message.
func (r *Reassembler) isFinished(f *Frame, now time.Time) (copied, again bool) {
	for i := range r.finished {
		d := &r.finished[i]
		if !sameMessage(&d.header, &f.Header) || now.Sub(d.at) >= r.options.Idle ||
			order(1, d.first, f.Index, f.Serial) == disorder ||
			order(f.Index, f.Serial, f.Total, d.last) == disorder {
			continue
		}
		if d.sums[f.Index-1] == crc32.ChecksumIEEE(f.Body) {
			return true, false
		}
		again = true
	}
	return false, again
}
