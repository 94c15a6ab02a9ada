package gbt26875

import (
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
)

// zone is that of all panels' clocks: China Standard Time.
var zone = time.FixedZone("CST", 8*60*60)

// clock is a panel's own, which may be wrong and drift.
type clock struct {
	setAt int64         // in the fleet's time
	ahead time.Duration // then
	rate  float64       // seconds that it gains in a second
}

// shows is what the panel's clock shows.
func (p *panel) shows(now int64) time.Time {
	ahead := p.clock.ahead + time.Duration(p.clock.rate*float64(now-p.clock.setAt))
	return p.fleet.start.Add(time.Duration(now) + ahead).In(zone)
}

// label is what the panel's clock shows, as the panel writes times.
func (p *panel) label(now int64) gbt26875.Time {
	switch p.fault {
	case FaultNoClock:
		return gbt26875.Time{}
	case FaultBCD:
		return gbt26875.NewBCDTime(p.shows(now))
	default:
		return gbt26875.NewTime(p.shows(now))
	}
}

// setClock sets the clock; false if t is no time.
func (p *panel) setClock(now int64, t gbt26875.Time) bool {
	at, ok := t.In(zone)
	if p.fault == FaultBCD {
		at, ok = t.BCDIn(zone)
	}
	if ok {
		p.clock.setAt, p.clock.ahead = now, at.Sub(p.fleet.start.Add(time.Duration(now)))
	}
	return ok
}
