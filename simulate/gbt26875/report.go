package gbt26875

import (
	"slices"

	"github.com/linkspan/linkspan/codec/gbt26875"
)

// report is a frame of command 2, kept until it is confirmed.
type report struct {
	data     []byte
	sent     int64 // the first time on this connection
	due      int64 // when it is sent again
	header   gbt26875.Header
	kind     kind
	attempts uint8  // to send it on this connection; 0: none
	alarm    *Alarm // to be told of when it is sent first; nil mostly
}

// lasting says whether the report is kept when the connection ends.
func (r *report) lasting() bool { return r.kind == kindAlarm || r.kind == kindOperation }

// tell makes a report of data. There may be no room for it.
func (p *panel) tell(now int64, w *scratch, k kind, data []byte, a *Alarm) {
	if p.fleet.draining.Load() {
		return
	}
	r := report{kind: k, data: append(p.spare[:0], data...), alarm: a}
	if len(p.reports) >= p.fleet.cfg.Pending {
		if !r.lasting() {
			p.shard.skipped.Add(1)
			return
		}
		p.loseOldest()
	}
	p.spare = nil
	p.sent++
	p.shard.made.Add(1)
	p.reports = append(p.reports, r)
	p.pump(now, w)
}

// loseOldest forgets the oldest report that says nothing new, or else the oldest;
// one that waits for its confirmation only if all do.
func (p *panel) loseOldest() {
	i := slices.IndexFunc(p.reports, func(r report) bool { return r.attempts == 0 && !r.lasting() })
	if i < 0 {
		i = slices.IndexFunc(p.reports, func(r report) bool { return r.attempts == 0 })
	}
	p.lose(max(i, 0))
}

func (p *panel) lose(i int) {
	p.lost++
	p.shard.lost.Add(1)
	p.remove(i)
}

func (p *panel) remove(i int) {
	p.spare = p.reports[i].data[:0]
	p.reports = slices.Delete(p.reports, i, i+1)
}

// pump sends what waits to be sent, alarms first, as far as the window goes.
func (p *panel) pump(now int64, w *scratch) {
	for p.state == stateConnected {
		underWay, first := 0, -1
		for i := range p.reports {
			switch r := &p.reports[i]; {
			case r.attempts > 0:
				underWay++
			case first < 0 || r.kind == kindAlarm && p.reports[first].kind != kindAlarm:
				first = i
			}
		}
		if first < 0 || underWay >= p.fleet.cfg.Window {
			return
		}
		r := &p.reports[first]
		r.header = p.header(now, gbt26875.CommandSend)
		r.sent = now
		if r.alarm != nil {
			p.observe(now, r.alarm)
			r.alarm = nil
		}
		p.transmit(now, w, r)
	}
}

// transmit sends r, for the first time or again.
func (p *panel) transmit(now int64, w *scratch, r *report) {
	r.attempts++
	r.due = now + int64(p.fleet.cfg.AckTimeout)
	p.retryAt = min(p.retryAt, r.due)
	p.shard.sent[r.kind].Add(1)
	p.put(now, w, r.header, r.data)
}

// resend sends again what was not confirmed in time, as it was, and gives the
// connection up when that was done often enough.
func (p *panel) resend(now int64, w *scratch) {
	if now < p.retryAt {
		return
	}
	p.retryAt = never
	for i := 0; i < len(p.reports) && p.state == stateConnected; i++ {
		r := &p.reports[i]
		if r.attempts == 0 {
			continue
		}
		if now >= r.due {
			if int(r.attempts) > p.fleet.cfg.Retries {
				p.shard.silences.Add(1)
				p.drop(now, errSilent)
				return
			}
			p.shard.resent[r.kind].Add(1)
			p.transmit(now, w, r)
			continue
		}
		p.retryAt = min(p.retryAt, r.due)
	}
}

// answered takes a confirmation or a denial.
func (p *panel) answered(now int64, w *scratch, f *gbt26875.Frame) {
	i := slices.IndexFunc(p.reports, func(r report) bool { return r.attempts > 0 && r.header.Serial == f.Serial })
	if i < 0 {
		if p.fault != FaultGlued { // its heartbeats are confirmed too
			p.shard.strayAcks.Add(1)
		}
		return
	}
	r := &p.reports[i]
	if f.Command == gbt26875.CommandDeny {
		p.shard.denied[r.kind].Add(1)
		if int(r.attempts) <= p.fleet.cfg.Retries {
			p.shard.resent[r.kind].Add(1)
			p.transmit(now, w, r)
			return
		}
		p.refused++
		p.shard.refused.Add(1)
		p.remove(i)
		return
	}
	p.attempts = 0
	p.shard.latency[r.kind].Add(now - r.sent)
	p.shard.confirmed[r.kind].Add(1)
	p.acked++
	p.shard.acked.Add(1)
	p.remove(i)
}

// unlink is the connection having ended: what says nothing new is lost, the rest
// waits for the next one.
func (p *panel) unlink() {
	p.retryAt = never
	for i := len(p.reports) - 1; i >= 0; i-- {
		if r := &p.reports[i]; r.lasting() {
			r.attempts = 0
		} else {
			p.lose(i)
		}
	}
}
