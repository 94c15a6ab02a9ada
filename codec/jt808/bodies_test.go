package jt808

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A bodyVector is a body and what its source, or an independent decoder, reads
// out of it.
type bodyVector struct {
	name    string
	id      ID
	version Version
	body    []byte
	want    map[string]any
}

// bodyVectors is all whole bodies of both files but those that are locations
// only, which location_test.go looks at.
func bodyVectors(tb testing.TB) []bodyVector {
	tb.Helper()
	var all []bodyVector
	add := func(v vector, id ID, version Version, body []byte) {
		if id == IDLocation || id == IDBatch || id == IDLocationResponse {
			return
		}
		bv := bodyVector{name: v.Name, id: id, version: version, body: body}
		v.get(tb, "body", &bv.want)
		all = append(all, bv)
	}
	for _, v := range vectors(tb, "jt808") {
		if !v.has("body") {
			continue // packages and encrypted bodies
		}
		f := decodeOne(tb, unhex(tb, v.Hex))
		add(v, f.ID, f.Version, f.Body)
	}
	for _, v := range vectors(tb, "jt808_bodies") {
		add(v, parseID(tb, v.MsgID), parseVersion(v.Version), unhex(tb, v.Hex))
	}
	for _, v := range vectors(tb, "jt808_subpackets") {
		bv := bodyVector{name: v.Name}
		for _, digits := range v.Frames {
			f := decodeOne(tb, unhex(tb, digits))
			bv.id, bv.version, bv.body = f.ID, f.Version, append(bv.body, f.Body...)
		}
		v.get(tb, "body", &bv.want)
		all = append(all, bv)
	}
	return all
}

// renamed is the fields of the vectors that have other names in our JSON.
var renamed = map[string]string{
	"raw_hex":    "data",  // Unknown
	"uint":       "value", // of parameters
	"str":        "value",
	"rest_hex":   "param", // of vehicle control
	"lat":        "latitude",
	"lon":        "longitude",
	"speed_kmh":  "speed",
	"course":     "direction",
	"id_raw_can": "id_raw",
}

// derived is the fields of the vectors that our bodies do not hold: numbers of
// items and lengths, which the items and values have, and readings of a
// location's bits, which location_test.go compares.
var derived = []string{
	"count", "len", "auth_len", "data_len", "unknown_id", "empty",
	"lat_raw", "lon_raw", "speed_raw", "altitude_signed", "acc_on", "located", "south", "west", "extras",
}

// otherwise is the vectors' fields that we read better than the vectors do.
var otherwise = map[string]string{
	"smallchi-body-0802-Test2011_2-2013 items":     "two items of 2011 where the vector reads none",
	"smallchi-body-0802-Test2011_2-2013 items_hex": "see items",
}

func TestBodyVectors(t *testing.T) {
	t.Parallel()
	seen := map[ID]int{}
	for _, v := range bodyVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			b, err := ParseBody(v.id, v.version, v.body)
			if err != nil {
				t.Fatal(err)
			}
			seen[v.id]++
			for key, want := range v.want {
				if otherwise[v.name+" "+key] == "" {
					compareField(t, v.id.String(), toJSON(t, b).(map[string]any), v.want, key, want)
				}
			}
		})
	}
	if len(seen) < 75 {
		t.Errorf("vectors of %d messages, want 75 or more", len(seen))
	}
}

