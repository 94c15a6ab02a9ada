package thing_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/thing"
)

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		unscaled int64
		scale    uint8
		want     string
	}{
		{0, 0, "0"},
		{0, 3, "0.000"},
		{605, 1, "60.5"},
		{-605, 1, "-60.5"},
		{5, 1, "0.5"},
		{-5, 1, "-0.5"},
		{-5, 3, "-0.005"},
		{-1, 6, "-0.000001"},
		{31234567, 6, "31.234567"},
		{-31000007, 6, "-31.000007"},
		{100, 2, "1.00"},
		{10, 1, "1.0"},
		{-12, 0, "-12"},
		{math.MaxInt64, 0, "9223372036854775807"},
		{math.MinInt64, 0, "-9223372036854775808"},
		{math.MaxInt64, 18, "9.223372036854775807"},
		{math.MinInt64, 18, "-9.223372036854775808"},
		{math.MinInt64, 1, "-922337203685477580.8"},
		{1, 18, "0.000000000000000001"},
		{1, 19, "null"},
		{1, 255, "null"},
	} {
		if got := thing.Decimal(test.unscaled, test.scale).String(); got != test.want {
			t.Errorf("Decimal(%d, %d) is %s, want %s", test.unscaled, test.scale, got, test.want)
		}
	}
}

func TestConversions(t *testing.T) {
	t.Parallel()
	type (
		asInt   struct{ v int64 }
		asFloat struct{ v float64 }
		asBool  struct{ v bool }
		asText  struct{ v string }
	)
	for name, test := range map[string]struct {
		v    thing.Value
		typ  thing.Type
		want []any // what it converts to; it converts to nothing else
	}{
		"null":                       {thing.Null(), thing.NullType, nil},
		"the zero value":             {thing.Value{}, thing.NullType, nil},
		"true":                       {thing.Bool(true), thing.BoolType, []any{asBool{true}}},
		"false":                      {thing.Bool(false), thing.BoolType, []any{asBool{false}}},
		"0":                          {thing.Int(0), thing.IntType, []any{asInt{0}, asFloat{0}, asBool{false}}},
		"1":                          {thing.Int(1), thing.IntType, []any{asInt{1}, asFloat{1}, asBool{true}}},
		"-7":                         {thing.Int(-7), thing.IntType, []any{asInt{-7}, asFloat{-7}}},
		"largest int":                {thing.Int(math.MaxInt64), thing.IntType, []any{asInt{math.MaxInt64}, asFloat{math.MaxInt64}}},
		"smallest int":               {thing.Int(math.MinInt64), thing.IntType, []any{asInt{math.MinInt64}, asFloat{math.MinInt64}}},
		"decimal":                    {thing.Decimal(-605, 1), thing.DecimalType, []any{asFloat{-60.5}}},
		"whole decimal":              {thing.Decimal(-600, 1), thing.DecimalType, []any{asInt{-60}, asFloat{-60}}},
		"decimal 1":                  {thing.Decimal(10, 1), thing.DecimalType, []any{asInt{1}, asFloat{1}, asBool{true}}},
		"smallest decimal":           {thing.Decimal(math.MinInt64, 0), thing.DecimalType, []any{asInt{math.MinInt64}, asFloat{math.MinInt64}}},
		"float":                      {thing.Float(2.5), thing.FloatType, []any{asFloat{2.5}}},
		"whole float":                {thing.Float(-3), thing.FloatType, []any{asInt{-3}, asFloat{-3}}},
		"float 1":                    {thing.Float(1), thing.FloatType, []any{asInt{1}, asFloat{1}, asBool{true}}},
		"float -2^63":                {thing.Float(-1 << 63), thing.FloatType, []any{asInt{math.MinInt64}, asFloat{-1 << 63}}},
		"float 2^63, is no int":      {thing.Float(1 << 63), thing.FloatType, []any{asFloat{1 << 63}}},
		"NaN":                        {thing.Float(math.NaN()), thing.NullType, nil},
		"infinity":                   {thing.Float(math.Inf(1)), thing.NullType, nil},
		"minus infinity":             {thing.Float(math.Inf(-1)), thing.NullType, nil},
		"text":                       {thing.String("1"), thing.StringType, []any{asText{"1"}}},
		"empty text":                 {thing.String(""), thing.StringType, []any{asText{""}}},
		"list":                       {thing.List(thing.Int(1)), thing.ListType, nil},
		"struct":                     {thing.Struct(), thing.StructType, nil},
		"decimal of too many digits": {thing.Decimal(1, 19), thing.NullType, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []any
			if i, ok := test.v.Int(); ok {
				got = append(got, asInt{i})
			}
			if f, ok := test.v.Float(); ok {
				got = append(got, asFloat{f})
			}
			if b, ok := test.v.Bool(); ok {
				got = append(got, asBool{b})
			}
			if s, ok := test.v.Text(); ok {
				got = append(got, asText{s})
			}
			if test.v.Type() != test.typ || test.v.IsNull() != (test.typ == thing.NullType) {
				t.Errorf("type %d, null %t, want type %d", test.v.Type(), test.v.IsNull(), test.typ)
			}
			if len(got) != len(test.want) {
				t.Fatalf("converts to %#v, want %#v", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("converts to %#v, want %#v", got[i], test.want[i])
				}
			}
		})
	}
}

