package gbt26875

import (
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing"
)

// report reports what a frame says.
func (d *device) report(c *conn, f *gbt26875.Frame, key uint64) {
	s := borrow()
	defer s.giveBack()
	r := d.receive(c, f, key)
	u, err := s.parse(f.Data)
	switch {
	case err != nil && !d.lenient(u):
		d.counters.malformed.Add(1)
		r.deny = d.config.Mode == modeStrict
		r.raw(s, f)
	case err != nil:
		d.counters.malformed.Add(1)
		r.unit(s, u)
	default:
		if !u.Type().Up() {
			d.counters.unknown.Add(1)
			r.deny = d.config.Unknown == unknownDeny
			r.raw(s, f)
			break
		}
		r.unit(s, u)
	}
	d.fulfilBySend(f, u)
	r.complete()
}

// lenient says whether to take what there is of damaged data.
func (d *device) lenient(u gbt26875.Unit) bool {
	return d.config.Mode == modeLenient && u != nil && u.Type().Up() && objects(u) > 0
}

// objects is how many objects u has.
func objects(u gbt26875.Unit) int {
	switch u := u.(type) {
	case *gbt26875.PartStates:
		return len(u.Objects)
	case *gbt26875.SystemStates:
		return len(u.Objects)
	case *gbt26875.DeviceStates:
		return len(u.Objects)
	case *gbt26875.PartAnalogs:
		return len(u.Objects)
	case *gbt26875.SystemOperations:
		return len(u.Objects)
	case *gbt26875.SystemSoftwares:
		return len(u.Objects)
	case *gbt26875.SystemConfigs:
		return len(u.Objects)
	case *gbt26875.PartConfigs:
		return len(u.Objects)
	case *gbt26875.SystemTimes:
		return len(u.Objects)
	case *gbt26875.DeviceOperations:
		return len(u.Objects)
	case *gbt26875.DeviceSoftwares:
		return len(u.Objects)
	case *gbt26875.DeviceConfigs:
		return len(u.Objects)
	case *gbt26875.DeviceTimes:
		return len(u.Objects)
	default:
		return 0
	}
}

// unit reports the objects of u: first events, fires before all others, then
// properties.
func (r *receipt) unit(s *scratch, u gbt26875.Unit) {
	switch u := u.(type) {
	case *gbt26875.PartStates:
		r.partEvents(s, u.Objects)
	case *gbt26875.SystemStates:
		r.systemEvents(s, u.Objects)
	case *gbt26875.DeviceStates:
		if !r.deviceEvents(s, u.Objects) {
			return
		}
	case *gbt26875.SystemOperations:
		r.systemOperations(s, u.Objects)
		return
	case *gbt26875.DeviceOperations:
		r.deviceOperations(s, u.Objects)
		return
	case *gbt26875.PartAnalogs:
		r.d.counters.analogs.Add(uint64(len(u.Objects)))
	}
	s.fields = r.d.unitFields(s.fields[:0], u, r.c.Now())
	if len(s.fields) > 0 {
		s.message = thing.Message{Kind: thing.Property, Fields: s.fields}
		r.report(&s.message)
	}
}

// moment is a time label read.
type moment struct {
	at    time.Time // by the device's clock, or the time of receipt when that is wrong
	wrong bool      // the clock is
	label gbt26875.Time
}

// when reads a time label.
func (d *device) when(label gbt26875.Time, now time.Time) moment {
	at, ok := d.read(label, now)
	if !ok || now.Sub(at) > d.config.Clock.Past || at.Sub(now) > d.config.Clock.Future {
		return moment{now, true, label}
	}
	return moment{at: at}
}

// count counts a wrong clock.
func (d *device) count(m moment) moment {
	if m.wrong {
		d.counters.wrongClocks.Add(1)
	}
	return m
}

// read is the time that a label means, and learns how the device writes times.
func (d *device) read(label gbt26875.Time, now time.Time) (time.Time, bool) {
	switch d.config.Clock.Format {
	case formatBinary:
		return label.In(d.zone)
	case formatBCD:
		return label.BCDIn(d.zone)
	}
	at, bcd, ok := label.Near(d.zone, now)
	if ok {
		d.bcd = bcd
	}
	return at, ok
}

// fields appends the time, and what the device's clock says if that is wrong.
func (m moment) fields(fields []thing.Field) []thing.Field {
	fields = append(fields, number("time", m.at.UnixMilli()))
	if m.wrong {
		fields = append(fields, words("deviceTime", m.label.String()))
	}
	return fields
}

func (r *receipt) systemOperations(s *scratch, all []gbt26875.SystemOperation) {
	for i := range all {
		o := &all[i]
		m := r.d.count(r.d.when(o.Time, r.c.Now()))
		s.fields = systemFields(append(s.fields[:0], words("source", "system")), o.System)
		s.fields = m.fields(operationFields(s.fields, o.Operation.SystemNames(), o.Operator))
		s.message = thing.Message{Kind: thing.Event, Name: eventOperation, Time: m.at, Fields: s.fields}
		r.report(&s.message)
	}
}

func (r *receipt) deviceOperations(s *scratch, all []gbt26875.DeviceOperation) {
	for i := range all {
		o := &all[i]
		m := r.d.count(r.d.when(o.Time, r.c.Now()))
		s.fields = append(s.fields[:0], words("source", "device"))
		s.fields = m.fields(operationFields(s.fields, o.Operation.DeviceNames(), o.Operator))
		s.message = thing.Message{Kind: thing.Event, Name: eventOperation, Time: m.at, Fields: s.fields}
		r.report(&s.message)
		if r.header.Command == gbt26875.CommandSend && o.Operation.Has(gbt26875.OperationPostAnswer) {
			r.postAnswered(s, o.Operator)
		}
	}
}
