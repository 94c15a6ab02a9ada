package away

import (
	"container/list"
	"sync"
)

// overdue are the commands of all devices whose time was over while their device was
// logged out: the first to be forgotten when there is no room. A seat's lock may be held
// when mu is taken, never the other way round.
type overdue struct {
	mu   sync.Mutex
	list list.List // of *letter, by when their time was over; guarded by mu, as are the places of letters
}

func (o *overdue) add(l *letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l.overdue = o.list.PushBack(l)
}

// remove takes l out, which is in.
func (o *overdue) remove(l *letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list.Remove(l.overdue)
}

func (o *overdue) len() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return int64(o.list.Len())
}

// first is the one whose time was over first, nil if there is none.
func (o *overdue) first() *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at := o.list.Front(); at != nil {
		return at.Value.(*letter) //nolint:forcetypeassert // the list holds nothing else
	}
	return nil
}

// evict forgets the first one, and says whether there was one. No seat is locked.
func (o *overdue) evict() bool {
	l := o.first()
	if l == nil {
		return false
	}
	s := l.s
	s.mu.Lock()
	defer s.leave()
	for i := range s.waiting {
		if s.waiting[i] == l {
			s.take(i)
			s.c.counts.untold.Add(1)
			break
		}
	}
	return true // if it was not there, somebody else has made room
}
