package jt808

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/linkspan/linkspan/codec"
)

var _ codec.AppendFunc[*Frame] = AppendFrame

// AppendFrame appends f as it goes over the wire: header, body and check byte,
// escaped, between two delimiters. Its errors wrap [ErrTooLong] if the body is
// longer than [MaxBody], [ErrPhone] if the number is not one of f.Version's
// headers; dst is then returned as it was.
func AppendFrame(dst []byte, f *Frame) ([]byte, error) {
	return appendFrame(dst, &f.Header, f.Body)
}

func appendFrame(dst []byte, h *Header, body []byte) ([]byte, error) {
	start := len(dst) + 1
	out, err := h.append(append(dst, delimiter), len(body))
	if err != nil {
		return dst, err
	}
	out = append(out, body...)
	out = append(out, checksum(out[start:]))
	return append(escapeTail(out, start), delimiter), nil
}

// AppendPackages appends f like [AppendFrame], and if its body is longer than
// maxBody bytes (0 or more than MaxBody mean MaxBody), cut into as many frames as
// it takes, with the serial numbers f.Serial, f.Serial+1 and so on: frames says
// how many were used. f.Total and f.Index are not looked at. The errors are those
// of AppendFrame; 65535 packages are the most.
func AppendPackages(dst []byte, f *Frame, maxBody int) (out []byte, frames int, err error) {
	if maxBody <= 0 || maxBody > MaxBody {
		maxBody = MaxBody
	}
	h := f.Header
	h.Total, h.Index = 0, 0
	if len(f.Body) <= maxBody {
		out, err = appendFrame(dst, &h, f.Body)
		if err != nil {
			return dst, 0, err
		}
		return out, 1, nil
	}
	total := (len(f.Body) + maxBody - 1) / maxBody
	if total > 0xFFFF {
		return dst, 0, fmt.Errorf("%w: body of %v: %d packages of %d bytes, at most 65535", ErrTooLong, h.ID, total, maxBody)
	}
	h.Total = uint16(total) //nolint:gosec // checked above
	out = dst
	for rest := f.Body; len(rest) > 0; {
		n := min(maxBody, len(rest))
		h.Index++
		if out, err = appendFrame(out, &h, rest[:n]); err != nil {
			return dst, 0, err
		}
		h.Serial++
		rest = rest[n:]
	}
	return out, total, nil
}

// AppendMessage appends a message with the body b, in one frame, or cut into
// packages if it is too long for that (see [AppendPackages]): frames says how many
// were used. The header's ID, Total and Index are not looked at. The body is
// written where it belongs at once, so that answers need no buffer of their own.
func AppendMessage(dst []byte, h Header, b Body) (out []byte, frames int, err error) {
	h.ID, h.Total, h.Index = b.ID(), 0, 0
	start := len(dst) + 1
	out, err = h.append(append(dst, delimiter), 0)
	if err != nil {
		return dst, 0, err
	}
	at := len(out)
	out, err = b.AppendBody(out, h.Version)
	if err != nil {
		return dst, 0, fmt.Errorf("jt808: body of %v: %w", h.ID, err)
	}
	length := len(out) - at
	if length > MaxBody {
		return AppendPackages(dst, &Frame{Header: h, Body: bytes.Clone(out[at:])}, 0)
	}
	attr := binary.BigEndian.Uint16(out[start+2:]) | uint16(length) //nolint:gosec // at most MaxBody
	binary.BigEndian.PutUint16(out[start+2:], attr)
	out = append(out, checksum(out[start:]))
	return append(escapeTail(out, start), delimiter), 1, nil
}
