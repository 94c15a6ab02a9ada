package away

import "sync"

// overdue are the commands of all devices whose time was over while their device was
// logged out: the first to be forgotten when there is no room. A seat's lock may be held
// when mu is taken, never the other way round.
type overdue struct {
	mu          sync.Mutex
	first, last *letter // by when their time was over; guarded by mu, as before and after of letters are
	count       int64   // guarded by mu
}

func (o *overdue) add(l *letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l.before, l.after = o.last, nil
	if o.last == nil {
		o.first = l
	} else {
		o.last.after = l
	}
	o.last = l
	o.count++
}

// remove takes l out, which is in.
func (o *overdue) remove(l *letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.before == nil {
		o.first = l.after
	} else {
		l.before.after = l.after
	}
	if l.after == nil {
		o.last = l.before
	} else {
		l.after.before = l.before
	}
	l.before, l.after = nil, nil
	o.count--
}

func (o *overdue) len() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count
}

// evict forgets the first one, and says whether there was one. No seat is locked.
func (o *overdue) evict() bool {
	o.mu.Lock()
	l := o.first
	o.mu.Unlock()
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
