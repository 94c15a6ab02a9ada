package jt808

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// location handles 0x0200: the hot path, which allocates nothing.
func (a *adapter) location(c *conn, s *scratch, f *jt808.Frame) {
	if s.location.ParseBody(f.Body, f.Version) != nil {
		a.malformed(c, s, f)
		return
	}
	r := &s.receipt
	if a.waits {
		r = a.receive(c, f)
	} else { // it is answered before this returns
		r.begin(a, c, f)
	}
	s.plain = true
	a.reportLive(s, r, &s.location, f.Version)
	r.complete(s)
}

// reportLive reports a location of now, and the alarms that begin with it.
func (a *adapter) reportLive(s *scratch, r *receipt, l *jt808.Location, v jt808.Version) {
	a.reportLocation(s, r, l)
	if begun := l.Alarm &^ a.alarms; begun != 0 {
		r.raised |= begun
		a.reportAlarms(s, r, l, begun, v)
	}
	a.alarms = l.Alarm
}

// reportLocation reports a location as properties.
func (a *adapter) reportLocation(s *scratch, r *receipt, l *jt808.Location) {
	a.counters.locations.Add(1)
	at, fields := a.locationFields(s.fields[:0], l)
	s.fields = fields
	s.message = thing.Message{Kind: thing.Property, Time: at, Fields: fields}
	r.report(&s.message)
	if len(l.Extras) > 0 {
		a.reportSafety(s, r, l)
	}
}

// locationFields appends what a location says: its properties.
func (a *adapter) locationFields(fields []thing.Field, l *jt808.Location) (time.Time, []thing.Field) {
	at, fields := a.positionFields(fields, l)
	fields = thing.AppendField(fields, "acc", thing.Bool(l.Status.ACC()))
	fields = thing.AppendField(fields, "alarm", thing.Int(int64(l.Alarm)))
	fields = thing.AppendField(fields, "status", thing.Int(int64(l.Status)))
	return at, a.itemFields(fields, l)
}

// itemFields appends the additional items: those of the standards as properties
// of their own, others, if they are wanted at all, as the property extras.
func (a *adapter) itemFields(fields []thing.Field, l *jt808.Location) []thing.Field {
	var seen items
	others := len(l.Tail) > 0
	for i := range l.Extras {
		e := &l.Extras[i]
		if seen.add(e.ID) {
			continue
		}
		if n := &numericItems[e.ID]; n.size > 0 && int(n.size) == len(e.Value) {
			fields = thing.AppendField(fields, n.name, n.value(e.Value))
			continue
		}
		had := len(fields)
		fields = appendItem(fields, l, e)
		others = others || len(fields) == had
	}
	if !others || !a.config.Extras {
		return fields
	}
	return append(fields, otherItems(l))
}

// otherItems is the items that are no properties of their own as the property extras, in
// which what is behind the last item has the name tail.
func otherItems(l *jt808.Location) thing.Field {
	var seen items
	var extras, none []thing.Field
	for i := range l.Extras {
		e := &l.Extras[i]
		if seen.add(e.ID) {
			continue
		}
		if none = appendItem(none[:0], l, e); len(none) == 0 {
			extras = append(extras, thing.Field{Name: extraNames[e.ID], Value: thing.String(hex.EncodeToString(e.Value))})
		}
	}
	if len(l.Tail) > 0 {
		extras = append(extras, thing.Field{Name: "tail", Value: thing.String(hex.EncodeToString(l.Tail))})
	}
	return thing.Field{Name: "extras", Value: thing.Struct(extras...)}
}

// items is a set of ids: of items that repeat the first counts.
type items [4]uint64

// add says whether it has been there.
func (s *items) add(id jt808.ExtraID) bool {
	word, bit := &s[id>>6], uint64(1)<<(id&63)
	was := *word&bit != 0
	*word |= bit
	return was
}

// numericItem is an additional item that is one number: most of a fleet's are, so they are
// found by their id in one step.
type numericItem struct {
	name  string
	size  uint8 // 1, 2 or 4 bytes; 0: the item is no number, or the id none of the standards'
	scale uint8 // digits behind the decimal point of the property's unit
}

// numericItems are the items that are numbers, by their ids (see codec/jt808's Extra...).
var numericItems = [256]numericItem{
	jt808.ExtraMileage:        {"mileage", 4, 1},
	jt808.ExtraRecorderSpeed:  {"recorderSpeed", 2, 1},
	jt808.ExtraManualAlarm:    {"manualAlarm", 2, 0},
	jt808.ExtraVideoAlarm:     {"videoAlarm", 4, 0},
	jt808.ExtraVideoLoss:      {"videoLoss", 4, 0},
	jt808.ExtraVideoOcclusion: {"videoOcclusion", 4, 0},
	jt808.ExtraStorageFault:   {"storageFault", 2, 0},
	jt808.ExtraVehicleSignals: {"vehicleSignals", 4, 0},
	jt808.ExtraIOStatus:       {"ioStatus", 2, 0},
	jt808.ExtraSignalStrength: {"signalStrength", 1, 0},
	jt808.ExtraSatellites:     {"satellites", 1, 0},
}

// value is what the item says with b, which is as long as the standard says.
func (n *numericItem) value(b []byte) thing.Value {
	var v int64
	switch len(b) {
	case 1:
		v = int64(b[0])
	case 2:
		v = int64(binary.BigEndian.Uint16(b))
	case 4:
		v = int64(binary.BigEndian.Uint32(b))
	}
	if n.scale == 0 {
		return thing.Int(v)
	}
	return thing.Decimal(v, n.scale)
}

