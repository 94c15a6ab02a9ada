package segment

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/internal/datadir"
)

// Log is a durable log. Its methods may be called from any goroutine, but
// for Close not from a done or a notification. One goroutine of the log's, the
// committer, writes; another one, the keeper, writes down what is finished and
// deletes; Close ends both.
type Log struct {
	dir    string
	cfg    Config
	keys   *keys
	logger *zap.Logger
	notify func()
	disk   disk
	lock   io.Closer

	mu      sync.Mutex
	batch   *batch // what waits for the next commit; guarded by mu
	pending int64  // bytes of all that is not committed; guarded by mu
	closed  bool   // guarded by mu

	wakeCommitter chan struct{}
	committer     committer
	committerDone chan struct{}

	// house is held by whoever removes or rewrites files. It is locked before state.
	house sync.Mutex
	trash []string // files that could not be deleted; guarded by house
	// state guards segments and what they say it guards. It is held for moments.
	state    sync.Mutex
	segments []*segment // by number
	last     uint32     // the highest number so far; guarded by state
	before   end        // of the last segment that was sealed; guarded by state
	beforeN  uint32     // its number; guarded by state

	keeper keeper
	counts counts
}

// Option gives a [Log] what it works with.
type Option func(*Log)

// WithLogger makes the log say what it skipped, dropped or could not write; it
// is silent otherwise.
func WithLogger(l *zap.Logger) Option { return func(g *Log) { g.logger = l } }

// WithNotify makes the log call f when there is more to read, after each commit, from
// its own goroutine. f must not block.
func WithNotify(f func()) Option { return func(g *Log) { g.notify = f } }

// withDisk makes tests possible.
func withDisk(d disk) Option { return func(g *Log) { g.disk = d } }

// Open opens the log in the directory, which is made when there is none, and
// recovers what an earlier process left. It reads the last file whole, and of
// others only what cannot be known otherwise.
//
// It fails when the configuration cannot be, and with ErrLocked, ErrVersion,
// ErrWrongKey or the error of a system that does not let it write; never because of
// damaged content.
func Open(dir string, cfg Config, options ...Option) (*Log, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("segment: configuration: %w", err)
	}
	k, err := newKeys(cfg.EncryptionKey, cfg.FormerKeys)
	if err != nil {
		return nil, fmt.Errorf("segment: configuration: %w", err)
	}
	l := &Log{
		dir: dir, cfg: cfg, keys: k, logger: zap.NewNop(), notify: func() {}, disk: system(),
		batch: &batch{}, wakeCommitter: make(chan struct{}, 1), committerDone: make(chan struct{}),
	}
	for _, o := range options {
		o(l)
	}
	if err = l.disk.makeDir(dir); err != nil {
		return nil, fmt.Errorf("segment: %w", err)
	}
	if l.lock, err = l.disk.lock(filepath.Join(dir, lockName)); err != nil {
		return nil, lockError(err)
	}
	if err = l.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("segment: %s: %w", dir, err), l.lock.Close())
	}
	l.committer.start(l)
	l.keeper.start(l)
	return l, nil
}

