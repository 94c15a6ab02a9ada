package jt808

import "github.com/linkspan/linkspan/codec/jt808"

// batchTurn is how many locations of a batch are reported at a time: others on
// the same loop wait for no more than that. A batch in one frame has at most 34.
// No more than batchUnderWay reports, and those of one location, are on their way
// to the platform at a time: more than it takes of one device would be refused.
const (
	batchTurn     = 128
	batchUnderWay = 256
)

// batch handles 0x0704: every location is reported with its own time, in their
// order. Alarms in a backlog are old: they neither begin nor end what holds now.
// What stands before a damaged item is reported all the same.
func (a *adapter) batch(c *conn, s *scratch, f *jt808.Frame) {
	if a.packages != nil && a.packages.now != nil {
		a.longBatch(c, s, f)
		return
	}
	s.batch.Locations = s.batch.Locations[:0]
	err := s.batch.ParseBody(f.Body, f.Version)
	if err != nil && len(s.batch.Locations) == 0 {
		a.malformed(c, s, f)
		return
	}
	b := batchRun{a: a, batch: &s.batch, receipt: a.receive(c, f), version: f.Version}
	b.damaged(err)
	b.report(s, len(s.batch.Locations))
	b.receipt.complete(s)
}

// longBatch handles a batch that came in packages, which may have tens of
// thousands of locations: they are reported in turns, as fast as they arrive, and
// it is answered when all have, whatever ack says. A second one before all of its
// locations are on their way is answered with a failure, so that the terminal
// repeats it.
func (a *adapter) longBatch(c *conn, s *scratch, f *jt808.Frame) {
	p := a.packages
	b := &batchRun{a: a, batch: &jt808.Batch{}, version: f.Version}
	if p.batch == nil {
		err := b.batch.ParseBody(f.Body, f.Version)
		if err != nil && len(b.batch.Locations) == 0 {
			a.malformed(c, s, f)
			return
		}
		p.batch, b.receipt = b, a.receive(c, f)
		b.receipt.batch = b
		b.resume = func() { b.again(c, p) }
		b.damaged(err)
		b.turn(c, s, p)
		return
	}
	r := a.receive(c, f)
	r.failed = true
	r.complete(s)
}

// batchRun is a batch whose locations are being reported.
type batchRun struct {
	a       *adapter
	batch   *jt808.Batch
	receipt *receipt
	version jt808.Version
	next    int         // location to be reported
	old     jt808.Alarm // of the location before it, unless it is of now
	resume  func()      // the next turn; nil when all is reported at once
	waits   bool        // for reports to arrive, before the next turn
	lost    int         // reports in a row that did not arrive
}

// damaged notes that not all of the batch could be read, if err is not nil.
func (b *batchRun) damaged(err error) {
	if err != nil {
		b.a.counters.malformed.Add(1)
		b.receipt.result = jt808.ResultWrong
	}
}

// turn reports some locations, and leaves the others to a later turn. When nothing
// arrives any more the others are left to the terminal, which will repeat them all.
func (b *batchRun) turn(c *conn, s *scratch, p *packages) {
	if b.lost < batchUnderWay {
		b.report(s, batchTurn)
	}
	switch {
	case b.next == len(b.batch.Locations) || b.lost >= batchUnderWay:
		p.batch = nil
		b.receipt.complete(s)
	case b.full():
		b.waits = true
	default:
		c.Do(b.resume)
	}
}

// again is a later turn.
func (b *batchRun) again(c *conn, p *packages) {
	s := borrow()
	defer s.giveBack()
	b.turn(c, s, p)
}

// full says whether enough of a batch that is reported in turns is under way.
func (b *batchRun) full() bool { return b.resume != nil && b.receipt.pending > batchUnderWay }

// arrived notes that a report has arrived, or for err has not; it is still counted
// as pending. A turn that waits comes when half of what was under way has.
func (b *batchRun) arrived(err error) {
	if b.lost++; err == nil {
		b.lost = 0
	}
	if b.waits && b.receipt.pending <= batchUnderWay/2 {
		b.waits = false
		b.receipt.c.Do(b.resume)
	}
}

// report reports the next n locations, or all that are left, or as many as may be
// under way.
func (b *batchRun) report(s *scratch, n int) {
	locations := b.batch.Locations
	// one that is still being reported when the terminal logs in again is of before
	live := b.batch.Kind != jt808.BatchBacklog && b.receipt.session == b.receipt.c.Session()
	for end := min(b.next+n, len(locations)); b.next < end && !b.full(); b.next++ {
		l := &locations[b.next]
		if live {
			b.a.reportLive(s, b.receipt, l, b.version)
			continue
		}
		b.a.reportLocation(s, b.receipt, l)
		b.a.reportAlarms(s, b.receipt, l, l.Alarm&^b.old, b.version)
		b.old = l.Alarm
	}
}
