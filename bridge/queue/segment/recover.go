package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// found is the files of a log.
type found struct {
	segments []*segment // by number, with their headers
	broken   []entry    // that have none
	tmp      []entry
	highest  uint32 // number of any file
	last     uint32 // number of the last segment file, with or without header
	cursor   cursor
}

// look reads the headers of all segments, and the cursor. It changes nothing.
func look(d *disk, dir string, k *keys, logger *zap.Logger) (*found, error) {
	files, err := d.list(dir)
	if err != nil {
		return nil, err
	}
	f := &found{}
	for _, e := range files {
		number, suffix, ok := numberOf(e.name)
		switch {
		case ok:
			f.highest = max(f.highest, number)
		case e.name == cursorName+tmpSuffix:
			suffix = tmpSuffix
		default:
			continue
		}
		switch {
		case strings.HasSuffix(suffix, tmpSuffix):
			f.tmp = append(f.tmp, e)
		case suffix == segmentSuffix:
			f.last = max(f.last, number)
			if err = f.header(d, dir, e, number, k); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(f.segments, func(a, b *segment) int { return Position{segment: a.number}.Compare(Position{segment: b.number}) })
	f.cursor, err = loadCursor(d, dir, files, logger)
	return f, err
}

// header reads the header of one segment.
func (f *found) header(d *disk, dir string, e entry, number uint32, k *keys) error {
	path := filepath.Join(dir, e.name)
	r, err := d.open(path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile, by the process beside which a View looks
	}
	if err != nil {
		return err
	}
	h, err := readHeader(r)
	if err = errors.Join(err, r.Close()); errors.Is(err, errNoHeader) {
		f.broken = append(f.broken, e)
		return nil
	}
	s := &segment{number: number, path: path, disk: d, head: h, end: end{size: e.size}, sealed: true, droppable: -1, newest: h.created}
	if err == nil {
		s.aead, err = k.aead(&h)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	f.segments = append(f.segments, s)
	return nil
}

// measure finds out where each segment ends: by its own header, by that of the one
// behind it, or by reading it. report is called for what is damaged.
func (f *found) measure(report func(*segment, gap)) {
	told := map[uint32]end{}
	for _, s := range f.segments {
		if s.head.beforeN != 0 {
			told[s.head.beforeN] = s.head.before
		}
	}
	for i, s := range f.segments {
		size := s.end.size
		want, known := told[s.number]
		if s.head.compacted() {
			want, known = s.head.own, true
		}
		known = known && want.size >= recordsAt && (s.head.compacted() || int64(want.count) <= (want.size-recordsAt)/recordSize)
		if known {
			s.end = end{want.count, min(want.size, size)}
		}
		if i+1 < len(f.segments) {
			s.newest = f.segments[i+1].head.created
		} else {
			s.newest = time.Now().UnixMilli()
		}
		if !known || size < want.size {
			s.measure(size, known, report)
		}
		if c, ok := f.cursor.segments[s.number]; ok && c.salt == s.head.salt {
			s.done.restore(c.base, c.words, s.end.count)
		}
	}
}

// measure reads a segment whose file is that large. What another header says of
// its end holds, if it does; whatever is missing is damaged.
func (s *segment) measure(size int64, known bool, report func(*segment, gap)) {
	last, tail := end{size: recordsAt}, gap{}
	newest := s.head.created
	scan := newScanner(source{s, 0}, &s.head, size)
	s.droppable = 0
	for {
		r, skipped, ok := scan.next()
		if !ok && skipped.to == 0 {
			break
		}
		if !ok {
			if tail.to > 0 {
				report(s, tail)
			}
			tail = skipped
			continue
		}
		if tail.to > 0 {
			report(s, tail)
			tail = gap{}
		}
		last = end{r.index + 1, scan.off}
		if r.flags&Droppable != 0 {
			s.droppable++
		}
		newest = timeOf(s.head.created, &r).UnixMilli()
		s.grew(r.index, newest, scan.off)
	}
	s.newest = newest
	switch {
	case known: // the reader finds out what is missing
	case tail.err != nil:
		report(s, tail)
		s.unreadable = true
		s.end = end{last.count, size}
	default:
		s.end = last
	}
}

// recover makes of the files in the directory the log that they are.
func (l *Log) recover() error {
	began := time.Now()
	f, err := look(&l.disk, l.dir, l.keys, l.logger)
	if err != nil {
		return err
	}
	for _, e := range f.tmp {
		if err = l.disk.remove(filepath.Join(l.dir, e.name)); err != nil {
			return err
		}
	}
	for _, e := range f.broken {
		if err = l.setAside(e); err != nil {
			return err
		}
	}
	sizes := map[*segment]int64{}
	for _, s := range f.segments {
		sizes[s] = s.end.size
	}
	f.measure(l.skipped)
	for _, s := range f.segments {
		if err = l.trim(s, sizes[s], s.number == f.last); err != nil {
			return err
		}
		l.counts.used.Add(s.end.size)
		l.counts.waiting.Add(s.waiting())
	}
	l.segments = f.segments
	l.last = max(f.highest, f.cursor.last)
	if n := len(l.segments); n > 0 {
		l.before, l.beforeN = l.segments[n-1].end, l.segments[n-1].number
	}
	l.removeComplete()
	if n := l.counts.waiting.Load(); n > 0 {
		l.logger.Info("queue: records of an earlier run wait", zap.String("path", l.dir), zap.Int64("count", n),
			zap.Int64("bytes", l.counts.used.Load()), zap.Duration("duration", time.Since(began)))
	}
	return nil
}

// setAside keeps a file without a header under another name, unless there cannot be
// a record in it.
func (l *Log) setAside(e entry) error {
	path := filepath.Join(l.dir, e.name)
	if e.size <= recordsAt {
		l.logger.Info("queue: a file that was never finished making was removed", zap.String("path", path), zap.Int64("bytes", e.size))
		return l.disk.remove(path)
	}
	l.counts.damagedBytes.Add(uint64(e.size))
	l.counts.cutOff.Add(uint64(e.size))
	l.logger.Error("queue: a file has no header that can be read; it is kept under another name",
		zap.String("path", path+damagedSuffix), zap.Int64("bytes", e.size))
	return l.disk.rename(path, path+damagedSuffix)
}

// trim cuts off what is behind the last record of the last segment, so that
// nobody takes it for records later.
func (l *Log) trim(s *segment, size int64, last bool) error {
	if s.unreadable || size <= s.end.size {
		return nil
	}
	l.counts.damagedBytes.Add(uint64(size - s.end.size)) //nolint:gosec // positive
	l.counts.cutOff.Add(uint64(size - s.end.size))       //nolint:gosec // positive
	l.logger.Warn(fmt.Sprintf("queue: bytes %d to %d at the end of a file are no record: a write that was not finished", s.end.size, size-1),
		zap.String("path", s.path), zap.Int64("bytes", size-s.end.size))
	if !last {
		return nil
	}
	w, err := l.disk.open(s.path, true)
	if err != nil {
		return err
	}
	if err = w.Truncate(s.end.size); err == nil && l.cfg.Sync != SyncNone {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}
