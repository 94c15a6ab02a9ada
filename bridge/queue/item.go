package queue

import (
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/upstream"
)

// item is a message in memory: on its way to the log, straight to the platform, or out
// of the log to the platform. The fields are guarded by its lane's lock, but for
// payload, which does not change while it has holders.
type item struct {
	lane     *lane
	next     *item
	ticket   *ticket // until it is stored or settled
	payload  []byte
	pos      segment.Position
	flags    segment.Flags
	by       upstream.Device // that it was sent by last
	cause    error           // why it is buried
	refused  int             // how often the platform refused it for good, since it was read
	sent     bool
	finished bool
	spilled  bool // it went straight to the platform before, or waited for others that did
	holders  atomic.Int32

	reply     func(error) // done of a reply, which has no ticket while it goes straight
	replySafe bool

	onStored func(segment.Position, error) // these are made once
	onDirect func(error)
	onSaid   func(error)
	onBuried func(error)
}

var items sync.Pool

// makeItem makes an item that was never used.
func makeItem() *item {
	it := new(item)
	it.onStored = func(pos segment.Position, err error) { it.lane.stored(it, pos, err) }
	it.onDirect = func(err error) { it.lane.answered(it, err) }
	it.onSaid = func(err error) { it.lane.said(it, err) }
	it.onBuried = func(err error) { it.lane.buried(it, err) }
	return it
}

const maxPooledPayload = 4096

// newItem is an item of l with one holder.
func newItem(l *lane) *item {
	it, ok := items.Get().(*item)
	if !ok {
		it = makeItem()
	}
	it.lane = l
	it.payload = it.payload[:0]
	it.holders.Store(1)
	return it
}

// release gives up one holder's share.
func (it *item) release() {
	if it.holders.Add(-1) > 0 {
		return
	}
	it.lane, it.next, it.ticket, it.reply, it.by, it.cause = nil, nil, nil, nil, nil, nil
	it.pos, it.flags, it.refused = segment.Position{}, 0, 0
	it.sent, it.finished, it.spilled, it.replySafe = false, false, false, false
	if cap(it.payload) > maxPooledPayload {
		it.payload = nil
	}
	items.Put(it)
}

// memory bounds what of the log is in memory.
type memory struct {
	records, bytes       atomic.Int64
	maxRecords, maxBytes int64
	room                 chan struct{} // holds a token when there is room again
}

func (m *memory) limit(w WindowConfig) {
	m.maxRecords, m.maxBytes = int64(w.Records), w.Bytes
	m.room = make(chan struct{}, 1)
}

// take asks for room for a record; one record always has room. Some of it is kept for
// live ones, which come past the disk.
func (m *memory) take(size int, live bool) bool {
	most, bytes := m.maxRecords, m.maxBytes
	if !live {
		most, bytes = most*3/4, bytes*3/4
	}
	n, b := m.records.Add(1), m.bytes.Add(int64(size))
	if (n > most || b > bytes) && n > 1 {
		m.records.Add(-1)
		m.bytes.Add(-int64(size))
		return false
	}
	return true
}

// give gives room back.
func (m *memory) give(size int) {
	n := m.records.Add(-1)
	b := m.bytes.Add(-int64(size))
	if n <= m.maxRecords/2 && b <= m.maxBytes/2 {
		m.wakeUp()
	}
}

func (m *memory) wakeUp() {
	if len(m.room) > 0 { // most of the time
		return
	}
	select {
	case m.room <- struct{}{}:
	default:
	}
}

// runQueue is lanes that want to run, in the order in which they came. A lane is in
// it at most once.
type runQueue struct {
	mu     sync.Mutex
	some   sync.Cond
	list   []*lane // guarded by mu, from at
	at     int
	closed bool
}

func (r *runQueue) init() { r.some.L = &r.mu }

func (r *runQueue) push(l *lane) {
	r.mu.Lock()
	r.list = append(r.list, l)
	r.mu.Unlock()
	r.some.Signal()
}

// pop waits for a lane; nil when the queue is closed.
func (r *runQueue) pop() *lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.at == len(r.list) && !r.closed {
		r.some.Wait()
	}
	if r.closed {
		return nil
	}
	l := r.list[r.at]
	r.list[r.at] = nil
	r.at++
	switch {
	case r.at == len(r.list):
		r.list, r.at = r.list[:0], 0
	case r.at >= 1024 && r.at*2 >= len(r.list):
		n := copy(r.list, r.list[r.at:])
		clear(r.list[n:])
		r.list, r.at = r.list[:n], 0
	}
	return l
}

func (r *runQueue) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.some.Broadcast()
}
