package jt808

import (
	"bytes"
	"encoding/binary"
)

const (
	delimiter  = 0x7E
	escape     = 0x7D
	escapedEsc = 0x01 // 7D 01 is 7D
	escapedDel = 0x02 // 7D 02 is 7E
)

// appendUnescaped appends wire, which lies between two delimiters, with its
// escapes undone. bad is where an escape is that is none, -1 if all are good: 7D
// with neither 01 nor 02 behind it. One pass: 7D 01 02 is 7D 02.
func appendUnescaped(dst, wire []byte) (out []byte, bad int) {
	for at := 0; ; {
		i := bytes.IndexByte(wire[at:], escape)
		if i < 0 {
			return append(dst, wire[at:]...), -1
		}
		dst = append(dst, wire[at:at+i]...)
		at += i
		if at+1 == len(wire) {
			return dst, at
		}
		switch wire[at+1] {
		case escapedEsc:
			dst = append(dst, escape)
		case escapedDel:
			dst = append(dst, delimiter)
		default:
			return dst, at
		}
		at += 2
	}
}

// escapeTail escapes buf[start:] in place.
func escapeTail(buf []byte, start int) []byte {
	if !needsEscape(buf[start:]) {
		return buf
	}
	more := bytes.Count(buf[start:], []byte{escape}) + bytes.Count(buf[start:], []byte{delimiter})
	from := len(buf)
	for range more {
		buf = append(buf, 0)
	}
	// From the back, so that nothing is overwritten before it is read; when from
	// and to meet, the rest is in place.
	for to := len(buf); from < to; {
		from--
		switch b := buf[from]; b {
		case escape:
			to -= 2
			buf[to], buf[to+1] = escape, escapedEsc
		case delimiter:
			to -= 2
			buf[to], buf[to+1] = escape, escapedDel
		default:
			to--
			buf[to] = b
		}
	}
	return buf
}

// needsEscape says whether a byte of b has to be escaped: eight at a time, in each of
// which one that is equal becomes zero, and a zero's highest bit is set when one is
// taken away.
func needsEscape(b []byte) bool {
	const ones, highest = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		word := binary.LittleEndian.Uint64(b)
		x, y := word^escape*ones, word^delimiter*ones
		if ((x-ones)&^x|(y-ones)&^y)&highest != 0 {
			return true
		}
		b = b[8:]
	}
	for _, c := range b {
		if c == escape || c == delimiter {
			return true
		}
	}
	return false
}

// checksum is the XOR of all bytes of b: eight at a time, then these folded.
func checksum(b []byte) byte {
	var wide uint64
	for len(b) >= 8 {
		wide ^= binary.LittleEndian.Uint64(b)
		b = b[8:]
	}
	wide ^= wide >> 32
	wide ^= wide >> 16
	wide ^= wide >> 8
	sum := byte(wide)
	for _, c := range b {
		sum ^= c
	}
	return sum
}