// lockError is why a directory cannot be locked.
func lockError(err error) error {
	if errors.Is(err, datadir.ErrLocked) {
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return fmt.Errorf("segment: %w", err)
}

// Append stores a copy of the payload and returns before it is on the disk. done
// is called once the record is stored as Config.Sync says, or could not be: once, in
// the order of the appends, from the log's own goroutine; it must not block and may
// be nil. When Append returns an error, nothing is stored and done is not called:
// ErrTooLarge, ErrOverloaded, ErrClosed, or *FullError. The errors of done
// are *FullError and *IOError.
func (l *Log) Append(payload []byte, flags Flags, done func(Position, error)) error {
	if len(payload) > l.cfg.MaxRecord {
		l.counts.refuse(refusedTooLarge)
		return ErrTooLarge
	}
	size := int64(len(payload)) + recordSize
	if l.keys.current != nil {
		size += tagSize
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	if l.pending+size > int64(l.cfg.MaxPending) {
		l.mu.Unlock()
		l.counts.refuse(refusedOverloaded)
		return ErrOverloaded
	}
	if l.cfg.Full == FullRefuse && l.counts.used.Load()+l.pending+size > l.cfg.MaxBytes {
		l.mu.Unlock()
		l.counts.refuse(refusedMaxBytes)
		l.keeper.needRoom()
		return &FullError{Cause: FullMaxBytes}
	}
	b := l.batch
	first := len(b.records) == 0
	due := b.due(&l.cfg.Commit)
	b.add(payload, flags, done)
	l.pending += size
	wake := first || !due && b.due(&l.cfg.Commit)
	l.mu.Unlock()
	if wake {
		l.wake()
	}
	return nil
}

// wake makes the committer look.
func (l *Log) wake() {
	select {
	case l.wakeCommitter <- struct{}{}:
	default:
	}
}

// Finish says that the record is done with: it does not come again, and its
// space comes free with that of its neighbours. It costs no disk access, may be called
// in any order, and has no effect on a record that is finished or gone.
func (l *Log) Finish(p Position) {
	if l.finish(p) {
		l.counts.finished.Add(1)
	}
}

// finish is Finish, uncounted. It says whether it had an effect.
func (l *Log) finish(p Position) bool {
	l.state.Lock()
	s := l.find(p.segment)
	if s == nil || p.index >= s.end.count || !s.done.set(p.index) {
		l.state.Unlock()
		return false
	}
	l.counts.waiting.Add(-1)
	complete := s.complete()
	l.state.Unlock()
	l.keeper.finished(complete)
	return true
}

// find is the segment of that number; nil when there is none. Called with state held.
func (l *Log) find(number uint32) *segment {
	low, high := 0, len(l.segments)
	for low < high {
		if mid := (low + high) / 2; l.segments[mid].number < number {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(l.segments) && l.segments[low].number == number {
		return l.segments[low]
	}
	return nil
}

// from is the first segment of that number or a higher one. Called with state held.
func (l *Log) from(number uint32) *segment {
	for _, s := range l.segments {
		if s.number >= number {
			return s
		}
	}
	return nil
}

// Close commits what waits, writes down what is finished and closes the files.
// Records that are not finished come again at the next Open. A second Close is
// ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.closed = true
	l.mu.Unlock()
	l.wake()
	<-l.committerDone
	err := l.keeper.stop()
	l.state.Lock()
	segments := l.segments
	l.segments = nil
	l.state.Unlock()
	for _, s := range segments {
		s.fmu.Lock()
		s.gone = true
		err = errors.Join(err, s.closeReader())
		s.fmu.Unlock()
	}
	if err = errors.Join(err, l.lock.Close()); err != nil {
		return fmt.Errorf("segment: close: %w", err)
	}
	return nil
}

// counts is what a log counts. Its fields may be used from any goroutine.
type counts struct {
	used, waiting                         atomic.Int64 // bytes of files; records that are not finished
	appended, appendedBytes, finished     atomic.Uint64
	commits, syncs, failures, compactions atomic.Uint64
	damaged, damagedBytes, cutOff         atomic.Uint64
	commitNanos                           atomic.Int64
	longest                               [2]atomic.Int64 // nanoseconds: of this half minute and the last
	refused                               [refusals]atomic.Uint64
	droppedFull, droppedAge, droppedFlag  atomic.Uint64
}

// refusal is why a record was not stored, for counting.
type refusal int

const (
	refusedMaxBytes refusal = iota
	refusedMinFree
	refusedDisk
	refusedOverloaded
	refusedTooLarge
	refusedIO
	refusals
)

var refusalNames = [refusals]string{FullMaxBytes, FullMinFree, FullDisk, "overloaded", "tooLarge", "io"}

func (c *counts) refuse(r refusal) { c.refused[r].Add(1) }

// committed notes how long a commit took.
func (c *counts) committed(d time.Duration) {
	c.commits.Add(1)
	c.commitNanos.Add(int64(d))
	for {
		old := c.longest[0].Load()
		if int64(d) <= old || c.longest[0].CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// Stats is what happened so far.
func (l *Log) Stats() Stats {
	c := &l.counts
	st := Stats{
		Records: c.waiting.Load(), Bytes: c.used.Load(), MaxBytes: l.cfg.MaxBytes,
		Appended: c.appended.Load(), AppendedBytes: c.appendedBytes.Load(), Finished: c.finished.Load(),
		Commits: c.commits.Load(), Syncs: c.syncs.Load(),
		CommitSeconds: seconds(time.Duration(c.commitNanos.Load())),
		CommitMax:     seconds(time.Duration(max(c.longest[0].Load(), c.longest[1].Load()))),
		Damaged:       c.damaged.Load(), DamagedBytes: c.damagedBytes.Load(), CutOff: c.cutOff.Load(),
		Failures: c.failures.Load(), Compactions: c.compactions.Load(),
		Refused: make(map[string]uint64, refusals),
		Dropped: map[string]uint64{
			"full": c.droppedFull.Load(), "age": c.droppedAge.Load(), "droppable": c.droppedFlag.Load(),
		},
	}
	for i, name := range refusalNames {
		st.Refused[name] = c.refused[i].Load()
	}
	l.mu.Lock()
	st.Pending = l.pending
	l.mu.Unlock()
	l.state.Lock()
	st.Segments = len(l.segments)
	for _, s := range l.segments {
		if s.waiting() > 0 {
			st.OldestAge = max(0, time.Since(time.UnixMilli(s.oldest())).Seconds())
			break
		}
	}
	l.state.Unlock()
	return st
}
