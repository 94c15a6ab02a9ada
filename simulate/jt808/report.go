package jt808

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// report is what a location report says, small enough to be kept until it is
// acknowledged.
type report struct {
	number    uint64
	sent      int64 // the first time on this connection
	due       int64 // when it is sent again
	unix      int64 // s, when it was made
	alarm     jt808.Alarm
	status    jt808.Status
	latitude  int32 // 1e-6 degrees
	longitude int32
	mileage   uint32 // 0.1 km
	altitude  int16  // m
	speed     uint16 // 0.1 km/h
	direction uint16 // degrees
	fuel      uint16 // 0.1 l
	signals   uint16 // item 0x25
	serial    uint16 // as it was sent last
	attempts  uint8  // to send it on this connection; 0: none
	strength  uint8  // of the mobile network
	inView    uint8  // satellites
	kind      kind   // kindLocation or kindBatch
	before    uint16 // packages of the batch before the one with serial, the last
	held      bool   // it is collected for a batch
}

// makeReport makes a report if one is due, and sends it if the terminal is online.
func (t *terminal) makeReport(now int64, w *scratch) {
	if now < t.nextReport {
		return
	}
	if t.fleet.draining.Load() {
		t.nextReport = never
		return
	}
	due := t.nextReport
	if t.tracking.until > 0 && now >= t.tracking.until {
		t.tracking = tracking{}
	}
	interval := t.interval
	if t.tracking.until > 0 {
		interval = t.tracking.interval
	}
	t.nextReport = next(due, now, interval)
	if interval != never && now-due > interval {
		t.shard.skipped.Add(uint64((now - due) / interval)) //nolint:gosec // positive
	}
	b := &t.backlog
	if len(b.reports) >= t.fleet.cfg.Pending {
		t.loseOldest()
	}
	t.sent++
	t.shard.reports.Add(1)
	r := b.add(t.drive.report(t, now))
	r.number = t.sent
	if t.state != stateOnline {
		b.unsent++
		return
	}
	if b.collect == 0 && t.fleet.cfg.BatchSize > 1 && t.chance(batchChance(t.fleet.cfg.Batch, t.fleet.cfg.BatchSize)) {
		b.collect = t.fleet.cfg.BatchSize
	}
	if b.collect == 0 {
		t.putReport(now, w, r)
		return
	}
	r.held = true
	if b.collect--; b.collect == 0 {
		t.sendHeld(now, w)
	}
}

// batchChance is the probability with which a report has to begin a batch of
// size so that share of all reports are in batches.
func batchChance(share float64, size int) float64 {
	return share / (float64(size)*(1-share) + share)
}

func (t *terminal) loseOldest() {
	b := &t.backlog
	r := b.reports[0]
	b.remove(0)
	switch {
	case r.held:
	case r.attempts == 0:
		b.unsent--
	case r.kind == kindBatch && b.find(r.serial, kindBatch) < 0:
		b.batches--
	}
	t.lost++
	t.shard.lost.Add(1)
}

// putReport sends one report.
func (t *terminal) putReport(now int64, w *scratch, r *report) {
	t.fleet.fillLocation(&w.location, r)
	r.serial = t.put(w, &w.location.body)
	t.underWay(now, r, kindLocation)
}

// underWay notes that r was sent.
func (t *terminal) underWay(now int64, r *report, k kind) {
	r.sent, r.attempts, r.kind, r.held = now, 1, k, false
	r.due = now + int64(t.fleet.cfg.AckTimeout)
	t.backlog.retryAt = min(t.backlog.retryAt, r.due)
}

// sendHeld sends the reports that were collected, as one batch.
func (t *terminal) sendHeld(now int64, w *scratch) {
	t.backlog.collect = 0
	t.putBatch(now, w, jt808.BatchNormal, func(r *report) bool { return r.held })
}

// sendBacklog sends what could not be sent while the terminal was not online.
func (t *terminal) sendBacklog(now int64, w *scratch) {
	b := &t.backlog
	for b.unsent > 0 && b.batches < maxBatches && t.state == stateOnline {
		if t.fleet.cfg.BatchSize == 1 {
			t.sendOne(now, w)
			continue
		}
		n := t.putBatch(now, w, jt808.BatchBacklog, func(r *report) bool { return r.attempts == 0 && !r.held })
		if b.unsent -= n; n == 0 {
			b.unsent = 0
		}
	}
}

