package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/config/hocon"
)

// scalar fills a boolean, number, duration or text.
func (d *decoder) scalar(v *hocon.Value, path []string, into reflect.Value, o options) {
	d.all.markRead(path)
	if k := v.Kind(); k == hocon.Array || k == hocon.Object {
		d.fail(v, path, "is "+k.String()+", want "+typeName(into.Type(), o), "write "+example(path, into.Type(), o))
		return
	}
	if problem, hint := setScalar(into, v.Text(), o); problem != "" {
		if o.secret {
			problem = "has a value that cannot be used"
		}
		d.fail(v, path, problem, hint)
	}
}

// setScalar sets into to what text says. A problem leaves it as it was.
func setScalar(into reflect.Value, text string, o options) (problem, hint string) {
	want := typeName(into.Type(), o)
	wrong := fmt.Sprintf("%q is not %s", text, want)
	switch kind := into.Kind(); {
	case into.Type() == durationType:
		n, err := hocon.ParseDuration(text)
		if err != nil {
			return wrong, durationHint
		}
		into.SetInt(int64(n))
	case o.bytes && (into.CanInt() || into.CanUint()):
		n, err := hocon.ParseSize(text)
		if err != nil {
			return wrong, sizeHint
		}
		return setInt(into, n, text)
	case kind == reflect.Bool:
		b, ok := bools[text]
		if !ok {
			return wrong, "write true or false"
		}
		into.SetBool(b)
	case kind == reflect.String:
		into.SetString(text)
	case into.CanInt(), into.CanUint():
		return setInteger(into, text, wrong)
	case into.CanFloat():
		n, err := strconv.ParseFloat(strings.TrimSpace(text), into.Type().Bits())
		switch {
		case errors.Is(err, strconv.ErrRange):
			return text + " is out of range", ""
		case err != nil || math.IsNaN(n) || math.IsInf(n, 0):
			return wrong, "write a number, as in 0.5"
		}
		into.SetFloat(n)
	default:
		panic(fmt.Sprintf("config: decode: fields of type %s are not supported", into.Type()))
	}
	return "", ""
}

const (
	durationHint = "write a number and one of ns, us, ms, s, m, h, d, as in 30s; without a unit it counts milliseconds"
	sizeHint     = "write a number and one of B, kB, KiB, MB, MiB, GB, GiB, as in 64KiB; without a unit it counts bytes"
)

var bools = map[string]bool{"true": true, "yes": true, "on": true, "false": false, "no": false, "off": false}

func setInteger(into reflect.Value, text, wrong string) (problem, hint string) {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err == nil:
		return setInt(into, n, text)
	case errors.Is(err, strconv.ErrRange):
		if u, failed := strconv.ParseUint(text, 10, 64); failed == nil && into.CanUint() && !into.OverflowUint(u) {
			into.SetUint(u)
			return "", ""
		}
		return outOfRange(into.Type(), text), ""
	}
	f, err := strconv.ParseFloat(text, 64) // 1e6 and 3.0 are integers too
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return wrong, "write a whole number without a unit, as in 5"
	}
	return setInt(into, int64(f), text)
}

func setInt(into reflect.Value, n int64, text string) (problem, hint string) {
	switch {
	case into.CanInt() && !into.OverflowInt(n):
		into.SetInt(n)
	case into.CanUint() && n >= 0 && !into.OverflowUint(uint64(n)):
		into.SetUint(uint64(n)) //nolint:gosec // not negative
	default:
		return outOfRange(into.Type(), text), ""
	}
	return "", ""
}

func outOfRange(t reflect.Type, text string) string {
	bits := t.Bits()
	low, high := "0", strconv.FormatUint(math.MaxUint64>>(64-bits), 10)
	if t.Kind() < reflect.Uint {
		low, high = strconv.FormatInt(math.MinInt64>>(64-bits), 10), strconv.FormatInt(math.MaxInt64>>(64-bits), 10)
	}
	return fmt.Sprintf("%s is out of range: it must be from %s to %s", text, low, high)
}

// example is how a configuration sets the key at path.
func example(path []string, t reflect.Type, o options) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	value := `"..."`
	switch {
	case o.example != "":
		value = o.example
	case t == durationType:
		value = "30s"
	case o.bytes, t == reflect.TypeFor[Size]():
		value = "64KiB"
	case reflect.PointerTo(t).Implements(unmarshalerType):
	case t.Kind() == reflect.Bool:
		value = "true"
	case t.Kind() == reflect.Slice:
		value = "[ ... ]"
	case t.Kind() == reflect.Map, t.Kind() == reflect.Struct:
		value = "{ ... }"
	case t.Kind() != reflect.String:
		value = "1"
	}
	return hocon.FormatPath(path[max(len(path)-1, 0):]) + " = " + value
}

// typeName names what a field takes, with its article.
func typeName(t reflect.Type, o options) string {
	switch {
	case t == durationType:
		return "a duration"
	case o.bytes, t == reflect.TypeFor[Size]():
		return "a size"
	case reflect.PointerTo(t).Implements(unmarshalerType):
		return "a text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a text"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Pointer:
		return typeName(t.Elem(), o)
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a section"
	default:
		return "a whole number"
	}
}

// Size is a number of bytes. Configurations write it with units: 512, 64KiB,
// 10MB (see [hocon.ParseSize]).
type Size int64

// UnmarshalText reads a size with its unit. The error says what it must be.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := hocon.ParseSize(string(text))
	if err != nil {
		return fmt.Errorf("not a size: %s", sizeHint)
	}
	if n < 0 {
		return errors.New("a size is not negative")
	}
	*s = Size(n)
	return nil
}

// String writes the size with the largest binary unit that divides it.
func (s Size) String() string {
	n := int64(s)
	for i, unit := range []string{"EiB", "PiB", "TiB", "GiB", "MiB", "KiB"} {
		if u := int64(1) << (60 - 10*i); n != 0 && n%u == 0 {
			return strconv.FormatInt(n/u, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}

// formatDuration writes d as configurations do: in the largest unit that
// divides it.
func formatDuration(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}}
	for _, u := range units {
		if d != 0 && d%u.size == 0 {
			return strconv.FormatInt(int64(d/u.size), 10) + u.name
		}
	}
	if d == 0 {
		return "0s"
	}
	return strconv.FormatInt(int64(d), 10) + "ns"
}
