package jt808

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// input reads the fields of a service. What is wrong with them is collected, so
// that whoever sent them learns of all mistakes at once.
type input struct {
	fields []thing.Field
	zone   *time.Location
	path   string   // of the struct in the input that is read; "" at the top
	known  []string // names that were asked for
	errs   *[]string
}

func newInput(fields []thing.Field, zone *time.Location) *input {
	return &input{fields: fields, zone: zone, errs: new([]string)}
}

func (in *input) fail(name, format string, args ...any) {
	*in.errs = append(*in.errs, in.path+name+": "+fmt.Sprintf(format, args...))
}

// get is the value of a field; false when it is not there or null.
func (in *input) get(name string) (thing.Value, bool) {
	in.known = append(in.known, name)
	v, ok := thing.Get(in.fields, name)
	return v, ok && !v.IsNull()
}

func (in *input) has(name string) bool {
	_, ok := in.get(name)
	return ok
}

// need is get of a field that has to be there.
func (in *input) need(name string) (thing.Value, bool) {
	v, ok := in.get(name)
	if !ok {
		in.fail(name, "is missing")
	}
	return v, ok
}

// unknown complains of fields that nobody asked for.
func (in *input) unknown() {
	for _, f := range in.fields {
		if !slices.Contains(in.known, f.Name) {
			in.fail(f.Name, "is not known here; known are %s", strings.Join(slices.Compact(slices.Sorted(slices.Values(in.known))), ", "))
		}
	}
}

// err is all that is wrong, as what ends the command; nil if nothing is.
func (in *input) err() error {
	in.unknown()
	if len(*in.errs) == 0 {
		return nil
	}
	return &thing.ReplyError{State: thing.Invalid, Text: strings.Join(*in.errs, "; ")}
}

func (in *input) whole(name string, v thing.Value, most uint64) uint64 {
	n, ok := v.Int()
	if !ok {
		if b, isBool := v.Bool(); isBool && b {
			n, ok = 1, true
		} else {
			ok = isBool
		}
	}
	if !ok || n < 0 || uint64(n) > most {
		in.fail(name, "%v, must be a whole number from 0 to %d", v, most)
		return 0
	}
	return uint64(n)
}

// u is a number of 0 to most, or otherwise if it is not given.
func (in *input) u(name string, most, otherwise uint64) uint64 {
	if v, ok := in.get(name); ok {
		return in.whole(name, v, most)
	}
	return otherwise
}

func (in *input) needU(name string, most uint64) uint64 {
	v, ok := in.need(name)
	if !ok {
		return 0
	}
	return in.whole(name, v, most)
}

func (in *input) u8(name string, otherwise uint8) uint8 {
	return uint8(in.u(name, math.MaxUint8, uint64(otherwise))) //nolint:gosec // limited
}

func (in *input) needU8(name string) uint8 { return uint8(in.needU(name, math.MaxUint8)) } //nolint:gosec // limited

func (in *input) u16(name string, otherwise uint16) uint16 {
	return uint16(in.u(name, math.MaxUint16, uint64(otherwise))) //nolint:gosec // limited
}

func (in *input) needU16(name string) uint16 { return uint16(in.needU(name, math.MaxUint16)) } //nolint:gosec // limited

func (in *input) u32(name string, otherwise uint32) uint32 {
	return uint32(in.u(name, math.MaxUint32, uint64(otherwise))) //nolint:gosec // limited
}

func (in *input) needU32(name string) uint32 { return uint32(in.needU(name, math.MaxUint32)) } //nolint:gosec // limited

func (in *input) truth(name string, otherwise bool) bool {
	v, ok := in.get(name)
	if !ok {
		return otherwise
	}
	b, ok := v.Bool()
	if !ok {
		in.fail(name, "%v, must be true or false", v)
	}
	return b
}

func (in *input) needTruth(name string) bool {
	in.need(name)
	return in.truth(name, false)
}

// text is a text, empty if it is not given.
func (in *input) text(name string) string {
	v, ok := in.get(name)
	if !ok {
		return ""
	}
	s, ok := v.Text()
	if !ok {
		in.fail(name, "%v, must be a text", v)
	}
	return s
}

func (in *input) needText(name string) string {
	in.need(name)
	return in.text(name)
}

func (in *input) hexadecimal(name string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(in.text(name), " ", ""))
	if err != nil {
		in.fail(name, "must be hexadecimal digits, two for each byte")
	}
	return b
}

// id is a message's id: "0x8300".
func (in *input) id(name string) jt808.ID {
	var id uint16
	if _, err := fmt.Sscanf(in.text(name)+"\n", "0x%4x\n", &id); err != nil {
		in.fail(name, `must be an id such as "0x8300"`)
	}
	return jt808.ID(id)
}

// one is the place of a text in words, otherwise if it is not given.
func (in *input) one(name string, otherwise int, words ...string) int {
	v, ok := in.get(name)
	if !ok {
		return otherwise
	}
	s, _ := v.Text()
	i := slices.Index(words, s)
	if i < 0 {
		in.fail(name, "%v, must be %s", v, strings.Join(words, " or "))
	}
	return max(i, 0)
}

// degrees is a coordinate in 1e-6 degrees.
func (in *input) degrees(name string, most float64) int32 {
	v, ok := in.need(name)
	if !ok {
		return 0
	}
	f, ok := v.Float()
	if !ok || math.Abs(f) > most {
		in.fail(name, "%v, must be degrees from -%v to %v", v, most, most)
		return 0
	}
	return int32(math.Round(f * 1e6))
}

// at is a time: Unix milliseconds, or a text as RFC 3339 has it, or "08:30:00"
// for that time of every day. Zeros if it is not given.
func (in *input) at(name string) (t jt808.BCDTime) {
	v, ok := in.get(name)
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
		in.fail(name, `%v, must be Unix milliseconds, "2026-01-02T15:04:05+08:00" or "15:04:05"`, v)
		return t
	}
	t = jt808.NewBCDTimeIn(daily, time.UTC)
	t[0], t[1], t[2] = 0, 0, 0
	return t
}

// items reads a list of structs.
func (in *input) items(name string, most int, read func(*input)) {
	v, ok := in.need(name)
	if !ok {
		return
	}
	list := v.List()
	if v.Type() != thing.ListType || len(list) > most {
		in.fail(name, "must be a list of at most %d", most)
		return
	}
	for i, e := range list {
		inner := &input{fields: e.Struct(), zone: in.zone, path: fmt.Sprintf("%s%s[%d].", in.path, name, i), errs: in.errs}
		if e.Type() != thing.StructType {
			in.fail(name, "item %d must be an object", i)
			continue
		}
		read(inner)
		inner.unknown()
	}
}

// numbers reads a list of numbers; none if it is not given.
func (in *input) numbers(name string) (all []uint32) {
	v, ok := in.get(name)
	if !ok {
		return nil
	}
	if v.Type() != thing.ListType {
		in.fail(name, "must be a list of numbers")
	}
	for _, e := range v.List() {
		all = append(all, uint32(in.whole(name, e, math.MaxUint32))) //nolint:gosec // limited
	}
	return all
}
