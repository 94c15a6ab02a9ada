package jt808

import (
	"encoding/hex"
	"fmt"
	"math"
)

// Hex is bytes that print, in JSON too, as hexadecimal digits: contents that
// the standard leaves open, and what follows a body's last field.
type Hex []byte

// String is the bytes as lower-case hexadecimal digits.
func (h Hex) String() string { return hex.EncodeToString(h) }

// MarshalText is [Hex.String].
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads hexadecimal digits of either case.
func (h *Hex) UnmarshalText(digits []byte) error {
	b, err := hex.AppendDecode(nil, digits)
	if err != nil {
		return fmt.Errorf("jt808: hexadecimal bytes: %w", err)
	}
	*h = b
	return nil
}

// MarshalText is [ID.String].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText is [Version.String].
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// tail takes what is left behind the last field a body should have. Terminals
// do append bytes of their own; they are kept, not refused. It is nil when
// nothing is left.
func (r *reader) tail() Hex {
	if r.len() == 0 {
		return nil
	}
	return r.cloneRest()
}

// bytesRest takes what is left as the contents of a body's last field.
func (r *reader) bytesRest() Hex { return r.cloneRest() }

// text16 reads a STRING with its length before it in two bytes.
func (r *reader) text16() string { return r.text(int(r.u16())) }

// text16 writes a STRING with its length in bytes before it in two bytes.
func (w *writer) text16(s, what string) {
	at := len(w.buf)
	w.u16(0)
	w.text(s)
	n := w.limit(len(w.buf)-at-2, 0xFFFF, what)
	w.buf[at], w.buf[at+1] = byte(n>>8), byte(n)
}

// body writes another body, which is part of this one.
func (w *writer) body(b Body, v Version) {
	buf, err := b.AppendBody(w.buf, v)
	if err != nil {
		w.fail(err)
		return
	}
	w.buf = buf
}

// uncounted is the count for list where bytes behind the last item are no tail
// but make the body short: no body has as many items.
const uncounted = math.MaxInt

// list reads items to the end of the body: counts are not to be trusted, as
// terminals send wrong ones. The count serves for one thing only, to tell a cut
// item, which makes the body short, from other bytes behind the last item,
// which are left to the caller as the tail.
func list[T any](r *reader, count int, read func(*reader) T) []T {
	var items []T
	for r.len() > 0 {
		mark := r.off
		item := read(r)
		if r.failed != nil {
			if len(items) >= count {
				r.off, r.failed = mark, nil
			}
			break
		}
		items = append(items, item)
	}
	return items
}

// counted reads a count in one byte and its items to the end of the body; a cut
// item makes the body short, whatever the count says.
//
// The approval draft of 2011 has two counts there, of all items and of those in
// this packet. That layout is taken, unless the header is of 2019, when it fits
// wholly, counts and length, and the other does not; total is the first count
// then, otherwise 0.
func counted[T any](r *reader, v Version, read func(*reader) T) (total uint8, items []T) {
	draft := *r
	n := int(r.u8())
	items = list(r, uncounted, read)
	if v == V2019 || r.failed == nil && len(items) == n {
		return 0, items
	}
	total = draft.u8()
	n = int(draft.u8())
	others := list(&draft, uncounted, read)
	if total == 0 || int(total) < n || draft.failed != nil || len(others) != n {
		return 0, items
	}
	*r = draft
	return total, others
}

// count8s writes what counted reads before its items: the draft's total, if
// there is one, and the count n.
func (w *writer) count8s(total uint8, n int, what string) {
	if total != 0 {
		w.u8(total)
	}
	w.count8(n, what)
}

// body reads the next n bytes as another body, which is part of this one, and
// gives the reader's error then.
func (r *reader) body(b Body, n int, v Version) error {
	at := r.off
	data := r.take(n)
	if r.failed == nil {
		r.failed = shifted(b.ParseBody(data, v), at)
	}
	return r.failed
}
