package jt808

import (
	"encoding/hex"
	"math/bits"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// alarmNames are the names of the bits of the alarm word by edition, made once
// so that an alarm costs no text.
var alarmNames = func() (names [jt808.V2019 + 1][32]string) {
	for _, v := range []jt808.Version{jt808.V2011, jt808.V2013, jt808.V2019} {
		for bit := range 32 {
			names[v][bit] = jt808.Alarm(1 << bit).Names(v)[0]
		}
	}
	return names
}()

// reportAlarms reports the event alarm for every bit of alarms.
func (a *adapter) reportAlarms(s *scratch, r *receipt, l *jt808.Location, alarms jt808.Alarm, v jt808.Version) {
	for word := uint32(alarms); word != 0; word &= word - 1 {
		bit := bits.TrailingZeros32(word)
		a.counters.alarms.Add(1)
		fields := append(s.fields[:0],
			thing.Field{Name: "type", Value: thing.String(alarmNames[v][bit])},
			thing.Field{Name: "bit", Value: thing.Int(int64(bit))},
		)
		at, fields := a.positionFields(fields, l)
		var about jt808.ExtraID
		switch jt808.Alarm(1) << bit {
		case jt808.AlarmSOS:
			about = jt808.ExtraManualAlarm
		case jt808.AlarmOverspeed:
			about = jt808.ExtraOverspeed
		case jt808.AlarmArea, jt808.AlarmRoute:
			about = jt808.ExtraCrossing
		case jt808.AlarmSectionTime:
			about = jt808.ExtraSectionTime
		default: // the others are about nothing more, and no item has the id 0
		}
		if e, ok := l.Extra(about); ok {
			fields = appendItem(fields, l, &e)
		}
		s.fields = fields
		s.message = thing.Message{Kind: thing.Event, Name: "alarm", Time: at, Fields: fields}
		r.report(&s.message)
	}
}

// safetyEvents are the events of the items of active safety equipment.
var safetyEvents = map[jt808.ExtraID]string{
	jt808.ExtraDriverAssistance: "driverAssistance",
	jt808.ExtraDriverMonitoring: "driverMonitoring",
	jt808.ExtraTyreAlarm:        "tyre",
	jt808.ExtraBlindSpot:        "blindSpot",
	jt808.ExtraHarshDriving:     "harshDriving",
}

// reportSafety reports the event safetyAlarm for every alarm of active safety
// equipment. The equipment sends each of them once.
func (a *adapter) reportSafety(s *scratch, r *receipt, l *jt808.Location) {
	for i := range l.Extras {
		e := &l.Extras[i]
		if e.ID < jt808.ExtraDriverAssistance || e.ID > jt808.ExtraHarshDriving {
			continue
		}
		alarm, ok := e.SafetyAlarm()
		if !ok {
			continue
		}
		a.counters.alarms.Add(1)
		fields := append(s.fields[:0],
			thing.Field{Name: "source", Value: thing.String(safetyEvents[e.ID])},
			thing.Field{Name: "alarmId", Value: thing.Int(int64(alarm.AlarmID))},
			thing.Field{Name: "flag", Value: thing.Int(int64(alarm.Flag))},
			thing.Field{Name: "type", Value: thing.Int(int64(alarm.Type))},
			thing.Field{Name: "detail", Value: thing.String(hex.EncodeToString(alarm.Detail))},
			thing.Field{Name: "latitude", Value: thing.Decimal(int64(alarm.Latitude), 6)},
			thing.Field{Name: "longitude", Value: thing.Decimal(int64(alarm.Longitude), 6)},
			thing.Field{Name: "altitude", Value: thing.Int(int64(alarm.Altitude))},
			thing.Field{Name: "speed", Value: thing.Int(int64(alarm.Speed))},
			thing.Field{Name: "vehicleStatus", Value: thing.Int(int64(alarm.VehicleStatus))},
			thing.Field{Name: "label", Value: thing.String(hex.EncodeToString(alarm.Label.Raw))},
			thing.Field{Name: "attachments", Value: thing.Int(int64(alarm.Label.Attachments))},
		)
		at, ok := alarm.Time.TimeIn(a.zone)
		fields = appendIf(fields, ok, "time", thing.Int(at.UnixMilli()))
		if len(alarm.Tyres) > 0 {
			fields = append(fields, thing.Field{Name: "tyres", Value: tyreStates(alarm)})
		}
		s.fields = fields
		s.message = thing.Message{Kind: thing.Event, Name: "safetyAlarm", Time: at, Fields: fields}
		r.report(&s.message)
	}
}

func tyreStates(alarm jt808.SafetyAlarm) thing.Value {
	tyres := alarm.AppendTyres(nil)
	list := make([]thing.Value, len(tyres))
	for i, t := range tyres {
		list[i] = thing.Struct(
			thing.Field{Name: "position", Value: thing.Int(int64(t.Position))},
			thing.Field{Name: "alarms", Value: thing.Int(int64(t.Alarms))},
			thing.Field{Name: "pressure", Value: thing.Int(int64(t.Pressure))},
			thing.Field{Name: "temperature", Value: thing.Int(int64(t.Temperature))},
			thing.Field{Name: "battery", Value: thing.Int(int64(t.Battery))},
		)
	}
	return thing.List(list...)
}
