package gbt26875

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/linkspan/linkspan/codec"
)

// ErrTooLong is the error of a value that does not fit its field, of too many
// objects, and of data longer than a frame may have. Shorten it, or send several
// frames.
var ErrTooLong = errors.New("gbt26875: too long")

var _ codec.AppendFunc[*Frame] = AppendFrame

// AppendFrame appends f as it goes over the wire. Its error wraps [ErrTooLong] if
// the data is longer than 65535 bytes, which is all that the length field can
// say; devices need not take more than [MaxData]. dst is then returned as it was.
func AppendFrame(dst []byte, f *Frame) ([]byte, error) {
	if len(f.Data) > 0xFFFF {
		return dst, tooLong("application data", len(f.Data), 0xFFFF)
	}
	start := len(dst)
	out := appendHeader(dst, &f.Header, len(f.Data))
	out = append(out, f.Data...)
	return appendTrail(out, start), nil
}

// AppendUnit appends a frame with that application data, written where it
// belongs at once. Its errors wrap [ErrTooLong].
func AppendUnit(dst []byte, h Header, u Unit) ([]byte, error) {
	start := len(dst)
	out, err := u.AppendUnit(appendHeader(dst, &h, 0))
	if err != nil {
		return dst, err
	}
	length := len(out) - start - headerLen
	if length > MaxData {
		return dst, tooLong("application data", length, MaxData)
	}
	binary.LittleEndian.PutUint16(out[start+offLength:], uint16(length)) //nolint:gosec // at most MaxData
	return appendTrail(out, start), nil
}

func tooLong(what string, have, most int) error {
	return fmt.Errorf("%w: %s: %d, at most %d", ErrTooLong, what, have, most)
}

func appendHeader(dst []byte, h *Header, length int) []byte {
	dst = append(dst, startMarker...)
	dst = binary.LittleEndian.AppendUint16(dst, h.Serial)
	dst = append(dst, h.Version.Main, h.Version.User)
	dst = append(dst, h.Time[:]...)
	dst = append(dst, h.Source[:]...)
	dst = append(dst, h.Destination[:]...)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(length)) //nolint:gosec // checked by the callers
	return append(dst, byte(h.Command))
}

// appendTrail ends the frame that begins at start.
func appendTrail(dst []byte, start int) []byte {
	dst = append(dst, checksum(dst[start+offSerial:]))
	return append(dst, endMarker...)
}
