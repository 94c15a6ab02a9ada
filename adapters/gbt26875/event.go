package gbt26875

import (
	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing"
)

// The events that states become.
const (
	eventFire  = "fire"
	eventFault = "fault"
	eventState = "state"

	eventOperation = "operation"
	eventPostCheck = "postCheck"
)

// events says which events a state is: fire and fault for what has begun, or state
// for any other change. A fire that a device sends by itself is one every time.
func (r *receipt) events(fire, firesAgain, fault, faultChanged, changed bool) (names [2]string, n int) {
	if fire && firesAgain {
		names[n], n = eventFire, n+1
		r.d.counters.fires.Add(1)
	}
	if fault && faultChanged {
		names[n], n = eventFault, n+1
		r.d.counters.faults.Add(1)
	}
	if n == 0 && changed {
		names[n], n = eventState, n+1
	}
	return names, n
}

// event reports events about one state; s.fields holds what it is.
func (r *receipt) event(s *scratch, names [2]string, n int, m moment) {
	for _, name := range names[:n] {
		s.message = thing.Message{Kind: thing.Event, Name: name, Time: m.at, Fields: s.fields}
		r.report(&s.message)
	}
}

// partEvents reports what has changed about parts, fires first.
func (r *receipt) partEvents(s *scratch, all []gbt26875.PartState) {
	r.d.counters.states.Add(uint64(len(all)))
	for _, fires := range []bool{true, false} {
		for i := range all {
			if o := &all[i]; o.State.Has(gbt26875.PartFire) == fires {
				r.partEvent(s, o)
			}
		}
	}
}

func (r *receipt) partEvent(s *scratch, o *gbt26875.PartState) {
	changed, room := r.d.memory.part(o, r.d.config.MaxParts)
	if !room {
		r.d.counters.forgotten.Add(1)
	}
	again := changed.Has(gbt26875.PartFire) || r.header.Command == gbt26875.CommandSend
	names, n := r.events(o.State.Has(gbt26875.PartFire), again, o.State&gbt26875.PartFaults != 0, changed&gbt26875.PartFaults != 0, changed != 0)
	if n == 0 {
		return
	}
	m := r.d.count(r.d.when(o.Time, r.c.Now()))
	s.fields = append(s.fields[:0], words("source", "part"))
	s.fields = r.d.partStateFields(s.fields, o, m)
	r.event(s, names, n, m)
}

// systemEvents reports what has changed about systems, fires first.
func (r *receipt) systemEvents(s *scratch, all []gbt26875.SystemState) {
	r.d.counters.states.Add(uint64(len(all)))
	for _, fires := range []bool{true, false} {
		for i := range all {
			if o := &all[i]; o.State.Has(gbt26875.SystemFire) == fires {
				r.systemEvent(s, o)
			}
		}
	}
}

func (r *receipt) systemEvent(s *scratch, o *gbt26875.SystemState) {
	changed, room := r.d.memory.system(o, r.d.config.MaxParts)
	if !room {
		r.d.counters.forgotten.Add(1)
	}
	again := changed.Has(gbt26875.SystemFire) || r.header.Command == gbt26875.CommandSend
	names, n := r.events(o.State.Has(gbt26875.SystemFire), again, o.State&gbt26875.SystemFaults != 0, changed&gbt26875.SystemFaults != 0, changed != 0)
	if n == 0 {
		return
	}
	m := r.d.count(r.d.when(o.Time, r.c.Now()))
	s.fields = append(s.fields[:0], words("source", "system"))
	s.fields = systemStateFields(s.fields, o, m)
	r.event(s, names, n, m)
}

// deviceEvents reports what has changed about the device itself. It says whether the
// state is to be a property as well: not when nothing has changed and nobody
// but linkspan has asked.
func (r *receipt) deviceEvents(s *scratch, all []gbt26875.DeviceState) (property bool) {
	r.d.counters.states.Add(uint64(len(all)))
	property = r.header.Command == gbt26875.CommandSend || !r.d.ours(r.header.Serial)
	for i := range all {
		o := &all[i]
		changed := r.d.memory.device(o.State)
		names, n := r.events(o.State.Has(gbt26875.DeviceFire), changed.Has(gbt26875.DeviceFire),
			o.State&gbt26875.DeviceFaults != 0, changed&gbt26875.DeviceFaults != 0, changed != 0)
		if n == 0 {
			continue
		}
		property = true
		m := r.d.count(r.d.when(o.Time, r.c.Now()))
		s.fields = append(s.fields[:0], words("source", "device"))
		s.fields = deviceStateFields(s.fields, o, m)
		r.event(s, names, n, m)
	}
	return property
}
