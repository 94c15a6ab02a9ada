package gbt26875

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// PartAddress is the address of a part within its system as it is on the wire.
// The standard leaves open what the four bytes mean: common are two numbers, the
// loop or zone and the point in it, in either order, and one number of 32 bits.
type PartAddress [4]byte

// NewPartAddress is the address of two numbers, each with its low byte in front.
func NewPartAddress(first, second uint16) (a PartAddress) {
	binary.LittleEndian.PutUint16(a[:], first)
	binary.LittleEndian.PutUint16(a[2:], second)
	return a
}

// ParsePartAddress reads 8 hexadecimal digits in the order of the wire. Its errors
// wrap [ErrAddress].
func ParsePartAddress(s string) (a PartAddress, err error) {
	b, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "", " ", "").Replace(s))
	if err != nil || len(b) != len(a) {
		return a, fmt.Errorf("%w: %q: 8 hexadecimal digits are needed, as on the wire", ErrAddress, s)
	}
	copy(a[:], b)
	return a, nil
}

// Uint is the address as one number, its low byte in front.
func (a PartAddress) Uint() uint32 { return binary.LittleEndian.Uint32(a[:]) }

// Words are the address as two numbers, each with its low byte in front: mostly a
// loop or zone and a point in it.
func (a PartAddress) Words() (first, second uint16) {
	return binary.LittleEndian.Uint16(a[:]), binary.LittleEndian.Uint16(a[2:])
}

// String is the address as 8 hexadecimal digits in the order of the wire.
func (a PartAddress) String() string { return hex.EncodeToString(a[:]) }

// MarshalText is [PartAddress.String].
func (a PartAddress) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, a[:]), nil }

// Part is one part of a system: a detector, a call point, a pump.
type Part struct {
	System
	Type    PartType    `json:"part_type"`
	Address PartAddress `json:"part_address"`
}

const partLen = 7

func (p *Part) put(dst []byte) []byte {
	return append(append(p.System.put(dst), byte(p.Type)), p.Address[:]...)
}

func (p *Part) take(in []byte) {
	p.System.take(in)
	p.Type = PartType(in[2])
	p.Address = PartAddress(in[3:partLen])
}

// PartStates is type 2: what state parts are in. A fire alarm is such a
// message. Devices send it when a state changes, and when they are asked (62).
type PartStates struct {
	Objects []PartState `json:"objects"`
}

// PartState is the state of one part.
type PartState struct {
	Part
	State       PartBits    `json:"state"`
	Description Description `json:"description"` // where the part is
	Time        Time        `json:"time"`        // of the change
}

// Type is TypePartState.
func (*PartStates) Type() Type { return TypePartState }

// AppendUnit implements Unit.
func (u *PartStates) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypePartState, u.Objects)
}

// ParseUnit implements Unit. Objects whose descriptions are shorter, all alike, are
// read, and a [*CountError] tells of it.
func (u *PartStates) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseSized(TypePartState, u.Objects, data, sizeOf(TypePartState, data))
	return err
}

func (o *PartState) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(o.put(dst), uint16(o.State))
	dst = append(dst, o.Description[:]...)
	return append(dst, o.Time[:]...)
}

func (o *PartState) parse(in []byte) int {
	const text = partLen + 2
	o.take(in)
	o.State = PartBits(binary.LittleEndian.Uint16(in[partLen:]))
	end := len(in) - len(o.Time)
	copy(o.Description[:], in[text:end])
	o.Time = Time(in[end:])
	return len(in)
}

// PartAnalogs is type 3: values that parts measure.
type PartAnalogs struct {
	Objects []PartAnalog `json:"objects"`
}

// PartAnalog is one value that a part measures.
type PartAnalog struct {
	Part
	Analog AnalogType `json:"analog"`
	Value  int16      `json:"value"` // in the unit and with the decimals of Analog
	Time   Time       `json:"time"`
}

// Type is TypePartAnalog.
func (*PartAnalogs) Type() Type { return TypePartAnalog }

// AppendUnit implements Unit.
func (u *PartAnalogs) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypePartAnalog, u.Objects)
}

// ParseUnit implements Unit.
func (u *PartAnalogs) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypePartAnalog, u.Objects, data)
	return err
}

func (o *PartAnalog) append(dst []byte) []byte {
	dst = append(o.put(dst), byte(o.Analog))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(o.Value)) //nolint:gosec // two's complement
	return append(dst, o.Time[:]...)
}

func (o *PartAnalog) parse(in []byte) int {
	o.take(in)
	o.Analog = AnalogType(in[partLen])
	o.Value = int16(binary.LittleEndian.Uint16(in[partLen+1:])) //nolint:gosec // two's complement
	o.Time = Time(in[partLen+3:])
	return len(in)
}

// PartConfigs is type 7: what parts there are, and where.
type PartConfigs struct {
	Objects []PartConfig `json:"objects"`
}

// PartConfig is the configuration of one part.
type PartConfig struct {
	Part
	Description Description `json:"description"`
}

// Type is TypePartConfig.
func (*PartConfigs) Type() Type { return TypePartConfig }

// AppendUnit implements Unit.
func (u *PartConfigs) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypePartConfig, u.Objects)
}

// ParseUnit implements Unit. Objects whose descriptions are shorter, all alike, are
// read, and a [*CountError] tells of it.
func (u *PartConfigs) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseSized(TypePartConfig, u.Objects, data, sizeOf(TypePartConfig, data))
	return err
}

func (o *PartConfig) append(dst []byte) []byte {
	return append(o.put(dst), o.Description[:]...)
}

func (o *PartConfig) parse(in []byte) int {
	o.take(in)
	copy(o.Description[:], in[partLen:])
	return len(in)
}
