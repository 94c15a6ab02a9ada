package segment

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
)

const (
	maxPayload     = 1 << 28
	recordOverhead = 24
)

func newKeys(auth.Secret, []auth.Secret) (any, error) { return nil, nil }

// Log is a durable log. Its methods may be called from any goroutine. One
// goroutine of the log's commits, another one writes down what is finished and
// deletes; Close ends both.
type Log struct {
	logger *zap.Logger
	notify func()

	mu       sync.Mutex
	records  []Record
	finished map[Position]bool
	wait     []func()
	closed   bool
	wake     chan struct{}
	done     chan struct{}
}

// Option gives a [Log] what it works with.
type Option func(*Log)

// WithLogger makes the log say what it skipped, dropped or could not write; it
// is silent otherwise.
func WithLogger(l *zap.Logger) Option { return func(g *Log) { g.logger = l } }

// WithNotify makes the log call f when there is more to read, after each commit, from
// its own goroutine. f must not block.
func WithNotify(f func()) Option { return func(g *Log) { g.notify = f } }

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
	l := &Log{logger: zap.NewNop(), notify: func() {}, finished: map[Position]bool{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	for _, o := range options {
		o(l)
	}
	go l.run()
	return l, nil
}

func (l *Log) run() {
	defer close(l.done)
	for range l.wake {
		l.mu.Lock()
		todo, closed := l.wait, l.closed
		l.wait = nil
		l.mu.Unlock()
		for _, f := range todo {
			f()
		}
		l.notify()
		if closed {
			return
		}
	}
}

// Append stores a copy of the payload and returns before it is on the disk. done
// is called once the record is stored as Config.Sync says, or could not be: once, in
// the order of the appends, from the log's own goroutine; it must not block and may
// be nil. When Append returns an error, nothing is stored and done is not called:
// ErrTooLarge, ErrOverloaded, ErrClosed, or *FullError. The errors of done
// are *FullError and *IOError.
func (l *Log) Append(payload []byte, flags Flags, done func(Position, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	rec := Record{Payload: slices.Clone(payload), Flags: flags, Time: time.Now()}
	l.wait = append(l.wait, func() {
		l.mu.Lock()
		rec.Position = Position{segment: 1, index: uint32(len(l.records))}
		l.records = append(l.records, rec)
		l.mu.Unlock()
		if done != nil {
			done(rec.Position, nil)
		}
	})
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

// Finish says that the record is done with: it does not come again, and its
// space comes free with that of its neighbours. It costs no disk access, may be called
// in any order, and has no effect on a record that is finished or gone.
func (l *Log) Finish(p Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished[p] = true
}

// Read reads the record at p again, into dst, which it grows as append does. It is
// ErrGone for records that were finished or dropped.
func (l *Log) Read(p Position, dst []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(p.index) >= len(l.records) || l.finished[p] {
		return dst, ErrGone
	}
	return append(dst, l.records[p.index].Payload...), nil
}

// Close commits what waits, writes down what is finished and closes the files.
// Records that are not finished come again at the next Open.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return errors.New("segment: closed twice")
	}
	l.closed = true
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	<-l.done
	return nil
}

// Stats is what happened so far.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{Records: int64(len(l.records) - len(l.finished))}
}

// Reader reads records in order, each once, past those that are finished. One
// goroutine at a time may use it; there may be several readers.
type Reader struct {
	log  *Log
	next int
}

// NewReader begins at the oldest record that is not finished.
func (l *Log) NewReader() *Reader { return &Reader{log: l} }

// Next is the next stored record, and false when there is none at present: more
// may come later (see [WithNotify]). It reads the disk, or what the system keeps of
// it in memory, but never waits for a commit.
func (r *Reader) Next() (Record, bool) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for r.next < len(r.log.records) {
		rec := r.log.records[r.next]
		r.next++
		if !r.log.finished[rec.Position] {
			return rec, true
		}
	}
	return Record{}, false
}

// Close releases what the reader holds.
func (r *Reader) Close() {}
