package hocon

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzJSON wants that a .json file is taken exactly if it is JSON with an
// object that has no key twice, and then means what encoding/json makes of it.
func FuzzJSON(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.Files["m.conf"])
	}
	for _, text := range []string{
		`{"a": [1, -0, 1E400, 12345678901234567890, 1.50e-3, true, null, "\ud83d\ude00\ud83d"]}`, "{\u00a0}", `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"a":01}`, `{"a":"\x"}`, `[]`, "\ufeff{}", `{"": {"": []}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || len(text) > 1<<14 || strings.Count(text, "[")+strings.Count(text, "{") > 1000 {
			return
		}
		var plain map[string]any
		d := json.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
		d.UseNumber()
		isJSON := d.Decode(&plain) == nil && plain != nil && json.Valid([]byte(strings.TrimPrefix(text, "\ufeff")))
		doc, err := Parse("x.json", []byte(text), Options{})
		if err != nil {
			if isJSON && !strings.Contains(err.Error(), "stands here and at line") {
				t.Fatalf("%q is JSON: %v", text, err)
			}
			return
		}
		if !isJSON {
			t.Fatalf("%q is not JSON with an object", text)
		}
		v, err := doc.Resolve()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := numbered(v); !reflect.DeepEqual(got, any(plain)) {
			t.Fatalf("%q: got %v, want %v", text, got, plain)
		}
	})
}

// numbered is v as encoding/json decodes it, with numbers as they are written.
func numbered(v *Value) any {
	switch v.Kind() {
	case Null:
		return nil
	case Bool:
		return v.Text() == "true"
	case Number:
		return json.Number(v.Text())
	case Array:
		out := []any{}
		for _, e := range v.Elems() {
			out = append(out, numbered(e))
		}
		return out
	case Object:
		out := map[string]any{}
		for _, f := range v.Fields() {
			out[f.Key] = numbered(f.Value)
		}
		return out
	default:
		return v.Text()
	}
}

// FuzzSet wants that what is set at a path of a document stands there, in
// arrays too, or that there is an error.
func FuzzSet(f *testing.F) {
	for i, c := range readCases(f) {
		f.Add(c.Files["m.conf"], uint16(i))
	}
	f.Add("a = ${b}[{ c = 1 }], b = [[2]]", uint16(2))
	f.Add("a = [1], a += { x = 2 }, a = ${?n}", uint16(1))
	f.Fuzz(func(t *testing.T, text string, which uint16) {
		opts := Options{Limits: Limits{Bytes: 1 << 14, Depth: 50, Steps: 20_000, Values: 20_000, Text: 1 << 12}, LookupEnv: testEnv, NoIncludes: true}
		doc, err := Parse("m.conf", []byte(text), opts)
		if err != nil {
			return
		}
		var paths [][]string
		doc.Keys(func(path []string) { paths = append(paths, path) })
		if plain, failed := doc.Resolve(); failed == nil {
			plain.Keys(func(path []string) { paths = append(paths, path) })
		}
		if len(paths) == 0 {
			return
		}
		path := paths[int(which)%len(paths)]
		other := doc.Clone()
		before, beforeErr := doc.Resolve()
		if err = other.Set(path, "set", "-D"); err != nil {
			t.Fatalf("%q: %v: %v", text, path, err)
		}
		v, err := other.Resolve()
		if err == nil && (v.At(path...).Kind() != String || v.At(path...).Text() != "set") {
			t.Fatalf("%q: %q is %q", text, path, v.At(path...).Text())
		}
		after, afterErr := doc.Resolve()
		if (beforeErr == nil) != (afterErr == nil) {
			t.Fatalf("%q: the clone has changed the document: %v, then %v", text, beforeErr, afterErr)
		}
		a, _ := before.MarshalJSON()
		b, _ := after.MarshalJSON()
		if !slices.Equal(a, b) {
			t.Fatalf("%q: the clone has changed the document: %s became %s", text, a, b)
		}
	})
}

// FuzzProperties wants that every properties file is read, or refused for a
// wrong escape; that all values are texts; and that simple lines mean what they
// say.
func FuzzProperties(f *testing.F) {
	for _, text := range []string{
		"a=1\nb:2\nc 3", "# c\n! d\n a\\ b = x\\\n   y\n", "a.b=1\na=2\na.b.c=3", "\\u4e2d=\\ud83d\\ude00", "a=\\u12", "=\n:\n \\", "a\rb\r\nc", "a=\xe9", "..=1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := Parse("x.properties", []byte(text), Options{Limits: Limits{Depth: 100}})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Pos.Line < 1 {
				t.Fatalf("%q: error %#v", text, err)
			}
			return
		}
		v, err := doc.Resolve()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		v.Keys(func(path []string) {
			if k := v.At(path...).Kind(); k != String && k != Object {
				t.Fatalf("%q: %q is %s", text, path, k)
			}
		})
		if strings.ContainsAny(text, "\\\r\n#!:= \t\f.\ufeff") || !utf8.ValidString(text) || text == "" {
			return
		}
		if got := v.Get(text); got == nil || got.Text() != "" {
			t.Fatalf("%q: a line with a key alone gives %v", text, got)
		}
	})
}

// FuzzPath wants that a path comes back from its expression.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"a.b", `"a.b".c`, "a b . c", `""."".x`, "1.5", "a.", `x"y"z`, "-", "include", "é.名称", "a/b//c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		path, err := ParsePath(expression)
		if err != nil {
			return
		}
		if len(path) == 0 {
			t.Fatalf("%q gives no path and no error", expression)
		}
		text := FormatPath(path)
		again, err := ParsePath(text)
		if err != nil || !slices.Equal(path, again) {
			t.Fatalf("%q is %q, and %s is %q, %v", expression, path, text, again, err)
		}
		doc, err := Parse("m.conf", []byte(text+" = 1"), Options{})
		if err != nil {
			t.Fatalf("%q: %s is no key: %v", expression, text, err)
		}
		v, err := doc.Resolve()
		if err != nil || v.At(path...).Text() != "1" {
			t.Fatalf("%q: as a key %s is elsewhere: %v", expression, text, err)
		}
	})
}

// FuzzUnits wants that durations and sizes are read or refused, exactly, and
// that those Go writes come back.
func FuzzUnits(f *testing.F) {
	for _, s := range []string{"5s", "1.5h", "-3 days", "1e3ms", "+7", "0.000000001s", "9223372036854775807ns", "8 EiB", "1YB", "1e40", "1e-40", ".", "1..2", "--1", "1/2", "0x10", "1_000"} {
		f.Add(s, int64(len(s)))
	}
	f.Fuzz(func(t *testing.T, s string, n int64) {
		for _, parse := range []func(string) (int64, error){ParseSize, func(s string) (int64, error) {
			d, err := ParseDuration(s)
			return int64(d), err
		}} {
			if _, err := parse(s); err != nil && !errors.Is(err, ErrUnit) {
				t.Fatalf("%q: %v", s, err)
			}
		}
		if n == math.MinInt64 {
			return
		}
		text := strconv.FormatInt(n, 10)
		if got, err := ParseSize(text); err != nil || got != n {
			t.Fatalf("%s bytes are %d, %v", text, got, err)
		}
		if got, err := ParseDuration(text + " nanoseconds"); err != nil || int64(got) != n {
			t.Fatalf("%s nanoseconds are %d, %v", text, got, err)
		}
	})
}
