package jt808

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// Location is a location report, message 0x0200 (JT/T 808-2013 8.18,
// JT/T 808-2019 8.12), and part of other messages.
//
//	 0 DWORD   alarm bits
//	 4 DWORD   status bits
//	 8 DWORD   latitude, 1e-6 degrees, its sign is status bit 2
//	12 DWORD   longitude, 1e-6 degrees, its sign is status bit 3
//	16 WORD    altitude, m
//	18 WORD    speed, 0.1 km/h
//	20 WORD    direction, 0-359 degrees, 0 is north, clockwise
//	22 BCD[6]  time, UTC+8 (both standards print 21)
//	28         additional items to the end: {id BYTE, length BYTE, value}
//
// Values are as the terminal sent them: without a fix (see [Status.Located]) the
// coordinates are old or zero, and some terminals exchange the two:
// [Location.InRange] tells.
type Location struct {
	Alarm     Alarm
	Status    Status
	Latitude  uint32  // 1e-6 degrees without sign: LatitudeE6 has it
	Longitude uint32  // 1e-6 degrees without sign: LongitudeE6 has it
	Altitude  int16   // m; printed as unsigned, but terminals send negative ones
	Speed     uint16  // 0.1 km/h
	Direction uint16  // degrees from north, clockwise, 0-359
	Time      BCDTime // UTC+8

	// Extras are the additional items in their order. Their values lie in a
	// buffer of the Location which the next ParseBody overwrites.
	Extras []Extra

	// Tail is what follows the last whole item, nil mostly: an item that is cut,
	// or a private layout (see TrackerTail). It lies in the same buffer.
	Tail []byte

	buf []byte // copy of the body behind the basic part
}

// basicLen is the length of a location without items.
const basicLen = 28

// ID is 0x0200.
func (l *Location) ID() ID { return IDLocation }

// ParseBody reads a location report. A damaged item at the end is no error: the
// fix counts, and Tail has the rest. It reuses what l has allocated: once it has
// seen as many bytes and items it allocates nothing.
func (l *Location) ParseBody(body []byte, _ Version) error {
	if len(body) < basicLen {
		return &ShortBodyError{Want: basicLen, Have: len(body)}
	}
	l.parseBasic((*[basicLen]byte)(body))
	l.buf = append(l.buf[:0], body[basicLen:]...)
	l.parseItems(l.buf)
	return nil
}

func (l *Location) parseBasic(b *[basicLen]byte) {
	l.Alarm = Alarm(binary.BigEndian.Uint32(b[0:]))
	l.Status = Status(binary.BigEndian.Uint32(b[4:]))
	l.Latitude = binary.BigEndian.Uint32(b[8:])
	l.Longitude = binary.BigEndian.Uint32(b[12:])
	l.Altitude = int16(binary.BigEndian.Uint16(b[16:])) //nolint:gosec // two's complement is what is meant
	l.Speed = binary.BigEndian.Uint16(b[18:])
	l.Direction = binary.BigEndian.Uint16(b[20:])
	l.Time = BCDTime(b[22:28])
}

// parseItems reads items to the end of b. A rest of the length of the known
// private layout is that layout if it is no sequence of items: it is tried last,
// as items can have that length in all.
func (l *Location) parseItems(b []byte) {
	l.Extras, l.Tail = l.Extras[:0], nil
	items, at := l.Extras, 0
	for at+2 <= len(b) {
		end := at + 2 + int(b[at+1])
		if end > len(b) {
			break
		}
		items = append(items, Extra{ID: b[at], Value: b[at+2 : end : end]})
		at = end
	}
	l.Extras = items
	rest := b[at:]
	if len(b) == trackerTailLen && (len(rest) > 0 || !l.plausible()) {
		l.Extras, rest = l.Extras[:0], b
	}
	if len(rest) > 0 {
		l.Tail = rest
	}
}

// plausible reports whether the items' ids can be ids: 00 is none, but zeros may
// fill the end.
func (l *Location) plausible() bool {
	items := l.Extras
	for len(items) > 0 && items[len(items)-1].ID == 0 && len(items[len(items)-1].Value) == 0 {
		items = items[:len(items)-1]
	}
	if len(items) == 0 {
		return false
	}
	return !slices.ContainsFunc(items, func(e Extra) bool { return e.ID == 0 })
}

