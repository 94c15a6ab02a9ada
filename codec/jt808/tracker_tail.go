package jt808

import "encoding/binary"

// TrackerTail is what some trackers send behind the basic part instead of
// additional items. The fields are those seen in captures; no standard has them.
type TrackerTail struct {
	Energy   uint32 // battery or mileage, depending on the model
	Odometer uint32 // km
	Battery  uint16 // 0.1 V
	AreaID   uint32
	Signal   uint8 // strength of the mobile network
	Reserved [3]byte
}

const trackerTailLen = 18

// TrackerTail reads [Location.Tail] as that private layout. It is false if the
// report has items, or a tail of another length.
func (l *Location) TrackerTail() (t TrackerTail, ok bool) {
	b := l.Tail
	if len(b) != trackerTailLen || len(l.Extras) > 0 {
		return t, false
	}
	return TrackerTail{
		Energy:   binary.BigEndian.Uint32(b),
		Odometer: binary.BigEndian.Uint32(b[4:]),
		Battery:  binary.BigEndian.Uint16(b[8:]),
		AreaID:   binary.BigEndian.Uint32(b[10:]),
		Signal:   b[14],
		Reserved: [3]byte(b[15:18]),
	}, true
}
