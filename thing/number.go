package thing

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// AppendInt appends n in decimal digits.
func AppendInt(dst []byte, n int64) []byte { return appendDecimal(dst, n, 0) }

// appendDecimal appends n / 10^scale with exactly scale digits behind the point.
func appendDecimal(dst []byte, n int64, scale uint8) []byte {
	size := len(dst)
	if cap(dst)-size < maxNumber {
		dst = slices.Grow(dst, maxNumber)
	}
	return dst[:size+putDecimal((*[maxNumber]byte)(dst[size:cap(dst)]), n, scale)]
}

// maxNumber is room for any number as JSON: a sign, 20 digits and a point, or as
// many digits and an exponent, and some bytes that putDecimal writes behind it.
const maxNumber = 32

// putDecimal writes n / 10^scale, with exactly scale digits behind the point, to the
// front of room, and says how many bytes that took. What it writes behind them
// means nothing.
func putDecimal(room *[maxNumber]byte, n int64, scale uint8) (size int) {
	u := uint64(n)
	if n < 0 {
		room[0], u, size = '-', -u, 1
	}
	switch {
	case u < maxShort && scale < 8:
		whole := wholeDigits(uint32(u), int(scale))       //nolint:gosec // checked
		digits := lastDigits(uint32(u), whole+int(scale)) //nolint:gosec // checked
		binary.LittleEndian.PutUint64(room[size:], digits)
		size += whole
		if scale > 0 {
			room[size&31] = '.'
			binary.LittleEndian.PutUint64(room[size&15+1:], digits>>(8*whole&63))
			size += int(scale) + 1
		}
		return size
	case u < 1e16 && scale <= 8: // a short number, and up to eight digits that are all written
		behind := scale
		if scale == 0 {
			behind = 8
		}
		high, low := u/powers[behind&15], u%powers[behind&15]
		if high >= maxShort {
			break
		}
		whole := wholeDigits(uint32(high), 0)
		binary.LittleEndian.PutUint64(room[size:], lastDigits(uint32(high), whole))
		size += whole
		if scale > 0 {
			room[size&31] = '.'
			size++
		}
		binary.LittleEndian.PutUint64(room[size&15:], lastDigits(uint32(low), int(behind))) //nolint:gosec // below 10^8
		return size + int(behind)
	}
	return size + putLong(room[size:], u, int(scale))
}

// maxShort is above the numbers that short takes.
const maxShort = 1e8

// wholeDigits is how many digits of u stand before the point with scale digits behind
// it: at least one. It does not look at the digits, for whoever writes what comes next
// waits for it.
func wholeDigits(u uint32, scale int) int { return max(countDigits(u)-scale, 1) & 15 }

// countDigits is how many digits u has: 1 for 0.
func countDigits(u uint32) int { return int((uint64(u) + counts[bits.Len32(u|1)]) >> 32) } //nolint:gosec // at most 10

// counts is, by the bits of a number, what makes its digits the high half of the sum
// with it: with as many bits there are d digits from a power of ten on, and one fewer below.
var counts = func() (t [33]uint64) {
	for n := 1; n < len(t); n++ {
		least, power, digits := uint64(1)<<(n-1), uint64(10), uint64(1)
		for ; power <= least; power *= 10 {
			digits++
		}
		t[n] = digits << 32
		if power < least*2 {
			t[n] = (digits+1)<<32 - power
		}
	}
	return t
}()

// ones has 1 in each of its bytes.
const ones = 0x0101010101010101

// lastDigits is the last n digits of u, which is less than 10^8 and is taken to have
// eight, as text, the first of them in the low byte: the number is halved, and its halves
// are halved at once.
func lastDigits(u uint32, n int) uint64 {
	x := uint64(u/10000) | uint64(u%10000)<<32
	hundreds := x * 10486 >> 20 & 0x0000007F_0000007F
	x = hundreds | (x-100*hundreds)<<16
	tens := x * 103 >> 10 & 0x000F_000F_000F_000F
	return (tens | (x-10*tens)<<8 | '0'*ones) >> (8 * (8 - n) & 63)
}

// putLong is putDecimal for what has more digits.
func putLong(room []byte, u uint64, scale int) (size int) {
	var digits [20 + maxScale]byte
	at := len(digits)
	for ; u > 0 || len(digits)-at <= scale; u /= 10 {
		at--
		digits[at] = '0' + byte(u%10)
	}
	size = copy(room, digits[at:len(digits)-scale])
	if scale == 0 {
		return size
	}
	room[size] = '.'
	return size + 1 + copy(room[size+1:], digits[len(digits)-scale:])
}
