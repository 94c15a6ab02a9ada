package segment

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// compact rewrites a sealed segment without what is finished and, if dropping,
// without what is Droppable. It returns how many bytes came free: none when that
// would not be worth it, or failed. House is held.
func (l *Log) compact(s *segment, dropping bool) int64 {
	l.state.Lock()
	if !s.sealed || s.removed || s.unreadable || s.hopeless(dropping) {
		l.state.Unlock()
		return 0
	}
	head, was, src, done := s.head, s.end, source{s, s.generation}, s.done.count
	l.state.Unlock()
	c := compaction{log: l, segment: s, dropping: dropping, scan: newScanner(src, &head, was.size)}
	tmp := s.path + tmpSuffix
	err := c.run(tmp, head, was)
	if err == nil && c.size > was.size-was.size/16 && c.kept > 0 {
		err = errNotWorth
	}
	if err == nil && c.kept == 0 { // nothing is left
		l.state.Lock()
		c.finish()
		l.state.Unlock()
		l.removeTmp(tmp)
		_, _ = l.remove(s)
		l.counts.compactions.Add(1)
		return was.size
	}
	if err == nil {
		l.state.Lock()
		if err = s.replace(tmp, c.head, end{was.count, c.size}); err == nil {
			c.finish()
			s.droppable, s.kept, s.doneThen, s.tried = c.droppable, c.kept, s.done.count, 0
		}
		l.state.Unlock()
	}
	if err != nil {
		l.removeTmp(tmp)
		if !errors.Is(err, errNotWorth) {
			l.counts.failures.Add(1)
			l.logger.Warn("queue: a file could not be compacted", zap.String("path", s.path), zap.NamedError("err", err))
			l.state.Lock()
			s.failed = time.Now()
			l.state.Unlock()
		} else {
			l.state.Lock()
			s.droppable, s.tried, s.triedDropping = c.droppable+int64(len(c.dropped)), done+1, dropping
			l.state.Unlock()
		}
		return 0
	}
	if err = l.disk.syncDir(filepath.Dir(s.path)); err != nil {
		l.counts.failures.Add(1)
	}
	l.counts.used.Add(c.size - was.size)
	l.counts.compactions.Add(1)
	return was.size - c.size
}

func (l *Log) removeTmp(path string) {
	if err := l.disk.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.counts.failures.Add(1)
	}
}

// compaction writes what is wanted of a segment to another file.
type compaction struct {
	log      *Log
	segment  *segment
	dropping bool
	scan     *scanner

	head      header // of the new file
	size      int64  // of the new file
	kept      uint32
	droppable int64 // of those kept
	dropped   []uint32
	missing   [][2]uint32 // indexes from, to: damaged
	gaps      []gap
	out       []byte
	file      file
}

// errNotWorth ends a compaction that would free next to nothing.
var errNotWorth = errors.New("segment: nothing to gain")

func (c *compaction) run(tmp string, head header, was end) (err error) {
	c.log.removeTmp(tmp)
	if c.file, err = c.log.disk.create(tmp); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.file.Close()) }()
	c.size = recordsAt
	next := uint32(0)
	for {
		r, skipped, ok := c.scan.next()
		switch {
		case ok:
			if r.index > next && !head.compacted() {
				c.missing = append(c.missing, [2]uint32{next, r.index})
			}
			next = r.index + 1
			if err = c.take(&r); err != nil {
				return err
			}
		case skipped.err != nil:
			return skipped.err
		case skipped.to > 0:
			c.gaps = append(c.gaps, skipped)
		default:
			if next < was.count && !head.compacted() {
				c.missing = append(c.missing, [2]uint32{next, was.count})
			}
			return c.end(head, was)
		}
	}
}

// take copies a record unless it is not wanted.
func (c *compaction) take(r *stored) error {
	c.log.state.Lock()
	finished := c.segment.done.has(r.index)
	c.log.state.Unlock()
	switch {
	case finished:
		return nil
	case r.flags&Droppable != 0 && c.dropping:
		c.dropped = append(c.dropped, r.index)
		return nil
	case r.flags&Droppable != 0:
		c.droppable++
	}
	c.kept++
	c.out = append(c.out, r.raw...)
	if len(c.out) < readAhead {
		return nil
	}
	return c.flush()
}

func (c *compaction) flush() error {
	_, err := c.file.WriteAt(c.out, c.size)
	c.size += int64(len(c.out))
	c.out = c.out[:0]
	return err
}

// end writes the header.
func (c *compaction) end(head header, was end) error {
	if err := c.flush(); err != nil {
		return err
	}
	head.kind |= kindCompacted
	head.own, head.records = end{was.count, c.size}, c.kept
	c.head = head
	if _, err := c.file.WriteAt(head.encode(), 0); err != nil {
		return err
	}
	return c.file.Sync()
}

// finish marks what is not in the new file. Log.state is held.
func (c *compaction) finish() {
	l, s := c.log, c.segment
	var dropped uint64
	for _, index := range c.dropped {
		if s.done.set(index) {
			dropped++
		}
	}
	l.counts.droppedFlag.Add(dropped)
	l.counts.waiting.Add(-int64(dropped)) //nolint:gosec // bounded by the segment's size
	for _, m := range c.missing {
		l.lose(s, m[0], m[1], true)
	}
	for _, g := range c.gaps {
		l.counts.damagedBytes.Add(uint64(g.size())) //nolint:gosec // not negative
		l.logGap(s, g, 1)
	}
}
