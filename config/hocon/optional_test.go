package hocon_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/config/hocon"
)

func TestOptionals(t *testing.T) {
	t.Parallel()
	doc, err := hocon.Parse("a.conf", []byte(`a = ${?NONE}, b = 1, b = ${?b.c}
list = [{ d = ${?"x y"} }, { e { f = ${?NONE} } }]
loose = [${?NONE}, { g = ${?NONE} }]
must = ${b}
`), hocon.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	doc.Optionals(func(path []string, at hocon.Position, name string) {
		got = append(got, fmt.Sprintf("%s %s %s", strings.Join(path, "."), at, name))
	})
	want := []string{`a a.conf:1:5 NONE`, `b a.conf:1:26 b.c`, `list.0.d a.conf:2:15 "x y"`, `list.1.e.f a.conf:2:38 NONE`}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
