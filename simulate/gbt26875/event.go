package gbt26875

import (
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
)

// Event is something that happens at a panel.
type Event uint8

// The events that a script and [Fleet.Raise] know.
const (
	EventFire       Event = iota + 1 // a part reports a fire
	EventFault                       // a part becomes faulty
	EventNormal                      // a part is normal again
	EventMains                       // the mains supply of the panel fails; EventNormal of part 0 ends it
	EventDisconnect                  // the panel breaks its connection off
)

var eventNames = [...]string{EventFire: "fire", EventFault: "fault", EventNormal: "normal", EventMains: "mains", EventDisconnect: "disconnect"}

// String is the event's name in a script: fire, fault, normal, mains, disconnect.
func (e Event) String() string {
	if e > 0 && int(e) < len(eventNames) {
		return eventNames[e]
	}
	return fmt.Sprintf("event%d", uint8(e))
}

// Alarm is a fire, a fault or the end of one, as it is first sent to the centre;
// see [WithAlarms].
type Alarm struct {
	Panel   int    // from 1
	Address string // the panel's, 12 hexadecimal digits as on the wire
	Event   Event
	Part    int       // from 1; 0: of the panel itself, or of all parts
	Number  uint64    // of the fire, from 1 for each panel; 0: it is no fire
	At      time.Time // when it was handed to the connection
}

// ErrEvent is the error of an event that cannot happen.
var ErrEvent = errors.New("simulate: no such event")

// Raise lets e happen at a panel, both counted from 1. Part 0 is any part of a
// fire or a fault, and all that is not normal of [EventNormal]; other events do
// not look at it. The panel tells the centre at once if it is connected, and
// otherwise when it is again. Its errors wrap [ErrEvent].
func (f *Fleet) Raise(panel int, e Event, part int) error {
	if panel < 1 || panel > len(f.panels) {
		return fmt.Errorf("%w: panel %d, there are 1 to %d", ErrEvent, panel, len(f.panels))
	}
	if e < EventFire || e > EventDisconnect {
		return fmt.Errorf("%w: %v", ErrEvent, e)
	}
	if part < 0 || part > len(f.layout) {
		return fmt.Errorf("%w: part %d, there are 1 to %d", ErrEvent, part, len(f.layout))
	}
	p := f.panels[panel-1]
	w := f.scratches.Get().(*scratch)
	defer f.scratches.Put(w)
	w.reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == stateEnded {
		return fmt.Errorf("%w: the fleet has ended", ErrEvent)
	}
	now := f.now()
	p.raise(now, w, e, part)
	p.send(now, w)
	p.schedule()
	return nil
}

func (p *panel) raise(now int64, w *scratch, e Event, number int) {
	i := number - 1
	if i < 0 {
		i = int(p.rng.Uint64() % uint64(len(p.parts))) //nolint:gosec // few
	}
	switch e {
	case EventFire:
		p.change(now, w, e, i, gbt26875.PartNormal|gbt26875.PartFire, never)
	case EventFault:
		p.change(now, w, e, i, gbt26875.PartNormal|gbt26875.PartFault, never)
	case EventNormal:
		if number > 0 {
			p.change(now, w, e, i, gbt26875.PartNormal, never)
			return
		}
		p.allNormal(now, w)
	case EventMains:
		p.device |= gbt26875.DeviceMainsFault
		p.tell(now, w, kindAlarm, w.deviceData(p.deviceState(now)), p.alarm(e, 0, 0))
	case EventDisconnect:
		p.shard.broken.Add(1)
		p.drop(now, errScript)
	}
}

// change is part i having another state until then.
func (p *panel) change(now int64, w *scratch, e Event, i int, s gbt26875.PartBits, until int64) {
	p.parts[i] = part{state: s, until: until}
	p.endAt = min(p.endAt, until)
	number := uint64(0)
	if e == EventFire {
		p.fires++
		number = p.fires
		p.shard.fires.Add(1)
	}
	shown := number
	if !p.fleet.cfg.Numbers {
		shown = 0
	}
	w.parts.Objects = append(w.parts.Objects[:0], p.partState(now, i, shown))
	p.tell(now, w, kindAlarm, w.unit(&w.parts), p.alarm(e, i+1, number))
}

// allNormal is everything that is not normal being so again, and told.
func (p *panel) allNormal(now int64, w *scratch) {
	w.parts.Objects = w.parts.Objects[:0]
	flush := func() {
		if len(w.parts.Objects) > 0 {
			p.tell(now, w, kindAlarm, w.unit(&w.parts), p.alarm(EventNormal, 0, 0))
			w.parts.Objects = w.parts.Objects[:0]
		}
	}
	for i := range p.parts {
		if p.parts[i].state == gbt26875.PartNormal {
			continue
		}
		p.parts[i] = part{state: gbt26875.PartNormal, until: never}
		w.parts.Objects = append(w.parts.Objects, p.partState(now, i, 0))
		if len(w.parts.Objects) == gbt26875.TypePartState.MaxObjects() {
			flush()
		}
	}
	flush()
	p.endAt = never
	if p.device != gbt26875.DeviceNormal {
		p.device = gbt26875.DeviceNormal
		p.tell(now, w, kindAlarm, w.deviceData(p.deviceState(now)), p.alarm(EventNormal, 0, 0))
	}
}

// alarm is for the observer; nil if there is none.
func (p *panel) alarm(e Event, part int, number uint64) *Alarm {
	if p.fleet.alarms == nil {
		return nil
	}
	return &Alarm{Panel: p.number, Address: p.name, Event: e, Part: part, Number: number}
}

func (p *panel) observe(now int64, a *Alarm) {
	a.At = p.fleet.start.Add(time.Duration(now))
	p.fleet.alarms(*a)
}

// happen lets happen what happens by chance, and by itself.
func (p *panel) happen(now int64, w *scratch) {
	if now >= p.fireAt {
		p.fireAt = p.nextChance(now, p.fleet.cfg.Fires)
		p.strike(now, w, EventFire, gbt26875.PartFire)
	}
	if now >= p.faultAt {
		p.faultAt = p.nextChance(now, p.fleet.cfg.PartFaults)
		p.strike(now, w, EventFault, gbt26875.PartFault)
	}
	if now >= p.endAt {
		p.endAt = never
		for i := range p.parts {
			if until := p.parts[i].until; now >= until {
				p.change(now, w, EventNormal, i, gbt26875.PartNormal, never)
			} else {
				p.endAt = min(p.endAt, until)
			}
		}
	}
	if now >= p.postAt {
		p.postAt = never
		p.operate(now, w, gbt26875.OperationPostAnswer)
	}
}

// strike is a fire or a fault that lasts for a time, at a part that is normal; if
// that is hard to find there is none.
func (p *panel) strike(now int64, w *scratch, e Event, bit gbt26875.PartBits) {
	if p.fleet.draining.Load() {
		return
	}
	for range 4 {
		i := int(p.rng.Uint64() % uint64(len(p.parts))) //nolint:gosec // few
		if p.parts[i].state == gbt26875.PartNormal {
			p.change(now, w, e, i, gbt26875.PartNormal|bit, now+int64(p.fleet.cfg.Lasts))
			return
		}
	}
}

// nextChance is when something happens next that happens so often in an hour.
func (p *panel) nextChance(now int64, perHour float64) int64 {
	if perHour <= 0 {
		return never
	}
	return now + p.exponential(float64(time.Hour)/perHour)
}
