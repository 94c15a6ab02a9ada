package segment

import (
	"errors"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// committer writes batches. All of it is its goroutine's.
type committer struct {
	spare  *batch
	began  time.Time // when the last commit did
	out    []byte    // encrypted records
	cipher sealer
	active *segment  // nil: the next batch begins one
	dirty  time.Time // since when something is not synced; zero: nothing is
	timer  *time.Timer
}

func (c *committer) start(l *Log) {
	c.spare = &batch{}
	c.timer = time.NewTimer(time.Hour)
	go func() {
		defer close(l.committerDone)
		defer c.timer.Stop()
		for l.commitNext() {
		}
		l.seal(nil)
	}()
}

// commitNext waits for a batch and commits it. It is false once the log is closed
// and nothing waits.
func (l *Log) commitNext() bool {
	c := &l.committer
	b, closed := l.await()
	if b != nil {
		c.began = time.Now()
		l.store(b)
		l.counts.committed(time.Since(c.began))
		l.mu.Lock()
		l.pending -= l.takes(b)
		l.mu.Unlock()
		b.reset()
		if cap(c.out) > keepBuffer && len(c.out) < cap(c.out)/8 {
			c.out = nil
		}
		c.spare = b
		l.notify()
	}
	if !c.dirty.IsZero() && l.cfg.Sync == SyncInterval && time.Since(c.dirty) >= l.cfg.SyncInterval {
		if err := l.sync(); err != nil {
			l.abandon("sync", err)
		}
	}
	return b != nil || !closed
}

// takes is what a batch has been counted as.
func (l *Log) takes(b *batch) int64 {
	size := int64(len(b.buf))
	if l.keys.current != nil {
		size += int64(len(b.records)) * tagSize
	}
	return size
}

// await is the next batch when it is full, or the last commit began long enough ago; nil
// when there is something else to do.
func (l *Log) await() (b *batch, closed bool) {
	for {
		l.mu.Lock()
		n := len(l.batch.records)
		rest := l.cfg.Commit.Interval - time.Since(l.committer.began)
		if n > 0 && (l.closed || l.batch.due(&l.cfg.Commit) || rest <= 0) {
			b, l.batch = l.batch, l.committer.spare
			l.committer.spare = nil
		}
		closed = l.closed
		l.mu.Unlock()
		switch {
		case b != nil || closed:
			return b, closed
		case n > 0:
		case l.committer.dirty.IsZero() || l.cfg.Sync != SyncInterval:
			rest = time.Hour
		default:
			if rest = l.cfg.SyncInterval - time.Since(l.committer.dirty); rest <= 0 {
				return nil, false
			}
		}
		l.committer.timer.Reset(rest)
		select {
		case <-l.wakeCommitter:
		case <-l.committer.timer.C:
		}
	}
}

// store writes a batch, into as many segments as it takes, and tells each record
// what became of it.
func (l *Log) store(b *batch) {
	rest := part{buf: b.buf, records: b.records}
	if l.keys.current != nil {
		rest.tag = tagSize
	}
	for len(rest.records) > 0 {
		first, index, offset, err := l.storePart(&rest)
		if err != nil {
			l.fail(first, err)
			l.fail(rest, err)
			return
		}
		l.stored(first, index, offset)
	}
}

// storePart writes the beginning of rest, as much as fits into one segment, and
// cuts it off. After an error of the disk it tries once more in a new file, for what
// a failed write or fsync leaves in the old one is nothing to rely on.
func (l *Log) storePart(rest *part) (p part, index uint32, offset int64, err error) {
	c := &l.committer
	for attempt := 0; ; attempt++ {
		room, err := l.room(rest)
		if err != nil && attempt == 0 && noSpace(err) && l.makeRoom(rest.size()+recordsAt, true) {
			continue
		}
		if err != nil {
			return part{}, 0, 0, err
		}
		all := *rest
		p = rest.take(room)
		index, offset = c.active.end.count, c.active.end.size
		op, err := l.write(&p)
		if err == nil {
			return p, index, offset, nil
		}
		*rest = all
		path := c.active.path
		if noSpace(err) {
			// Encrypted, what a part of was written is not written again as something else.
			if op != "write" || p.tag > 0 || c.active.w.Truncate(c.active.end.size) != nil {
				l.abandon(op, err)
			}
			if attempt > 0 || !l.makeRoom(rest.size()+recordsAt, true) {
				return part{}, 0, 0, &FullError{Cause: FullDisk, Err: err}
			}
			continue
		}
		l.abandon(op, err)
		if attempt > 0 {
			return part{}, 0, 0, &IOError{Op: op, Path: path, Err: err}
		}
	}
}

// write writes some records behind the active segment's, and commits them.
func (l *Log) write(p *part) (op string, err error) {
	c := &l.committer
	s := c.active
	now := time.Now().UnixMilli()
	at := min(max(now-s.head.created, 0), 1<<32-1)
	b := p.encode(c.out[:0], s.head.seed(), &c.cipher, s.end.count, uint32(at)) //nolint:gosec // bounded
	if p.tag > 0 {
		c.out = b
	}
	if _, err := s.w.WriteAt(b, s.end.size); err != nil {
		return "write", err
	}
	if c.dirty.IsZero() {
		c.dirty = time.Now()
	}
	if l.cfg.Sync == SyncBatch {
		if err := l.sync(); err != nil {
			return "sync", err
		}
	}
	var droppable int64
	for _, r := range p.records {
		if r.flags&Droppable != 0 {
			droppable++
		}
	}
	l.state.Lock()
	index := s.end.count
	s.end.count += uint32(len(p.records)) //nolint:gosec // bounded by the segment's size
	s.end.size += int64(len(b))
	s.droppable += droppable
	s.grew(index, s.head.created+at, s.end.size)
	l.state.Unlock()
	l.counts.used.Add(int64(len(b)))
	l.counts.waiting.Add(int64(len(p.records)))
	return "", nil
}

// sync makes what was written safe.
func (l *Log) sync() error {
	l.counts.syncs.Add(1)
	err := l.committer.active.w.Sync()
	l.committer.dirty = time.Time{}
	return err
}

// stored tells records where they are.
func (l *Log) stored(p part, index uint32, offset int64) {
	l.counts.appended.Add(uint64(len(p.records)))
	number, start := l.committer.active.number, p.start
	var bytes uint64
	for i, r := range p.records {
		if r.done != nil {
			at := uint32(offset) + uint32(r.end-p.start+i*p.tag) - uint32(r.end-start)   //nolint:gosec // bounded by the segment's size
			r.done(Position{segment: number, index: index + uint32(i), offset: at}, nil) //nolint:gosec // as above
		}
		bytes += uint64(r.end - start - recordSize) //nolint:gosec // not negative
		start = r.end
	}
	l.counts.appendedBytes.Add(bytes)
}

// fail tells records that they are not stored.
func (l *Log) fail(p part, err error) {
	cause := refusedIO
	var full *FullError
	if errors.As(err, &full) {
		switch full.Cause {
		case FullMaxBytes:
			cause = refusedMaxBytes
		case FullMinFree:
			cause = refusedMinFree
		default:
			cause = refusedDisk
		}
		l.keeper.needRoom()
	}
	for _, r := range p.records {
		l.counts.refuse(cause)
		if r.done != nil {
			r.done(Position{}, err)
		}
	}
}

// abandon ends the active segment where its last commit did. What a failed write
// left behind that is cut off, if the disk lets it; the next segment's header says
// anyhow that it is not to be read.
func (l *Log) abandon(op string, err error) {
	s := l.committer.active
	l.counts.failures.Add(1)
	l.logger.Error("queue: a file could not be written, going on in a new one",
		zap.String("path", s.path), zap.String("cause", op), zap.NamedError("err", err))
	if cut := s.w.Truncate(s.end.size); cut != nil {
		l.counts.failures.Add(1)
	}
	l.committer.dirty = time.Time{}
	l.seal(err)
}

// noSpace says whether a write failed because the disk is full.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
