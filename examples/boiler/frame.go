// Package boiler is a binary protocol, as an example: boilers report
// temperatures and are told which to keep. A frame, all numbers big endian:
//
//	 0       2      3        4        6             6+n
//	+-------+------+--------+--------+---- ... ----+--------+
//	| AA 55 | type | number | length |   payload   | CRC-16 |
//	+-------+------+--------+--------+---- ... ----+--------+
//	                                 |<- length -->|
//
// The checksum is that of X.25 (CRC-16/IBM-SDLC) over type to payload. An answer
// has the number of what it answers, and the top bit of its type set:
//
//	type      from     payload
//	01 login  boiler   the boiler's name
//	02 values boiler   int16 flow, int16 return: tenths of a degree Celsius
//	03 keep   linkspan int16 temperature to keep, in tenths of a degree
//	81..83    both     uint8: 0 done, any other number a reason
package boiler

import (
	"encoding/binary"
	"fmt"

	"github.com/linkspan/linkspan/codec"
)

// Type is what a frame is about.
type Type byte

// The types of frames; answers have Answer set.
const (
	Login  Type = 0x01
	Values Type = 0x02
	Keep   Type = 0x03
	Answer Type = 0x80
)

// Frame is one message of either side.
type Frame struct {
	Type    Type
	Number  uint8
	Payload []byte // valid until the next frame is decoded
}

const (
	start      = "\xaa\x55"
	head       = 6 // bytes before the payload
	maxPayload = 64
	maxFrame   = head + maxPayload + 2
)

// NewDecoder decodes frames. It keeps nothing from one to the next but a buffer.
func NewDecoder() codec.Decoder[Frame] {
	frames := codec.LengthField(codec.LengthFieldOptions{
		Start:    start,
		Offset:   4,
		Size:     2,
		Adjust:   2, // the checksum, which the length does not count
		MaxFrame: maxFrame,
	})
	buf := make([]byte, 0, maxPayload)
	return codec.Map(frames, func(b []byte) (Frame, error) {
		end := len(b) - 2
		if got, want := binary.BigEndian.Uint16(b[end:]), checksum(b[2:end]); got != want {
			return Frame{}, &codec.FrameError{Offset: end, Reason: fmt.Sprintf("checksum %#04x, want %#04x", got, want)}
		}
		buf = append(buf[:0], b[head:end]...) // b belongs to the connection
		return Frame{Type(b[2]), b[3], buf}, nil
	})
}

// Append appends f's bytes: a codec.AppendFunc.
func Append(dst []byte, f Frame) ([]byte, error) {
	if len(f.Payload) > maxPayload {
		return dst, fmt.Errorf("boiler: payload of %d bytes, want %d or fewer", len(f.Payload), maxPayload)
	}
	from := len(dst)
	dst = append(dst, start...)
	dst = append(dst, byte(f.Type), f.Number)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(f.Payload))) //nolint:gosec // at most maxPayload
	dst = append(dst, f.Payload...)
	return binary.BigEndian.AppendUint16(dst, checksum(dst[from+2:])), nil
}

// checksum is CRC-16/IBM-SDLC: polynomial 0x1021 reflected, from 0xffff, inverted.
func checksum(p []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range p {
		crc ^= uint16(b)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low != 0 {
				crc ^= 0x8408
			}
		}
	}
	return ^crc
}
