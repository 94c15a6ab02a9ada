package segment

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"go.uber.org/zap"
)

// makeRoom drops what the configuration says until there is room for so many
// bytes, or nothing is left to drop. With something it drops at least one thing, for
// a disk that is full although it says that it has space. It is the committer's.
func (l *Log) makeRoom(need int64, something bool) bool {
	if l.cfg.Full == FullRefuse {
		return false
	}
	l.house.Lock()
	defer l.house.Unlock()
	l.removeComplete()
	for something || l.shortage(need) != "" {
		something = false
		var dropped bool
		if l.cfg.Full == FullDropOldest {
			dropped = l.dropOldest()
		} else {
			dropped = l.dropDroppable(need)
		}
		if !dropped {
			return false
		}
	}
	return true
}

// dropOldest drops the oldest segment that is not written to. House is held.
func (l *Log) dropOldest() bool {
	l.state.Lock()
	var oldest *segment
	if len(l.segments) > 0 && l.segments[0].sealed {
		oldest = l.segments[0]
	}
	l.state.Unlock()
	if oldest == nil {
		return false
	}
	lost, ok := l.remove(oldest)
	if ok {
		l.counts.droppedFull.Add(lost)
		l.logger.Warn("queue: full: the oldest records were dropped", zap.String("path", oldest.path), zap.Uint64("count", lost))
	}
	return ok
}

// dropDroppable rewrites segments without what may be dropped and what is
// finished, the oldest first, until there is room. House is held. It says whether
// anything came free.
func (l *Log) dropDroppable(need int64) (freed bool) {
	for _, s := range l.snapshot() {
		l.state.Lock()
		mine := s == l.committer.active
		gain := s.droppable != 0 || s.done.count > 0
		l.state.Unlock()
		if !gain {
			continue
		}
		if mine {
			l.seal(nil)
		}
		if l.compact(s, true) > 0 {
			freed = true
		}
		if freed && l.shortage(need) == "" {
			return true
		}
	}
	return freed
}

// snapshot is the segments there are.
func (l *Log) snapshot() []*segment {
	l.state.Lock()
	defer l.state.Unlock()
	return slices.Clone(l.segments)
}

// remove deletes a sealed segment, and says how many records of it were not
// finished. House is held.
func (l *Log) remove(s *segment) (lost uint64, ok bool) {
	if err := s.remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.counts.failures.Add(1)
		l.trash = append(l.trash, s.path)
		l.logger.Error("queue: a file could not be removed, trying again later", zap.String("path", s.path), zap.NamedError("err", err))
	}
	l.state.Lock()
	defer l.state.Unlock()
	if s.removed {
		return 0, false
	}
	s.removed = true
	for i, other := range l.segments {
		if other == s {
			l.segments = append(l.segments[:i:i], l.segments[i+1:]...)
			break
		}
	}
	left := s.waiting()
	l.counts.waiting.Add(-left)
	l.counts.used.Add(-s.end.size)
	return uint64(max(left, 0)), true //nolint:gosec // not negative
}

// emptyTrash tries again to delete what could not be. House is held.
func (l *Log) emptyTrash() {
	l.trash = slices.DeleteFunc(l.trash, func(path string) bool {
		err := l.disk.remove(path)
		return err == nil || errors.Is(err, fs.ErrNotExist)
	})
}

// removeComplete deletes what is finished as a whole. House is held.
func (l *Log) removeComplete() {
	for _, s := range l.snapshot() {
		l.state.Lock()
		complete := s.complete()
		l.state.Unlock()
		if complete {
			l.remove(s)
		}
	}
}

// expire drops segments whose youngest record is too old. House is held.
func (l *Log) expire(now time.Time) {
	if l.cfg.MaxAge == 0 {
		return
	}
	for _, s := range l.snapshot() {
		l.state.Lock()
		old := s.sealed && now.Sub(time.UnixMilli(s.newest)) > l.cfg.MaxAge
		l.state.Unlock()
		if !old {
			continue
		}
		if lost, ok := l.remove(s); ok && lost > 0 {
			l.counts.droppedAge.Add(lost)
			l.logger.Warn("queue: records older than maxAge were dropped", zap.String("path", s.path), zap.Uint64("count", lost))
		}
	}
}
