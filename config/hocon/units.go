package hocon

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// ErrUnit says that a text is no duration or size, or too large a one.
var ErrUnit = errors.New("hocon: not a number with a unit")

var durations = units(map[string]int64{
	"ns nano nanos nanosecond nanoseconds":        int64(time.Nanosecond),
	"us µs micro micros microsecond microseconds": int64(time.Microsecond),
	"ms milli millis millisecond milliseconds":    int64(time.Millisecond),
	"s second seconds":                            int64(time.Second),
	"m minute minutes":                            int64(time.Minute),
	"h hour hours":                                int64(time.Hour),
	"d day days":                                  24 * int64(time.Hour),
})

var sizes = units(map[string]int64{
	"B b byte bytes":        1,
	"kB kilobyte kilobytes": 1e3, "K k Ki KiB kibibyte kibibytes": 1 << 10,
	"MB megabyte megabytes": 1e6, "M m Mi MiB mebibyte mebibytes": 1 << 20,
	"GB gigabyte gigabytes": 1e9, "G g Gi GiB gibibyte gibibytes": 1 << 30,
	"TB terabyte terabytes": 1e12, "T t Ti TiB tebibyte tebibytes": 1 << 40,
	"PB petabyte petabytes": 1e15, "P p Pi PiB pebibyte pebibytes": 1 << 50,
	"EB exabyte exabytes": 1e18, "E e Ei EiB exbibyte exbibytes": 1 << 60,
})

func units(names map[string]int64) map[string]int64 {
	out := map[string]int64{}
	for list, factor := range names {
		for name := range strings.FieldsSeq(list) {
			out[name] = factor
		}
	}
	return out
}

// ParseDuration reads a number with a unit: ns, us, ms, s, m, h, d or their
// names (second, seconds ...). Without a unit it counts milliseconds, as the
// specification ("Duration format") says. Errors are ErrUnit.
func ParseDuration(s string) (time.Duration, error) {
	n, err := parseUnit(s, durations, int64(time.Millisecond))
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no duration; write a number and one of ns, us, ms, s, m, h, d, as in 30s", err, clip(s))
	}
	return time.Duration(n), nil
}

// ParseSize reads a number of bytes with a unit: powers of ten (kB, MB, GB ...)
// or of two (K, KiB, M, MiB, G, GiB ...), or their names; without one it
// counts bytes ("Size in bytes format"). Errors are ErrUnit.
func ParseSize(s string) (int64, error) {
	n, err := parseUnit(s, sizes, 1)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no size; write a number and one of B, kB, KiB, MB, MiB, GB, GiB, as in 64KiB", err, clip(s))
	}
	return n, nil
}

// parseUnit multiplies exactly; a fraction of the smallest unit is cut off.
func parseUnit(s string, names map[string]int64, bare int64) (int64, error) {
	s = strings.TrimFunc(s, isSpace)
	end := strings.LastIndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' }) + 1
	number, unit := strings.TrimFunc(s[:end], isSpace), strings.TrimFunc(s[end:], isSpace)
	factor, ok := names[unit]
	if unit == "" {
		factor, ok = bare, true
	}
	if !ok || len(number) > 64 || number == "" || strings.Trim(number, "0123456789.-") != "" {
		return 0, ErrUnit
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, ErrUnit
	}
	r.Mul(r, new(big.Rat).SetInt64(factor))
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsInt64() || n.Int64() == math.MinInt64 {
		return 0, ErrUnit
	}
	return n.Int64(), nil
}
