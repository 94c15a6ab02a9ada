package jt808

import (
	"math/bits"
	"strconv"
)

// Alarm is the alarm word of a location report (JT/T 808-2013 table 24,
// JT/T 808-2019 table 24). Bit n is Alarm(1)<<n. Some bits mean something else in
// another edition, and cheap trackers use 15 to 17 for vibration or tampering:
// [Alarm.Names] goes by the edition.
type Alarm uint32

// Alarm bits that are the same in 2013 and 2019.
const (
	AlarmSOS                Alarm = 1 << 0  // emergency; cleared when answered
	AlarmOverspeed          Alarm = 1 << 1  // stays until it is over
	AlarmFatigue            Alarm = 1 << 2  // stays until it is over
	AlarmDanger             Alarm = 1 << 3  // 2013 danger warning, cleared when answered; 2019 dangerous driving, stays
	AlarmGNSSFault          Alarm = 1 << 4  // GNSS module
	AlarmGNSSAntennaOpen    Alarm = 1 << 5  // antenna not connected or cut
	AlarmGNSSAntennaShort   Alarm = 1 << 6  // antenna short-circuited
	AlarmPowerLow           Alarm = 1 << 7  // main power below its voltage
	AlarmPowerLost          Alarm = 1 << 8  // main power gone
	AlarmDisplayFault       Alarm = 1 << 9  // display
	AlarmTTSFault           Alarm = 1 << 10 // text to speech
	AlarmCameraFault        Alarm = 1 << 11 // camera
	AlarmICCardFault        Alarm = 1 << 12 // module for the driver's card (reserved in 2011)
	AlarmOverspeedWarning   Alarm = 1 << 13 // close to overspeed (reserved in 2011)
	AlarmFatigueWarning     Alarm = 1 << 14 // close to fatigue (reserved in 2011)
	AlarmDrivingTime        Alarm = 1 << 18 // driven too long in a day
	AlarmParkingTime        Alarm = 1 << 19 // parked too long
	AlarmArea               Alarm = 1 << 20 // area entered or left: item 0x12; cleared when answered
	AlarmRoute              Alarm = 1 << 21 // route entered or left: item 0x12; cleared when answered
	AlarmSectionTime        Alarm = 1 << 22 // too short or long on a section: item 0x13; cleared when answered
	AlarmOffRoute           Alarm = 1 << 23 // off the route
	AlarmVSSFault           Alarm = 1 << 24 // speed sensor of the vehicle
	AlarmFuel               Alarm = 1 << 25 // fuel level not normal
	AlarmStolen             Alarm = 1 << 26 // stolen, by the vehicle's burglar alarm
	AlarmIllegalIgnition    Alarm = 1 << 27 // cleared when answered
	AlarmIllegalMovement    Alarm = 1 << 28 // cleared when answered
	AlarmCollision          Alarm = 1 << 29 // 2013 collision warning; 2019 collision or rollover
	AlarmRollover           Alarm = 1 << 30 // rollover warning
	AlarmIllegalDoorOpening Alarm = 1 << 31 // 2013; reserved in 2019; cleared when answered
)

// Alarm bits of 2019 alone.
const (
	AlarmForbiddenTime Alarm = 1 << 15 // driving in forbidden time
	AlarmTyrePressure  Alarm = 1 << 16 // tyre pressure warning
	AlarmBlindSpot     Alarm = 1 << 17 // blind spot when turning right
)

// AlarmsToAnswer are the alarms that a 2013 terminal repeats until its report
// was answered with result 0 or 4; in 2019 all of them but AlarmDanger and
// AlarmIllegalDoorOpening.
const AlarmsToAnswer = AlarmSOS | AlarmDanger | AlarmArea | AlarmRoute | AlarmSectionTime |
	AlarmIllegalIgnition | AlarmIllegalMovement | AlarmIllegalDoorOpening

// Has reports whether all bits of b are set.
func (a Alarm) Has(b Alarm) bool { return a&b == b }

// Names are the names of the bits that are set, from bit 0, as edition v has
// them: "sos", "overspeed"; "bit15" for one that is reserved there.
func (a Alarm) Names(v Version) []string { return bitNames(uint32(a), v, alarmName) }

func alarmName(bit int, v Version) string {
	switch {
	case v == V2019 && alarmNames2019[bit] != "":
		return alarmNames2019[bit]
	case v == V2019 && bit == 31, v == V2011 && 12 <= bit && bit <= 17:
		return ""
	}
	return alarmNames[bit]
}

var alarmNames = [32]string{
	0: "sos", 1: "overspeed", 2: "fatigue", 3: "danger_warning", 4: "gnss_fault", 5: "gnss_antenna_open",
	6: "gnss_antenna_short", 7: "power_low", 8: "power_lost", 9: "display_fault", 10: "tts_fault", 11: "camera_fault",
	12: "ic_card_fault", 13: "overspeed_warning", 14: "fatigue_warning", 18: "driving_time", 19: "parking_time",
	20: "area", 21: "route", 22: "section_time", 23: "off_route", 24: "vss_fault", 25: "fuel", 26: "stolen",
	27: "illegal_ignition", 28: "illegal_movement", 29: "collision_warning", 30: "rollover_warning",
	31: "illegal_door_opening",
}

// alarmNames2019 are those that 2019 changed.
var alarmNames2019 = [32]string{
	3: "dangerous_driving", 15: "forbidden_time", 16: "tyre_pressure", 17: "blind_spot", 29: "collision",
}

func bitNames(word uint32, v Version, name func(bit int, v Version) string) []string {
	if word == 0 {
		return nil
	}
	all := make([]string, 0, bits.OnesCount32(word))
	for ; word != 0; word &= word - 1 {
		bit := bits.TrailingZeros32(word)
		s := name(bit, v)
		if s == "" {
			s = "bit" + strconv.Itoa(bit)
		}
		all = append(all, s)
	}
	return all
}
