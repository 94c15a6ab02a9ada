// Package wheel is a timing wheel: very many timers of which few ever fire.
//
// A [Timer] is a node that its owner embeds or keeps, so that setting, moving
// and stopping one allocates nothing and costs the same however many there are.
// The wheel is hierarchical: a timer that is far away lies in a coarse slot and
// is not looked at before that slot begins, so that an hour costs no more than
// a second. It has no clock and no goroutine: whoever owns it says what time it
// is.
//
//	w := wheel.New[*conn](now, 100) // in milliseconds; ticks of 100 ms
//	w.Add(&c.timer, now+30_000)
//	w.Advance(now, 0, func(t *wheel.Timer[*conn]) { t.Value.expired() })
package wheel

import (
	"math"
	"math/bits"
)

const (
	slotBits = 6
	slots    = 1 << slotBits
	levels   = (63 + slotBits - 1) / slotBits // enough for every positive int64
)

// Timer is one entry of a wheel. The zero Timer is one that is not set. It must
// not be copied while it is set, and belongs to at most one wheel at a time.
type Timer[T any] struct {
	Value T // its owner's

	next *Timer[T]
	link **Timer[T] // what points to this timer; nil when it is not set
	when uint64     // the tick at which it fires
}

// Pending says whether the timer is set.
func (t *Timer[T]) Pending() bool { return t.link != nil }

// unlink takes t out of its slot.
func (t *Timer[T]) unlink() {
	*t.link = t.next
	if t.next != nil {
		t.next.link = t.link
	}
	t.next, t.link = nil, nil
}

// level is slots of one width. A bit of used may be set for a slot that is
// empty by now, never the other way round.
type level[T any] struct {
	used  uint64
	slots [slots]*Timer[T]
}

// Wheel holds timers by the time at which they fire. It is not safe for
// concurrent use: it belongs to one loop, or is guarded by its owner's lock.
//
// Times are int64 of any unit and origin, as long as they are all of the same.
// Timers never fire early, and late by less than one tick plus the time between
// two calls of Advance. Timers of one tick fire in no particular order.
type Wheel[T any] struct {
	tick   int64
	origin int64
	cur    uint64     // the tick that Advance came to: all timers fire later, but for those that a limit left
	floor  uint64     // no timer is added before this tick
	part   **Timer[T] // the coarse slot that a limit left half moved; usually nil
	count  int
	levels [levels]*level[T] // made when first used
}

// New returns an empty wheel whose time is now. tick is its resolution, at
// least 1.
func New[T any](now, tick int64) *Wheel[T] {
	return &Wheel[T]{tick: max(tick, 1), origin: now, floor: 1}
}

// Len is the number of timers that are set.
func (w *Wheel[T]) Len() int { return w.count }

// Add sets t to fire at deadline, or moves it there if it was set in this
// wheel already. A deadline that is past fires with the next tick, never
// within the call of Advance that is under way.
func (w *Wheel[T]) Add(t *Timer[T], deadline int64) {
	w.Remove(t)
	t.when = max(w.ceil(deadline), w.floor)
	w.count++
	w.put(t)
}

// Remove stops t. It does nothing when t is not set.
func (w *Wheel[T]) Remove(t *Timer[T]) {
	if t.link != nil {
		t.unlink()
		w.count--
	}
}

// Advance fires the timers whose deadlines are not after now: it stops each
// and calls fire with it, which may add and remove any timer, t among them.
//
// limit bounds the work of the call, in timers fired or moved to a finer slot;
// 0 is no bound. more says that it was reached and timers that are due may be
// left: the next call goes on with them. Time does not go back: an earlier now
// than that of the last call does nothing.
func (w *Wheel[T]) Advance(now int64, limit int, fire func(t *Timer[T])) (more bool) {
	if now < w.origin {
		return false
	}
	target := uint64(now-w.origin) / uint64(w.tick) //nolint:gosec // now >= origin, tick >= 1
	if target < w.cur {
		return false
	}
	w.floor = target + 1
	left := limit
	if limit <= 0 {
		left = math.MaxInt
	}
	for {
		if !w.spread(&left) {
			w.floor = w.cur + 1
			return true
		}
		l, slot, begin := w.first()
		if l < 0 || begin > target {
			break
		}
		w.cur = begin
		head := &w.levels[l].slots[slot]
		if l > 0 {
			w.part = head
			continue
		}
		for ; *head != nil; left-- {
			if left == 0 {
				w.floor = w.cur + 1
				return true
			}
			t := *head
			t.unlink()
			w.count--
			fire(t)
		}
	}
	w.cur = target
	return false
}

// spread moves the timers of the coarse slot that has just begun to finer ones;
// it says whether it could move them all.
func (w *Wheel[T]) spread(left *int) bool {
	if w.part == nil {
		return true
	}
	for ; *w.part != nil; *left-- {
		if *left == 0 {
			return false
		}
		t := *w.part
		t.unlink()
		w.put(t)
	}
	w.part = nil
	return true
}

// Next is a time before which no timer fires, at most that of the first one to
// fire; ok is false when none is set.
func (w *Wheel[T]) Next() (at int64, ok bool) {
	l, _, begin := w.first()
	if w.part != nil && *w.part != nil {
		begin = w.cur
	} else if l < 0 {
		return 0, false
	}
	return w.origin + int64(begin)*w.tick, true //nolint:gosec // begin came from an int64
}

// ceil is the first tick that is not before deadline.
func (w *Wheel[T]) ceil(deadline int64) uint64 {
	if deadline <= w.origin {
		return 0
	}
	d, tick := uint64(deadline-w.origin), uint64(w.tick) //nolint:gosec // deadline > origin, tick >= 1
	if d%tick == 0 {
		return d / tick
	}
	return d/tick + 1
}

// put links t into the slot of the highest digit, base 64, in which its tick
// differs from the present one. All lower levels fire before.
func (w *Wheel[T]) put(t *Timer[T]) {
	l := 0
	if diff := t.when ^ w.cur; diff != 0 {
		l = (bits.Len64(diff) - 1) / slotBits
	}
	lv := w.levels[l]
	if lv == nil {
		lv = new(level[T])
		w.levels[l] = lv
	}
	slot := t.when >> (l * slotBits) % slots
	lv.used |= 1 << slot
	head := &lv.slots[slot]
	t.next, t.link = *head, head
	if t.next != nil {
		t.next.link = &t.next
	}
	*head = t
}

// first finds the slot whose turn is first and the tick at which it begins; l
// is -1 when all are empty.
func (w *Wheel[T]) first() (l, slot int, begin uint64) {
	for l, lv := range w.levels {
		for lv != nil && lv.used != 0 {
			slot := bits.TrailingZeros64(lv.used)
			if lv.slots[slot] == nil {
				lv.used &^= 1 << slot
				continue
			}
			low := l * slotBits
			return l, slot, (w.cur>>low>>slotBits<<slotBits | uint64(slot)) << low //nolint:gosec // slot >= 0
		}
	}
	return -1, 0, 0
}
