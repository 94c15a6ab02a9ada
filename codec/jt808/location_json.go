package jt808

import (
	"encoding/hex"
	"strconv"
	"time"
)

// MarshalJSON writes the report in the units of people: latitude and longitude
// in degrees with their sign, altitude in m, speed in km/h, time as RFC 3339 in
// UTC. If the terminal's time is none, time is null, and only then there is
// time_raw with its digits. alarm and status are the words as they are. extras has a member for each id: standard items as their value, others as
// hexadecimal digits, an array of them if the id repeats. tail, in hexadecimal
// digits, is there only if the report has one.
func (l Location) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 256)
	b = append(b, `{"alarm":`...)
	b = strconv.AppendUint(b, uint64(l.Alarm), 10)
	b = append(b, `,"status":`...)
	b = strconv.AppendUint(b, uint64(l.Status), 10)
	b = append(b, `,"latitude":`...)
	b = appendScaled(b, signed64(l.Latitude, l.Status.South()), 6)
	b = append(b, `,"longitude":`...)
	b = appendScaled(b, signed64(l.Longitude, l.Status.West()), 6)
	b = append(b, `,"altitude":`...)
	b = strconv.AppendInt(b, int64(l.Altitude), 10)
	b = append(b, `,"speed":`...)
	b = appendScaled(b, int64(l.Speed), 1)
	b = append(b, `,"direction":`...)
	b = strconv.AppendUint(b, uint64(l.Direction), 10)
	b = append(b, `,"time":`...)
	if t, ok := l.Time.Time(); ok {
		b = append(t.AppendFormat(append(b, '"'), time.RFC3339), '"')
	} else {
		b = appendHex(append(b, `null,"time_raw":`...), l.Time[:])
	}
	b = append(b, `,"extras":`...)
	b = l.appendExtras(b)
	if len(l.Tail) > 0 {
		b = appendHex(append(b, `,"tail":`...), l.Tail)
	}
	return append(b, '}'), nil
}

func signed64(magnitude uint32, negative bool) int64 {
	if negative {
		return -int64(magnitude)
	}
	return int64(magnitude)
}

// appendScaled appends v divided by 10 to the power of digits, exactly and
// without zeros at the end.
func appendScaled(dst []byte, v int64, digits int) []byte {
	unit := int64(1)
	for range digits {
		unit *= 10
	}
	if v < 0 {
		dst = append(dst, '-')
		v = -v
	}
	dst = strconv.AppendInt(dst, v/unit, 10)
	if v %= unit; v == 0 {
		return dst
	}
	dst = append(dst, '.')
	for v > 0 {
		unit /= 10
		dst = append(dst, byte('0'+v/unit))
		v %= unit
	}
	return dst
}

func appendHex(dst, value []byte) []byte {
	return append(hex.AppendEncode(append(dst, '"'), value), '"')
}

// appendExtras appends the object of all items but zeros that fill the end.
func (l *Location) appendExtras(dst []byte) []byte {
	var count [256]uint16
	for _, e := range l.Extras {
		count[e.ID]++
	}
	dst = append(dst, '{')
	first := true
	for i, e := range l.Extras {
		if e.ID == 0 && len(e.Value) == 0 || count[e.ID] == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(hex.AppendEncode(append(dst, `"0x`...), []byte{e.ID}), `":`...)
		if count[e.ID] == 1 {
			dst = e.appendJSON(dst)
		} else {
			dst = appendRepeated(dst, e.ID, l.Extras[i:])
		}
		count[e.ID] = 0 // done with
	}
	return append(dst, '}')
}

func appendRepeated(dst []byte, id ExtraID, items []Extra) []byte {
	separator := byte('[')
	for _, e := range items {
		if e.ID == id {
			dst = e.appendJSON(append(dst, separator))
			separator = ','
		}
	}
	return append(dst, ']')
}

// appendJSON appends the value: a number if the item is a number of the standard
// and has its length, in the unit of people; hexadecimal digits otherwise.
func (e Extra) appendJSON(dst []byte) []byte {
	switch e.ID {
	case ExtraMileage:
		if v, ok := e.U32(); ok {
			return appendScaled(dst, int64(v), 1) // km
		}
	case ExtraFuel:
		if v, ok := e.U16(); ok {
			if litres, ok := Fuel(v).DeciLitres(); ok {
				return appendScaled(dst, int64(litres), 1) // l
			}
		}
	case ExtraRecorderSpeed:
		if v, ok := e.U16(); ok {
			return appendScaled(dst, int64(v), 1) // km/h
		}
	case ExtraTemperature:
		if v, ok := e.U16(); ok {
			return strconv.AppendInt(dst, int64(signMagnitude(v)), 10)
		}
	case ExtraManualAlarm, ExtraStorageFault, ExtraIOStatus:
		if v, ok := e.U16(); ok {
			return strconv.AppendUint(dst, uint64(v), 10)
		}
	case ExtraVideoAlarm, ExtraVideoLoss, ExtraVideoOcclusion, ExtraVehicleSignals:
		if v, ok := e.U32(); ok {
			return strconv.AppendUint(dst, uint64(v), 10)
		}
	case ExtraSignalStrength, ExtraSatellites:
		if v, ok := e.U8(); ok {
			return strconv.AppendUint(dst, uint64(v), 10)
		}
	}
	return appendHex(dst, e.Value)
}
