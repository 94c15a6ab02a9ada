package queue

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// turn is how many records of one device a worker sends before it looks after
// others.
const turn = 64

// stale is how old a stored message without a time of its own may be for the
// connector to give it the time at which it arrives.
const stale = time.Second

// forwarder is what a worker reads records with.
type forwarder struct {
	words   words
	message thing.Message
}

// forward sends what is in memory, until the connector ends.
func (q *Connector) forward() {
	f := forwarder{words: words{}}
	for l := q.work.pop(); l != nil; l = q.work.pop() {
		if f.run(l) {
			q.work.push(l)
		}
	}
}

// run sends records of l, which stays the worker's when there are more.
func (f *forwarder) run(l *lane) (more bool) {
	for range turn {
		l.mu.Lock()
		it := l.unfinished(l.next)
		if it == nil || !l.ready() || l.probing && l.inflight > 0 {
			l.next = it
			l.working = false
			l.leave()
			return false
		}
		l.next = l.unfinished(it.next)
		l.inflight++
		it.sent, it.by = true, l.device
		condemned, attempts := l.condemned, l.refusals
		again := condemned == nil && l.resumes()
		it.holders.Add(1)
		l.mu.Unlock()
		if again {
			upstream.Resume(it.by)
		}
		f.send(it, condemned, attempts)
		it.release()
	}
	return true
}

// send sends one record, or buries it.
func (f *forwarder) send(it *item, condemned error, attempts int) {
	q := it.lane.q
	stored, ok := f.words.message(it.payload, &f.message)
	switch {
	case !ok:
		it.bury(ErrRecord, 0)
	case condemned != nil:
		it.bury(condemned, attempts)
	default:
		m := &f.message
		if m.Time.IsZero() && (m.Kind == thing.Property || m.Kind == thing.Event) && time.Since(stored) > stale {
			m.Time = stored // and not when it arrives at last
		}
		q.counts.sent.Add(1)
		it.by.Publish(m, it.onSaid)
	}
}

// said is called when the platform has a record, or will not have it.
func (l *lane) said(it *item, err error) {
	q := l.q
	l.mu.Lock()
	l.inflight--
	switch {
	case err == nil:
		q.counts.forwarded.Add(1)
		l.attempts, l.probing = 0, false
		l.finish(it, nil)
	case upstream.Temporary(err):
		q.counts.retried(err)
		l.broken = true
		l.setback()
	case replaced(err):
		if it.by == l.device {
			l.setback()
		} else {
			l.halt(unloading, 0)
		}
	default:
		if l.refusal(it, err) {
			l.recover()
			l.leave()
			it.bury(err, it.refused)
			return
		}
	}
	l.recover()
	l.leave()
}

// setback has the lane try again after a pause.
func (l *lane) setback() {
	l.probing = true
	pause := time.Duration(0)
	if l.resumeAt.IsZero() { // one for all that fail together
		pause = l.pause()
	}
	l.halt(unloading, pause)
}

// refusal deals with a record that the platform refuses for good. It says whether it
// is to be buried now.
func (l *lane) refusal(it *item, err error) (bury bool) {
	q := l.q
	if l.waiting(it.pos) != nil { // who says it is told
		q.counts.undeliverable.Add(1)
		l.finish(it, err)
		return false
	}
	it.refused++
	if it.refused >= q.cfg.Poison || errors.Is(err, upstream.ErrUnsupported) {
		l.inflight++
		return true
	}
	l.halt(rewinding, q.cfg.Retry.Min)
	return false
}

// bury makes the record of an item, which counts as under way, a dead letter.
func (it *item) bury(cause error, attempts int) {
	it.cause = cause
	it.lane.q.graves.put(it.payload, attempts, cause, it.onBuried)
}

// buried is called when a record is a dead letter, or could not be made one.
func (l *lane) buried(it *item, err error) {
	q := l.q
	l.mu.Lock()
	l.inflight--
	cause := it.cause
	if err != nil {
		l.setback()
	} else {
		l.finish(it, cause)
		q.counts.died(cause)
	}
	l.recover()
	l.leave()
	if err != nil {
		q.warn(&q.quiet.graves, "dead letter not stored, its message is tried again", zap.String("device", l.key), zap.NamedError("err", err))
		return
	}
	q.warn(&q.quiet.dead, "message cannot be delivered and is a dead letter", zap.String("device", l.key), zap.NamedError("cause", cause))
}

func isDenied(err error) bool { return errors.Is(err, auth.ErrDenied) }

// graves is the log of dead letters. Its methods may be called from any goroutine.
type graves struct{ log *segment.Log }

// deadSegment is the least size of one file of dead letters.
const deadSegment = 8 << 20

// deadOverhead is the largest cause of a dead letter, and what is around it.
const (
	maxCause     = 1024
	deadOverhead = maxCause + 64
)

func (g *graves) open(cfg Config, logger *zap.Logger) (err error) {
	c := cfg.Config
	c.MaxRecord += deadOverhead
	c.SegmentSize = max(deadSegment, int64(c.MaxRecord)*4)
	c.MaxBytes = max(cfg.Dead.MaxBytes, 2*c.SegmentSize)
	c.MaxPending = max(c.MaxPending, c.MaxRecord*2)
	c.MaxAge = 0
	c.Full = segment.FullDropOldest
	g.log, err = segment.Open(cfg.Dead.Directory, c, segment.WithLogger(logger.Named("dead")))
	return err
}

// put stores a dead letter.
func (g *graves) put(record []byte, attempts int, cause error, done func(error)) {
	text := cause.Error()
	if len(text) > maxCause {
		text = text[:maxCause]
	}
	letter := appendDead(nil, time.Now(), attempts, text, record)
	if err := g.log.Append(letter, 0, func(_ segment.Position, err error) { done(err) }); err != nil {
		done(err)
	}
}

func (g *graves) close() error { return g.log.Close() }
