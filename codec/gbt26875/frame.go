package gbt26875

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Sizes of a frame in bytes (GB/T 26875.3-2011).
const (
	MaxData   = 1024 // longest application data
	headerLen = 27   // the start marker included
	trailLen  = 3    // check sum and end marker
	minFrame  = headerLen + trailLen
)

// Where header fields begin.
const (
	offSerial      = 2
	offVersion     = 4
	offTime        = 6
	offSource      = 12
	offDestination = 18
	offLength      = 24
	offCommand     = 26
)

const (
	startMarker = "@@"
	endMarker   = "##"
)

// Command is what a frame is for. Values from 128 on are a
// maker's own.
type Command uint8

// The commands.
const (
	CommandControl Command = 1 // centre: do something; answered by 3 or 6
	CommandSend    Command = 2 // device: takes note of this; answered by 3 or 6, and repeated until then
	CommandConfirm Command = 3 // of 1 and 2; has no data
	CommandRequest Command = 4 // centre: tell me; answered by 5, or by 6
	CommandAnswer  Command = 5 // device: what was asked for
	CommandDeny    Command = 6 // of 1, 2 and 4; has no data
)

var commandNames = [...]string{1: "control", 2: "send", 3: "confirm", 4: "request", 5: "answer", 6: "deny"}

// String is the command's name, or its number.
func (c Command) String() string {
	if int(c) < len(commandNames) && commandNames[c] != "" {
		return commandNames[c]
	}
	return strconv.Itoa(int(c))
}

// MarshalText is [Command.String].
func (c Command) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Version is the protocol's version: the main one, fixed to 1, and the user's own.
// Devices write all sorts of things: do not refuse them for it.
type Version struct {
	Main uint8 `json:"main"`
	User uint8 `json:"user"`
}

// Address is the address of a device or a centre as it is on the wire. The
// standard means a number with its low byte in front; makers also put an IPv4
// address and a port, a MAC address, or digits in BCD there. Compare the bytes.
type Address [6]byte

// NewAddress is the address with that number, of which 48 bits count.
func NewAddress(n uint64) (a Address) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	copy(a[:], b[:])
	return a
}

// ErrAddress is the error of text that is no address.
var ErrAddress = errors.New("gbt26875: not an address")

// ParseAddress reads an address: 12 hexadecimal digits in the order of the
// wire, with or without separators. Its errors wrap [ErrAddress].
func ParseAddress(s string) (a Address, err error) {
	b, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "", " ", "").Replace(s))
	if err != nil || len(b) != len(a) {
		return a, fmt.Errorf("%w: %q: 12 hexadecimal digits are needed, as on the wire", ErrAddress, s)
	}
	copy(a[:], b)
	return a, nil
}

// Uint is the address as a number, of 48 bits.
func (a Address) Uint() uint64 {
	var b [8]byte
	copy(b[:], a[:])
	return binary.LittleEndian.Uint64(b[:])
}

// String is the address as 12 hexadecimal digits in the order of the wire.
func (a Address) String() string { return hex.EncodeToString(a[:]) }

// MarshalText is [Address.String].
func (a Address) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, a[:]), nil }

// Header is the control unit of a frame, without its length.
type Header struct {
	Serial      uint16  `json:"serial"` // a sender counts up; an answer has that of its question
	Version     Version `json:"version"`
	Time        Time    `json:"time"` // when the frame was sent, by the sender's clock
	Source      Address `json:"source"`
	Destination Address `json:"destination"`
	Command     Command `json:"command"`
}

// Reply is the header of an answer: the same serial number and version, source
// and destination swapped.
func (h *Header) Reply(c Command, now Time) Header {
	return Header{Serial: h.Serial, Version: h.Version, Time: now, Source: h.Destination, Destination: h.Source, Command: c}
}

// Frame is one frame, its check sum done with. One that a decoder returned is
// valid, data and all, until that decoder's next Decode: [Frame.Clone] keeps it.
type Frame struct {
	Header
	Data []byte `json:"data"` // application data; empty in confirmations and denials
	// Damaged says that the check sum is wrong, which Options.Damaged has to ask
	// for: nothing in the frame can be trusted. The standard wants it denied.
	Damaged bool `json:"damaged,omitempty"`
}

// Clone is a copy that shares nothing with f.
func (f *Frame) Clone() *Frame {
	c := *f
	c.Data = append(make([]byte, 0, len(f.Data)), f.Data...)
	return &c
}

// Parse reads the application data. It is [ParseUnit].
func (f *Frame) Parse() (Unit, error) { return ParseUnit(f.Data) }

// checksum is the low byte of the sum of b.
func checksum(b []byte) (sum byte) {
	for _, c := range b {
		sum += c
	}
	return sum
}