// extraNames are the names of items in the property extras: "0xEB".
var extraNames = func() (names [256]string) {
	for id := range names {
		names[id] = fmt.Sprintf("0x%02X", id)
	}
	return names
}()

// positionFields appends where a location is and when that was: what events
// carry too. Coordinates that can be no place are left out, and so is a time
// that is none; the time of arrival takes its place.
func (a *adapter) positionFields(fields []thing.Field, l *jt808.Location) (time.Time, []thing.Field) {
	inRange := l.InRange()
	if inRange {
		fields = thing.AppendField(fields, "latitude", thing.Decimal(int64(l.LatitudeE6()), 6))
		fields = thing.AppendField(fields, "longitude", thing.Decimal(int64(l.LongitudeE6()), 6))
	}
	fields = thing.AppendField(fields, "altitude", thing.Int(int64(l.Altitude)))
	fields = thing.AppendField(fields, "speed", thing.Decimal(int64(l.Speed), 1))
	fields = thing.AppendField(fields, "direction", thing.Int(int64(l.Direction)))
	fields = thing.AppendField(fields, "positioned", thing.Bool(l.Status.Located() && inRange))
	at, ok := l.Time.TimeIn(a.zone)
	if !ok {
		return time.Time{}, fields
	}
	return at, thing.AppendField(fields, "time", thing.Int(at.UnixMilli()))
}

// appendItem appends the properties of an item of l, the first with its id, if it is one
// of the standards' and as long as they say.
func appendItem(fields []thing.Field, l *jt808.Location, e *jt808.Extra) []thing.Field {
	if n := &numericItems[e.ID]; n.size > 0 {
		return appendIf(fields, int(n.size) == len(e.Value), n.name, n.value(e.Value))
	}
	switch e.ID {
	case jt808.ExtraFuel:
		return appendFuel(fields, l)
	case jt808.ExtraTemperature:
		v, ok := l.Temperature()
		return appendIf(fields, ok, "temperature", thing.Int(int64(v)))
	default:
		return appendComposite(fields, l, e.ID)
	}
}

func appendIf(fields []thing.Field, ok bool, name string, v thing.Value) []thing.Field {
	if !ok {
		return fields
	}
	return thing.AppendField(fields, name, v)
}

func appendFuel(fields []thing.Field, l *jt808.Location) []thing.Field {
	fuel, ok := l.Fuel()
	if !ok {
		return fields
	}
	if p, isPercent := fuel.Percent(); isPercent {
		return thing.AppendField(fields, "fuelPercent", thing.Int(int64(p)))
	}
	v, _ := fuel.DeciLitres()
	return thing.AppendField(fields, "fuel", thing.Decimal(int64(v), 1))
}

// appendComposite appends the properties of items of several values.
func appendComposite(fields []thing.Field, l *jt808.Location, id jt808.ExtraID) []thing.Field {
	switch id {
	case jt808.ExtraTyrePressure:
		v, ok := l.TyrePressures()
		return appendIf(fields, ok, "tyrePressures", tyrePressures(v))
	case jt808.ExtraOverspeed:
		if o, ok := l.Overspeed(); ok {
			return append(fields, thing.Field{Name: "overspeed", Value: thing.Struct(
				thing.Field{Name: "place", Value: thing.String(o.Place.String())},
				thing.Field{Name: "areaId", Value: thing.Int(int64(o.AreaID))},
			)})
		}
	case jt808.ExtraCrossing:
		if x, ok := l.Crossing(); ok {
			return append(fields, thing.Field{Name: "crossing", Value: thing.Struct(
				thing.Field{Name: "place", Value: thing.String(x.Place.String())},
				thing.Field{Name: "areaId", Value: thing.Int(int64(x.AreaID))},
				thing.Field{Name: "left", Value: thing.Bool(x.Left)},
			)})
		}
	case jt808.ExtraSectionTime:
		if t, ok := l.SectionTime(); ok {
			return append(fields, thing.Field{Name: "sectionTime", Value: thing.Struct(
				thing.Field{Name: "sectionId", Value: thing.Int(int64(t.SectionID))},
				thing.Field{Name: "seconds", Value: thing.Int(int64(t.Seconds))},
				thing.Field{Name: "tooLong", Value: thing.Bool(t.TooLong)},
			)})
		}
	case jt808.ExtraAbnormalDriving:
		if d, ok := l.AbnormalDriving(); ok {
			return append(fields,
				thing.Field{Name: "abnormalDriving", Value: thing.Int(int64(d.Kinds))},
				thing.Field{Name: "fatigue", Value: thing.Int(int64(d.Fatigue))})
		}
	case jt808.ExtraAnalog:
		if ad0, ad1, ok := l.Analog(); ok {
			return append(fields,
				thing.Field{Name: "analog0", Value: thing.Int(int64(ad0))},
				thing.Field{Name: "analog1", Value: thing.Int(int64(ad1))})
		}
	}
	return fields
}

// tyrePressures is null where there is no wheel.
func tyrePressures(wheels []byte) thing.Value {
	list := make([]thing.Value, len(wheels))
	for i, w := range wheels {
		if w != 0xFF {
			list[i] = thing.Int(int64(w))
		}
	}
	return thing.List(list...)
}
