package jt808

import (
	"encoding/binary"
	"encoding/hex"
	"math"
)

// The methods in this file read items of makers, and of trackers with several
// makers' dialects. No standard has them, and the same id means other things
// elsewhere: which method fits which id is known of a product, not of the item.
// The ids in the comments are those seen with that meaning. Plain numbers need no
// method of their own:
//
//	0x52       U8   drum: 0 stopped, others by maker
//	0x61 0x69  U16  supply, 0.01 V            0xD5  U16  battery, 0.01 V
//	0x82 0xD3  U16  supply, 0.1 V             0xE1  U16  supply, 0.1 V (two bytes)
//	0xE9       U32  driver id                 0xF1 0xF7  U32  supply, mV
//	0xF6       U16  air pressure              0xFE  U8 percent, U16 0.1 V, U32 km
//	0xFA       U32  bit 0 vibration, 1 removed
//	0xF2 0xEB  Text firmware, text
//
// Each is false if the value does not have the layout's length. Values that are
// appended share nothing with the item unless it says so.

// NoReading stands for a sensor that is not there or has no value.
const NoReading = math.MinInt16

// AppendTemperatures appends the temperatures of item 0x51 in 0.1 degrees
// Celsius, one for each sensor, NoReading for one that is not there. The wire has
// a sign and a magnitude.
func (e Extra) AppendTemperatures(dst []int16) ([]int16, bool) {
	return e.appendReadings(dst, 0xFFFF, signMagnitude)
}

// AppendHumidities appends the humidities of item 0x58 in 0.1 percent, one for
// each sensor, NoReading for one that is not there.
func (e Extra) AppendHumidities(dst []int16) ([]int16, bool) {
	return e.appendReadings(dst, 0x0FFF, func(v uint16) int16 { return int16(min(v, math.MaxInt16)) }) //nolint:gosec // limited
}

func (e Extra) appendReadings(dst []int16, none uint16, value func(uint16) int16) ([]int16, bool) {
	if len(e.Value) == 0 || len(e.Value)%2 != 0 {
		return dst, false
	}
	for b := e.Value; len(b) > 0; b = b[2:] {
		if v := binary.BigEndian.Uint16(b); v == none {
			dst = append(dst, NoReading)
		} else {
			dst = append(dst, value(v))
		}
	}
	return dst, true
}

// WiFi is a network that a tracker has heard.
type WiFi struct {
	MAC    [6]byte
	Signal int8 // dBm
}

// AppendWiFi appends the networks of items 0x54 (which has their number in
// front), 0xF4 and 0xEC (which have not).
func (e Extra) AppendWiFi(dst []WiFi) ([]WiFi, bool) {
	b := e.Value
	if len(b)%7 == 1 && int(b[0]) == len(b)/7 {
		b = b[1:]
	}
	if len(b) == 0 || len(b)%7 != 0 {
		return dst, false
	}
	for ; len(b) > 0; b = b[7:] {
		dst = append(dst, WiFi{MAC: [6]byte(b), Signal: int8(b[6])})
	}
	return dst, true
}

// Weight is item 0x55: 0.1 kg.
func (e Extra) Weight() (uint64, bool) {
	if len(e.Value) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(e.Value), true
}

// BatteryTenths is item 0x56: the battery in tenths of its charge, given in
// percent. Its second byte is reserved.
func (e Extra) BatteryTenths() (percent int, ok bool) {
	if len(e.Value) != 2 {
		return 0, false
	}
	return int(e.Value[0]) * 10, true
}

// Motion is item 0x57.
type Motion struct {
	Alarms   uint16 // bit 8 harsh acceleration, 9 harsh braking, 10 harsh cornering
	Inputs   uint16
	Reserved uint32
}

// Motion is item 0x57.
func (e Extra) Motion() (m Motion, ok bool) {
	if len(e.Value) != 8 {
		return m, false
	}
	return Motion{
		Alarms:   binary.BigEndian.Uint16(e.Value),
		Inputs:   binary.BigEndian.Uint16(e.Value[2:]),
		Reserved: binary.BigEndian.Uint32(e.Value[4:]),
	}, true
}

// Lock is one electronic lock of item 0x63.
type Lock struct {
	ID      [6]byte
	Voltage uint16 // mV
	Seal    uint8
	State   uint8
	Signal  uint8
}

// AppendLocks appends the locks of item 0x63.
func (e Extra) AppendLocks(dst []Lock) ([]Lock, bool) {
	const size = 11
	if len(e.Value) == 0 || len(e.Value)%size != 0 {
		return dst, false
	}
	for b := e.Value; len(b) > 0; b = b[size:] {
		dst = append(dst, Lock{ID: [6]byte(b), Voltage: binary.BigEndian.Uint16(b[6:]), Seal: b[8], State: b[9], Signal: b[10]})
	}
	return dst, true
}

// Tyre is one tyre of item 0x77.
type Tyre struct {
	Index       uint8
	Sensor      [3]byte
	Pressure    uint16 // 1/40 bar
	Temperature int16  // degrees Celsius
	Status      uint8
}

