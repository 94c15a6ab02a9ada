package profile

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/thing"
)

// decimal is n / 10^exp, exactly.
type decimal struct {
	n   int64
	exp uint8 // 0 to maxExp
}

// maxExp is the most digits behind the point that a thing.Value holds.
const maxExp = 18

var powers = [maxExp + 1]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// parseDecimal reads a number such as -0.125 or 1e-3.
func parseDecimal(s string) (decimal, error) {
	bad := func() (decimal, error) {
		return decimal{}, fmt.Errorf("%q is no number of at most %d digits, such as 0.1", s, maxExp)
	}
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(strings.TrimSpace(s)), "e")
	shift := 0
	if hasExponent {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift < -maxExp || shift > maxExp {
			return bad()
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	n, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil || len(fraction) > maxExp {
		return bad()
	}
	d, ok := decimal{n: n}, true
	places := len(fraction) - shift
	switch {
	case places > maxExp:
		return bad()
	case places >= 0:
		d.exp = uint8(places)
	case -places > maxExp:
		return bad()
	default:
		d.n, ok = multiply(d.n, powers[-places])
	}
	if !ok {
		return bad()
	}
	return d.trimmed(), nil
}

// trimmed is d without zeros at its end.
func (d decimal) trimmed() decimal {
	for d.exp > 0 && d.n%10 == 0 {
		d.n /= 10
		d.exp--
	}
	return d
}

// rat is d as a fraction.
func (d decimal) rat() *big.Rat { return big.NewRat(d.n, powers[d.exp]) }

func (d decimal) float() float64 { return float64(d.n) / float64(powers[d.exp]) }

// value is d as it is reported.
func (d decimal) value() thing.Value {
	if d.exp == 0 {
		return thing.Int(d.n)
	}
	return thing.Decimal(d.n, d.exp)
}

// multiply is a*b, and whether that fits.
func multiply(a, b int64) (product int64, ok bool) {
	negative := (a < 0) != (b < 0)
	hi, lo := bits.Mul64(amount(a), amount(b))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	product = int64(lo)
	if negative {
		product = -product
	}
	return product, true
}

func amount(a int64) uint64 {
	if a < 0 {
		return -uint64(a) //nolint:gosec // two's complement
	}
	return uint64(a)
}

// times is a*b, and whether that fits.
func (d decimal) times(b decimal) (decimal, bool) {
	n, ok := multiply(d.n, b.n)
	exp := d.exp + b.exp
	for ok && exp > maxExp && n%10 == 0 {
		n /= 10
		exp--
	}
	return decimal{n, exp}, ok && exp <= maxExp
}

// plus is a+b, and whether that fits.
func (d decimal) plus(b decimal) (decimal, bool) {
	exp := max(d.exp, b.exp)
	x, ok := multiply(d.n, powers[exp-d.exp])
	y, ok2 := multiply(b.n, powers[exp-b.exp])
	sum := x + y
	overflow := (x > 0) == (y > 0) && (sum > 0) != (x > 0) && x != 0 && y != 0
	return decimal{sum, exp}, ok && ok2 && !overflow
}

// rounded is d with at most that many digits behind the point, halves away from
// zero.
func (d decimal) rounded(digits uint8) decimal {
	if d.exp <= digits {
		return d
	}
	unit := powers[d.exp-digits]
	n, rest := d.n/unit, d.n%unit
	switch {
	case rest >= unit-unit/2:
		n++
	case -rest >= unit-unit/2:
		n--
	}
	return decimal{n, digits}
}

// decimalOf is v exactly; floats are the shortest number that is rounded to
// them. It allocates nothing.
func decimalOf(v modbus.Value) (decimal, bool) {
	switch v.Kind() {
	case modbus.KindInt:
		return decimal{n: v.Int()}, true
	case modbus.KindUint:
		if v.Uint() > math.MaxInt64 {
			return decimal{}, false
		}
		return decimal{n: int64(v.Uint())}, true //nolint:gosec // checked
	case modbus.KindFloat32:
		return shortest(v.Float(), 32)
	case modbus.KindFloat64:
		return shortest(v.Float(), 64)
	default:
		return decimal{}, false
	}
}

// shortest is the decimal with the fewest digits that is rounded to f.
func shortest(f float64, bitSize int) (decimal, bool) {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return decimal{n: int64(f)}, true
	}
	var room [32]byte
	text := strconv.AppendFloat(room[:0], f, 'e', -1, bitSize) // -d.ddde-dd
	var n int64
	digits, exponent, at := 0, 0, 0
	for ; at < len(text) && text[at] != 'e'; at++ {
		if c := text[at]; c >= '0' && c <= '9' {
			n = n*10 + int64(c-'0')
			digits++
		}
	}
	negativeExponent := text[at+1] == '-'
	for _, c := range text[at+2:] {
		exponent = exponent*10 + int(c-'0')
	}
	if negativeExponent {
		exponent = -exponent
	}
	if f < 0 {
		n = -n
	}
	places := digits - 1 - exponent
	switch {
	case places < -maxExp, places > maxExp:
		return decimal{}, false
	case places >= 0:
		return decimal{n, uint8(places)}, true
	}
	n, ok := multiply(n, powers[-places])
	return decimal{n: n}, ok
}

// fractionOf is the number that a platform has written as a text, exactly. It is false
// when there is none, and for one that would hold up the event loop: 1e1000000 is few
// characters, and a million digits.
func fractionOf(text string) (*big.Rat, bool) {
	marks := "eEpP"
	if strings.ContainsAny(text, "xX") { // e is a digit
		marks = "pP"
	}
	at := strings.LastIndexAny(text, marks)
	if len(text) > 32 || at >= 0 && len(text)-at > len("e-308") {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}