// sendOne sends the oldest unsent report by itself.
func (t *terminal) sendOne(now int64, w *scratch) {
	b := &t.backlog
	for i := range b.reports {
		if r := &b.reports[i]; r.attempts == 0 && !r.held {
			b.unsent--
			t.putReport(now, w, r)
			return
		}
	}
	b.unsent = 0
}

// putBatch sends the oldest reports that belong, as many as a batch takes, and
// says how many they were.
func (t *terminal) putBatch(now int64, w *scratch, k jt808.BatchKind, belongs func(*report) bool) int {
	b := &t.backlog
	chosen := w.chosen[:0]
	for i := range b.reports {
		if len(chosen) < t.fleet.cfg.BatchSize && belongs(&b.reports[i]) {
			chosen = append(chosen, i)
		}
	}
	w.chosen = chosen
	if len(chosen) == 0 {
		return 0
	}
	t.fillBatch(w, k, chosen)
	before := t.serial
	serial := t.put(w, &w.batch)
	for _, i := range chosen {
		r := &b.reports[i]
		t.underWay(now, r, kindBatch)
		r.serial, r.before = serial, serial-before
	}
	b.batches++
	return len(chosen)
}

func (t *terminal) fillBatch(w *scratch, k jt808.BatchKind, chosen []int) {
	for len(w.locations) < len(chosen) {
		w.locations = append(w.locations, new(locationScratch))
	}
	w.batch.Kind, w.batch.Locations = k, w.batch.Locations[:0]
	for n, i := range chosen {
		t.fleet.fillLocation(w.locations[n], &t.backlog.reports[i])
		w.batch.Locations = append(w.batch.Locations, w.locations[n].body)
	}
}

// locationScratch is a location report with room for its items.
type locationScratch struct {
	body   jt808.Location
	extras [10]jt808.Extra
	values [48]byte
}

// fillLocation makes a message of a report.
func (f *Fleet) fillLocation(s *locationScratch, r *report) {
	l := &s.body
	l.Alarm, l.Status = r.alarm, r.status
	l.Altitude, l.Speed, l.Direction = r.altitude, r.speed, r.direction
	l.SetPosition(r.latitude, r.longitude)
	l.Time = jt808.NewBCDTime(time.Unix(r.unix, 0))
	mileage := r.mileage
	if f.cfg.Number == NumberMileage {
		mileage = uint32(min(r.number, math.MaxUint32)) //nolint:gosec // bounded
	}
	l.Extras = s.extras[:0]
	values := s.values[:0]
	add := func(id jt808.ExtraID, n int) []byte {
		from := len(values)
		values = values[:from+n]
		l.Extras = append(l.Extras, jt808.Extra{ID: id, Value: values[from : from+n : from+n]})
		return values[from:]
	}
	binary.BigEndian.PutUint32(add(jt808.ExtraMileage, 4), mileage)
	binary.BigEndian.PutUint16(add(jt808.ExtraFuel, 2), r.fuel)
	binary.BigEndian.PutUint16(add(jt808.ExtraRecorderSpeed, 2), r.speed)
	if r.alarm.Has(jt808.AlarmSOS) {
		binary.BigEndian.PutUint16(add(jt808.ExtraManualAlarm, 2), uint16(r.number)|1) //nolint:gosec // wraps
	}
	if r.alarm.Has(jt808.AlarmOverspeed) {
		add(jt808.ExtraOverspeed, 1)[0] = byte(jt808.PlaceNone)
	}
	binary.BigEndian.PutUint32(add(jt808.ExtraVehicleSignals, 4), uint32(r.signals))
	add(jt808.ExtraSignalStrength, 1)[0] = r.strength
	add(jt808.ExtraSatellites, 1)[0] = r.inView
	if f.cfg.Number == NumberItem {
		binary.BigEndian.PutUint64(add(NumberItemID, 8), r.number)
	}
}
