package hocon

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"
)

// FuzzParse wants that no text panics, hangs or grows without limit; that each
// error is an *Error with a place; that JSON means what it means; and that what
// is resolved, written as JSON and read again is the same.
func FuzzParse(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.Files["m.conf"])
	}
	for _, text := range []string{
		"[\n.null\"include }[\"x\"5s${", "[include //1=\n\"-${?\"\"\"", "[//include .1.5null", "1b.c5s-:${\"x\"\n", "a=${?\"\"\"truefile(", "a=[1,2 # c", "[//", "a=[true.",
		"a+=1\na=2\na+=3", "a=${x}${", "a=\"\\u00\"", "{a=1", "a : : 1", "include required(", "\x00", "a=1+=2", "include \"m.conf\"",
	} {
		f.Add(text)
	}
	limits := Limits{Bytes: 1 << 16, Depth: 100, Includes: 10, Nesting: 5, Steps: 20_000, Values: 20_000, Text: 1 << 14}
	f.Fuzz(func(t *testing.T, text string) {
		opts := Options{Limits: limits, LookupEnv: testEnv, Open: func(string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }}
		doc, err := Parse("m.conf", []byte(text), opts)
		var v *Value
		if err == nil {
			v, err = doc.Resolve()
		}
		var plain map[string]any
		isJSON := json.Unmarshal([]byte(text), &plain) == nil && plain != nil
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Pos.Line < 1 || e.Pos.Column < 1 || e.Problem == "" {
				t.Fatalf("%q: error %#v has no place or problem", text, err)
			}
			return
		}
		first, _ := v.MarshalJSON()
		if !json.Valid(first) {
			t.Fatalf("%q: not JSON: %s", text, first)
		}
		if isJSON && !sameKeys(v, plain) {
			t.Fatalf("%q: as JSON it has other keys than %s", text, first)
		}
		again, err := Parse("again.json", first, Options{Limits: Limits{Depth: 10_000}})
		if err != nil {
			t.Fatalf("%q: written as %s: %v", text, first, err)
		}
		w, err := again.Resolve()
		if err != nil {
			t.Fatalf("%q: written as %s: %v", text, first, err)
		}
		if second, _ := w.MarshalJSON(); !slices.Equal(first, second) {
			t.Fatalf("%q: %s became %s", text, first, second)
		}
	})
}

func sameKeys(v *Value, plain map[string]any) bool {
	if len(v.Fields()) != len(plain) {
		return false
	}
	for key := range plain {
		if v.Field(key) == nil {
			return false
		}
	}
	return true
}

// hasLeaf tells whether v is more than empty objects, which may come from paths
// whose value is undefined.
func hasLeaf(v *Value) bool {
	return v.Kind() != Object || slices.ContainsFunc(v.Fields(), func(f Field) bool { return hasLeaf(f.Value) })
}

// FuzzScan wants that scanning a file and parsing it whole see the same entries
// where the whole file is right, and that scanning ends where it is not.
func FuzzScan(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.Files["m.conf"], true)
	}
	f.Add("a { k = ?\n}\nb { k = 1", false)
	f.Add("a {\n k = 1\nb { k = ${a.k} }", true)
	limits := Limits{Bytes: 1 << 16, Depth: 100, Steps: 20_000, Values: 20_000, Text: 1 << 14}
	f.Fuzz(func(t *testing.T, text string, flat bool) {
		opts := options(map[string]string{"d.conf": text})
		opts.Limits = limits
		bad, entries := 0, 0
		keys := map[string]bool{}
		err := ScanFile("d.conf", ScanOptions{Options: opts, Flat: flat, Bad: func(*Error) { bad++ }}, func(e Entry) error {
			keys[e.Path[0]] = true
			entries++
			return nil
		})
		doc, whole := ParseFile("d.conf", opts)
		if whole != nil || flat {
			return
		}
		v, unresolved := doc.Resolve()
		if unresolved != nil {
			return
		}
		if err != nil {
			t.Fatalf("%q: scanning ends with %v; parsing finds nothing", text, err)
		}
		leaves := 0
		for _, field := range v.Fields() {
			if !hasLeaf(field.Value) {
				continue
			}
			leaves++
			if bad == 0 && !keys[field.Key] {
				t.Fatalf("%q: scanning does not see %q", text, field.Key)
			}
		}
		// Only an entry that a later one hides may have a mistake that the whole has not.
		if bad > 0 && entries+bad <= leaves {
			t.Fatalf("%q: scanning finds %d mistakes, parsing none", text, bad)
		}
	})
}
