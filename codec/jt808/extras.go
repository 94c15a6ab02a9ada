package jt808

import "encoding/binary"

// ExtraID is the id of an additional item of a location report.
type ExtraID = uint8

// Additional items of the standards (JT/T 808-2019 table 27, JT/T 1078-2016
// table 13, T/JSATL 12-2017). Ids from 0xE1 on, and in practice all that are not
// here, are the makers' own: the same id means other things elsewhere.
const (
	ExtraMileage          ExtraID = 0x01 // see Location.Mileage
	ExtraFuel             ExtraID = 0x02 // see Location.Fuel
	ExtraRecorderSpeed    ExtraID = 0x03 // see Location.RecorderSpeed
	ExtraManualAlarm      ExtraID = 0x04 // see Location.ManualAlarm
	ExtraTyrePressure     ExtraID = 0x05 // see Location.TyrePressures; 2019
	ExtraTemperature      ExtraID = 0x06 // see Location.Temperature; 2019
	ExtraOverspeed        ExtraID = 0x11 // see Location.Overspeed
	ExtraCrossing         ExtraID = 0x12 // see Location.Crossing
	ExtraSectionTime      ExtraID = 0x13 // see Location.SectionTime
	ExtraVideoAlarm       ExtraID = 0x14 // see Location.VideoAlarm
	ExtraVideoLoss        ExtraID = 0x15 // see Location.VideoLoss
	ExtraVideoOcclusion   ExtraID = 0x16 // see Location.VideoOcclusion
	ExtraStorageFault     ExtraID = 0x17 // see Location.StorageFault
	ExtraAbnormalDriving  ExtraID = 0x18 // see Location.AbnormalDriving
	ExtraVehicleSignals   ExtraID = 0x25 // see Location.VehicleSignals
	ExtraIOStatus         ExtraID = 0x2A // see Location.IOStatus
	ExtraAnalog           ExtraID = 0x2B // see Location.Analog
	ExtraSignalStrength   ExtraID = 0x30 // see Location.SignalStrength
	ExtraSatellites       ExtraID = 0x31 // see Location.Satellites
	ExtraDriverAssistance ExtraID = 0x64 // see Extra.SafetyAlarm
	ExtraDriverMonitoring ExtraID = 0x65 // see Extra.SafetyAlarm
	ExtraTyreAlarm        ExtraID = 0x66 // see Extra.SafetyAlarm
	ExtraBlindSpot        ExtraID = 0x67 // see Extra.SafetyAlarm
	ExtraHarshDriving     ExtraID = 0x70 // see Extra.SafetyAlarm
	ExtraCustomLength     ExtraID = 0xE0 // length of the private items that follow
)

// Extra is an additional item of a location report, known or not.
type Extra struct {
	ID    ExtraID
	Value []byte // 0 to 255 bytes; see Location.Extras for how long it is valid
}

// U8 is the value of a BYTE item; false for other lengths.
func (e Extra) U8() (uint8, bool) {
	if len(e.Value) != 1 {
		return 0, false
	}
	return e.Value[0], true
}

// U16 is the value of a WORD item; false for other lengths.
func (e Extra) U16() (uint16, bool) {
	if len(e.Value) != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(e.Value), true
}

// U32 is the value of a DWORD item; false for other lengths.
func (e Extra) U32() (uint32, bool) {
	if len(e.Value) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(e.Value), true
}

// Text is the value read as a STRING.
func (e Extra) Text() string { return decodeText(e.Value) }

// Extra is the first item with that id. Ids may repeat: range over Extras for all.
func (l *Location) Extra(id ExtraID) (Extra, bool) {
	for _, e := range l.Extras {
		if e.ID == id {
			return e, true
		}
	}
	return Extra{}, false
}

// The accessors below return false when there is no such item, and when it has a
// length that the standard does not know: the bytes are in Extras all the same.

func (l *Location) extraU8(id ExtraID) (uint8, bool) {
	e, ok := l.Extra(id)
	if !ok {
		return 0, false
	}
	return e.U8()
}

