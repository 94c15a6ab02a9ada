package jt808

import (
	"encoding/binary"
	"encoding/hex"
	"time"
)

// BCDTime is a time as the wire has it: year of the century, month, day, hour,
// minute, second, two decimal digits each (BCD[6], JT/T 808-2019 table 1). It is
// UTC+8 everywhere but in message 0x8004. It is kept raw because terminals send
// zeros before their first fix, and impossible dates.
type BCDTime [6]byte

// zone is the standard's "GMT+8". China has no daylight saving time.
var zone = time.FixedZone("UTC+8", 8*60*60)

// NewBCDTime is t, in UTC+8, as the wire has it. Years are kept modulo 100:
// [BCDTime.Time] reads them as 2000 to 2099.
func NewBCDTime(t time.Time) BCDTime { return NewBCDTimeIn(t, zone) }

// NewBCDTimeIn is [NewBCDTime] in another time zone: time.UTC for message 0x8004.
func NewBCDTimeIn(t time.Time, in *time.Location) BCDTime {
	t = t.In(in)
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return BCDTime{bcd(year % 100), bcd(int(month)), bcd(day), bcd(hour), bcd(minute), bcd(second)}
}

// bcd is n, 0 to 99, as two decimal digits.
func bcd(n int) byte { return byte(n/10<<4 | n%10) }

// isBCD reports whether both digits of b are decimal.
func isBCD(b byte) bool { return b>>4 < 10 && b&0x0F < 10 }

// Time is the moment meant, read as UTC+8 and given in UTC; false if the bytes
// are no date: all zero (the terminal has had no fix yet), a digit above nine, a
// month that has no such day. Use the time of receipt then.
func (t BCDTime) Time() (time.Time, bool) { return t.TimeIn(zone) }

// TimeIn is [BCDTime.Time] for terminals whose clock runs in another time zone.
func (t BCDTime) TimeIn(in *time.Location) (time.Time, bool) {
	const low = 0x0F0F_0F0F_0F0F // of each byte
	x := uint64(binary.LittleEndian.Uint32(t[:4])) | uint64(binary.LittleEndian.Uint16(t[4:]))<<32
	tens, ones := x>>4&low, x&low
	const six = low &^ 0x0909_0909_0909
	if ((tens+six)|(ones+six))&^low != 0 { // a digit above nine
		return time.Time{}, false
	}
	n := tens*10 + ones // each byte is at most 99
	year, month, day := 2000+int(byte(n)), time.Month(byte(n>>8)), int(byte(n>>16))
	hour, minute, second := int(byte(n>>24)), int(byte(n>>32)), int(byte(n>>40))
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	if day > 28 && day > daysIn(month, year) {
		return time.Time{}, false
	}
	return time.Date(year, month, day, hour, minute, second, 0, in).UTC(), true
}

func daysIn(month time.Month, year int) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// IsZero reports whether all digits are zero: "no fix yet".
func (t BCDTime) IsZero() bool { return t == BCDTime{} }

// String is the twelve digits as on the wire, hexadecimal if they are not decimal.
func (t BCDTime) String() string { return hex.EncodeToString(t[:]) }

// MarshalText is RFC 3339 in UTC, or the digits if they are no date.
func (t BCDTime) MarshalText() ([]byte, error) {
	if at, ok := t.Time(); ok {
		return at.AppendFormat(nil, time.RFC3339), nil
	}
	return []byte(t.String()), nil
}
