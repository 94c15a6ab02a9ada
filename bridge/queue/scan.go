package queue

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/bridge/queue/segment"
)

// scanner is what the passes over the log need. One goroutine makes them.
type scanner struct {
	wake    chan struct{} // holds a token when there may be something to do
	counted atomic.Bool   // what an earlier process has left is known

	mu       sync.Mutex
	fed      []*lane          // hungry; guarded by mu
	waited   time.Duration    // for memory, in the pass under way; its goroutine's
	frontier segment.Position // of the last record that its lane knows of; guarded by mu
}

func (s *scanner) init() { s.wake = make(chan struct{}, 1) }

// complete says whether every lane knows all of its records.
func (s *scanner) complete() bool { return s.counted.Load() }

func (s *scanner) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// feed has l take part in the next pass.
func (s *scanner) feed(l *lane) {
	s.mu.Lock()
	s.fed = append(s.fed, l)
	s.mu.Unlock()
	s.wakeUp()
}

// saw notes that the lane of the record at pos knows of it.
func (s *scanner) saw(pos segment.Position) {
	s.mu.Lock()
	s.frontier = pos
	s.mu.Unlock()
}

// scanLog counts what an earlier process has left, and then makes passes for lanes
// that are ready for what they have skipped, until the connector ends.
func (q *Connector) scanLog() {
	q.countLog()
	q.scan.counted.Store(true)
	for _, l := range q.all() {
		l.mu.Lock()
		l.leave()
	}
	for {
		select {
		case <-q.scan.wake:
		case <-q.ended:
			return
		}
		began := time.Now()
		q.scan.waited = 0
		if q.pass() {
			q.rest(time.Since(began) - q.scan.waited)
		}
	}
}

// rest lets others work after a pass that took long, and more lanes get hungry.
func (q *Connector) rest(took time.Duration) {
	if took < 20*time.Millisecond {
		return
	}
	pause := time.NewTimer(min(took/2, time.Second))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-q.ended:
	}
}

func (q *Connector) over() bool {
	select {
	case <-q.ended:
		return true
	default:
		return false
	}
}

// countLog tells lanes of the records of earlier processes.
func (q *Connector) countLog() {
	r := q.log.NewReader()
	defer r.Close()
	count := int64(0)
	var scratch [64]byte
	for !q.over() {
		rec, ok := r.Next()
		if !ok {
			break
		}
		key, run, ok := keyOf(rec.Payload, scratch[:])
		if ok && run == q.run { // and so are all behind it
			break
		}
		if !ok {
			q.damaged(rec)
			continue
		}
		l := q.lane(string(key), true)
		if l.sender == (sender{}) {
			if e, err := Decode(rec.Payload); err == nil {
				l.sender = sender{name: e.Name, listener: e.Listener, product: e.ProductKey, device: e.DeviceName}
			}
		}
		l.kept++
		q.counts.waiting.Add(1)
		if l.skipped++; l.skipped == 1 || rec.Position.Compare(l.from) < 0 {
			l.from = rec.Position
		}
		l.leave()
		count++
	}
	if count > 0 {
		q.logger.Info("messages were waiting in the queue", zap.Int64("count", count))
	}
}

// damaged buries a record that nobody can read.
func (q *Connector) damaged(rec segment.Record) {
	pos := rec.Position
	q.graves.put(rec.Payload, 0, ErrRecord, func(err error) {
		if err == nil {
			q.counts.died(ErrRecord)
			q.log.Finish(pos)
		}
	})
}

// pass reads the log for the lanes that were fed, until none of them wants more, or
// all is read that there was. It says whether it read anything.
func (q *Connector) pass() bool {
	lanes, from := q.fedLanes()
	if len(lanes) == 0 {
		return false
	}
	q.scan.mu.Lock()
	end := q.scan.frontier
	q.scan.mu.Unlock()
	q.counts.passes.Add(1)
	r := q.log.NewReader()
	defer r.Close()
	r.Seek(from)
	var scratch [64]byte
	whole, eager := false, len(lanes)
	for eager > 0 && !q.over() {
		rec, ok := r.Next()
		if !ok {
			whole = true
			break
		}
		key, run, ok := keyOf(rec.Payload, scratch[:])
		if ok && run == q.run && rec.Position.Compare(end) > 0 {
			whole = true
			break
		}
		if !ok || rec.Position.Compare(from) < 0 {
			continue
		}
		if l := q.known(key); l != nil && l.offer(rec) {
			eager--
		}
	}
	for _, l := range lanes {
		l.conclude(whole, end)
	}
	return true
}

// fedLanes are the lanes of the next pass, and the position before which it need not
// look.
func (q *Connector) fedLanes() (lanes []*lane, from segment.Position) {
	q.scan.mu.Lock()
	fed := q.scan.fed
	q.scan.fed = nil
	q.scan.mu.Unlock()
	for _, l := range fed {
		l.mu.Lock()
		l.hungry = false
		if l.ready() && l.skipped > 0 {
			l.passing, l.left = true, l.skipped
			if len(lanes) == 0 || l.from.Compare(from) < 0 {
				from = l.from
			}
			lanes = append(lanes, l)
		}
		l.leave()
	}
	return lanes, from
}

// offer gives the lane a record that it may want, and says whether that was the last
// one which it wants in this pass.
func (l *lane) offer(rec segment.Record) (last bool) {
	q := l.q
	l.mu.Lock()
	wants := func() bool {
		return l.passing && rec.Position.Compare(l.from) >= 0 && rec.Position.Compare(l.taken) > 0
	}
	if !wants() {
		l.mu.Unlock()
		return false
	}
	l.left--
	for {
		if !l.ready() || l.count >= l.limit() {
			l.passing, l.from = false, rec.Position
			l.leave()
			return true
		}
		if q.memory.take(len(rec.Payload), false) {
			break
		}
		l.mu.Unlock()
		began := time.Now()
		select {
		case <-q.memory.room:
		case <-q.ended:
			return true
		}
		q.scan.waited += time.Since(began)
		l.mu.Lock()
		if !wants() {
			l.mu.Unlock()
			return true
		}
	}
	it := newItem(l)
	it.payload = append(it.payload, rec.Payload...)
	it.pos = rec.Position
	l.from = rec.Position
	l.skipped--
	l.push(it)
	last = l.skipped == 0
	if last {
		l.passing = false
	}
	l.leave()
	return last
}

// conclude ends a pass for the lane. When it was whole and has not met records that
// the lane knew of, the log has dropped them.
func (l *lane) conclude(whole bool, end segment.Position) {
	l.mu.Lock()
	lost := 0
	if l.passing && whole {
		lost = max(min(l.left, l.skipped), 0)
	}
	l.passing = false
	if lost > 0 {
		l.skipped -= lost
		l.kept -= lost
		l.q.counts.waiting.Add(int64(-lost))
		l.q.counts.dropped.Add(uint64(lost))
		l.forsake(end)
	}
	l.leave()
}

// forsake ends the waiting for records up to end that are not in memory.
func (l *lane) forsake(end segment.Position) {
	have := map[string]bool{}
	for it := l.head; it != nil; it = it.next {
		have[it.pos.String()] = true
	}
	for t := l.first; t != nil; t = t.next {
		if t.stored && !t.settled && t.pos.Compare(end) <= 0 && !have[t.pos.String()] {
			l.settle(t, ErrDropped)
		}
	}
}
