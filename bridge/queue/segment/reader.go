package segment

import (
	"errors"
	"fmt"
	"time"
)

// Reader reads records in order, each once, past those that are finished. One
// goroutine at a time may use it; there may be several readers.
type Reader struct {
	log    *Log
	number uint32 // of the segment that it reads, or the lowest that it reads next
	index  uint32 // of the next record in it

	segment *segment // nil: between two
	scan    *scanner
	source  source
	sealed  bool // the scanner's limit is the end
	cipher  sealer
	plain   []byte
}

// NewReader begins at the oldest record that is not finished.
func (l *Log) NewReader() *Reader { return &Reader{log: l, number: 1} }

// Next is the next stored record, and false when there is none at present: more
// may come later (see [WithNotify]). It reads the disk, or what the system keeps of
// it in memory, but never waits for a commit.
func (r *Reader) Next() (Record, bool) {
	for r.enter() {
		rec, skipped, ok := r.scan.next()
		switch {
		case ok:
			if out, wanted := r.take(&rec); wanted {
				return out, true
			}
		case errors.Is(skipped.err, ErrGone), errors.Is(skipped.err, errMoved):
			r.segment = nil // deleted or rewritten: enter finds what there is now
		case skipped.to > 0:
			r.log.skipped(r.segment, skipped)
		case r.sealed:
			r.leave()
		default:
			if !r.grown() {
				return Record{}, false
			}
		}
	}
	return Record{}, false
}

// enter sees to it that there is a segment to read.
func (r *Reader) enter() bool {
	if r.segment != nil {
		return true
	}
	l := r.log
	l.state.Lock()
	defer l.state.Unlock()
	s := l.from(r.number)
	for s != nil && s.complete() {
		s = l.from(s.number + 1)
	}
	if s == nil {
		return false
	}
	if s.number != r.number {
		r.number, r.index = s.number, 0
	}
	r.segment, r.sealed, r.source = s, s.sealed, source{s, s.generation}
	r.cipher.aead = s.aead
	old := r.scan
	r.scan = newScanner(r.source, &s.head, s.end.size)
	if old != nil {
		r.scan.buf = old.buf[:0]
	}
	return true
}

// grown looks whether there is more of the segment meanwhile.
func (r *Reader) grown() bool {
	r.log.state.Lock()
	defer r.log.state.Unlock()
	s := r.segment
	if s.generation != r.source.generation || s.removed {
		r.segment = nil
		return true
	}
	more := s.end.size > r.scan.limit || s.sealed
	r.scan.limit, r.sealed = s.end.size, s.sealed
	return more
}

// leave goes on to the next segment.
func (r *Reader) leave() {
	l, s := r.log, r.segment
	l.state.Lock()
	if r.index < s.end.count && !s.unreadable && s.generation == r.source.generation {
		l.lose(s, r.index, s.end.count, !s.head.compacted())
	}
	complete := s.complete()
	l.state.Unlock()
	if complete {
		l.keeper.finished(true)
	}
	r.segment, r.number, r.index = nil, s.number+1, 0
}

// take decides whether a record is wanted, and decrypts it.
func (r *Reader) take(rec *stored) (out Record, wanted bool) {
	l, s := r.log, r.segment
	if rec.index < r.index { // read before, or the segment was rewritten
		return out, false
	}
	l.state.Lock()
	if rec.index > r.index && !s.unreadable && s.generation == r.source.generation {
		l.lose(s, r.index, rec.index, !s.head.compacted())
	}
	wanted = rec.index < s.end.count && !s.done.has(rec.index)
	created := s.head.created
	l.state.Unlock()
	r.index = rec.index + 1
	if !wanted {
		return out, false
	}
	out = Record{
		Position: Position{segment: s.number, index: rec.index, offset: uint32(rec.offset)}, //nolint:gosec // bounded by the segment's size
		Payload:  rec.body(), Time: timeOf(created, rec), Flags: rec.flags,
	}
	if l.cfg.MaxAge > 0 && time.Since(out.Time) > l.cfg.MaxAge {
		if l.finish(out.Position) {
			l.counts.droppedAge.Add(1)
		}
		return out, false
	}
	if r.cipher.aead == nil {
		return out, true
	}
	var err error
	if r.plain, err = r.cipher.open(r.plain[:0], rec); err != nil {
		l.skipped(s, gap{from: rec.offset, to: rec.offset + int64(len(rec.raw))})
		if l.finish(out.Position) {
			l.counts.damaged.Add(1)
		}
		return out, false
	}
	out.Payload = r.plain
	return out, true
}

// Seek makes the record at p the next one to be read, or the first behind it
// that is there.
func (r *Reader) Seek(p Position) {
	r.segment, r.number, r.index = nil, max(p.segment, 1), p.index
	if !r.enter() || r.number != p.segment {
		return
	}
	r.scan.jump(p)
}

// Close releases what the reader holds.
func (r *Reader) Close() { *r = Reader{log: r.log, number: r.number, index: r.index} }

// Read reads the record at p again, into dst, which it grows as append does. It is
// ErrGone for records that were finished, dropped or damaged. It costs a read of the
// disk, or of what the system keeps of it in memory; records that were compacted
// cost more.
func (l *Log) Read(p Position, dst []byte) ([]byte, error) {
	l.state.Lock()
	s := l.find(p.segment)
	if s == nil || p.index >= s.end.count || s.done.has(p.index) {
		l.state.Unlock()
		return dst, ErrGone
	}
	head, limit, src := s.head, s.end.size, source{s, s.generation}
	l.state.Unlock()
	scan := newScanner(src, &head, limit)
	scan.ahead = 1024
	if !scan.jump(p) {
		scan.ahead = readAhead
	}
	for {
		rec, skipped, ok := scan.next()
		switch {
		case errors.Is(skipped.err, errMoved):
			return l.Read(p, dst)
		case errors.Is(skipped.err, ErrGone):
			return dst, ErrGone
		case skipped.err != nil:
			l.counts.failures.Add(1)
			return dst, &IOError{Op: "read", Path: s.path, Err: skipped.err}
		case ok && rec.index < p.index, skipped.to > 0:
			continue
		case !ok || rec.index > p.index:
			return dst, fmt.Errorf("%w: %s is damaged", ErrGone, p)
		case s.aead == nil:
			return append(dst, rec.body()...), nil
		}
		cipher := sealer{aead: s.aead}
		plain, err := cipher.open(dst, &rec)
		if err != nil {
			return dst, fmt.Errorf("%w: %s is damaged: %w", ErrGone, p, err)
		}
		return plain, nil
	}
}
