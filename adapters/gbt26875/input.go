package gbt26875

import (
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing/input"
)

// reader reads the fields of a service, as the types that messages have.
type reader struct {
	*input.Reader
	a *adapter
}

// system is which system, a fire alarm system with address 1 if it is not given.
func (in *reader) system() gbt26875.System {
	return gbt26875.System{
		Type:    gbt26875.SystemType(in.Int("systemType", 0, 255, int64(gbt26875.SystemFireAlarm))), //nolint:gosec // limited
		Address: uint8(in.Int("systemAddress", 0, 255, 1)),                                          //nolint:gosec // limited
	}
}

// partAddress is a part's address: its digits, or the numbers that the
// configuration says it is.
func (in *reader) partAddress() gbt26875.PartAddress {
	digits := in.Text("address")
	word := func(name string) uint16 { return uint16(in.Int(name, 0, 0xFFFF, 0)) } //nolint:gosec // limited
	var a gbt26875.PartAddress
	var named bool
	switch in.a.config.PartAddress {
	case partZonePoint:
		named = in.Has("point")
		a = gbt26875.NewPartAddress(word("zone"), word("point"))
	case partPointZone:
		named = in.Has("point")
		a = gbt26875.NewPartAddress(word("point"), word("zone"))
	case partNumber:
		named = in.Has("number")
		n := uint32(in.Int("number", 0, 0xFFFFFFFF, 0))       //nolint:gosec // limited
		a = gbt26875.NewPartAddress(uint16(n), uint16(n>>16)) //nolint:gosec // its halves
	}
	if digits == "" {
		if !named {
			in.Fail("address", "is missing: 8 hexadecimal digits as in the part's states")
		}
		return a
	}
	a, err := gbt26875.ParsePartAddress(digits)
	if err != nil {
		in.Fail("address", "%q, must be 8 hexadecimal digits as in the part's states", digits)
	}
	return a
}

// records is how many records are asked for.
func (in *reader) records() uint8 {
	return uint8(in.Int("count", 1, gbt26875.MaxOperations, 10)) //nolint:gosec // limited
}

// at is a time: Unix milliseconds, or a text as RFC 3339 has it.
func (in *reader) at(name string, otherwise time.Time) time.Time {
	v, ok := in.Get(name)
	if !ok {
		return otherwise
	}
	if ms, isInt := v.Int(); isInt {
		return time.UnixMilli(ms)
	}
	s, _ := v.Text()
	when, err := time.Parse(time.RFC3339, s)
	if err != nil {
		in.Fail(name, `%v, must be Unix milliseconds or "2026-01-02T15:04:05+08:00"`, v)
	}
	return when
}

// items reads a list of objects, or one object that is the input itself.
func (in *reader) items(name string, most int, read func(*reader)) {
	if !in.Has(name) {
		read(in)
		return
	}
	in.Items(name, 1, most, func(r *input.Reader) { read(&reader{r, in.a}) })
}

// rawFrame is the frame that the input spells out.
func (in *reader) rawFrame() (request, error) {
	if !in.Has("command") {
		in.Fail("command", "is missing: 1 controls, 4 requests")
	}
	command := in.Int("command", 0, 255, 0)
	data := in.Bytes("data")
	if err := in.Err(); err != nil {
		return request{}, err
	}
	q, err := rawRequest(append([]byte{byte(command)}, data...))
	q.raw, q.digits = false, true
	return q, err
}
