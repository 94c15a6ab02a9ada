package segment

import (
	"crypto/cipher"
	"errors"
	"sync"
	"time"
)

// segment is one file of the log.
type segment struct {
	number uint32
	path   string
	disk   *disk
	aead   cipher.AEAD // nil: not encrypted

	// guarded by Log.state:
	head          header // changes when the segment is compacted
	end           end    // what is committed
	generation    int    // how often it was compacted; changes with fmu held, too
	sealed        bool   // nothing is appended any more
	unreadable    bool   // the disk could not be read: it is kept for a better day
	removed       bool
	done          marks
	kept          uint32 // records in the file since it was compacted, when doneThen was done.count; 0: it was not
	doneThen      uint32
	tried         uint32    // done.count, plus one, when compacting it was not worth it; 0: it was
	triedDropping bool      // that was with what is Droppable
	failed        time.Time // when compacting it failed
	droppable     int64     // records marked Droppable, finished or not; -1: not known
	newest        int64     // when its last record came, at the latest; Unix milliseconds
	ages          []age
	reported      int64 // where damage is not reported again
	gaps          int

	w file // the committer's; nil when it is not written to

	fmu  sync.RWMutex
	r    file // to read; guarded by fmu
	used bool // since the last sweep; guarded by fmu
	gone bool // guarded by fmu
}

// age is when the record of an index came: one for each 64 KiB.
type age struct {
	index uint32
	at    int64 // Unix milliseconds
	size  int64 // of the segment then
}

const agesEvery = 64 << 10

// source is a segment's file as it was at one time.
type source struct {
	*segment
	generation int
}

var errMoved = errors.New("segment: the file was rewritten")

// ReadAt reads the file, which is opened when that is needed. It is ErrGone when
// the segment has been deleted, and errMoved when its records are elsewhere now.
func (s source) ReadAt(p []byte, off int64) (int, error) {
	s.fmu.RLock()
	if s.r != nil && s.used && s.generation == s.segment.generation {
		defer s.fmu.RUnlock()
		return s.r.ReadAt(p, off)
	}
	s.fmu.RUnlock()
	s.fmu.Lock()
	defer s.fmu.Unlock()
	switch {
	case s.gone:
		return 0, ErrGone
	case s.generation != s.segment.generation:
		return 0, errMoved
	case s.r == nil:
		r, err := s.disk.open(s.path, false)
		if err != nil {
			return 0, err
		}
		s.r = r
	}
	s.used = true
	return s.r.ReadAt(p, off)
}

// sweep closes a file that has not been read since the last sweep.
func (s *segment) sweep() error {
	s.fmu.Lock()
	defer s.fmu.Unlock()
	if s.used || s.r == nil {
		s.used = false
		return nil
	}
	return s.closeReader()
}

// closeReader is called with fmu held.
func (s *segment) closeReader() error {
	if s.r == nil {
		return nil
	}
	err := s.r.Close()
	s.r = nil
	return err
}

// remove deletes the file, and whoever reads it finds it gone.
func (s *segment) remove() error {
	s.fmu.Lock()
	defer s.fmu.Unlock()
	s.gone = true
	return errors.Join(s.closeReader(), s.disk.remove(s.path))
}

// replace puts another file in its place, which ends there. It is called with
// Log.state held.
func (s *segment) replace(tmp string, head header, to end) error {
	s.fmu.Lock()
	defer s.fmu.Unlock()
	if err := s.disk.rename(tmp, s.path); err != nil {
		return err
	}
	s.generation++
	s.head, s.end, s.ages, s.reported = head, to, nil, 0
	return s.closeReader()
}

// The following are called with Log.state held.

func (s *segment) waiting() int64 { return int64(s.end.count) - int64(s.done.count) }

// complete says whether nothing of it is wanted any more.
func (s *segment) complete() bool {
	return s.sealed && !s.removed && !s.unreadable && s.done.count >= s.end.count
}

// hopeless says whether compacting it was tried of late and would end as it did: not worth
// it until some more is finished, or failed a moment ago.
func (s *segment) hopeless(dropping bool) bool {
	same := s.tried > 0 && (!dropping || s.triedDropping || s.droppable == 0)
	return same && s.done.count-(s.tried-1) <= s.end.count/32 || time.Since(s.failed) < tryAgain
}

// tryAgain is how long a file that could not be compacted is left alone.
const tryAgain = 10 * time.Second

// grew notes when records came.
func (s *segment) grew(index uint32, at, size int64) {
	if n := len(s.ages); n == 0 || size-s.ages[n-1].size >= agesEvery {
		s.ages = append(s.ages, age{index, at, size})
	}
	s.newest = max(s.newest, at)
}

// oldest is about when its first unfinished record came.
func (s *segment) oldest() int64 {
	first := s.done.base * 64
	at := s.head.created
	for _, a := range s.ages {
		if a.index > first {
			break
		}
		at = a.at
	}
	return at
}

// timeOf is when a record came.
func timeOf(created int64, r *stored) time.Time { return time.UnixMilli(created + int64(r.at)) }