func toJSON(t *testing.T, b any) any {
	t.Helper()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func toString(t *testing.T, b any) string {
	t.Helper()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustTime(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// compareField compares field key of a vector, whose other fields are all, with
// got, our JSON.
func compareField(t *testing.T, path string, got, all map[string]any, key string, want any) {
	t.Helper()
	name := key
	_, located := all["altitude_signed"]
	switch {
	case key == "empty":
		if got["tail"] != nil {
			t.Errorf("%s: tail %v, want none", path, got["tail"])
		}
		return
	case key == "count" && got["count"] != nil && path != IDAreaQueryResponse.String():
	case located && key == "altitude":
		want = all["altitude_signed"]
	case slices.Contains(derived, key) && (located || !strings.HasSuffix(key, "_raw")):
		return
	case renamed[key] != "":
		name = renamed[key]
	}
	if (key == "uint" || key == "str") && fmt.Sprintf("%T", got[name]) != fmt.Sprintf("%T", want) {
		info, _ := ParameterByName(got["id"].(string))
		if key == "str" || info.Kind.width() > 0 {
			t.Errorf("%s: value %v of parameter %v, want %v", path, got[name], got["id"], want)
		}
		return // a number to the vector because it has the length of one
	}
	if n, ok := want.(float64); ok && key == "param" { // of vehicle control
		want = Hex{byte(n)}.String()
	}
	compare(t, path+"."+name, got[name], want)
}

func compare(t *testing.T, path string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		if digits, ok := want["bcd"].(string); ok {
			compareTime(t, path, got, digits)
			return
		}
		members, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: %v, want an object", path, got)
			return
		}
		for key, value := range want {
			compareField(t, path, members, want, key, value)
		}
	case []any:
		items, _ := got.([]any)
		if point, ok := got.(map[string]any); ok { // a corner as a pair
			items = []any{point["lat_raw"], point["lon_raw"]}
		}
		if len(items) != len(want) {
			t.Errorf("%s: %d items, want %d", path, len(items), len(want))
			return
		}
		for i := range want {
			compare(t, fmt.Sprintf("%s[%d]", path, i), items[i], want[i])
		}
	case float64:
		if n, _ := got.(float64); math.Abs(n-want) > 1e-6*math.Abs(want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	case string:
		last := path[strings.LastIndexByte(path, '.')+1:]
		if last == "start" || last == "end" || last == "time" {
			compareTime(t, path, got, want)
			return
		}
		if s, _ := got.(string); s != want && (!strings.HasPrefix(want, "0x") || !strings.EqualFold(s, want)) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

func compareTime(t *testing.T, path string, got any, digits string) {
	t.Helper()
	want, err := BCDTime(unhex(t, digits)).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) && (got != nil || strings.Trim(digits, "0") != "") {
		t.Errorf("%s: %v, want %s", path, got, want)
	}
}

// notCanonical is the vectors whose bodies are read, but not written back byte
// by byte, and why.
var notCanonical = map[string]string{
	"yzh-8400-v2013":                      nulPadded,
	"yzh-8400-v2019":                      nulPadded,
	"yzh-jt808-63":                        nulPadded,
	"yzh-jt808-64":                        nulPadded,
	"synth-8400-callback-2013":            nulPadded,
	"synth-8400-callback-2019":            nulPadded,
	"smallchi-0x0702Test-Test4_1-0":       nulPadded,
	"smallchi-body-0702-Test3-2013":       frontPadded,
	"smallchi-body-0702-Test_2019_1-2019": frontPadded,
	"smallchi-body-0702-Test_2019_4-2019": frontPadded,
	"smallchi-body-0702-Test2011_1-2011":  frontPadded,
	"gojt808-t_terminal_params_test-L96":  wrongCount,
	"smallchi-0x0104Test-Test2_2-1":       wrongCount,
	"subpackets-yzh-0104":                 wrongCount,
	"smallchi-0x8105Test-Test1-0":         binaryText,
	"smallchi-Demo12-Test1-0":             binaryText,
	"smallchi-0x8800Test-Test2011_1-0":    zeroCount,
	"smallchi-0x8800Test-Test2011_2-0":    zeroCount,
}

const (
	nulPadded   = "a text of no fixed width has NULs behind it, which are not kept"
	frontPadded = "a text of fixed width is padded in front; we pad behind"
	wrongCount  = "the count is not that of the items"
	binaryText  = "numbers in a text field are no GBK"
	zeroCount   = "a count of 0 of missing packets may be left out, and we do"
)

func TestBodyVectorsRoundTrip(t *testing.T) {
	t.Parallel()
	same := 0
	for _, v := range bodyVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			b, err := ParseBody(v.id, v.version, v.body)
			if err != nil {
				t.Fatal(err)
			}
			prefix := []byte("already there")
			out, err := b.AppendBody(bytes.Clone(prefix), v.version)
			if err != nil {
				t.Fatal(err)
			}
			out, ok := bytes.CutPrefix(out, prefix)
			if !ok {
				t.Fatal("AppendBody overwrote what was there")
			}
			again, err := ParseBody(v.id, v.version, out)
			if err != nil || !reflect.DeepEqual(again, b) {
				t.Errorf("read again: %v, %+v, want %+v", err, again, b)
			}
			why, excepted := notCanonical[v.name]
			switch {
			case bytes.Equal(out, v.body) && excepted:
				t.Errorf("written back as it was, though the table says: %s", why)
			case bytes.Equal(out, v.body):
				same++
			case !excepted:
				t.Errorf("%v: written as %x, was %x", v.id, out, v.body)
			}
		})
	}
	t.Logf("%d bodies written back as they were, %d not", same, len(notCanonical))
}

func TestTruncatedBodies(t *testing.T) {
	t.Parallel()
	for _, v := range bodyVectors(t) {
		if len(v.body) > 2000 {
			v.body = v.body[:2000]
		}
		for n := range v.body {
			b, err := ParseBody(v.id, v.version, v.body[:n])
			var short *ShortBodyError
			if err != nil && !errors.As(err, &short) {
				t.Errorf("%s cut to %d bytes: %v, want a ShortBodyError", v.name, n, err)
			}
			if err != nil && (short.Offset > n || short.Have != n-short.Offset || short.Want <= short.Have) {
				t.Errorf("%s cut to %d bytes: %v", v.name, n, err)
			}
			if err == nil && b == nil {
				t.Errorf("%s cut to %d bytes: neither body nor error", v.name, n)
			}
		}
	}
}

// ParseBody overwrites its receiver, and keeps nothing of the body it is given.
func TestParseBodyOverwrites(t *testing.T) {
	t.Parallel()
	last := map[ID]Body{}
	for _, v := range bodyVectors(t) {
		used := last[v.id]
		if used == nil {
			used = NewBody(v.id)
		}
		body := bytes.Clone(v.body)
		if err := used.ParseBody(body, v.version); err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		clear(body)
		fresh, err := ParseBody(v.id, v.version, v.body)
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if got, want := toJSON(t, used), toJSON(t, fresh); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v in a used body, want %v", v.name, got, want)
		}
		last[v.id] = used
	}
}

func TestNegativeBodies(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, v := range vectors(t, "jt808_negative") {
		var why string
		v.get(t, "error", &why)
		if why != "short_body" && why != "can_len" {
			continue
		}
		seen++
		f := decodeOne(t, unhex(t, v.Hex))
		b, err := ParseBody(f.ID, f.Version, f.Body)
		if !errors.Is(err, ErrShortBody) || b != nil {
			t.Errorf("%s: body %+v, error %v, want none and ErrShortBody", v.Name, b, err)
		}
		if err != nil && !strings.Contains(err.Error(), f.ID.String()) {
			t.Errorf("%s: error %q does not tell the message", v.Name, err)
		}
	}
	if seen < 20 {
		t.Errorf("%d vectors, want 20 or more", seen)
	}
}
