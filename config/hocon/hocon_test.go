package hocon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// options reads files from a map.
func options(files map[string]string) Options {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Options{LookupEnv: testEnv, Open: func(name string) (io.ReadCloser, error) { return fsys.Open(name) }}
}

func resolve(t *testing.T, text string, opts Options) (*Value, error) {
	t.Helper()
	doc, err := Parse("m.conf", []byte(text), opts)
	if err != nil {
		return nil, err
	}
	return doc.Resolve()
}

func wantJSON(t *testing.T, text, want string, opts Options) {
	t.Helper()
	v, err := resolve(t, text, opts)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	got, _ := v.MarshalJSON()
	sameJSON(t, string(got), want)
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"an optional self reference looks back to nothing", "a = ${?a}foo", `{"a":"foo"}`},
		{"a circle of optional ones is undefined", "a = ${?b}\nb = ${?a}\nc = 1", `{"c":1}`},
		{"an optional one does not fail on a circle behind it", "c = 1${?a.d}\na = ${c}", `{"c":1,"a":1}`},
		{"a hidden substitution is never evaluated", "a = ${nope}\na = 42", `{"a":42}`},
		{"an object is merged with what the field was", "foo { a { c = 1 } }\nfoo = ${foo.a}\nfoo { a = 2 }", `{"foo":{"a":2,"c":1}}`},
		{"a field of itself replaces it", "a { b = 1 }\na = ${a.b}", `{"a":1}`},
		{"a self reference in a merged object", "b { l = [0] }\na = ${b}\na { l = ${a.l} [1] }\na { l = ${a.l} [2] }", `{"b":{"l":[0]},"a":{"l":[0,1,2]}}`},
		{"a shared field refers to where it stands", "x { l = [1] }\nx { l = ${x.l} [2] }\na = ${x} { l = ${a.l} [3] }", `{"x":{"l":[1,2]},"a":{"l":[1,2,3]}}`},
		{"+= within an array's object", "a = [{ b = [1], b += 2 }, { b += 3 }]", `{"a":[{"b":[1,2]},{"b":[3]}]}`},
		{"+= on an array with numeric keys", "a { 1 = y, 0 = x }\na += z", `{"a":["x","y","z"]}`},
		{"an array and an object with numeric keys join", "a = [0] { 5 = b, 3 = a }", `{"a":[0,"a","b"]}`},
		{"each of a pair looks at the final other", "p = [a]\nq = ${p} [x]\np = ${q} [b]", `{"p":["a","x","b"],"q":["a","x","b","x"]}`},
		{"a substitution of an object that refers to its own sibling", "a { host = h, url = ${a.host}/p }\nb = ${a} { host = g }", `{"a":{"host":"h","url":"h/p"},"b":{"host":"g","url":"h/p"}}`},
		{"scalars keep their text in a concatenation", "a = 1.50\nb = ${a} true null x", `{"a":1.50,"b":"1.50 true null x"}`},
		{"a substitution alone keeps its type", "a = true\nb = ${a}\nc = [${a}, ${?nope}]", `{"a":true,"b":true,"c":[true]}`},
		{"null is a value", "a = null\nb = ${a}", `{"a":null,"b":null}`},
		{"blanks around a substitution's path", "a { b = 1 }\nc = ${ a.b }", `{"a":{"b":1},"c":1}`},
		{"a key with blanks around its period", "a . b = 1", `{"a ":{" b":1}}`},
		{"surrogates", `a = "\ud83d\ude00\ud83d"`, `{"a":"😀\ufffd"}`},
		{"all kinds of blanks", "\ufeffa\u00a0=\u30001\t\r\nb = x\u2003y", `{"a":1,"b":"x\u2003y"}`},
		{"the environment answers last", "a = ${HC_ENV}\nb = ${c}\nc = 1", `{"a":"envval","b":1,"c":1}`},
		{"many self references", strings.Repeat("o = ${?o} { k = [1] }\no.k += 2\n", 60) + "n = 1", `{"n":1,"o":{"k":[1,2]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantJSON(t, c.text, c.want, options(nil))
		})
	}
}

func TestMistakesTellPlaceProblemAndHint(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"bad.conf": "x = 1\ny = [1,,2]\n", "self.conf": `include "self.conf"`, "one.conf": `include "two.conf"`, "two.conf": `a { include "one.conf" }`,
		"list.conf": "[1, 2]", "sub/x.conf": "\n\n v = ${nowhere}", "p.properties": "a = \\u12",
	}
	for _, c := range []struct{ name, text, pos, problem, hint string }{
		{"unclosed string", "a = 1\n  b = \"abc\n", "m.conf:2:7", "not closed", `"""`},
		{"column counts characters", "名称 = \"a\" \"b", "m.conf:1:10", "not closed", `"`},
		{"unclosed object", "a {\n b = 1\n", "m.conf:3:1", "begins at line 1 is not closed", "'}'"},
		{"unclosed array", "a = [1,\n2", "m.conf:2:2", "begins at line 1 is not closed", "']'"},
		{"brace in array", "a = [1 }", "m.conf:1:8", "found '}'", "closes nothing"},
		{"reserved character", "a = b?c", "m.conf:1:6", "'?' cannot stand", "double quotes"},
		{"value with a colon", "a = http://x", "m.conf:1:9", "found ':'", "double quotes"},
		{"no value", "a =\nb = }", "m.conf:2:3", "", ""},
		{"no separator", "a b\n}", "m.conf:2:1", "followed by '}'", "key = value"},
		{"stray bracket", "a = 1 ]", "m.conf:1:7", "found ']'", "closes nothing"},
		{"escape", `a = "C:\dir"`, "m.conf:1:8", `\d is not an escape`, `\\`},
		{"control character", "a = \"x\ty\"", "m.conf:1:7", "control character", `\u0009`},
		{"not UTF-8", "a = \xff\xfe", "m.conf:1:5", "0xff is not UTF-8", "UTF-8"},
		{"substitution without a value", "a = 1\nb = x ${c.d}", "m.conf:2:7", "${c.d} has no value", "${?c.d}"},
		{"a circle", "a = 1 ${b}\nb = ${c}\nc = ${a}", "m.conf:3:5", "${a} leads back to itself", "break"},
		{"no comma between two keys", "a { b { x = 1 } c { x = 2 } }", "m.conf:1:7", "an object and a text cannot be joined", "put a comma or a line break between them"},
		{"text and array", "a = [1]\nb = ${a} x", "m.conf:2:5", "an array and a text cannot be joined", "only"},
		{"+= on a text", "a = x\na += y", "m.conf:2:6", "adds to an array", "use ="},
		{"object in itself", "a { b = ${a} }", "m.conf:1:9", "contains itself", "circle"},
		{"in an included file", `include "bad.conf"`, "bad.conf:2:8", "two commas", "remove one"},
		{"resolving in an included file", `include "sub/x.conf"`, "sub/x.conf:3:6", "${nowhere}", ""},
		{"required file", "\ninclude required(\"no.conf\")", "m.conf:2:1", "no.conf does not exist", "relative"},
		{"a file that includes itself", `include "self.conf"`, "self.conf:1:1", "in a circle", ""},
		{"files that include each other", `include "one"`, "two.conf:1:5", "in a circle", ""},
		{"an array at the root", `include "list.conf"`, "list.conf:1:1", "begins with an array", "key = [...]"},
		{"a URL", `include url("http://127.0.0.1/x")`, "m.conf:1:1", "only file: URLs", "fetch"},
		{"parentheses", `include required(file("x")`, "m.conf:1:1", "parentheses", ""},
		{"include as a key", `include = 1`, "m.conf:1:1", "not by a file's name", "key with that name"},
		{"properties", `include "p.properties"`, "p.properties:1:1", "four hexadecimal", ""},
		{"empty part of a path", "a..b = 1", "m.conf:1:1", "empty part", "double quotes"},
		{"empty substitution", "a = ${}", "m.conf:1:5", "path is empty", ""},
		{"behind the root's brace", "{ a = 1 } b", "m.conf:1:11", "behind the closing brace", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := resolve(t, c.text, options(files))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want *Error", err)
			}
			if e.Pos.String() != c.pos || !strings.Contains(e.Problem, c.problem) || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("got  %v\nwant %s: ...%s...; ...%s...", e, c.pos, c.problem, c.hint)
			}
		})
	}
}

func TestRequiredFileIsNotExist(t *testing.T) {
	t.Parallel()
	if _, err := resolve(t, `include required("no.conf")`, options(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

// Texts that are small and would grow without limits.
func TestHostileTextsAreBounded(t *testing.T) {
	t.Parallel()
	var laughs strings.Builder
	laughs.WriteString("a0 = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\nt0 = xxxxxxxxxxxxxxxx\no0 { k = 1 }\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&laughs, "a%d = [${a%d}, ${a%d}]\nb%d = ${?b%d}${?b%d}${a0}\nt%d = ${t%d}${t%d}\no%d { x = ${o%d}, y = ${o%d} }\n",
			i, i-1, i-1, i, i-1, i-1, i, i-1, i-1, i, i-1, i-1)
	}
	files := map[string]string{"fan.conf": strings.Repeat("include \"leaf.conf\"\n", 2000), "leaf.conf": "a = 1"}
	chain := map[string]string{}
	for i := range 100 {
		chain[fmt.Sprintf("c%d.conf", i)] = fmt.Sprintf("include \"c%d.conf\"", i+1)
	}
	var links strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&links, "k%d = ${k%d}\n", i, i+1)
	}
	for _, c := range []struct {
		name, text string
		files      map[string]string
	}{
		{"substitutions that multiply", laughs.String(), nil},
		{"strings that double", doubling("t", 60), nil},
		{"deep objects", strings.Repeat("a{", 300_000), nil},
		{"deep arrays", "a=" + strings.Repeat("[", 300_000), nil},
		{"a long path", strings.Repeat("a.", 300_000) + "a = 1", nil},
		{"a long path in a substitution", "b = ${" + strings.Repeat("a.", 300_000) + "a}", nil},
		{"many includes", `include "fan.conf"`, files},
		{"a chain of includes", `include "c0.conf"`, chain},
		{"a chain of substitutions", links.String(), nil},
		{"a large file", "a = " + strings.Repeat("x", 17<<20), nil},
		{"objects that multiply within each other", "o0 { x = 1 }\n" + doublingObjects(40), nil},
		{"arrays that are added to themselves", "a = [1]\n" + strings.Repeat("a = ${a} ${a}\n", 60), nil},
		{"a long chain of self references", "a = x\n" + strings.Repeat("a = ${a}y\n", 5000), nil},
		{"a file that includes itself by another name", "include \"./x/../m.conf\"", map[string]string{"m.conf": "include \"m\""}},
		{"files that include each other by two", "include \"two\"", map[string]string{"two.conf": "include \"three\"\ninclude \"three\"", "three.conf": "include \"two\""}},
		{"a file that includes two that include two", "include \"t0\"", doublingIncludes(60)},
		{"deep JSON", "include \"deep\"", map[string]string{"deep.json": strings.Repeat(`{"a":`, 100_000)}},
		{"a long key of properties", "include \"p\"", map[string]string{"p.properties": strings.Repeat("a.", 100_000) + "=1"}},
		{"properties without an end", "include \"p\"", map[string]string{"p.properties": strings.Repeat("a\\\n", 9<<20)}},
		{"a name that goes round in optional circles", "a = ${?b}${?b}\nb = ${?c}${?c}\nc = ${?a}${?a}x\n" + doubling("d", 60), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := resolve(t, c.text, options(c.files)); err == nil {
				t.Error("no error")
			} else {
				checkError(t, err)
			}
		})
	}
}

func doublingObjects(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "o%d = ${o%d} { l = ${o%d}, r = ${o%d} }\n", i, i-1, i-1, i-1)
	}
	return b.String()
}

func doublingIncludes(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("t%d.conf", i)] = strings.Repeat(fmt.Sprintf("include \"t%d\"\n", i+1), 2)
	}
	return files
}

func doubling(name string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s0 = xxxxxxxxxxxxxxxx\n", name)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "%s%d = ${%s%d}${%s%d}\n", name, i, name, i-1, name, i-1)
	}
	return b.String()
}

func TestMergedDocumentsResolveTogether(t *testing.T) {
	t.Parallel()
	low, err := Parse("low.conf", []byte("host = a\nurl = \"http://\"${host}\nlist = [1]"), options(nil))
	if err != nil {
		t.Fatal(err)
	}
	high, err := Parse("high.properties", []byte("host=b\nx.y = 1"), options(nil))
	if err != nil {
		t.Fatal(err)
	}
	low.Merge(high)
	for path, text := range map[string]string{"list": "[2, ${host}]", "port": "[9", "x.z": "a b # c"} {
		p, _ := ParsePath(path)
		if failed := low.Set(p, text, "-D"+path); (failed != nil) != (text == "[9") {
			t.Errorf("set %s: %v", path, failed)
		}
	}
	v, err := low.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	got, _ := v.MarshalJSON()
	sameJSON(t, string(got), `{"host":"b","url":"http://b","list":[2,"b"],"x":{"y":"1","z":"a b # c"}}`)
	for path, want := range map[string]string{"host": "high.properties:1:1", "url": "low.conf:2:7", "list": "-Dlist:1:1", "x.z": "-Dx.z"} {
		p, _ := ParsePath(path)
		if got := v.At(p...).Pos().String(); got != want {
			t.Errorf("%s stands at %s, want %s", path, got, want)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	text := "# comment\n! comment\n\na = 1\nb:2\nc 3\n  d.e   =  x y  \nf=one \\\n    two\\\\\nk\\ ey\\:=\\u4e2d\\ud83d\\ude00\\t|\r\ng\nh=\\\n\nsame=1\nsame.x=2\nsame=3\nlast=z\\"
	doc, err := Parse("x.properties", []byte(text), options(nil))
	if err != nil {
		t.Fatal(err)
	}
	v, _ := doc.Resolve()
	got, _ := v.MarshalJSON()
	sameJSON(t, string(got), `{"a":"1","b":"2","c":"3","d":{"e":"x y  "},"f":"one two\\","k ey:":"中😀\t|","g":"","h":"","same":{"x":"2"},"last":"z"}`)
	if pos := v.At("d", "e").Pos(); pos.Line != 7 {
		t.Errorf("d.e stands at %v, want line 7", pos)
	}
	latin, err := Parse("x.properties", []byte("a=\xe9"), options(nil))
	if err != nil {
		t.Fatal(err)
	}
	v, _ = latin.Resolve()
	if got := v.Get("a").Text(); got != "é" {
		t.Errorf("ISO 8859-1 gives %q", got)
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"5s": 5 * time.Second, "10 seconds": 10 * time.Second, "1500": 1500 * time.Millisecond, "1.5h": 90 * time.Minute, " 0.5 s ": 500 * time.Millisecond,
		"100us": 100 * time.Microsecond, "7 days": 168 * time.Hour, "-1m": -time.Minute, "4878955355435272204ns": 4878955355435272204, "1 nano": 1, "1e3s": 1000 * time.Second, "+5s": 5 * time.Second, "-.5s": -500 * time.Millisecond, "2 milli": 2 * time.Millisecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]int64{
		"512k": 512 << 10, "10 MiB": 10 << 20, "1GB": 1e9, "64 kB": 64000, "17": 17, "1.5K": 1536, "7E": 7 << 60, "2 mebibytes": 2 << 20, "9223372036854775807": math.MaxInt64,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "5 parsecs", "1h30m", "1e99s", "1e3e3s", "--5s", "1/2s", "0x10s", "9223372036854775808ns", "300 years", strings.Repeat("9", 1000) + "s"} {
		if got, err := ParseDuration(text); !errors.Is(err, ErrUnit) {
			t.Errorf("ParseDuration(%q) = %v, %v, want ErrUnit", text, got, err)
		}
	}
	for _, text := range []string{"", "8E", "1 KIB", "ten"} {
		if got, err := ParseSize(text); !errors.Is(err, ErrUnit) {
			t.Errorf("ParseSize(%q) = %v, %v, want ErrUnit", text, got, err)
		}
	}
}

func TestNamesOfUnits(t *testing.T) {
	t.Parallel()
	times := map[time.Duration]string{
		time.Nanosecond: "ns nano nanos nanosecond nanoseconds", time.Microsecond: "us micro micros microsecond microseconds", time.Millisecond: "ms milli millis millisecond milliseconds",
		time.Second: "s second seconds", time.Minute: "m minute minutes", time.Hour: "h hour hours", 24 * time.Hour: "d day days",
	}
	for want, names := range times {
		for name := range strings.FieldsSeq(names) {
			for _, text := range []string{"2" + name, " 2  " + name + " ", "2.0 " + name, "0.2e1" + name} {
				if got, err := ParseDuration(text); err != nil || got != 2*want {
					t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, 2*want)
				}
			}
		}
	}
	for _, s := range []struct {
		power  int
		ten    string // powers of 1000
		two    string // powers of 1024
		prefix string
	}{
		{1, "kB kilobyte kilobytes", "K k Ki KiB kibibyte kibibytes", "1"},
		{2, "MB megabyte megabytes", "M m Mi MiB mebibyte mebibytes", "1"},
		{3, "GB gigabyte gigabytes", "G g Gi GiB gibibyte gibibytes", "1"},
		{4, "TB terabyte terabytes", "T t Ti TiB tebibyte tebibytes", "1"},
		{5, "PB petabyte petabytes", "P p Pi PiB pebibyte pebibytes", "1"},
		{6, "EB exabyte exabytes", "E e Ei EiB exbibyte exbibytes", "1"},
		{7, "ZB zettabyte zettabytes", "Z z Zi ZiB zebibyte zebibytes", "0.001"},
		{8, "YB yottabyte yottabytes", "Y y Yi YiB yobibyte yobibytes", "0.000001"},
	} {
		for base, names := range map[float64]string{1000: s.ten, 1024: s.two} {
			factor, _ := strconv.ParseFloat(s.prefix, 64)
			want := math.Pow(base, float64(s.power)) * factor
			for name := range strings.FieldsSeq(names) {
				if got, err := ParseSize(s.prefix + " " + name); err != nil || math.Abs(float64(got)-want) > want/1e12 {
					t.Errorf("ParseSize(%q) = %d, %v, want %.0f", s.prefix+" "+name, got, err, want)
				}
				if _, err := ParseSize("10000000" + name); s.power > 5 && !errors.Is(err, ErrUnit) {
					t.Errorf("10000000%s is no error, %v", name, err)
				}
			}
		}
	}
	for _, text := range []string{"1 week", "2w", "3 months", "1y", "1 KB"} {
		if _, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q): no error", text)
		}
	}
	if _, err := ParseDuration("2 weeks"); err == nil || !strings.Contains(err.Error(), "7d is") {
		t.Errorf("weeks are refused without a hint: %v", err)
	}
	if _, err := ParseSize("1YiB"); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a size beyond an int64: %v", err)
	}
}

func TestPathsGoThereAndBack(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string][]string{
		"a": {"a"}, "a.b-c": {"a", "b-c"}, `"a.b".c`: {"a.b", "c"}, `a."".b`: {"a", "", "b"}, "a b.c": {"a b", "c"}, `1.5`: {"1", "5"}, `x"y z"`: {"xy z"},
	} {
		got, err := ParsePath(expression)
		if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("ParsePath(%s) = %q, %v, want %q", expression, got, err, want)
		}
		again, err := ParsePath(FormatPath(got))
		if err != nil || strings.Join(again, "|") != strings.Join(want, "|") {
			t.Errorf("%s comes back as %q, %v", expression, again, err)
		}
	}
	for _, bad := range []string{"", " ", ".a", "a.", "a..b", "a}b", `"a`, "a[0]", "a=b"} {
		if got, err := ParsePath(bad); err == nil {
			t.Errorf("ParsePath(%q) = %q, want an error", bad, got)
		}
	}
}
