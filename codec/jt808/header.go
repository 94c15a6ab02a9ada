package jt808

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/linkspan/linkspan/codec"
)

// Header is the header of a message (JT/T 808-2013 4.4.3, JT/T 808-2019 4.4.3).
// The length of the body is not in it: that is len(Frame.Body).
//
//	2011, 2013                              2019
//	 0 WORD    message id                    0 WORD     message id
//	 2 WORD    attributes                    2 WORD     attributes
//	 4 BCD[6]  terminal's phone number       4 BYTE     protocol version, from 1
//	10 WORD    serial number                 5 BCD[10]  terminal's phone number
//	12 WORD    packages in all    \ only if 15 WORD     serial number
//	14 WORD    number from 1      / bit 13  17 WORD     packages in all    \ only if
//	12 or 16   body                         19 WORD     number from 1      / bit 13
//	                                        17 or 21    body
//
//	attributes: 15 reserved | 14 version: 1 in 2019 | 13 package of a longer message
//	            12-10 encryption | 9-0 length of the body
type Header struct {
	ID      ID      `json:"id"`
	Version Version `json:"version"` // layout: V2013 for 2011 as well

	ProtocolVersion uint8 `json:"protocol_version"` // V2019 only; a reply repeats it
	Encryption      uint8 `json:"encryption"`       // bits 10-12: 0 none, 1 RSA; 2-7 reserved

	Phone  Phone  `json:"phone"`  // a reply repeats it
	Serial uint16 `json:"serial"` // of the sender, from 0, one more for each message, wraps

	Total uint16 `json:"total"` // packages the message is cut into; 0 when it is whole
	Index uint16 `json:"index"` // this package's number from 1; 0 when it is whole
}

// MaxBody is the longest body of one frame: longer ones are cut into packages.
const MaxBody = 1<<10 - 1

// Reply is the header of an answer to the sender of h, with a serial number of
// our own: the layout, protocol version and phone bytes are those of h.
func (h *Header) Reply(serial uint16) Header {
	return Header{Version: h.Version, ProtocolVersion: h.ProtocolVersion, Phone: h.Phone, Serial: serial}
}

const (
	headerLen     = 12 // with a phone of 6 bytes
	headerLen2019 = 17
	packageLen    = 4
	minFrame      = headerLen + 1 // header and check byte

	attrLength     = 1<<10 - 1
	attrEncryption = 10
	attrPackage    = 1 << 13
	attrVersion    = 1 << 14
)

// IsPackage reports whether the message is one package of a longer one.
func (h *Header) IsPackage() bool { return h.Total != 0 }

// parseHeader reads the header of raw, an unescaped frame without check byte,
// and says where the body begins. raw has at least headerLen bytes.
//
// The length tells the layouts apart, not bit 14 alone: terminals with that bit
// set and a 2013 header exist, and the other way round. As the layouts differ by
// five bytes, a frame fits one of them at most. With anyLength one that fits
// neither is what bit 14 says, and its body all that is there.
func parseHeader(h *Header, raw []byte, anyLength bool) (body int, err error) {
	attr := binary.BigEndian.Uint16(raw[2:])
	length, flag := int(attr&attrLength), attr&attrVersion != 0
	tail := length
	if attr&attrPackage != 0 {
		tail += packageLen
	}
	if anyLength {
		tail = actualTail(raw, attr, tail)
	}
	switch {
	case headerLen+tail == len(raw): // whatever the flag says
		body = headerLen
		h.Version, h.ProtocolVersion = V2013, 0
		h.Phone = Phone{n: 6}
		copy(h.Phone.raw[:6], raw[4:])
		h.Serial = binary.BigEndian.Uint16(raw[10:])
	case headerLen2019+tail == len(raw) && (flag || raw[4] == 1):
		body = headerLen2019
		h.Version, h.ProtocolVersion = V2019, raw[4]
		h.Phone = Phone{raw: [10]byte(raw[5:15]), n: 10}
		h.Serial = binary.BigEndian.Uint16(raw[15:])
	default:
		return 0, lengthError(raw, length, tail, flag)
	}
	h.ID = ID(binary.BigEndian.Uint16(raw))
	h.Encryption = uint8(attr >> attrEncryption & 7) //nolint:gosec // three bits
	h.Total, h.Index = 0, 0
	if attr&attrPackage != 0 {
		h.Total = binary.BigEndian.Uint16(raw[body:])
		h.Index = binary.BigEndian.Uint16(raw[body+2:])
		if h.Index == 0 || h.Index > h.Total {
			return 0, &codec.FrameError{Offset: body, Reason: fmt.Sprintf("package %d of %d", h.Index, h.Total)}
		}
		body += packageLen
	}
	return body, nil
}