// AppendBody appends the report: the basic part, the items, the tail. A value of
// more than 255 bytes is an error that wraps [ErrTooLong].
func (l *Location) AppendBody(dst []byte, _ Version) ([]byte, error) {
	out := l.AppendBasic(dst)
	for _, e := range l.Extras {
		if len(e.Value) > 0xFF {
			return dst, fmt.Errorf("%w: item 0x%02x: %d bytes, at most 255", ErrTooLong, e.ID, len(e.Value))
		}
		out = append(out, e.ID, byte(len(e.Value)))
		out = append(out, e.Value...)
	}
	return append(out, l.Tail...), nil
}

// AppendBasic appends the 28 bytes of the basic part alone, as messages 0x0801
// and 0x0802 have it.
func (l *Location) AppendBasic(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(l.Alarm))
	dst = binary.BigEndian.AppendUint32(dst, uint32(l.Status))
	dst = binary.BigEndian.AppendUint32(dst, l.Latitude)
	dst = binary.BigEndian.AppendUint32(dst, l.Longitude)
	dst = binary.BigEndian.AppendUint16(dst, uint16(l.Altitude)) //nolint:gosec // two's complement is what is meant
	dst = binary.BigEndian.AppendUint16(dst, l.Speed)
	dst = binary.BigEndian.AppendUint16(dst, l.Direction)
	return append(dst, l.Time[:]...)
}

// LatitudeE6 is the latitude in 1e-6 degrees, negative in the south.
func (l *Location) LatitudeE6() int32 { return signed(l.Latitude, l.Status.South()) }

// LongitudeE6 is the longitude in 1e-6 degrees, negative in the west.
func (l *Location) LongitudeE6() int32 { return signed(l.Longitude, l.Status.West()) }

// signed is magnitude with its sign; magnitudes that fit no int32 become the
// greatest, which is out of range as they are.
func signed(magnitude uint32, negative bool) int32 {
	v := int32(min(magnitude, 1<<31-1)) //nolint:gosec // limited
	if negative {
		return -v
	}
	return v
}

// SetPosition sets latitude and longitude, in 1e-6 degrees, and their status bits.
func (l *Location) SetPosition(latitudeE6, longitudeE6 int32) {
	l.Status &^= 1<<statusSouth | 1<<statusWest
	if latitudeE6 < 0 {
		l.Status |= 1 << statusSouth
	}
	if longitudeE6 < 0 {
		l.Status |= 1 << statusWest
	}
	l.Latitude, l.Longitude = magnitude(latitudeE6), magnitude(longitudeE6)
}

func magnitude(v int32) uint32 {
	if v < 0 {
		return uint32(-int64(v)) //nolint:gosec // at most 1<<31
	}
	return uint32(v)
}

// InRange reports whether the coordinates can be a place: at most 90 and 180
// degrees. Samples with the two exchanged go around and fail it.
func (l *Location) InRange() bool {
	return l.Latitude <= 90_000_000 && l.Longitude <= 180_000_000
}

// Equal reports whether both hold the same report, whatever their buffers are.
func (l *Location) Equal(o *Location) bool {
	return l.Alarm == o.Alarm && l.Status == o.Status && l.Latitude == o.Latitude && l.Longitude == o.Longitude &&
		l.Altitude == o.Altitude && l.Speed == o.Speed && l.Direction == o.Direction && l.Time == o.Time &&
		bytes.Equal(l.Tail, o.Tail) && slices.EqualFunc(l.Extras, o.Extras, func(a, b Extra) bool {
		return a.ID == b.ID && bytes.Equal(a.Value, b.Value)
	})
}

// Clone is a copy that shares nothing with l.
func (l *Location) Clone() *Location {
	c := *l
	c.buf = nil
	c.Extras = make([]Extra, len(l.Extras))
	for i, e := range l.Extras {
		c.Extras[i] = Extra{ID: e.ID, Value: append(make([]byte, 0, len(e.Value)), e.Value...)}
	}
	c.Tail = bytes.Clone(l.Tail)
	return &c
}
