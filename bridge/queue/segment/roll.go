package segment

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// room sees to it that there is a segment to write to, and that it, the log and
// the disk have room. It returns how much the segment has: at least the first record's.
func (l *Log) room(rest *part) (int64, error) {
	need := min(rest.size(), l.cfg.SegmentSize-recordsAt) + recordsAt
	if cause := l.shortage(need); cause != "" && !l.makeRoom(need, false) {
		return 0, &FullError{Cause: cause}
	}
	first := int64(rest.records[0].end - rest.start + rest.tag)
	if s := l.committer.active; s != nil {
		if s.end.size+first <= l.cfg.SegmentSize && time.Since(time.UnixMilli(s.head.created)) < maxLife {
			return l.cfg.SegmentSize - s.end.size, nil
		}
		l.seal(nil)
	}
	if err := l.begin(); err != nil {
		l.counts.failures.Add(1)
		return 0, err
	}
	return l.cfg.SegmentSize - recordsAt, nil
}

// shortage is by what there is no room for so many bytes; empty when there is. What
// maxBytes refuses it refuses in Append, unless something is to be dropped for it.
func (l *Log) shortage(need int64) (cause string) {
	if l.cfg.Full != FullRefuse && l.counts.used.Load()+need > l.cfg.MaxBytes {
		return FullMaxBytes
	}
	if l.cfg.MinFree > 0 {
		if free, err := l.disk.free(l.dir); err == nil && free-need < l.cfg.MinFree {
			return FullMinFree
		}
	}
	return ""
}

// begin makes a new segment the active one.
func (l *Log) begin() error {
	c := &l.committer
	l.state.Lock()
	if l.last >= maxNumber {
		l.state.Unlock()
		return &IOError{Op: "create", Path: l.dir, Err: errNumbers}
	}
	l.last++
	h := header{number: l.last, created: time.Now().UnixMilli(), before: l.before, beforeN: l.beforeN}
	l.state.Unlock()
	s := &segment{number: h.number, path: filepath.Join(l.dir, fileName(h.number)), disk: &l.disk, end: end{size: recordsAt}}
	if _, err := rand.Read(h.salt[:]); err != nil {
		return &IOError{Op: "create", Path: s.path, Err: err}
	}
	if m := l.keys.current; m != nil {
		h.kind, h.key = kindEncrypted, m.id
	}
	aead, err := l.keys.aead(&h)
	if err != nil {
		return &IOError{Op: "create", Path: s.path, Err: err}
	}
	s.head, s.aead, s.newest = h, aead, h.created
	if s.w, err = l.disk.create(s.path); err != nil {
		return createError(s.path, err)
	}
	if _, err = s.w.WriteAt(h.encode(), 0); err == nil && l.cfg.Sync != SyncNone {
		err = l.disk.syncDir(l.dir)
	}
	if err != nil {
		return createError(s.path, errors.Join(err, s.w.Close(), l.disk.remove(s.path)))
	}
	c.active, c.cipher.aead = s, aead
	l.state.Lock()
	l.segments = append(l.segments, s)
	l.state.Unlock()
	l.counts.used.Add(recordsAt)
	return nil
}

// errNumbers ends a log after four thousand million files.
var errNumbers = errors.New("the numbers of files are used up; forward what is there, and purge it")

func createError(path string, err error) error {
	if noSpace(err) {
		return &FullError{Cause: FullDisk, Err: err}
	}
	return &IOError{Op: "create", Path: path, Err: err}
}

// seal ends the active segment. One without records goes. cause is why, if it
// is not just full.
func (l *Log) seal(cause error) {
	c := &l.committer
	s := c.active
	if s == nil {
		return
	}
	var err error
	if cause == nil && !c.dirty.IsZero() && l.cfg.Sync == SyncInterval {
		err = l.sync()
	}
	if err = errors.Join(err, s.w.Close()); err != nil && cause == nil {
		l.counts.failures.Add(1)
		l.logger.Error("queue: a file that was full could not be synced and closed", zap.String("path", s.path), zap.NamedError("err", err))
	}
	c.active, c.dirty, s.w = nil, time.Time{}, nil
	l.state.Lock()
	s.sealed = true
	empty := s.end.count == 0
	if !empty {
		l.before, l.beforeN = s.end, s.number
	}
	complete := s.complete()
	l.state.Unlock()
	if complete {
		l.keeper.finished(true)
	}
}
