package jt808

import "github.com/linkspan/linkspan/codec/jt808"

// backlog holds the reports that are not acknowledged, the oldest first.
type backlog struct {
	reports []report
	store   []report // what reports is part of, with all its room
	batches int      // that were sent and not answered
	collect int      // reports that the batch being collected still lacks
	unsent  int      // reports with no attempts that are not held
	retryAt int64    // not after the first report is to be sent again
}

const maxBatches = 4 // of the backlog, under way at once

// add keeps r. The room of those that have gone in front is used again, so that
// nothing is allocated as long as there are no more than ever before.
func (b *backlog) add(r report) *report {
	if len(b.reports) == cap(b.reports) && len(b.reports) <= len(b.store)/2 {
		b.reports = b.store[:copy(b.store, b.reports)]
	}
	room := cap(b.reports)
	b.reports = append(b.reports, r)
	if cap(b.reports) != room {
		b.store = b.reports[:cap(b.reports)]
	}
	return &b.reports[len(b.reports)-1]
}

// remove forgets report i, most cheaply the first.
func (b *backlog) remove(i int) {
	switch {
	case i > 0:
		b.reports = b.reports[:i+copy(b.reports[i:], b.reports[i+1:])]
	case len(b.reports) == 1:
		b.reports = b.store[:0]
	default:
		b.reports = b.reports[1:]
	}
}

// resend sends again what was not acknowledged in time.
func (t *terminal) resend(now int64, w *scratch) {
	b := &t.backlog
	if now < b.retryAt {
		return
	}
	b.retryAt = never
	if t.fault == FaultNeverReads {
		return
	}
	for i := 0; i < len(b.reports); i++ {
		r := &b.reports[i]
		if r.attempts == 0 {
			continue
		}
		if now >= r.due {
			if int(r.attempts) > t.fleet.cfg.Retries {
				t.shard.silences.Add(1)
				t.drop(now, errSilent)
				return
			}
			t.repeat(now, w, i)
		}
		b.retryAt = min(b.retryAt, r.due)
	}
}

// repeat sends report i again as it was: with its serial number, and if it was in
// a batch with those that were with it.
func (t *terminal) repeat(now int64, w *scratch, i int) {
	b := &t.backlog
	r := &b.reports[i]
	again := func(r *report) {
		r.due = now + retryAfter(int64(t.fleet.cfg.AckTimeout), int(r.attempts))
		r.attempts++
	}
	t.shard.resent[r.kind].Add(1)
	if r.kind == kindLocation {
		t.fleet.fillLocation(&w.location, r)
		t.putAs(w, &w.location.body, r.serial)
		again(r)
		return
	}
	chosen := w.chosen[:0]
	for j := i; j < len(b.reports); j++ {
		if s := &b.reports[j]; s.kind == kindBatch && s.attempts > 0 && s.serial == r.serial {
			chosen = append(chosen, j)
			again(s)
		}
	}
	w.chosen = chosen
	t.fillBatch(w, jt808.BatchBacklog, chosen)
	t.putAs(w, &w.batch, r.serial-r.before)
}

// acknowledged takes the answer to a report or a batch.
func (t *terminal) acknowledged(now int64, serial uint16, k kind, result jt808.Result) {
	b := &t.backlog
	first := b.find(serial, k)
	if first < 0 {
		if k != kindBatch || b.findPackage(serial) < 0 {
			t.shard.strayAcks.Add(1)
		}
		return
	}
	t.shard.latency[k].Add(now - b.reports[first].sent)
	t.countAnswer(k, result)
	if k == kindLocation {
		if !t.settled(now, &b.reports[first], result) {
			b.remove(first)
		}
		return
	}
	if result != jt808.ResultFailed {
		b.batches--
	}
	kept := b.reports[:first]
	for i := first; i < len(b.reports); i++ {
		r := &b.reports[i]
		if !r.is(serial, k) || t.settled(now, r, result) {
			kept = append(kept, *r)
		}
	}
	b.reports = kept
}

// is says whether r is under way in the message of that kind and serial number.
func (r *report) is(serial uint16, k kind) bool {
	return r.attempts > 0 && r.serial == serial && r.kind == k
}

// findPackage is the first report of the batch that has such a package; -1 if
// there is none.
func (b *backlog) findPackage(serial uint16) int {
	for i := range b.reports {
		if r := &b.reports[i]; r.attempts > 0 && r.kind == kindBatch && r.serial-serial <= r.before {
			return i
		}
	}
	return -1
}

// find is the first report that is under way so, -1 if none is.
func (b *backlog) find(serial uint16, k kind) int {
	for i := range b.reports {
		if b.reports[i].is(serial, k) {
			return i
		}
	}
	return -1
}

func (t *terminal) countAnswer(k kind, result jt808.Result) {
	if result == jt808.ResultOK || result == jt808.ResultAlarmConfirmed {
		t.shard.acked[k].Add(1)
	} else {
		t.shard.refused[k].Add(1)
	}
}

// settled takes the answer to one report, and says whether it has to be kept all the same.
func (t *terminal) settled(now int64, r *report, result jt808.Result) (keep bool) {
	switch result {
	case jt808.ResultOK, jt808.ResultAlarmConfirmed:
		t.acked++
		t.shard.reportsAcked.Add(1)
		t.drive.answered(r.alarm)
		if t.fleet.acked != nil {
			t.fleet.acked(t.name, r.number)
		}
		return false
	case jt808.ResultFailed: // the platform could not, this time
		r.attempts = 1
		r.due = now + int64(t.fleet.cfg.AckTimeout)
		t.backlog.retryAt = min(t.backlog.retryAt, r.due)
		return true
	default:
		t.refused++
		t.shard.reportsRefused.Add(1)
		return false
	}
}

// disconnected makes everything that was under way unsent.
func (b *backlog) disconnected() {
	for i := range b.reports {
		r := &b.reports[i]
		r.attempts, r.serial, r.held = 0, 0, false
	}
	b.unsent, b.batches, b.collect, b.retryAt = len(b.reports), 0, 0, never
}

// drain sends what was collected, for there will be no more to it.
func (t *terminal) drain() {
	w := t.fleet.scratches.Get().(*scratch)
	defer t.fleet.scratches.Put(w)
	w.reset()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == stateOnline && t.backlog.collect > 0 {
		now := t.fleet.now()
		t.sendHeld(now, w)
		t.send(now, w)
		t.schedule()
	}
}
