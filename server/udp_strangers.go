package server

// strangers are peers whose devices were never seen online, in the order of
// their first datagrams. Anybody can make any number of them by forging
// addresses: when a listener is full, the oldest makes room for a new peer, so
// that such a flood keeps no device out. Devices that are online are never
// driven away.
type strangers struct{ first, last *peer }

// place is where a peer is in a list.
type place struct {
	list       *strangers // nil: in none
	next, prev *peer
}

// The lists that a stranger is in.
const (
	ofAll    = iota // of the socket
	ofSource        // of its address; only when the peers of an address are limited
)

func (l *strangers) add(p *peer, which int) {
	at := &p.strangers[which]
	at.list, at.prev = l, l.last
	if l.last != nil {
		l.last.strangers[which].next = p
	} else {
		l.first = p
	}
	l.last = p
}

func (p *peer) leave(which int) {
	at := &p.strangers[which]
	l := at.list
	if l == nil {
		return
	}
	if at.prev != nil {
		at.prev.strangers[which].next = at.next
	} else {
		l.first = at.next
	}
	if at.next != nil {
		at.next.strangers[which].prev = at.prev
	} else {
		l.last = at.prev
	}
	*at = place{}
}

// remember puts a new peer behind the other strangers.
func (s *udpSocket) remember(p *peer) {
	s.strangers.add(p, ofAll)
	if s.listener.limits.MaxPerAddress == 0 {
		return
	}
	key := sourceOf(s.listener.index, p.conn.remote.Addr())
	l := s.sources[key]
	if l == nil {
		l = &strangers{}
		s.sources[key] = l
	}
	l.add(p, ofSource)
}

// forget takes a peer out of the lists: it has ended, or its device is online.
func (s *udpSocket) forget(p *peer) {
	p.leave(ofAll)
	if l := p.strangers[ofSource].list; l != nil {
		p.leave(ofSource)
		if l.first == nil {
			delete(s.sources, sourceOf(s.listener.index, p.conn.remote.Addr()))
		}
	}
}

// evict ends the oldest stranger of those that take the place which cause says
// there is none of, and says whether there was one.
func (s *udpSocket) evict(cause Cause, from address) bool {
	l := &s.strangers
	if cause == CauseAddress {
		l = s.sources[sourceOf(s.listener.index, from.addr())]
	}
	for l != nil && l.first != nil {
		p := l.first
		if p.online() { // since it was looked at last
			s.forget(p)
			continue
		}
		p.conn.end(because(CauseEvicted, nil))
		p.conn.settle()
		return true
	}
	return false
}
