package jt808

import (
	"fmt"
	"math"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/thing/input"
)

// reader reads the fields of a service, as the types that messages have.
type reader struct {
	*input.Reader
	zone *time.Location
}

// u is a number of 0 to most, or otherwise if it is not given.
func (in *reader) u(name string, most, otherwise uint32) uint32 {
	return uint32(in.Int(name, 0, int64(most), int64(otherwise))) //nolint:gosec // limited
}

func (in *reader) needU(name string, most uint32) uint32 {
	return uint32(in.NeedInt(name, 0, int64(most))) //nolint:gosec // limited
}

func (in *reader) u8(name string, otherwise uint8) uint8 {
	return uint8(in.u(name, math.MaxUint8, uint32(otherwise))) //nolint:gosec // limited
}

func (in *reader) needU8(name string) uint8 { return uint8(in.needU(name, math.MaxUint8)) } //nolint:gosec // limited

func (in *reader) u16(name string, otherwise uint16) uint16 {
	return uint16(in.u(name, math.MaxUint16, uint32(otherwise))) //nolint:gosec // limited
}

func (in *reader) needU16(name string) uint16 { return uint16(in.needU(name, math.MaxUint16)) } //nolint:gosec // limited

func (in *reader) u32(name string, otherwise uint32) uint32 {
	return in.u(name, math.MaxUint32, otherwise)
}

func (in *reader) needU32(name string) uint32 { return in.needU(name, math.MaxUint32) }

// id is a message's id: "0x8300".
func (in *reader) id(name string) jt808.ID {
	var id uint16
	if _, err := fmt.Sscanf(in.Text(name)+"\n", "0x%4x\n", &id); err != nil {
		in.Fail(name, `must be an id such as "0x8300"`)
	}
	return jt808.ID(id)
}

// degrees is a coordinate in 1e-6 degrees.
func (in *reader) degrees(name string, most float64) int32 {
	v, ok := in.Need(name)
	if !ok {
		return 0
	}
	f, ok := v.Float()
	if !ok || math.Abs(f) > most {
		in.Fail(name, "%v, must be degrees from -%v to %v", v, most, most)
		return 0
	}
	return int32(math.Round(f * 1e6))
}

// at is a time: Unix milliseconds, or a text as RFC 3339 has it, or "08:30:00"
// for that time of every day. Zeros if it is not given.
func (in *reader) at(name string) (t jt808.BCDTime) {
	v, ok := in.Get(name)
	if !ok {
		return t
	}
	if ms, isInt := v.Int(); isInt {
		return jt808.NewBCDTimeIn(time.UnixMilli(ms), in.zone)
	}
	s, _ := v.Text()
	if when, err := time.Parse(time.RFC3339, s); err == nil {
		return jt808.NewBCDTimeIn(when, in.zone)
	}
	daily, err := time.Parse(time.TimeOnly, s)
	if err != nil {
		in.Fail(name, `%v, must be Unix milliseconds, "2026-01-02T15:04:05+08:00" or "15:04:05"`, v)
		return t
	}
	t = jt808.NewBCDTimeIn(daily, time.UTC)
	t[0], t[1], t[2] = 0, 0, 0
	return t
}

// items reads a list of objects.
func (in *reader) items(name string, most int, read func(*reader)) {
	in.Items(name, 0, most, func(r *input.Reader) { read(&reader{r, in.zone}) })
}

// numbers reads a list of numbers; none if it is not given.
func (in *reader) numbers(name string) (all []uint32) {
	v, ok := in.Get(name)
	if !ok {
		return nil
	}
	if v.Type() != thing.ListType {
		in.Fail(name, "must be a list of numbers")
	}
	for _, e := range v.List() {
		all = append(all, uint32(in.IntOf(name, e, 0, math.MaxUint32))) //nolint:gosec // limited
	}
	return all
}
