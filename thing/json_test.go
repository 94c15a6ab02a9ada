package thing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/linkspan/linkspan/thing"
)

// same wants that two JSON texts mean the same to encoding/json, numbers by
// their digits.
func same(t *testing.T, got, want []byte) {
	t.Helper()
	read := func(text []byte) (v any) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("encoding/json does not read %q: %v", text, err)
		}
		return v
	}
	if g, w := read(got), read(want); !reflect.DeepEqual(g, w) {
		t.Errorf("%q means %#v, want %#v as %q does", got, g, w, want)
	}
}

func TestAppendJSONMeansWhatEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		v    thing.Value
		want any
	}{
		"null":         {thing.Null(), nil},
		"bools":        {thing.List(thing.Bool(true), thing.Bool(false)), []any{true, false}},
		"ints":         {thing.List(thing.Int(math.MinInt64), thing.Int(math.MaxInt64)), []any{int64(math.MinInt64), int64(math.MaxInt64)}},
		"decimals":     {thing.List(thing.Decimal(-605, 1), thing.Decimal(3, 3)), []any{json.Number("-60.5"), json.Number("0.003")}},
		"text":         {thing.String("a\"\\/\b\f\n\r\t\x00\x1f\x7f é 汉 😀 \u2028 <&>"), "a\"\\/\b\f\n\r\t\x00\x1f\x7f é 汉 😀 \u2028 <&>"},
		"broken text":  {thing.String("a\xff\xc3\xe6\xb1b\xed\xa0\x80"), "a\xff\xc3\xe6\xb1b\xed\xa0\x80"},
		"struct":       {thing.Struct(thing.Field{Name: "a\"", Value: thing.Int(1)}, thing.Field{Name: "", Value: thing.Null()}), map[string]any{"a\"": 1, "": nil}},
		"empty":        {thing.List(thing.List(), thing.Struct()), []any{[]any{}, map[string]any{}}},
		"nested lists": {thing.List(thing.List(thing.List(thing.Int(1)))), []any{[]any{[]any{1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := json.Marshal(test.want)
			if err != nil {
				t.Fatal(err)
			}
			got := test.v.AppendJSON([]byte("before"))
			got, kept := bytes.CutPrefix(got, []byte("before"))
			if !kept {
				t.Fatalf("what was in the buffer is gone: %q", got)
			}
			same(t, got, want)
		})
	}
}

func TestFloatsAreWrittenWithoutExponentWhereTheyCan(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{
		0: "0", 1: "1", -1.5: "-1.5", 1e6: "1000000", 123456789.5: "123456789.5", 1e20: "100000000000000000000", 1e21: "1e+21",
		1e-6: "0.000001", 1e-7: "1e-07", math.MaxFloat64: "1.7976931348623157e+308", 0.1: "0.1", math.SmallestNonzeroFloat64: "5e-324",
	} {
		if got := thing.Float(f).String(); got != want {
			t.Errorf("%g is written as %s, want %s", f, got, want)
		}
	}
	if got := thing.Float(math.Copysign(0, -1)).String(); got != "0" {
		t.Errorf("minus zero is written as %s, want 0", got)
	}
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]thing.Value{
		`null`:                       thing.Null(),
		` true `:                     thing.Bool(true),
		`-0`:                         thing.Int(0),
		`9223372036854775807`:        thing.Int(math.MaxInt64),
		`-9223372036854775808`:       thing.Int(math.MinInt64),
		`9223372036854775808`:        thing.Float(1 << 63),
		`1.0`:                        thing.Float(1),
		`1e3`:                        thing.Float(1000),
		`"\u6c49\ud83d\ude00\n"`:     thing.String("汉😀\n"),
		`"\ud83d"`:                   thing.String("\ufffd"),
		`[]`:                         thing.List(),
		`{}`:                         thing.Struct(),
		`{"b":[1,{"c":null}],"a":1}`: thing.Struct(thing.Field{Name: "b", Value: thing.List(thing.Int(1), thing.Struct(thing.Field{Name: "c"}))}, thing.Field{Name: "a", Value: thing.Int(1)}),
		`{"a":1,"a":2}`:              thing.Struct(thing.Field{Name: "a", Value: thing.Int(1)}, thing.Field{Name: "a", Value: thing.Int(2)}),
	} {
		got, err := thing.ParseJSON([]byte(text))
		if err != nil || got.String() != want.String() || got.Type() != want.Type() {
			t.Errorf("%s is read as %s (type %d), error %v, want %s (type %d)", text, got, got.Type(), err, want, want.Type())
		}
	}
}

func TestParseJSONRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":             ``,
		"spaces":              `  `,
		"a word":              `nil`,
		"two values":          `1 2`,
		"garbage behind":      `{"a":1} x`,
		"a brace too many":    `{"a":1}}`,
		"a bracket too many":  `[1]]`,
		"a comma behind":      `1,`,
		"a comma too many":    `[1,]`,
		"no comma":            `[1 2]`,
		"no colon":            `{"a" 1}`,
		"no value":            `{"a":}`,
		"no end":              `{"a":[1`,
		"a key that is none":  `{1:2}`,
		"too large a number":  `1e400`,
		"too deep":            strings.Repeat("[", 34) + strings.Repeat("]", 34),
		"far too deep":        strings.Repeat(`{"a":`, 100_000),
		"a number with zeros": `01`,
	} {
		if v, err := thing.ParseJSON([]byte(text)); err == nil {
			t.Errorf("%s: %.40q is read as %s", name, text, v)
		} else if !strings.HasPrefix(err.Error(), "thing: ") {
			t.Errorf("%s: the error is %q", name, err)
		}
	}
	deepest := strings.Repeat("[", 33) + strings.Repeat("]", 33)
	if v, err := thing.ParseJSON([]byte(deepest)); err != nil || v.String() != deepest {
		t.Errorf("32 levels of nesting: %v", err)
	}
}