func (l *Location) extraU16(id ExtraID) (uint16, bool) {
	e, ok := l.Extra(id)
	if !ok {
		return 0, false
	}
	return e.U16()
}

func (l *Location) extraU32(id ExtraID) (uint32, bool) {
	e, ok := l.Extra(id)
	if !ok {
		return 0, false
	}
	return e.U32()
}

// Mileage is item 0x01: the odometer, 0.1 km.
func (l *Location) Mileage() (uint32, bool) { return l.extraU32(ExtraMileage) }

// Fuel is item 0x02.
func (l *Location) Fuel() (Fuel, bool) {
	v, ok := l.extraU16(ExtraFuel)
	return Fuel(v), ok
}

// Fuel is how much fuel there is: 0.1 l, or, with its highest bit set, percent,
// as some terminals send it.
type Fuel uint16

// DeciLitres is the fuel in 0.1 l; false if it is in percent.
func (f Fuel) DeciLitres() (uint16, bool) { return uint16(f), f&0x8000 == 0 }

// Percent is the fuel in percent of the tank; false if it is in 0.1 l.
func (f Fuel) Percent() (uint16, bool) { return uint16(f & 0x7FFF), f&0x8000 != 0 }

// RecorderSpeed is item 0x03: the driving recorder's speed, 0.1 km/h.
func (l *Location) RecorderSpeed() (uint16, bool) { return l.extraU16(ExtraRecorderSpeed) }

// ManualAlarm is item 0x04: the serial number, from 1, of the alarm that a person
// has to confirm with message 0x8203.
func (l *Location) ManualAlarm() (uint16, bool) { return l.extraU16(ExtraManualAlarm) }

// TyrePressures is item 0x05: a byte for each wheel, from the front left to the
// back right, 0xFF where there is none. The standard prints Pa; terminals differ.
// The result is valid as long as the item.
func (l *Location) TyrePressures() ([]byte, bool) {
	e, ok := l.Extra(ExtraTyrePressure)
	return e.Value, ok && len(e.Value) > 0
}

// Temperature is item 0x06: the compartment's, degrees Celsius (some send 0.1).
// The wire has a sign and a magnitude. Trackers that send one byte mean something
// else: see Extra.
func (l *Location) Temperature() (int16, bool) {
	v, ok := l.extraU16(ExtraTemperature)
	return signMagnitude(v), ok
}

// signMagnitude is v with its highest bit read as a minus.
func signMagnitude(v uint16) int16 {
	m := int16(v & 0x7FFF) //nolint:gosec // fifteen bits
	if v&0x8000 != 0 {
		return -m
	}
	return m
}

// Place is the kind of place that an alarm is about.
type Place uint8

// Places.
const (
	PlaceNone      Place = 0 // no particular one
	PlaceCircle    Place = 1
	PlaceRectangle Place = 2
	PlacePolygon   Place = 3
	PlaceRoute     Place = 4 // of item 0x11: a section of one
)

// String is "none", "circle", "rectangle", "polygon", "route" or "unknown".
func (p Place) String() string {
	if p > PlaceRoute {
		return "unknown"
	}
	return [...]string{"none", "circle", "rectangle", "polygon", "route"}[p]
}

// Overspeed is where an overspeed alarm happened.
type Overspeed struct {
	Place  Place  // kind of the place whose limit was passed
	AreaID uint32 // of the area or section; 0 when Place is PlaceNone
}

// Overspeed is item 0x11: one byte, or five if there is a place.
func (l *Location) Overspeed() (o Overspeed, ok bool) {
	e, ok := l.Extra(ExtraOverspeed)
	switch {
	case !ok:
		return o, false
	case len(e.Value) == 1:
		return Overspeed{Place: Place(e.Value[0])}, true
	case len(e.Value) == 5:
		return Overspeed{Place: Place(e.Value[0]), AreaID: binary.BigEndian.Uint32(e.Value[1:])}, true
	}
	return o, false
}

// Crossing is an area or route entered or left.
type Crossing struct {
	Place  Place
	AreaID uint32
	Left   bool // false: entered
}

