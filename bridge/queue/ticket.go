package queue

import (
	"sync"

	"github.com/linkspan/linkspan/bridge/queue/segment"
)

// ticket is a publication that is not done. It is its lane's, in the order of
// the calls; guarded by the lane's lock.
type ticket struct {
	next    *ticket
	done    func(error)
	err     error
	pos     segment.Position // of its record, once there is one
	safe    bool             // it is done when it is stored
	stored  bool             // pos is known
	settled bool             // done may be called, with err
}

var tickets = sync.Pool{New: func() any { return new(ticket) }}

// waiting is the ticket that waits for the record at pos, nil if nobody does.
func (l *lane) waiting(pos segment.Position) *ticket {
	for t := l.first; t != nil; t = t.next {
		if t.stored && !t.settled {
			if c := t.pos.Compare(pos); c >= 0 {
				if c == 0 {
					return t
				}
				return nil
			}
		}
	}
	return nil
}

// ticket is a new publication of the device.
func (l *lane) ticket(done func(error), safe bool) *ticket {
	t := tickets.Get().(*ticket)
	*t = ticket{done: done, safe: safe}
	if l.last == nil {
		l.first = t
	} else {
		l.last.next = t
	}
	l.last = t
	l.q.tickets.Add(1)
	return t
}

// settle says that done of t may be called.
func (l *lane) settle(t *ticket, err error) { t.settled, t.err = true, err }

// release calls done of what is settled, in the order of the calls.
func (l *lane) release() {
	l.mu.Lock()
	if l.releasing {
		l.mu.Unlock()
		return
	}
	l.releasing = true
	for t := l.first; t != nil && t.settled; t = l.first {
		if l.first = t.next; l.first == nil {
			l.last = nil
		}
		done, err := t.done, t.err
		l.mu.Unlock()
		*t = ticket{}
		tickets.Put(t)
		l.q.tickets.Add(-1)
		done(err)
		l.mu.Lock()
	}
	l.releasing = false
	l.leave()
}
