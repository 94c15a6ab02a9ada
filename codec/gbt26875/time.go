package gbt26875

import (
	"encoding/hex"
	"time"
)

// Time is a time label as the wire has it: second, minute, hour, day, month and
// year of the century, each a binary number (GB/T 26875.3-2011), in local
// time without a zone. It is kept raw, for some devices send BCD, others put
// something else there or have no clock: never drop what it labels.
type Time [6]byte

// NewTime is t as the wire has it, in t's own location. Years are kept modulo 100.
func NewTime(t time.Time) Time {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return Time{byte(second), byte(minute), byte(hour), byte(day), byte(month), byte(year % 100)}
}

// NewBCDTime is t for devices that send and want BCD, against the standard.
func NewBCDTime(t time.Time) Time {
	label := NewTime(t)
	for i, n := range label {
		label[i] = n/10<<4 | n%10
	}
	return label
}

// In is the moment meant, read as the standard wants it; false if the bytes are no
// date. Use the time of receipt then.
func (t Time) In(zone *time.Location) (time.Time, bool) {
	second, minute, hour, day, month, year := t[0], t[1], t[2], t[3], t[4], t[5]
	if second > 59 || minute > 59 || hour > 23 || day < 1 || month < 1 || month > 12 || year > 99 {
		return time.Time{}, false
	}
	at := time.Date(2000+int(year), time.Month(month), int(day), int(hour), int(minute), int(second), 0, zone)
	return at, at.Day() == int(day)
}

// BCDIn is [Time.In] of a label in BCD.
func (t Time) BCDIn(zone *time.Location) (time.Time, bool) {
	for i, b := range t {
		if b>>4 > 9 || b&0x0F > 9 {
			return time.Time{}, false
		}
		t[i] = b>>4*10 + b&0x0F
	}
	return t.In(zone)
}

// Near is the moment meant when nobody knows whether the device sends binary
// numbers or BCD: of the readings that are dates, the one that is nearer to now,
// the standard's when both are as near. bcd says which it was.
func (t Time) Near(zone *time.Location, now time.Time) (at time.Time, bcd, ok bool) {
	binary, isBinary := t.In(zone)
	decimal, isBCD := t.BCDIn(zone)
	if isBCD && (!isBinary || decimal.Sub(now).Abs() < binary.Sub(now).Abs()) {
		return decimal, true, true
	}
	return binary, false, isBinary
}

// isDate says whether t is a date in either reading.
func (t Time) isDate() bool {
	_, isBinary := t.In(time.UTC)
	_, isBCD := t.BCDIn(time.UTC)
	return isBinary || isBCD
}

// IsZero says whether all bytes are zero, as devices without a clock send it.
func (t Time) IsZero() bool { return t == Time{} }

// String is the label as the standard reads it, "2012-09-26 09:58:32", or its
// bytes in hexadecimal digits if it is no date.
func (t Time) String() string {
	if at, ok := t.In(time.UTC); ok {
		return at.Format(time.DateTime)
	}
	return hex.EncodeToString(t[:])
}

// MarshalText is [Time.String].
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
