package gbt26875

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/thing"
)

// input reads the fields of a service. What is wrong with them is collected, so
// that whoever sent them learns of all mistakes at once.
type input struct {
	a      *adapter
	fields []thing.Field
	path   string   // of the struct in the input that is read; "" at the top
	known  []string // names that were asked for
	errs   *[]string
}

func newInput(fields []thing.Field, a *adapter) *input {
	return &input{a: a, fields: fields, errs: new([]string)}
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

// unknown complains of fields that nobody asked for.
func (in *input) unknown() {
	for _, f := range in.fields {
		if slices.Contains(in.known, f.Name) {
			continue
		}
		if len(in.known) == 0 {
			in.fail(f.Name, "is not known here: nothing is")
			continue
		}
		in.fail(f.Name, "is not known here; known are %s", strings.Join(slices.Compact(slices.Sorted(slices.Values(in.known))), ", "))
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

// whole is a number from least to most, or otherwise if it is not given.
func (in *input) whole(name string, least, most, otherwise int64) int64 {
	v, ok := in.get(name)
	if !ok {
		return otherwise
	}
	n, ok := v.Int()
	if !ok || n < least || n > most {
		in.fail(name, "%v, must be a whole number from %d to %d", v, least, most)
		return otherwise
	}
	return n
}

// text is a text, empty if it is not given.
func (in *input) text(name string) string {
	v, ok := in.get(name)
	if !ok {
		return ""
	}
	s, ok := v.Text()
	if !ok {
		in.fail(name, "%v, must be a text, in quotation marks", v)
	}
	return s
}

// system is which system, a fire alarm system with address 1 if it is not given.
func (in *input) system() gbt26875.System {
	return gbt26875.System{
		Type:    gbt26875.SystemType(in.whole("systemType", 0, 255, int64(gbt26875.SystemFireAlarm))), //nolint:gosec // limited
		Address: uint8(in.whole("systemAddress", 0, 255, 1)),                                          //nolint:gosec // limited
	}
}

// partAddress is a part's address: its digits, or the numbers that the
// configuration says it is.
func (in *input) partAddress() gbt26875.PartAddress {
	digits := in.text("address")
	word := func(name string) uint16 { return uint16(in.whole(name, 0, 0xFFFF, 0)) } //nolint:gosec // limited
	var a gbt26875.PartAddress
	var named bool
	switch in.a.config.PartAddress {
	case partZonePoint:
		_, named = in.get("point")
		a = gbt26875.NewPartAddress(word("zone"), word("point"))
	case partPointZone:
		_, named = in.get("point")
		a = gbt26875.NewPartAddress(word("point"), word("zone"))
	case partNumber:
		_, named = in.get("number")
		n := uint32(in.whole("number", 0, 0xFFFFFFFF, 0))     //nolint:gosec // limited
		a = gbt26875.NewPartAddress(uint16(n), uint16(n>>16)) //nolint:gosec // its halves
	}
	if digits == "" {
		if !named {
			in.fail("address", "is missing: 8 hexadecimal digits as in the part's states")
		}
		return a
	}
	a, err := gbt26875.ParsePartAddress(digits)
	if err != nil {
		in.fail("address", "%q, must be 8 hexadecimal digits as in the part's states", digits)
	}
	return a
}

// records is how many records are asked for.
func (in *input) records() uint8 {
	return uint8(in.whole("count", 1, gbt26875.MaxOperations, 10)) //nolint:gosec // limited
}

// at is a time: Unix milliseconds, or a text as RFC 3339 has it.
func (in *input) at(name string, otherwise time.Time) time.Time {
	v, ok := in.get(name)
	if !ok {
		return otherwise
	}
	if ms, isInt := v.Int(); isInt {
		return time.UnixMilli(ms)
	}
	s, _ := v.Text()
	when, err := time.Parse(time.RFC3339, s)
	if err != nil {
		in.fail(name, `%v, must be Unix milliseconds or "2026-01-02T15:04:05+08:00"`, v)
	}
	return when
}

// items reads a list of structs, or one struct that is the input itself.
func (in *input) items(name string, most int, read func(*input)) {
	v, ok := in.get(name)
	if !ok {
		read(in)
		return
	}
	all := v.List()
	if v.Type() != thing.ListType || len(all) < 1 || len(all) > most {
		in.fail(name, "must be a list of 1 to %d", most)
		return
	}
	for i, e := range all {
		inner := &input{a: in.a, fields: e.Struct(), path: fmt.Sprintf("%s%s[%d].", in.path, name, i), errs: in.errs}
		if e.Type() != thing.StructType {
			in.fail(name, "item %d must be an object", i)
			continue
		}
		read(inner)
		inner.unknown()
	}
}

// rawFrame is the frame that the input spells out.
func (in *input) rawFrame() (request, error) {
	if _, ok := in.get("command"); !ok {
		in.fail("command", "is missing: 1 controls, 4 requests")
	}
	command := in.whole("command", 0, 255, 0)
	data, bad := hex.DecodeString(strings.ReplaceAll(in.text("data"), " ", ""))
	if bad != nil {
		in.fail("data", "%v", errDigits)
	}
	if err := in.err(); err != nil {
		return request{}, err
	}
	q, err := rawRequest(append([]byte{byte(command)}, data...))
	q.raw, q.digits = false, true
	return q, err
}
