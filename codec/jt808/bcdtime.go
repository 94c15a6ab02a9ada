package jt808

import (
	"encoding/hex"
	"time"
)

// BCDTime is a time as the wire has it: year of the century, month, day, hour,
// minute, second, two decimal digits each (BCD[6], JT/T 808-2019 table 1). It is
// UTC+8 everywhere but in message 0x8004. It is kept raw because terminals send
// zeros before their first fix, and impossible dates.
type BCDTime [6]byte

// zone is the standard's "GMT+8". China has no daylight saving time.
var zone = time.FixedZone("UTC+8", zoneSeconds)

const zoneSeconds = 8 * 60 * 60

// Zone is the time zone of a terminal's clock in the standard, UTC+8. [BCDTime.TimeIn]
// is quickest with this one.
func Zone() *time.Location { return zone }

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

// unbcd is the number whose two decimal digits b holds, false if they are not decimal.
func unbcd(b byte) (int, bool) {
	hi, lo := b>>4, b&0x0F
	return int(hi)*10 + int(lo), hi < 10 && lo < 10
}

// Time is the moment meant, read as UTC+8 and given in UTC; false if the bytes
// are no date: all zero (the terminal has had no fix yet), a digit above nine, a
// month that has no such day. Use the time of receipt then.
func (t BCDTime) Time() (time.Time, bool) { return t.TimeIn(zone) }

// TimeIn is [BCDTime.Time] for terminals whose clock runs in another time zone.
func (t BCDTime) TimeIn(in *time.Location) (time.Time, bool) {
	var n [len(t)]int
	for i, b := range t {
		v, ok := unbcd(b)
		if !ok {
			return time.Time{}, false
		}
		n[i] = v
	}
	year, month, day, hour, minute, second := 2000+n[0], time.Month(n[1]), n[2], n[3], n[4], n[5]
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	leap := 0
	if year%4 == 0 { // 2000 too, and there is no 2100
		leap = 1
	}
	before := daysBefore[month-1] + leapDay(month, leap)
	if day > daysBefore[month]+leapDay(month+1, leap)-before {
		return time.Time{}, false
	}
	if in != zone {
		return time.Date(year, month, day, hour, minute, second, 0, in).UTC(), true
	}
	days := days2000 + (year-2000)*365 + (year-2000+3)/4 + before + day - 1
	return time.Unix(int64(((days*24+hour)*60+minute)*60+second-zoneSeconds), 0).UTC(), true
}

// days2000 is how many days there were from 1970 to 2000.
const days2000 = 30*365 + 7

// daysBefore is how many days of a year that is no leap year are before each month,
// and before the next year.
var daysBefore = [13]int{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365}

// leapDay is how many more there are before month in a leap year, for which leap is 1.
func leapDay(month time.Month, leap int) int {
	if month > time.February {
		return leap
	}
	return 0
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