// AppendTyres appends the tyres of item 0x77.
func (e Extra) AppendTyres(dst []Tyre) ([]Tyre, bool) {
	const size = 8
	if len(e.Value) == 0 || len(e.Value)%size != 0 {
		return dst, false
	}
	for b := e.Value; len(b) > 0; b = b[size:] {
		dst = append(dst, Tyre{
			Index:       b[0],
			Sensor:      [3]byte(b[1:]),
			Pressure:    binary.BigEndian.Uint16(b[4:]) & 0x3FF,
			Temperature: int16(b[6]) - 50,
			Status:      b[7],
		})
	}
	return dst, true
}

// Charging is what [Extra.BatteryPercent] says of a battery that is being charged
// by a tracker that does not tell how far.
const Charging = 0xFF

// BatteryPercent is items 0xD4, 0xE1, 0xE9 of one byte, and 0x06 of the same
// trackers: percent, or Charging.
func (e Extra) BatteryPercent() (uint8, bool) { return e.U8() }

// BatteryVoltage is items 0xE3 and 0xFB of three bytes: percent, and 0.01 V.
func (e Extra) BatteryVoltage() (percent uint8, centivolts uint16, ok bool) {
	if len(e.Value) != 3 {
		return 0, 0, false
	}
	return e.Value[0], binary.BigEndian.Uint16(e.Value[1:]), true
}

// BatteryCharge is item 0xE4 of two bytes: the maker's charging flag, and percent.
func (e Extra) BatteryCharge() (flag, percent uint8, ok bool) {
	if len(e.Value) != 2 {
		return 0, 0, false
	}
	return e.Value[0], e.Value[1], true
}

// Cell is a cell of the mobile network that a tracker has heard.
type Cell struct {
	Country uint16 // MCC
	Network uint16 // MNC
	Area    uint32 // LAC or TAC
	ID      uint32
	Signal  uint8 // 0 if it was not sent
}

// AppendCells appends the cells of item 0xE1: MCC and MNC, WORDs, then for each
// cell its area (WORD, or three bytes), its id (DWORD) and its signal strength
// (BYTE). One cell may be there without the signal. Of lengths that could be
// either areas of two bytes count.
func (e Extra) AppendCells(dst []Cell) ([]Cell, bool) {
	r := newReader(e.Value)
	c := Cell{Country: r.u16(), Network: r.u16()}
	n := r.len()
	if n == 0 {
		return dst, false
	}
	area, signal := 2, true
	switch {
	case n == 6:
		signal = false
	case n%7 == 0:
	case n%8 == 0:
		area = 3
	default:
		return dst, false
	}
	for r.len() > 0 {
		c.Area = 0
		for _, b := range r.take(area) {
			c.Area = c.Area<<8 | uint32(b)
		}
		c.ID = r.u32()
		if signal {
			c.Signal = r.u8()
		}
		dst = append(dst, c)
	}
	return dst, r.err() == nil
}

// SubItem is an item inside an item. Its value is part of that.
type SubItem struct {
	Type  uint16
	Value []byte
}

// AppendSubItems appends the items in item 0xEB: {length WORD, type WORD, value},
// where the length counts the type. Types seen: 0x002D battery mV, 0x0089 alarms
// with inverted bits, 0x00A8 battery percent, 0x00B2 ICCID, 0x00D8 cell. It is
// false if they do not fill the item exactly: 0xEB is text or cells elsewhere.
func (e Extra) AppendSubItems(dst []SubItem) ([]SubItem, bool) {
	out, b := dst, e.Value
	for len(b) >= 4 {
		n := int(binary.BigEndian.Uint16(b))
		if n < 2 || n > len(b)-2 {
			return dst, false
		}
		out = append(out, SubItem{Type: binary.BigEndian.Uint16(b[2:]), Value: b[4 : 2+n : 2+n]})
		b = b[2+n:]
	}
	if len(b) > 0 || len(e.Value) == 0 {
		return dst, false
	}
	return out, true
}

// AppendOBD appends the items in item 0xF3, data of the vehicle's OBD: {type
// WORD, length BYTE, value}. It is false if they do not fill the item exactly.
func (e Extra) AppendOBD(dst []SubItem) ([]SubItem, bool) {
	out, b := dst, e.Value
	for len(b) >= 3 {
		end := 3 + int(b[2])
		if end > len(b) {
			return dst, false
		}
		out = append(out, SubItem{Type: binary.BigEndian.Uint16(b), Value: b[3:end:end]})
		b = b[end:]
	}
	if len(b) > 0 || len(e.Value) == 0 {
		return dst, false
	}
	return out, true
}

// ICCID is items 0xF1 and 0xF8: the SIM card's number, as 20 characters or as ten
// bytes of BCD.
func (e Extra) ICCID() (string, bool) {
	switch len(e.Value) {
	case 10:
		return hex.EncodeToString(e.Value), true
	case 20:
		for _, c := range e.Value {
			if _, ok := nibble(string(c), 0); !ok {
				return "", false
			}
		}
		return string(e.Value), true
	}
	return "", false
}

// IMEI is item 0xF6 of eight bytes: the fifteen digits in BCD with a zero in
// front.
func (e Extra) IMEI() (string, bool) {
	if len(e.Value) != 8 || e.Value[0] > 9 {
		return "", false
	}
	for _, b := range e.Value {
		if !isBCD(b) {
			return "", false
		}
	}
	return hex.EncodeToString(e.Value)[1:], true
}