// Crossing is item 0x12.
func (l *Location) Crossing() (c Crossing, ok bool) {
	e, ok := l.Extra(ExtraCrossing)
	if !ok || len(e.Value) != 6 {
		return c, false
	}
	return Crossing{
		Place:  Place(e.Value[0]),
		AreaID: binary.BigEndian.Uint32(e.Value[1:]),
		Left:   e.Value[5] != 0,
	}, true
}

// SectionTime is a section of a route driven too fast or too slowly.
type SectionTime struct {
	SectionID uint32
	Seconds   uint16 // driven
	TooLong   bool   // false: too short
}

// SectionTime is item 0x13. One text prints its last field as a WORD: eight bytes
// are taken as well.
func (l *Location) SectionTime() (s SectionTime, ok bool) {
	e, ok := l.Extra(ExtraSectionTime)
	if !ok || len(e.Value) != 7 && len(e.Value) != 8 {
		return s, false
	}
	return SectionTime{
		SectionID: binary.BigEndian.Uint32(e.Value),
		Seconds:   binary.BigEndian.Uint16(e.Value[4:]),
		TooLong:   e.Value[len(e.Value)-1] != 0,
	}, true
}

// VideoAlarm is item 0x14 (JT/T 1078-2016 table 14): bit 0 video signal lost, 1
// occluded, 2 storage fault, 3 other fault, 4 overcrowded, 5 abnormal driving, 6
// storage for special alarms full.
func (l *Location) VideoAlarm() (uint32, bool) { return l.extraU32(ExtraVideoAlarm) }

// VideoLoss is item 0x15: bit n is set if channel n+1 has no signal.
func (l *Location) VideoLoss() (uint32, bool) { return l.extraU32(ExtraVideoLoss) }

// VideoOcclusion is item 0x16: bit n is set if channel n+1 is occluded.
func (l *Location) VideoOcclusion() (uint32, bool) { return l.extraU32(ExtraVideoOcclusion) }

// StorageFault is item 0x17: bits 0-11 main storage 1-12, 12-15 backup storage 1-4.
func (l *Location) StorageFault() (uint16, bool) { return l.extraU16(ExtraStorageFault) }

// AbnormalDriving is what a camera saw of the driver.
type AbnormalDriving struct {
	Kinds   uint16 // bit 0 fatigue, 1 phone, 2 smoking
	Fatigue uint8  // degree, 0-100; 0 if the terminal does not send it
}

// AbnormalDriving is item 0x18, of two or three bytes.
func (l *Location) AbnormalDriving() (a AbnormalDriving, ok bool) {
	e, ok := l.Extra(ExtraAbnormalDriving)
	if !ok || len(e.Value) != 2 && len(e.Value) != 3 {
		return a, false
	}
	a.Kinds = binary.BigEndian.Uint16(e.Value)
	if len(e.Value) == 3 {
		a.Fatigue = e.Value[2]
	}
	return a, true
}

// VehicleSignals is item 0x25: bit 0 low beam, 1 high beam, 2 right and 3 left
// turn signal, 4 brake, 5 reverse, 6 fog lamp, 7 clearance lamp, 8 horn, 9 air
// conditioning, 10 neutral, 11 retarder, 12 ABS, 13 heater, 14 clutch.
func (l *Location) VehicleSignals() (uint32, bool) { return l.extraU32(ExtraVehicleSignals) }

// IOStatus is item 0x2A: bit 0 deep sleep, 1 sleep.
func (l *Location) IOStatus() (uint16, bool) { return l.extraU16(ExtraIOStatus) }

// Analog is item 0x2B: the two analog inputs, of which the wire has AD1 first.
func (l *Location) Analog() (ad0, ad1 uint16, ok bool) {
	v, ok := l.extraU32(ExtraAnalog)
	return uint16(v), uint16(v >> 16), ok //nolint:gosec // the two halves
}

// SignalStrength is item 0x30: that of the mobile network, in the terminal's unit.
func (l *Location) SignalStrength() (uint8, bool) { return l.extraU8(ExtraSignalStrength) }

// Satellites is item 0x31: how many satellites the fix uses.
func (l *Location) Satellites() (uint8, bool) { return l.extraU8(ExtraSatellites) }
