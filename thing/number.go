package thing

import (
	"math/bits"
	"slices"
)

// appendDecimal appends n / 10^scale with exactly scale digits behind the point.
func appendDecimal(dst []byte, n int64, scale uint8) []byte {
	u := uint64(n)
	if n < 0 {
		dst = append(dst, '-')
		u = -u
	}
	if u < 10 && scale == 0 { // most flags and counts are
		return append(dst, '0'+byte(u))
	}
	whole, size := countDigits(u), 0
	if scale > 0 {
		whole = max(whole-int(scale), 1)
		size = 1 + int(scale)
	}
	size += whole
	if cap(dst)-len(dst) < size {
		dst = slices.Grow(dst, size)
	}
	dst = dst[:len(dst)+size]
	room := dst[len(dst)-size:]
	if scale > 0 {
		u = putDigits(room[whole+1:], u)
		room[whole] = '.'
	}
	putDigits(room[:whole], u)
	return dst
}

// putDigits fills room with the last digits of u, and returns those in front of
// them.
func putDigits(room []byte, u uint64) uint64 {
	for len(room) >= 2 {
		pair := pairs[u%100]
		room[len(room)-1], room[len(room)-2] = byte(pair>>8), byte(pair)
		room = room[:len(room)-2]
		u /= 100
	}
	if len(room) == 1 {
		room[0] = '0' + byte(u%10)
		u /= 10
	}
	return u
}

// countDigits is how many digits u has.
func countDigits(u uint64) int {
	n := bits.Len64(u|1) * 1233 >> 12 // log10(2) = 1233/4096, about
	if n < len(powers) && u >= powers[n] {
		n++
	}
	return max(n, 1)
}

// pairs are the numbers from 00 to 99, the first digit in the low byte.
var pairs = func() (p [100]uint16) {
	for i := range p {
		p[i] = uint16('0'+i%10)<<8 | uint16('0'+i/10)
	}
	return p
}()

// maxNumber is how long a number is as JSON, at most: a sign, 20 digits and a
// point, or as many digits and an exponent.
const maxNumber = 26
