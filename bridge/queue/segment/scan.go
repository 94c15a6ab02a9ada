package segment

import (
	"errors"
	"io"
)

const (
	readAhead = 256 << 10
	badBlock  = 4096 // what is given up at once where the disk cannot be read
)

// gap is bytes of a file that are no record.
type gap struct {
	from, to int64
	err      error // of the disk; nil when the content is damaged
}

func (g gap) size() int64 { return g.to - g.from }

// scanner reads the records of a segment one by one, past what is damaged. It is
// one goroutine's.
type scanner struct {
	src       io.ReaderAt
	compacted bool
	count     uint32 // of indexes, when it is compacted
	seed      uint32
	off       int64  // of the next record
	least     uint32 // its index, or less: what has a lower one is no record of the log's
	limit     int64  // where the records end
	ahead     int

	buf []byte // what was read
	at  int64  // where in the file it begins
}

func newScanner(src io.ReaderAt, h *header, limit int64) *scanner {
	return &scanner{src: src, compacted: h.compacted(), count: h.own.count, seed: h.seed(), off: recordsAt, limit: limit, ahead: readAhead}
}

// window is at least n bytes from there, or all up to the limit; fewer when the
// file ends before that.
func (s *scanner) window(off int64, n int64) ([]byte, error) {
	n = min(n, s.limit-off)
	if from := off - s.at; from >= 0 && from+n <= int64(len(s.buf)) {
		return s.buf[from:], nil
	}
	size := min(max(n, int64(s.ahead)), s.limit-off)
	if int64(cap(s.buf)) < size {
		s.buf = make([]byte, size)
	}
	s.buf, s.at = s.buf[:size], off
	got, err := s.src.ReadAt(s.buf, off)
	if int64(got) >= n || errors.Is(err, io.EOF) {
		err = nil
	}
	s.buf = s.buf[:got]
	return s.buf, err
}

// jump goes to a record, if it is where its position says: it is not when the
// segment was compacted since.
func (s *scanner) jump(p Position) bool {
	off := int64(p.offset)
	if off < recordsAt || off+recordSize > s.limit {
		return false
	}
	b, err := s.window(off, recordSize)
	if err != nil {
		return false
	}
	rec, _, ok := s.parse(b, off)
	if ok = ok && rec.index == p.index; ok {
		s.off, s.least = off, rec.index
	}
	return ok
}

// parse reads the header of a record that is at off.
func (s *scanner) parse(b []byte, off int64) (rec stored, size int64, ok bool) {
	rec, size, ok = parse(b, s.seed)
	most := (off - recordsAt) / recordSize
	if s.compacted {
		most = int64(s.count) - 1
	}
	return rec, size, ok && size <= s.limit-off && rec.index >= s.least && int64(rec.index) <= most
}

// next is the next record, whose bytes are valid until the call after; or, when
// there are bytes that are none, what was skipped; or neither at the limit.
func (s *scanner) next() (rec stored, skipped gap, ok bool) {
	if s.off >= s.limit {
		return rec, skipped, false
	}
	from := s.off
	b, err := s.window(from, recordSize)
	if err == nil {
		var size int64
		if rec, size, ok = s.parse(b, from); ok {
			s.least = rec.index + 1
			if b, err = s.window(from, size); err == nil && int64(len(b)) >= size {
				s.off = from + size
				rec.offset, rec.raw = from, b[:size]
				if whole(rec.raw) {
					return rec, gap{}, true
				}
				return stored{}, gap{from: from, to: s.off}, false
			}
		}
	}
	if err == nil {
		if err = s.resync(from + 1); err == nil {
			return stored{}, gap{from: from, to: s.off}, false
		}
	}
	s.off = min(max(s.off, from)+badBlock, s.limit)
	return stored{}, gap{from: from, to: s.off, err: err}, false
}

// resync goes to the next header of a record.
func (s *scanner) resync(from int64) error {
	for s.off = from; s.off < s.limit; {
		b, err := s.window(s.off, min(readAhead, s.limit-s.off))
		if err != nil {
			return err
		}
		last := len(b) - recordSize
		for i := 0; i <= last; i++ {
			if b[i+12] != recordKind || b[i+14]|b[i+15] != 0 {
				continue
			}
			if _, _, ok := s.parse(b[i:], s.off+int64(i)); ok {
				s.off += int64(i)
				return nil
			}
		}
		if last < 0 || s.off+int64(len(b)) >= s.limit {
			break // behind the last one; or the file is shorter than it was
		}
		s.off += int64(last) + 1
	}
	s.off = s.limit
	return nil
}