func TestParseFields(t *testing.T) {
	t.Parallel()
	got, err := thing.ParseFields([]byte(`{"b":1,"a":"x"}`))
	if err != nil || string(thing.AppendFields(nil, got)) != `{"b":1,"a":"x"}` {
		t.Errorf("fields %v, error %v", got, err)
	}
	if got, err := thing.ParseFields([]byte(`{}`)); err != nil || len(got) != 0 {
		t.Errorf("no fields: %v, error %v", got, err)
	}
	for _, text := range []string{`[1]`, `1`, `null`, `"a"`} {
		if _, err := thing.ParseFields([]byte(text)); !errors.Is(err, thing.ErrNotObject) {
			t.Errorf("%s: error %v, want ErrNotObject", text, err)
		}
	}
	if _, err := thing.ParseFields([]byte(`{`)); err == nil || errors.Is(err, thing.ErrNotObject) {
		t.Errorf("half an object: error %v", err)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "abc", "\x00\x1f\"\\", "汉\xff😀", "\xed\xa0\x80", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := thing.AppendString(nil, s)
		if !utf8.Valid(got) || !json.Valid(got) {
			t.Fatalf("%q is written as %q", s, got)
		}
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, text := range []string{`{"a":[1,-2.5e3,"x\u00e9",null,true]}`, `1 2`, `[1,]`, `{"a":1}}`, `1e400`, "\"\xff\"", `[[[[]]]]`, `"\ud800"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := thing.ParseJSON(text)
		if !json.Valid(text) {
			if err == nil {
				t.Fatalf("%q is no JSON, but read as %s", text, v)
			}
			return
		}
		if err != nil {
			var deep any
			if json.Unmarshal(text, &deep) == nil && bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) <= 32 {
				t.Fatalf("%q: %v", text, err) // neither too deep nor out of range
			}
			return
		}
		once := v.AppendJSON(nil)
		again, err := thing.ParseJSON(once)
		if err != nil || !bytes.Equal(again.AppendJSON(nil), once) {
			t.Fatalf("%q is written as %q, and that as %q (error %v)", text, once, again, err)
		}
		var want, got any
		if json.Unmarshal(text, &want) == nil && json.Unmarshal(once, &got) == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is written as %q, which means something else", text, once)
		}
	})
}

// location is what a vehicle says every few seconds.
func location() []thing.Field {
	return []thing.Field{
		{Name: "latitude", Value: thing.Decimal(31234567, 6)},
		{Name: "longitude", Value: thing.Decimal(-121473701, 6)},
		{Name: "altitude", Value: thing.Int(-12)},
		{Name: "speed", Value: thing.Decimal(605, 1)},
		{Name: "direction", Value: thing.Int(359)},
		{Name: "mileage", Value: thing.Decimal(1234567, 1)},
		{Name: "fuel", Value: thing.Decimal(402, 1)},
		{Name: "signal", Value: thing.Int(27)},
		{Name: "satellites", Value: thing.Int(11)},
		{Name: "acc", Value: thing.Bool(true)},
		{Name: "positioned", Value: thing.Bool(true)},
		{Name: "oilCut", Value: thing.Bool(false)},
		{Name: "powerCut", Value: thing.Bool(false)},
		{Name: "doorLocked", Value: thing.Bool(true)},
		{Name: "alarm", Value: thing.Int(0)},
		{Name: "status", Value: thing.Int(786435)},
		{Name: "temperature", Value: thing.Float(21.375)},
		{Name: "plate", Value: thing.String("沪A12345")},
		{Name: "driver", Value: thing.String("D-0815")},
		{Name: "time", Value: thing.Int(1795251051000)},
	}
}

func TestAppendingAllocatesNothing(t *testing.T) {
	fields := location()
	dst := make([]byte, 0, 1024)
	if got := testing.AllocsPerRun(100, func() { dst = thing.AppendFields(dst[:0], fields) }); got != 0 {
		t.Errorf("appending a location of %d fields allocates %.0f times, want never", len(fields), got)
	}
	if !json.Valid(dst) {
		t.Errorf("no JSON: %s", dst)
	}
	// Making the values anew in the same slice costs nothing either.
	if got := testing.AllocsPerRun(100, func() {
		for i := range fields {
			fields[i].Value = thing.Decimal(int64(i), 1)
		}
	}); got != 0 {
		t.Errorf("making %d values allocates %.0f times, want never", len(fields), got)
	}
}

func BenchmarkAppendFields(b *testing.B) {
	fields := location()
	dst := thing.AppendFields(nil, fields)
	b.ReportAllocs()
	b.SetBytes(int64(len(dst)))
	for b.Loop() {
		dst = thing.AppendFields(dst[:0], fields)
	}
}

// Reports that are not all alike, as those of a fleet: a processor foresees what
// comes again and again.
func BenchmarkFieldEncoder(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var reports [256][]thing.Field
	for i := range reports {
		f := func(name string, v thing.Value) { reports[i] = append(reports[i], thing.Field{Name: name, Value: v}) }
		f("latitude", thing.Decimal(random.Int64N(180e6)-90e6, 6))
		f("longitude", thing.Decimal(random.Int64N(360e6)-180e6, 6))
		f("altitude", thing.Int(random.Int64N(1000)))
		f("speed", thing.Decimal(random.Int64N(1200), 1))
		f("direction", thing.Int(random.Int64N(360)))
		f("positioned", thing.Bool(random.IntN(2) == 0))
		f("time", thing.Int(1795251051000+random.Int64N(1e9)))
		f("acc", thing.Bool(random.IntN(2) == 0))
		f("alarm", thing.Int(random.Int64N(2)))
		f("status", thing.Int(random.Int64N(1<<20)))
		f("mileage", thing.Decimal(random.Int64N(1e7), 1))
		f("fuel", thing.Decimal(random.Int64N(1000), 1))
		f("recorderSpeed", thing.Decimal(random.Int64N(1200), 1))
		f("vehicleSignals", thing.Int(random.Int64N(1<<14)))
		f("signalStrength", thing.Int(random.Int64N(32)))
		f("satellites", thing.Int(random.Int64N(30)))
	}
	e := thing.NewFieldEncoder(`{"value":`)
	after := []byte(`,"time":1795251051000}`)
	dst := e.Append(nil, reports[0], after)
	b.ReportAllocs()
	b.SetBytes(int64(len(dst)))
	for i := 0; b.Loop(); i++ {
		dst = e.Append(dst[:0], reports[i%len(reports)], after)
	}
}

// The same with encoding/json, for comparison.
func BenchmarkEncodingJSON(b *testing.B) {
	var fields map[string]any
	if err := json.Unmarshal(thing.AppendFields(nil, location()), &fields); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(fields); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseFields(b *testing.B) {
	text := thing.AppendFields(nil, location())
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := thing.ParseFields(text); err != nil {
			b.Fatal(err)
		}
	}
}
