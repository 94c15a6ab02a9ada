package jt808

import "slices"

// Forget makes r take the packages of a completed message for new ones again: for
// whoever could not make use of it and waits for the terminal to repeat it. h is
// the header of the frame that [Reassembler.Add] returned.
func (r *Reassembler) Forget(h *Header) {
	r.finished = slices.DeleteFunc(r.finished, func(f finished) bool {
		return f.header.ID == h.ID && f.header.Phone == h.Phone && f.header.Serial == h.Serial
	})
}