// actualTail is how many bytes are behind the serial number of raw: tail, if that
// fits a layout, otherwise those that are there.
func actualTail(raw []byte, attr uint16, tail int) int {
	flag := attr&attrVersion != 0
	if headerLen+tail == len(raw) || headerLen2019+tail == len(raw) && (flag || raw[4] == 1) {
		return tail
	}
	there, least := len(raw)-headerLen, 0
	if flag {
		there = len(raw) - headerLen2019
	}
	if attr&attrPackage != 0 {
		least = packageLen
	}
	if there < least {
		return tail
	}
	return there
}

func lengthError(raw []byte, length, tail int, flag bool) error {
	have := len(raw) - headerLen - (tail - length)
	if flag {
		have = len(raw) - headerLen2019 - (tail - length)
	}
	reason := "header declares a body of " + strconv.Itoa(length) + " bytes, " + strconv.Itoa(have) + " are there"
	if have < 0 {
		reason = "frame ends inside its header, " + strconv.Itoa(-have) + " bytes are missing"
	}
	return &codec.FrameError{Offset: 2, Reason: reason}
}

// append appends the header of a body of that length.
func (h *Header) append(dst []byte, length int) ([]byte, error) {
	if length > MaxBody {
		return dst, fmt.Errorf("%w: body of %v: %d bytes, at most %d in one frame: AppendPackages cuts it",
			ErrTooLong, h.ID, length, MaxBody)
	}
	if h.Phone.Len() != h.Version.phoneLen() {
		return dst, fmt.Errorf("%w: %v has %d bytes, %v headers have %d",
			ErrPhone, h.Phone, h.Phone.Len(), h.Version, h.Version.phoneLen())
	}
	if h.Index > h.Total || h.Total > 0 && h.Index == 0 {
		return dst, fmt.Errorf("jt808: package %d of %d of %v", h.Index, h.Total, h.ID)
	}
	attr := uint16(length) | uint16(h.Encryption&7)<<attrEncryption //nolint:gosec // at most MaxBody
	if h.Total > 0 {
		attr |= attrPackage
	}
	const most = headerLen2019 + packageLen
	at := len(dst)
	if cap(dst)-at < most {
		dst = slices.Grow(dst, most)
	}
	raw := (*[most]byte)(dst[at : at+most])
	binary.BigEndian.PutUint16(raw[0:], uint16(h.ID))
	n := headerLen
	if h.Version == V2019 {
		n = headerLen2019
		attr |= attrVersion
		raw[4] = h.ProtocolVersion
		copy(raw[5:], h.Phone.raw[:])
	} else {
		copy(raw[4:], h.Phone.raw[:6])
	}
	binary.BigEndian.PutUint16(raw[2:], attr)
	binary.BigEndian.PutUint16(raw[n-2:], h.Serial)
	if h.Total > 0 {
		binary.BigEndian.PutUint16(raw[n:], h.Total)
		binary.BigEndian.PutUint16(raw[n+2:], h.Index)
		n += packageLen
	}
	return dst[:at+n], nil
}
