package hocon

import (
	"errors"
	"strings"
	"testing"
)

func TestMistakesTellTheKey(t *testing.T) {
	t.Parallel()
	files := map[string]string{"in.conf": "v { w = ${none} }", "bad.conf": "q = [1,,2]", "j.json": `{"k": {"l": tru}}`}
	for text, want := range map[string]string{
		"a { b.c = ${none} }":                 "a.b.c",
		"a { \"b.c\" = [{ d = x ${none} }] }": `a."b.c".d`,
		"a { b = [1] x }":                     "a.b",
		"a = x\no { a = y, a += z }":          "o.a",
		"a { b = \"x":                         "a.b",
		"a { b = { c = } }":                   "a.b.c",
		"a { b = [1, ?] }":                    "a.b",
		"a { include \"in\" }":                "a.v.w",
		"a { include \"bad\" }":               "a.q",
		"a { include \"j\" }":                 "a.k.l",
		"a { b = 1 ] }":                       "a",
		"a.b = ${a.c}, a.c = ${a.b}":          "a.c",
		"x = 1 }":                             "",
	} {
		_, err := resolve(t, text, options(files))
		var e *Error
		if !errors.As(err, &e) || e.Key != want || want != "" && !strings.Contains(err.Error(), ": "+want+": ") {
			t.Errorf("%q: error %v, want the key %s", text, err, want)
		}
	}
}
