package hocon

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrUnit says that a text is no duration or size, or too large a one.
var ErrUnit = errors.New("hocon: not a number with a unit")

var durations = timeUnits(map[string]time.Duration{
	"ns nano nanos nanosecond nanoseconds":        time.Nanosecond,
	"us µs micro micros microsecond microseconds": time.Microsecond,
	"ms milli millis millisecond milliseconds":    time.Millisecond,
	"s second seconds":                            time.Second,
	"m minute minutes":                            time.Minute,
	"h hour hours":                                time.Hour,
	"d day days":                                  24 * time.Hour,
})

var sizes = byteUnits()

// byteUnits are the names of units of bytes ("Size in bytes format").
func byteUnits() map[string]*big.Int {
	out := map[string]*big.Int{}
	for name := range strings.FieldsSeq("B b byte bytes") {
		out[name] = big.NewInt(1)
	}
	ten, two := big.NewInt(1), big.NewInt(1)
	for i, prefix := range []string{"kilo kibi", "mega mebi", "giga gibi", "tera tebi", "peta pebi", "exa exbi", "zetta zebi", "yotta yobi"} {
		ten = new(big.Int).Mul(ten, big.NewInt(1000))
		two = new(big.Int).Lsh(two, 10)
		decimal, binary, _ := strings.Cut(prefix, " ")
		letter := strings.ToUpper(prefix[:1])
		short := letter + "B"
		if i == 0 {
			short = "kB"
		}
		for _, name := range []string{short, decimal + "byte", decimal + "bytes"} {
			out[name] = ten
		}
		for _, name := range []string{letter, prefix[:1], letter + "i", letter + "iB", binary + "byte", binary + "bytes"} {
			out[name] = two
		}
	}
	return out
}

func timeUnits(names map[string]time.Duration) map[string]*big.Int {
	out := map[string]*big.Int{}
	for list, factor := range names {
		for name := range strings.FieldsSeq(list) {
			out[name] = big.NewInt(int64(factor))
		}
	}
	return out
}

// periods are units of the calendar, which are no durations: a day of a period
// may have 23 hours.
var periods = strings.Fields("w week weeks mo month months y year years")

// ParseDuration reads a number with a unit: ns, us, ms, s, m, h, d or their
// names (second, seconds ...). Without a unit it counts milliseconds, as the
// specification ("Duration format") says. Weeks, months and years are periods
// and refused, as are durations beyond 292 years. Errors are ErrUnit.
func ParseDuration(s string) (time.Duration, error) {
	n, reason, err := parseUnit(s, durations, "ms")
	if err == nil {
		return time.Duration(n), nil
	}
	if slices.ContainsFunc(periods, func(p string) bool { return strings.HasSuffix(s, p) }) {
		reason = "; weeks, months and years are no durations, but 7d is"
	}
	return 0, fmt.Errorf("%w: %q is no duration%s; write a number and one of ns, us, ms, s, m, h, d, as in 30s", err, clip(s), reason)
}

// ParseSize reads a number of bytes with a unit: powers of ten (kB, MB, GB ...
// YB) or of two (K, KiB, M, MiB, G, GiB ... YiB), or their names; without one
// it counts bytes ("Size in bytes format"). A size beyond an int64 is an error.
// Errors are ErrUnit.
func ParseSize(s string) (int64, error) {
	n, reason, err := parseUnit(s, sizes, "B")
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no size%s; write a number and one of B, kB, KiB, MB, MiB, GB, GiB, as in 64KiB", err, clip(s), reason)
	}
	return n, nil
}

// maxExponent keeps 1e999999999 from becoming a number with as many digits.
const maxExponent = 40

// parseUnit multiplies exactly; a fraction of the smallest unit is cut off.
func parseUnit(s string, names map[string]*big.Int, bare string) (n int64, reason string, err error) {
	s = strings.TrimFunc(s, isSpace)
	end := strings.LastIndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' }) + 1
	number, unit := s[:end], strings.TrimFunc(s[end:], isSpace)
	if unit == "" {
		unit = bare
	}
	factor, ok := names[unit]
	if !ok || len(number) > 64 || number == "" || strings.Trim(number, "0123456789.+-eE") != "" {
		return 0, "", ErrUnit
	}
	if _, exponent, found := strings.Cut(strings.ToLower(number), "e"); found {
		if e, err := strconv.Atoi(exponent); err != nil || max(e, -e) > maxExponent {
			return 0, "", ErrUnit
		}
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, "", ErrUnit
	}
	r.Mul(r, new(big.Rat).SetInt(factor))
	whole := new(big.Int).Quo(r.Num(), r.Denom())
	if !whole.IsInt64() || whole.Int64() == math.MinInt64 {
		return 0, ": it is too large", ErrUnit
	}
	return whole.Int64(), "", nil
}