func TestComposites(t *testing.T) {
	t.Parallel()
	list := thing.List(thing.Int(1), thing.List(), thing.Null())
	if got := list.List(); len(got) != 3 || got[0].String() != "1" || list.Struct() != nil {
		t.Errorf("the list holds %v and the fields %v", got, list.Struct())
	}
	fields := []thing.Field{{Name: "a", Value: thing.Int(1)}, {Name: "b", Value: list}, {Name: "a", Value: thing.Int(2)}}
	v := thing.Struct(fields...)
	if got := v.Struct(); len(got) != 3 || v.List() != nil {
		t.Errorf("the struct holds %v and the list %v", got, v.List())
	}
	if got, ok := thing.Get(fields, "a"); !ok || got.String() != "1" {
		t.Errorf("the first field a is %s, %t", got, ok)
	}
	if got, ok := thing.Get(fields, "c"); ok || !got.IsNull() {
		t.Errorf("the field c that is not there is %s, %t", got, ok)
	}
	if want := `{"a":1,"b":[1,[],null],"a":2}`; v.String() != want {
		t.Errorf("got %s, want %s", v, want)
	}
}

// Numbers are written as package strconv does it, however many digits they have.
func TestWholeNumbers(t *testing.T) {
	t.Parallel()
	numbers := []int64{0, math.MinInt64, math.MaxInt64}
	for power := int64(1); power <= 1e18; power *= 10 {
		for n := power - 2; n <= power+2; n++ {
			numbers = append(numbers, n, -n, n*9, n/2)
		}
		if power == 1e18 {
			break
		}
	}
	for _, n := range numbers {
		want := strconv.FormatInt(n, 10)
		if got := thing.Int(n).String(); got != want {
			t.Errorf("Int: %s, want %s", got, want)
		}
		if got := thing.Decimal(n, 0).String(); got != want {
			t.Errorf("Decimal: %s, want %s", got, want)
		}
		if got, _, _ := strings.Cut(thing.Decimal(n, 1).String(), "."); n >= 10 && got != want[:len(want)-1] {
			t.Errorf("%s of tenths, want %s", got, want[:len(want)-1])
		}
	}
}

// Decimals are what the digits of their whole number are with a point among them,
// also when an encoder writes them.
func TestDecimalsOfEachScale(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	e := thing.NewFieldEncoder("")
	for range 2_000 {
		n := (random.Int64() >> random.UintN(63)) * (1 - 2*random.Int64N(2))
		for scale := range uint8(19) {
			digits := strings.TrimPrefix(strconv.FormatInt(n, 10), "-")
			if short := int(scale) + 1 - len(digits); short > 0 {
				digits = strings.Repeat("0", short) + digits
			}
			want := digits[:len(digits)-int(scale)]
			if scale > 0 {
				want += "." + digits[len(digits)-int(scale):]
			}
			if n < 0 {
				want = "-" + want
			}
			if got := thing.Decimal(n, scale).String(); got != want {
				t.Fatalf("%d with %d digits behind the point is %s, want %s", n, scale, got, want)
			}
			if got := string(e.Append(nil, []thing.Field{{Name: "n", Value: thing.Decimal(n, scale)}}, nil)); got != `{"n":`+want+`}` {
				t.Fatalf("%d with %d digits behind the point is %s in an object, want %s", n, scale, got, want)
			}
		}
	}
}
