package thing_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/thing"
)

// wrapped is what a FieldEncoder appends, made in the simplest way.
func wrapped(fields []thing.Field, before, after string) string {
	parts := make([]string, 0, len(fields))
	for _, f := range fields {
		parts = append(parts, string(thing.AppendString(nil, f.Name))+":"+before+f.Value.String()+after)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestFieldEncoder(t *testing.T) {
	t.Parallel()
	e := thing.NewFieldEncoder(`{"value":`)
	long := strings.Repeat(`,"longer":"than is copied in one go"`, 3) + "}"
	for _, fields := range [][]thing.Field{
		nil,
		location(),
		{{Name: "", Value: thing.Int(1)}, {Name: "", Value: thing.Null()}},
		{{Name: `a "name" with \ in it`, Value: thing.Bool(false)}},
		{{Name: "电压", Value: thing.Decimal(-5, 3)}},
		{{Name: strings.Repeat("n", 100), Value: thing.Int(-1 << 63)}},
		{{Name: "list", Value: thing.List(thing.Int(1), thing.String("x"))}, {Name: "struct", Value: thing.Struct(location()...)}},
	} {
		for _, after := range []string{`,"time":1795251051000}`, "}", long} {
			want := wrapped(fields, `{"value":`, after)
			for round := range 3 { // the second time it knows the names
				if got := string(e.Append(nil, fields, []byte(after))); got != want {
					t.Errorf("round %d: got  %s\nwant %s", round, got, want)
				}
				have := make([]byte, 3, 5+round*len(want)/2) // little room, or enough
				if got := string(e.Append(have, fields, []byte(after))[3:]); got != want {
					t.Errorf("round %d, into %d bytes: got  %s\nwant %s", round, cap(have), got, want)
				}
			}
		}
	}
}

// Names that are made anew for each message come and go at the same places.
func TestFieldEncoderOfManyNames(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SampledFrom([]string{"", `{"value":`}).Draw(t, "before")
		e := thing.NewFieldEncoder(before)
		names := rapid.SliceOfN(rapid.StringN(0, 12, 40), 1, 40).Draw(t, "names")
		for round := range 4 {
			fields := make([]thing.Field, 0, len(names))
			for i, name := range names {
				if (i+round)%3 == 0 {
					name = strings.Clone(name)
				}
				fields = append(fields, thing.Field{Name: name, Value: thing.Decimal(int64(i*7919*round), uint8(i%19))})
			}
			if got, want := string(e.Append(nil, fields, []byte("!"))), wrapped(fields, before, "!"); got != want {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		}
	})
}

// More names than it remembers: it forgets all, and begins anew.
func TestFieldEncoderThatForgets(t *testing.T) {
	t.Parallel()
	e := thing.NewFieldEncoder(`{"value":`)
	fields := make([]thing.Field, 300)
	for i := range fields {
		fields[i] = thing.Field{Name: fmt.Sprint("name", i), Value: thing.Int(int64(i))}
	}
	for round := range 6 {
		some := fields[round*40%7 : 300-round*50] // more than there is room for, and fewer
		if got, want := string(e.Append(nil, some, []byte("}"))), wrapped(some, `{"value":`, "}"); got != want {
			t.Fatalf("round %d: got  %s\nwant %s", round, got, want)
		}
	}
}

func TestFieldEncoderAllocatesNothing(t *testing.T) {
	fields, e, after := location(), thing.NewFieldEncoder(`{"value":`), []byte(`,"time":1795251051000}`)
	dst := e.Append(nil, fields, after)
	if got := testing.AllocsPerRun(100, func() { dst = e.Append(dst[:0], fields, after) }); got != 0 {
		t.Errorf("appending %d fields allocates %.0f times, want never", len(fields), got)
	}
}

func ExampleFieldEncoder() {
	e := thing.NewFieldEncoder(`{"value":`)
	fields := []thing.Field{{Name: "speed", Value: thing.Decimal(605, 1)}, {Name: "acc", Value: thing.Bool(true)}}
	fmt.Println(string(e.Append(nil, fields, []byte(`,"time":1500000000000}`))))
	// Output: {"speed":{"value":60.5,"time":1500000000000},"acc":{"value":true,"time":1500000000000}}
}
