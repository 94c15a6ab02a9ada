package gbt26875

import (
	"fmt"
	"strconv"

	"github.com/linkspan/linkspan/codec/gbt26875"
)

// system is the fire alarm system that all parts belong to.
var system = gbt26875.System{Type: gbt26875.SystemFireAlarm, Address: 1}

// place is what is fixed about a part, the same at all panels.
type place struct {
	part         gbt26875.Part
	text, spaced gbt26875.Description
	analog       gbt26875.AnalogType // that it measures; 0: nothing
}

const (
	analogHeight      gbt26875.AnalogType = 2 // 0.01 m
	analogTemperature gbt26875.AnalogType = 3 // 0.1 °C
	perZone                               = 32
)

// layout makes n parts: of eight, four smoke detectors, two heat detectors, a call
// point and a water tank; 32 in a zone.
func layout(n int) ([]place, error) {
	kinds := [8]struct {
		kind   gbt26875.PartType
		name   string
		analog gbt26875.AnalogType
	}{
		{gbt26875.PartSmokeDetector, "号烟感", 0},
		{gbt26875.PartSmokeDetector, "号烟感", 0},
		{gbt26875.PartHeatDetector, "号温感", analogTemperature},
		{gbt26875.PartSmokeDetector, "号烟感", 0},
		{gbt26875.PartCallPoint, "号手动报警按钮", 0},
		{gbt26875.PartSmokeDetector, "号烟感", 0},
		{gbt26875.PartHeatDetector, "号温感", analogTemperature},
		{gbt26875.PartTank, "号水箱", analogHeight},
	}
	places := make([]place, n)
	for i := range places {
		k, zone, point := kinds[i%len(kinds)], 1+i/perZone, 1+i%perZone
		text, err := gbt26875.NewDescription(fmt.Sprintf("%d楼%d%s", zone, point, k.name))
		if err != nil {
			return nil, err
		}
		address := gbt26875.NewPartAddress(uint16(zone), uint16(point)) //nolint:gosec // few
		places[i] = place{part: gbt26875.Part{System: system, Type: k.kind, Address: address}, text: text, spaced: text, analog: k.analog}
		for j := textLen(text); j < len(text); j++ {
			places[i].spaced[j] = ' '
		}
	}
	return places, nil
}

// textLen is how long the text is without NULs behind it.
func textLen(d gbt26875.Description) int {
	n := len(d)
	for n > 0 && d[n-1] == 0 {
		n--
	}
	return n
}

// part is what changes about one.
type part struct {
	state gbt26875.PartBits
	until int64 // when that ends; never: when told to
}

// partState is the state of part i for a report. A number that is not 0 is put
// behind the description.
func (p *panel) partState(now int64, i int, number uint64) gbt26875.PartState {
	at := &p.fleet.layout[i]
	s := gbt26875.PartState{Part: at.part, State: p.parts[i].state, Description: at.text, Time: p.label(now)}
	if p.fault == FaultSpaces {
		s.Description = at.spaced
	}
	if number > 0 {
		var digits [24]byte
		tail := strconv.AppendUint(append(digits[:0], " #"...), number, 10)
		from := min(textLen(at.text), len(s.Description)-len(tail))
		copy(s.Description[from:], tail)
	}
	return s
}

// sum is the states of all parts together.
func (p *panel) sum() (all gbt26875.PartBits) {
	for i := range p.parts {
		all |= p.parts[i].state
	}
	return all
}

func (p *panel) systemState(now int64) gbt26875.SystemState {
	s, all := gbt26875.SystemNormal, p.sum()
	if all.Has(gbt26875.PartFire) {
		s |= gbt26875.SystemFire
	}
	if all.Has(gbt26875.PartFault) {
		s |= gbt26875.SystemFault
	}
	if p.device.Has(gbt26875.DeviceMainsFault) {
		s |= gbt26875.SystemMainsFault
	}
	return gbt26875.SystemState{System: system, State: s, Time: p.label(now)}
}

func (p *panel) deviceState(now int64) gbt26875.DeviceState {
	s, all := p.device, p.sum()
	if all.Has(gbt26875.PartFire) {
		s |= gbt26875.DeviceFire
	}
	if all.Has(gbt26875.PartFault) {
		s |= gbt26875.DeviceFault
	}
	return gbt26875.DeviceState{State: s, Time: p.label(now)}
}

// analogOf is what part i measures.
func (p *panel) analogOf(now int64, i int) gbt26875.PartAnalog {
	at := &p.fleet.layout[i]
	a := gbt26875.PartAnalog{Part: at.part, Analog: at.analog, Time: p.label(now)}
	wobble := int16(p.rng.Uint64() % 8) //nolint:gosec // few
	switch {
	case at.analog == analogHeight:
		a.Value = 250 + wobble
	case p.parts[i].state.Has(gbt26875.PartFire):
		a.Value = 720 + wobble
	default:
		a.Value = 210 + wobble
	}
	return a
}

// unit makes data of u in w.
func (w *scratch) unit(u gbt26875.Unit) []byte {
	data, err := u.AppendUnit(w.data[:0])
	if err != nil {
		panic(err) // the panel has made more than fits
	}
	w.data = data
	return data
}

func (w *scratch) deviceData(s gbt26875.DeviceState) []byte {
	w.device.Objects = append(w.device.Objects[:0], s)
	return w.unit(&w.device)
}

// hello is what a panel says when it has connected: what state it is in, and what
// has waited.
func (p *panel) hello(now int64, w *scratch) {
	p.tell(now, w, kindState, w.deviceData(p.deviceState(now)), nil)
	p.pump(now, w)
}

// routine tells the state of something, of each kind in turn.
func (p *panel) routine(now int64, w *scratch) {
	p.turn++
	switch p.turn % 4 {
	case 1:
		w.systems.Objects = append(w.systems.Objects[:0], p.systemState(now))
		p.tell(now, w, kindState, w.unit(&w.systems), nil)
	case 2:
		w.parts.Objects = w.parts.Objects[:0]
		for range min(len(p.parts), gbt26875.TypePartState.MaxObjects()) {
			w.parts.Objects = append(w.parts.Objects, p.partState(now, p.chunk, 0))
			p.chunk = (p.chunk + 1) % len(p.parts)
		}
		p.tell(now, w, kindState, w.unit(&w.parts), nil)
	case 3:
		w.analogs.Objects = w.analogs.Objects[:0]
		for i := range p.parts {
			if p.fleet.layout[i].analog != 0 && len(w.analogs.Objects) < gbt26875.TypePartAnalog.MaxObjects() {
				w.analogs.Objects = append(w.analogs.Objects, p.analogOf(now, i))
			}
		}
		if len(w.analogs.Objects) > 0 {
			p.tell(now, w, kindState, w.unit(&w.analogs), nil)
			return
		}
		fallthrough
	default:
		p.tell(now, w, kindState, w.deviceData(p.deviceState(now)), nil)
	}
}

// beat sends a heartbeat, unless there is something under way that shows as well
// that the panel is there.
func (p *panel) beat(now int64, w *scratch) {
	if len(p.reports) > 0 {
		return
	}
	switch p.form {
	case HeartbeatEmpty:
		p.tell(now, w, kindHeartbeat, nil, nil)
	case HeartbeatByte:
		p.tell(now, w, kindHeartbeat, []byte{0x16}, nil)
	case HeartbeatConfirm:
		p.shard.sent[kindHeartbeat].Add(1)
		p.put(now, w, p.header(now, gbt26875.CommandConfirm), nil)
	case HeartbeatState:
		p.tell(now, w, kindHeartbeat, w.deviceData(p.deviceState(now)), nil)
	}
}
