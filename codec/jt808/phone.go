package jt808

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// ErrPhone is the error of a terminal number that does not fit the header it is
// to stand in: one of a 2019 header in a 2013 one, or none at all.
var ErrPhone = errors.New("jt808: terminal number does not fit the header")

// Phone is a terminal's number as its headers have it: BCD[6] in 2011 and 2013,
// BCD[10] in 2019. Platforms send it back as it came. It is comparable, so that
// it can be a map's key; numbers of different length are different phones even
// if [Phone.Stripped] is the same.
//
// It should be decimal digits; terminals with other bytes exist, see
// [Phone.IMEI] and [Phone.ASCII].
type Phone struct {
	raw [10]byte
	n   uint8 // bytes of raw in use: 6, 10, or 0 in the zero Phone
}

// ParsePhone is the number with these digits in the header of edition v, with
// zeros in front up to 12 (2011, 2013) or 20 digits (2019). The digits a to f are
// taken as well, so that what String returned can be parsed. The error wraps
// [ErrDigits].
func ParsePhone(digits string, v Version) (Phone, error) {
	w := writer{}
	w.bcd(digits, v.phoneLen())
	raw, err := w.done()
	if err != nil {
		return Phone{}, err
	}
	return phoneOf(raw), nil
}

// phoneOf is the phone with these 6 or 10 bytes.
func phoneOf(raw []byte) Phone {
	p := Phone{n: uint8(len(raw))} //nolint:gosec // 6 or 10
	copy(p.raw[:], raw)
	return p
}

// Len is the number's length in bytes: 6 or 10; 0 for the zero Phone.
func (p Phone) Len() int { return int(p.n) }

// IsZero reports whether p is the zero Phone, which no header has.
func (p Phone) IsZero() bool { return p.n == 0 }

// Append appends the number's bytes as on the wire.
func (p Phone) Append(dst []byte) []byte { return append(dst, p.raw[:p.n]...) }

// String is all digits as on the wire: 12 or 20, hexadecimal if they are not decimal.
func (p Phone) String() string { return hex.EncodeToString(p.raw[:p.n]) }

// Stripped is the digits without the zeros in front, "0" if there are no others.
// It is the same for a terminal's 2013 and 2019 number and so the better key.
func (p Phone) Stripped() string {
	var digits [20]byte
	return string(p.AppendStripped(digits[:0]))
}

// AppendStripped appends what [Phone.Stripped] returns.
func (p Phone) AppendStripped(dst []byte) []byte {
	const digits = "0123456789abcdef"
	i := 0
	for i < int(p.n) && p.raw[i] == 0 {
		i++
	}
	if i == int(p.n) {
		return append(dst, '0')
	}
	if b := p.raw[i]; b < 0x10 {
		dst = append(dst, digits[b])
		i++
	}
	for ; i < int(p.n); i++ {
		dst = append(dst, digits[p.raw[i]>>4], digits[p.raw[i]&0x0F])
	}
	return dst
}

// IsBCD reports whether all digits are decimal.
func (p Phone) IsBCD() bool {
	for _, b := range p.raw[:p.n] {
		if !isBCD(b) {
			return false
		}
	}
	return p.n > 0
}

// In is the same number in the header of edition v: with zeros in front of it,
// or without. A number too long for that is an error that wraps [ErrPhone].
func (p Phone) In(v Version) (Phone, error) {
	want := v.phoneLen()
	switch have := int(p.n); {
	case have == want:
		return p, nil
	case have == 0:
		return p, fmt.Errorf("%w: it is empty", ErrPhone)
	case have < want:
		q := Phone{n: uint8(want)} //nolint:gosec // 6 or 10
		copy(q.raw[want-have:], p.raw[:have])
		return q, nil
	default:
		for _, b := range p.raw[:have-want] {
			if b != 0 {
				return p, fmt.Errorf("%w: %v has more than %d digits", ErrPhone, p, 2*want)
			}
		}
		return phoneOf(p.raw[have-want : have]), nil
	}
}

// IMEI reads the number of trackers that put the first 14 digits of their IMEI
// into the header as a binary number: the six bytes have hexadecimal digits then.
// The fifteenth digit, which is computed, is appended. It is false for numbers
// of decimal digits, and if there are more than 14.
func (p Phone) IMEI() (string, bool) {
	if p.n != 6 || p.IsBCD() {
		return "", false
	}
	var n uint64
	for _, b := range p.raw[:6] {
		n = n<<8 | uint64(b)
	}
	s := strconv.FormatUint(n, 10)
	if len(s) != 14 {
		return "", false
	}
	return s + string(luhn(s)), true
}

// luhn is the check digit of decimal digits (ISO/IEC 7812-1 annex B).
func luhn(digits string) rune {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return rune('0' + (10-sum%10)%10)
}

// ASCII reads the number of terminals that write text digits into the header
// where BCD belongs. It is false if the bytes behind the zeros in front are
// anything but the characters 0 to 9.
func (p Phone) ASCII() (string, bool) {
	raw := p.raw[:p.n]
	for len(raw) > 0 && raw[0] == 0 {
		raw = raw[1:]
	}
	for _, b := range raw {
		if b < '0' || b > '9' {
			return "", false
		}
	}
	return string(raw), len(raw) > 0
}

// MarshalText is what String returns.
func (p Phone) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
