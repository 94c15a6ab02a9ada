package jt808

import "encoding/binary"

// SafetyAlarm is an alarm of the active safety equipment: items 0x64 (driver
// assistance), 0x65 (driver monitoring), 0x66 (tyres), 0x67 (blind spot) of
// T/JSATL 12-2017 ("Subiao") and 0x70 (harsh driving) of T/GDRTA 002.
//
//	0 DWORD   alarm id          4 BYTE  flag
//	5 BYTE    type              not in 0x66
//	6         detail            6 bytes; none in 0x66 and 0x67
//	          BYTE speed, WORD altitude, DWORD latitude, DWORD longitude,
//	          BCD[6] time, WORD vehicle status, alarm label
//	          in 0x66 then: BYTE number of tyres, tyres
//
// The label has 16 bytes, and 40 of terminals of 2019, whose ids are longer.
type SafetyAlarm struct {
	AlarmID       uint32  // counts the alarms, from 0
	Flag          uint8   // 0 cannot be told, 1 alarm begins, 2 ends
	Type          uint8   // kind of the alarm, each item's own; 0 in item 0x66
	Detail        []byte  // what follows the type, each item's own: level, degree of fatigue and so on
	Speed         uint8   // km/h
	Altitude      uint16  // m
	Latitude      uint32  // 1e-6 degrees, without sign
	Longitude     uint32  // 1e-6 degrees, without sign
	Time          BCDTime // UTC+8
	VehicleStatus uint16  // bit 0 ACC, 1 left and 2 right turn signal, 3 wipers, 4 brake, 5 card, 10 located
	Label         AlarmLabel
	Tyres         []byte // of item 0x66, behind their number: 9 bytes each, of some makers 8
	TyreCount     uint8  // of item 0x66
}

// AlarmLabel names an alarm, so that its pictures and videos can be asked for
// with message 0x9208. Raw goes into that message as it is.
type AlarmLabel struct {
	TerminalID  string
	Time        BCDTime // UTC+8
	Sequence    uint8   // among alarms of the same time, from 0
	Attachments uint8   // files that belong to the alarm
	Raw         []byte
}

const (
	safetyCommon   = 19 // speed to vehicle status
	safetyLabel    = 16
	safetyLabel19  = 40
	labelAfterID   = 8 // time, sequence, attachments
	labelReserved  = 1
	labelReserved9 = 2
)

// SafetyAlarm reads the item as such an alarm; false if it has another id or a
// length that cannot be one. Slices of the result are valid as long as the item.
func (e Extra) SafetyAlarm() (a SafetyAlarm, ok bool) {
	front := 12
	switch e.ID {
	case ExtraDriverAssistance, ExtraDriverMonitoring, ExtraHarshDriving:
	case ExtraBlindSpot:
		front = 6
	case ExtraTyreAlarm:
		front = 5
	default:
		return a, false
	}
	label, ok := e.labelLen(front + safetyCommon)
	if !ok {
		return a, false
	}
	r := newReader(e.Value)
	a.AlarmID = r.u32()
	a.Flag = r.u8()
	if front > 5 {
		a.Type = r.u8()
		a.Detail = r.take(front - 6)
	}
	a.Speed = r.u8()
	a.Altitude = r.u16()
	a.Latitude = r.u32()
	a.Longitude = r.u32()
	a.Time = r.time()
	a.VehicleStatus = r.u16()
	a.Label = parseLabel(r.take(label))
	if e.ID == ExtraTyreAlarm {
		a.TyreCount = r.u8()
		a.Tyres = r.rest()
	}
	return a, r.err() == nil
}

// labelLen is the length of the label that begins at that offset.
func (e Extra) labelLen(at int) (int, bool) {
	rest := len(e.Value) - at
	if e.ID != ExtraTyreAlarm {
		return rest, rest == safetyLabel || rest == safetyLabel19
	}
	for _, n := range [2]int{safetyLabel, safetyLabel19} {
		if rest <= n {
			break
		}
		count, tyres := int(e.Value[at+n]), rest-n-1
		if tyres == 9*count || tyres == 8*count {
			return n, true
		}
	}
	return 0, false
}

func parseLabel(raw []byte) AlarmLabel {
	id := len(raw) - labelAfterID - labelReserved
	if len(raw) == safetyLabel19 {
		id = len(raw) - labelAfterID - labelReserved9
	}
	return AlarmLabel{
		TerminalID:  decodeText(raw[:id]),
		Time:        BCDTime(raw[id : id+6]),
		Sequence:    raw[id+6],
		Attachments: raw[id+7],
		Raw:         raw,
	}
}

// TyreState is one tyre of item 0x66.
type TyreState struct {
	Position    uint8  // from 0, front left first
	Alarms      uint16 // bit 0 timed report, 1 pressure high, 2 low, 3 hot, 4 sensor fault, 5 unbalanced, 6 leaking slowly, 7 battery low
	Pressure    uint16 // kPa
	Temperature int16  // degrees Celsius
	Battery     uint16 // percent
}

// AppendTyres appends the tyres, which are there in 9 bytes each; of others
// nothing is known and nothing appended.
func (a *SafetyAlarm) AppendTyres(dst []TyreState) []TyreState {
	if len(a.Tyres) != 9*int(a.TyreCount) {
		return dst
	}
	for b := a.Tyres; len(b) >= 9; b = b[9:] {
		dst = append(dst, TyreState{
			Position:    b[0],
			Alarms:      binary.BigEndian.Uint16(b[1:]),
			Pressure:    binary.BigEndian.Uint16(b[3:]),
			Temperature: int16(binary.BigEndian.Uint16(b[5:])), //nolint:gosec // two's complement is what is meant
			Battery:     binary.BigEndian.Uint16(b[7:]),
		})
	}
	return dst
}
