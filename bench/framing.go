//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
)

// The least that a JT/T 808 server does (JT/T 808-2013, 4.4): find frames
// between 7E, undo escapes, check, acknowledge. It knows the header of 2013,
// looks at nothing else, and holds nothing between reads but an incomplete frame,
// which its caller keeps.

const (
	delimiter = 0x7E
	escape    = 0x7D
	minRaw    = 13 // header of 2013 and check byte
)

// acknowledgeAll appends an acknowledgement for every whole frame in in. used
// bytes are done with.
func acknowledgeAll(out, scratch, in []byte) (acks, reused []byte, used, frames int) {
	for {
		start := bytes.IndexByte(in[used:], delimiter)
		if start < 0 {
			return out, scratch, len(in), frames
		}
		start += used
		end := bytes.IndexByte(in[start+1:], delimiter)
		if end < 0 {
			return out, scratch, start, frames
		}
		wire := in[start+1 : start+1+end]
		if len(wire) == 0 { // the one was the end of something, the other begins
			used = start + 1
			continue
		}
		used = start + 1 + end + 1
		if bytes.IndexByte(wire, escape) >= 0 {
			scratch = unescape(scratch[:0], wire)
			wire = scratch
		}
		if len(wire) < minRaw || xor(wire) != 0 { // with its check byte a frame is 0
			continue
		}
		frames++
		out = appendAck(out, wire)
	}
}

func unescape(dst, wire []byte) []byte {
	for i := 0; i < len(wire); i++ {
		if wire[i] == escape && i+1 < len(wire) {
			i++
			dst = append(dst, escape+wire[i]-1)
			continue
		}
		dst = append(dst, wire[i])
	}
	return dst
}

func xor(b []byte) byte {
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

// appendAck appends 0x8001 for a message: to its phone, with its serial number
// and id, result 0. Our own serial number is the message's.
func appendAck(dst, message []byte) []byte {
	raw := [18]byte{0x80, 0x01, 0x00, 0x05}
	copy(raw[4:12], message[4:12]) // phone and serial
	copy(raw[12:14], message[10:12])
	copy(raw[14:16], message[0:2])
	raw[17] = xor(raw[:17])
	dst = append(dst, delimiter)
	for _, b := range raw {
		switch b {
		case delimiter:
			dst = append(dst, escape, 2)
		case escape:
			dst = append(dst, escape, 1)
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, delimiter)
}
