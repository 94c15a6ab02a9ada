package segment

import (
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// keeper writes down what is finished, and deletes. What is not atomic is its
// goroutine's.
type keeper struct {
	log      *Log
	since    atomic.Int64 // records finished since the last cursor
	complete atomic.Bool  // a segment is finished as a whole
	room     atomic.Bool  // records were refused
	kick     chan struct{}
	quit     chan struct{}
	done     chan struct{}

	written, longest time.Time // when the cursor was written, and the longest commit noted
	failing          bool      // the cursor cannot be written, and that was logged
}

// keeperTick is how often it looks what there is to do.
const keeperTick = time.Second

// longestFor is how long the longest commit is remembered: between once and twice that.
const longestFor = 30 * time.Second

func (k *keeper) start(l *Log) {
	k.log, k.kick, k.quit, k.done = l, make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	k.written, k.longest = time.Now(), time.Now()
	go k.run()
}

func (k *keeper) run() {
	defer close(k.done)
	ticker := time.NewTicker(min(keeperTick, k.log.cfg.CursorInterval))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			k.tidy()
		case <-k.kick:
		case <-k.quit:
			return
		}
		if k.complete.Swap(false) {
			k.log.house.Lock()
			k.log.removeComplete()
			k.log.house.Unlock()
		}
		k.save()
	}
}

// save writes the cursor when it is due: a little early rather than a whole tick late.
func (k *keeper) save() {
	if n := k.since.Load(); n >= int64(k.log.cfg.CursorCount) || n > 0 && time.Since(k.written) >= k.log.cfg.CursorInterval/10*9 {
		k.report(k.log.writeCursor())
	}
}

// stop ends the keeper, and writes the last cursor.
func (k *keeper) stop() error {
	close(k.quit)
	<-k.done
	k.log.house.Lock()
	defer k.log.house.Unlock()
	k.log.removeComplete()
	k.log.emptyTrash()
	if k.since.Load() == 0 {
		return nil
	}
	return k.log.writeCursor()
}

// report logs that what is finished cannot be written down, once until it can.
func (k *keeper) report(err error) {
	k.written = time.Now()
	if err == nil {
		k.failing = false
		return
	}
	k.log.counts.failures.Add(1)
	if !k.failing {
		k.failing = true
		k.log.logger.Error("queue: what is finished cannot be written down; it comes again after a restart", zap.NamedError("err", err))
	}
}

// finished notes that a record is, and whether that completes its segment.
func (k *keeper) finished(complete bool) {
	n := k.since.Add(1)
	if complete {
		k.complete.Store(true)
	}
	if complete || n == int64(k.log.cfg.CursorCount) {
		k.wake()
	}
}

// needRoom notes that there is none.
func (k *keeper) needRoom() { k.room.Store(true) }

func (k *keeper) wake() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// tidy is what there is to do every now and then.
func (k *keeper) tidy() {
	l, now := k.log, time.Now()
	l.house.Lock()
	l.expire(now)
	l.emptyTrash()
	l.house.Unlock()
	for _, s := range l.snapshot() {
		if err := s.sweep(); err != nil {
			l.counts.failures.Add(1)
		}
	}
	if now.Sub(k.longest) >= longestFor {
		k.longest = now
		l.counts.longest[1].Store(l.counts.longest[0].Swap(0))
	}
	if wanted := k.room.Swap(false); wanted || l.counts.used.Load() > l.cfg.MaxBytes/4*3 {
		k.compact()
	}
}

// compact rewrites the segments that are worth it. Between two of them others may
// have the house, the cursor is written when it is due, and the log may close.
func (k *keeper) compact() {
	for _, s := range k.log.snapshot() {
		if !k.log.sparse(s) {
			continue
		}
		select {
		case <-k.quit:
			return
		default:
		}
		k.log.house.Lock()
		k.log.compact(s, false)
		k.log.house.Unlock()
		k.save()
	}
}

// sparse says whether at least half of the records in a file are finished.
func (l *Log) sparse(s *segment) bool {
	l.state.Lock()
	defer l.state.Unlock()
	inside := s.kept
	if inside == 0 {
		inside = s.end.count
	}
	return s.sealed && !s.removed && !s.complete() && (s.done.count-s.doneThen) >= (inside+1)/2
}

// writeCursor writes down what is finished.
func (l *Log) writeCursor() error {
	n := l.keeper.since.Swap(0)
	content := l.encodeCursor()
	err := l.disk.writeAll(l.dir, cursorName, content, l.cfg.Sync != SyncNone)
	if err != nil {
		l.keeper.since.Add(n)
		err = errors.Join(errCursor, err)
	}
	return err
}

var errCursor = errors.New("segment: the cursor cannot be written")
