package jt808

import (
	"strings"
	"testing"
)

func TestBitNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		got  []string
		want string
	}{
		{Alarm(0).Names(V2019), ""},
		{(AlarmSOS | AlarmDanger | 1<<15 | AlarmCollision | 1<<31).Names(V2013), "sos danger_warning bit15 collision_warning illegal_door_opening"},
		{(AlarmSOS | AlarmDanger | 1<<15 | AlarmCollision | 1<<31).Names(V2019), "sos dangerous_driving forbidden_time collision bit31"},
		{(AlarmCameraFault | AlarmICCardFault | 1<<17).Names(V2011), "camera_fault bit12 bit17"},
		{Status(0).Names(V2019), ""},
		{(StatusACC | StatusLocated | StatusMoving | 3<<8 | StatusGPS).Names(V2019), "acc located gps moving load_full"},
		{(StatusACC | StatusForwardCollision | StatusMoving | 1<<8).Names(V2013), "acc bit6 bit22 load_half"},
		{(StatusDoorLocked | StatusDoor1Open).Names(V2011), "door_locked bit13"},
	} {
		if got := strings.Join(test.got, " "); got != test.want {
			t.Errorf("names %q, want %q", got, test.want)
		}
	}
	if !(StatusACC | StatusGPS).Has(StatusGPS) || StatusACC.Has(StatusACC|StatusGPS) {
		t.Error("Status.Has")
	}
	if !(AlarmSOS | AlarmFuel).Has(AlarmFuel) || AlarmSOS.Has(AlarmSOS|AlarmFuel) {
		t.Error("Has")
	}
}
