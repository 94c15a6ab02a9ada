package hocon

import (
	"maps"
	"strings"
	"testing"
)

// specCase is a text with what it means by the specification; files are beside
// it.
type specCase struct {
	name, text, want string // an empty want: the text is refused
	files            map[string]string
}

func runSpec(t *testing.T, cases []specCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.want != "" {
				wantJSON(t, c.text, c.want, options(c.files))
				return
			}
			v, err := resolve(t, c.text, options(c.files))
			if err == nil {
				got, _ := v.MarshalJSON()
				t.Fatalf("got %s, want an error", got)
			}
			checkError(t, err)
		})
	}
}

func TestSpecLexing(t *testing.T) {
	t.Parallel()
	runSpec(t, []specCase{
		{"nothing but comments", "# a\n// b\n\n", `{}`, nil},
		{"a byte order mark within is a blank", "a \ufeff=\ufeff1", `{"a":1}`, nil},
		{"every blank of Unicode", "a\u00a0:\u2003\u2007\u202f\u3000 \u2028\u2029\v\f\x1c\x1d\x1e\x1f1", `{"a":1}`, nil},
		{"carriage return is a blank, line feed ends a line", "a = b\r\nc = d\re", "{\"a\":\"b\",\"c\":\"d\\re\"}", nil},
		{"blanks around a value go, those within stay", "a =   x  y \t z   \n", `{"a":"x  y \t z"}`, nil},
		{"a number ends where its characters do", "a = 10x, b = 1.2.3, c = 3.14foo, d = 1e3e, e = -, f = -x, g = --1", `{"a":"10x","b":"1.2.3","c":"3.14foo","d":"1e3e","e":"-","f":"-x","g":"--1"}`, nil},
		{"words at the beginning of a text", "a = truetrue, b = nullable, c = true x, d = falsehood", `{"a":"truetrue","b":"nullable","c":"true x","d":"falsehood"}`, nil},
		{"numbers as they are written", "a = 1e6, b = 1E-2, c = -0.50, d = 12345678901234567890, e = 1.0", `{"a":1e6,"b":1E-2,"c":-0.50,"d":"12345678901234567890","e":1.0}`, nil},
		{"numbers that JSON does not know", "a = 007, b = 1., c = -.5, d = 00.5, e = .5", `{"a":7,"b":1,"c":-0.5,"d":0.5,"e":".5"}`, nil},
		{"yes, no, on and off are texts until someone wants a boolean", "a = yes, b = off", `{"a":"yes","b":"off"}`, nil},
		{"slashes and other signs", "a = /var/lib, b = a|b~c'd;e<f>%(g), c = [ / ]", `{"a":"/var/lib","b":"a|b~c'd;e<f>%(g)","c":["/"]}`, nil},
		{"a comment behind everything", "a = [ # x\n1 // y\n, # z\n2 ] # end\nb { # x\n} // y", `{"a":[1,2],"b":{}}`, nil},
		{"a comment between key and separator", "a # x\n= 1\nb // y\n{ c = 1 }", `{"a":1,"b":{"c":1}}`, nil},
		{"a comment between separator and value", "a = # x\n// y\n1", `{"a":1}`, nil},
		{"signs of comments in quotes", `a = "# // x", b = """// #"""`, `{"a":"# // x","b":"// #"}`, nil},
		{"triple quotes keep everything", "a = \"\"\"\\n ${b}\n  \"x\" \\\"\"\"", `{"a":"\\n ${b}\n  \"x\" \\"}`, nil},
		{"triple quotes of nothing, and of quotes", `a = """""", b = """"x"""", c = """"""""`, `{"a":"","b":"\"x\"","c":"\"\""}`, nil},
		{"triple quotes join", `a = x"""y"""z`, `{"a":"xyz"}`, nil},
		{"lines are counted over triple quotes", "a = \"\"\"\n\n\"\"\"\nb = 1", `{"a":"\n\n","b":1}`, nil},
		{"escapes", `a = "\b\f\n\r\t\/\\\"\u00e9\uD83D\uDE00"`, `{"a":"\b\f\n\r\t/\\\"é😀"}`, nil},
		{"a control character in quotes", "a = \"x\x01\"", "", nil},
		{"an unknown escape", `a = "\x"`, "", nil},
		{"a dollar without a brace", "a = $b", "", nil},
		{"a backslash without quotes", `a = b\c`, "", nil},
		{"reserved signs", "a = b*c", "", nil},
		{"a plus in a number that is none", "a = 1+2", "", nil},
	})
}

func TestSpecObjectsAndArrays(t *testing.T) {
	t.Parallel()
	runSpec(t, []specCase{
		{"an empty key", `"" = 1`, `{"":1}`, nil},
		{"the root's braces", " \n{ a = 1\n}\n # x\n", `{"a":1}`, nil},
		{"a brace on the next line", "a\n\n{ b = 1 }", `{"a":{"b":1}}`, nil},
		{"a separator on the next line", "a\n\n= 1", `{"a":1}`, nil},
		{"a value on the next line", "a =\n\n  1\nb :\n{ c = 1 }", `{"a":1,"b":{"c":1}}`, nil},
		{"a separator before a brace", "a = { b : { c = 1 } }", `{"a":{"b":{"c":1}}}`, nil},
		{"commas and lines", "a = 1,\nb = 2\n,c = 3,d=4\n\n\n,\n\ne = 5", `{"a":1,"b":2,"c":3,"d":4,"e":5}`, nil},
		{"an array in lines", "a = [\n\n1\n\n2,\n3\n,4\n]", `{"a":[1,2,3,4]}`, nil},
		{"a comma at the end", "a = [1,\n], b { c = 1, }, ", `{"a":[1],"b":{"c":1}}`, nil},
		{"keys joined of several parts", `a "b" c = 1, x"y"z = 2, "p" "q" = 3`, `{"a b c":1,"xyz":2,"p q":3}`, nil},
		{"keys of words that mean something elsewhere", "true = 1, null = 2, 3.14 = x, -5 = y, 1e3 = z", `{"true":1,"null":2,"3":{"14":"x"},"-5":"y","1e3":"z"}`, nil},
		{"blanks at periods belong to the key", "a . b = 1, c. .d = 2", `{"a ":{" b":1},"c":{" ":{"d":2}}}`, nil},
		{"a key in quotes with periods", `"a.b"."c.d".e = 1`, `{"a.b":{"c.d":{"e":1}}}`, nil},
		{"an empty part in quotes", `a."".b = 1`, `{"a":{"":{"b":1}}}`, nil},
		{"objects merge, others replace", "a { x = 1, y { z = 1 } }, a.y.w = 2, a.x = [1], b = [1], b = [2], c = 1, c { d = 1 }, c = 3", `{"a":{"x":[1],"y":{"z":1,"w":2}},"b":[2],"c":3}`, nil},
		{"a value between two objects parts them", "a { x = 1 }\na = 2\na { y = 3 }", `{"a":{"y":3}}`, nil},
		{"keys stay where they came first", "b = 1, a = 2, b = 3", `{"b":3,"a":2}`, nil},
		{"a brace that closes nothing", "a = 1 }", "", nil},
		{"behind the root", "{ a = 1 } { b = 2 }", "", nil},
		{"a key without a value", "a", "", nil},
		{"a value without a key", "= 1", "", nil},
		{"a comma first", ", a = 1", "", nil},
		{"a comma first in an array", "a = [,1]", "", nil},
		{"a comma alone in an array", "a = [,]", "", nil},
		{"two commas at the end", "a = [1,,]", "", nil},
		{"an array as the root", "[1]", "", nil},
		{"a text as the root", `"a"`, "", nil},
		{"an array behind a key", "a [1]", "", nil},
		{"a substitution as a key", "${a} = 1", "", nil},
		{"an object in a key", "a {} b = 1", "", nil},
		{"a period first", ".a = 1", "", nil},
		{"a period last", "a. = 1", "", nil},
		{"two values on a line", "a = 1 b = 2", "", nil},
	})
}

func TestSpecConcatenation(t *testing.T) {
	t.Parallel()
	runSpec(t, []specCase{
		{"texts with their blanks", `a = x "y"  z 1 true null`, `{"a":"x y  z 1 true null"}`, nil},
		{"numbers keep their digits", "a = 1.50\nb = ${a} 0010", `{"a":1.50,"b":"1.50 0010"}`, nil},
		{"one value is no concatenation", "a = 1\nb = ${a}\nc = ${b} ", `{"a":1,"b":1,"c":1}`, nil},
		{"blanks beside a substitution", "a = 1\nb = ${a} ${a}, c = ${a}${a}, d = x ${a} y, e = ${?n} x, f = x ${?n}", `{"a":1,"b":"1 1","c":"11","d":"x 1 y","e":" x","f":"x "}`, nil},
		{"arrays", "a = [1] [2]   [3]\nb = ${a} [4] ${a}", `{"a":[1,2,3],"b":[1,2,3,4,1,2,3]}`, nil},
		{"an array over two lines within", "a = [1\n] [2]", `{"a":[1,2]}`, nil},
		{"an array on the next line is none", "a = [1]\n[2]", "", nil},
		{"an object on the next line is none", "a = { b = 1 }\n{ c = 2 }", "", nil},
		{"objects, deep", "a = { b { c = 1 }, d = 1 } { b { e = 2 }, d = 3 }", `{"a":{"b":{"c":1,"e":2},"d":3}}`, nil},
		{"objects in an array", "a = [{ x = 1 } { y = 2 }, { z = 3 }\n{ z = 4 }]", `{"a":[{"x":1,"y":2},{"z":3},{"z":4}]}`, nil},
		{"missing pieces", "a = ${?n} [1] ${?n}, b = ${?n} { c = 1 } ${?n}, c = ${?n}${?n}, d = [${?n}, 1, ${?n}]", `{"a":[1],"b":{"c":1},"d":[1]}`, nil},
		{"a substitution that is an array or an object", "x = [1], y { p = 1 }, a = ${x} ${x}, b = ${y} ${y} { q = 2 }", `{"x":[1],"y":{"p":1},"a":[1,1],"b":{"p":1,"q":2}}`, nil},
		{"a text and an array", "a = x [1]", "", nil},
		{"a text and an object", "a = { b = 1 } x", "", nil},
		{"null and an object", "a = null { b = 1 }", "", nil},
		{"an array and an object", "a = [1] { b = 1 }", "", nil},
		{"a quoted blank and an array", `a = [1] " "`, "", nil},
		{"a text and a substituted array", "a = x ${b}, b = [1]", "", nil},
	})
}

func TestSpecSubstitutions(t *testing.T) {
	t.Parallel()
	runSpec(t, []specCase{
		{"later keys count", "a = ${b}, b = 1, b = 2", `{"a":2,"b":2}`, nil},
		{"with blanks and quotes", `x."y z" = 1, a = ${ x."y z" }, b = ${x.y z}`, `{"x":{"y z":1},"a":1,"b":1}`, nil},
		{"empty parts", `"" { "" { "" = 42 } }, a = ${""."".""}`, `{"":{"":{"":42}},"a":42}`, nil},
		{"a path of numbers", "a.1.2 = x, b = ${a.1.2}, 1.5 = y, c = ${1.5}, - = z, d = ${-}", `{"a":{"1":{"2":"x"}},"b":"x","1":{"5":"y"},"c":"y","-":"z","d":"z"}`, nil},
		{"a hidden one is not looked at", "a = ${none}, a = 1, b { c = ${none} }, b = 2", `{"a":1,"b":2}`, nil},
		{"a hidden one within an object that shows is", "b { c = ${none} }, b { d = 1 }", "", nil},
		{"an optional one leaves what was", "a = 1, a = ${?n}, b { c = 1 }, b = ${?n}, d = ${?n}", `{"a":1,"b":{"c":1}}`, nil},
		{"null is something", "n = null, a = 1, a = ${n}, b = ${?n}", `{"n":null,"a":null,"b":null}`, nil},
		{"a prototype", "base { x = 1, y { z = 2 } }, a = ${base}, a.y.z = 3, a.w = 4", `{"base":{"x":1,"y":{"z":2}},"a":{"x":1,"y":{"z":3},"w":4}}`, nil},
		{"a prototype over and under", "base { x = 1 }, a { x = 0, v = 5 }, a = ${base}, a { x = 2 }", `{"base":{"x":1},"a":{"x":2,"v":5}}`, nil},
		{"a merged object that is replaced on the way", "x { q = 10 }, y = 5, a = 1, a.q.r.s = ${b}, a = ${y}, a = ${x}, a { c = 3 }, b = ${x}, b = ${y}", `{"x":{"q":10},"y":5,"a":{"q":10,"c":3},"b":5}`, nil},
		{"a field of a delayed merge", "d { a = 1, b = 2 }, i = ${d}, i.b = 3, j.b = ${i.b}, k = ${i.a}", `{"d":{"a":1,"b":2},"i":{"a":1,"b":3},"j":{"b":3},"k":1}`, nil},
		{"an object of a delayed merge", "d { a = 1, b { c = 2, d = 3 } }, i = ${d}, i.b.c = 100, j = ${i.b}", `{"d":{"a":1,"b":{"c":2,"d":3}},"i":{"a":1,"b":{"c":100,"d":3}},"j":{"c":100,"d":3}}`, nil},
		{"two that refer into each other", "b { a = ${f.d}, b = 1 }, b.b = 3, f { c = ${b.b}, d = 2 }, f.d = 4", `{"b":{"a":4,"b":3},"f":{"c":3,"d":4}}`, nil},
		{"an object that refers into itself", "x { a = ${x.b}, b = ${x.c}, c = 3 }", `{"x":{"a":3,"b":3,"c":3}}`, nil},
		{"a copy refers to the original", "a { h = 1, u = ${a.h} }, b = ${a} { h = 2 }", `{"a":{"h":1,"u":1},"b":{"h":2,"u":1}}`, nil},
		{"a copy that is referred to from its prototype", "a = ${b} { c = 1 }, b { c = 2, d = ${a.c} }", `{"a":{"c":1,"d":1},"b":{"c":2,"d":1}}`, nil},
		{"in an array of an object", "a { b = [{ c = ${a.d} }], d = 1 }", `{"a":{"b":[{"c":1}],"d":1}}`, nil},
		{"a path through an array leads nowhere", "a = [1], b = ${?a.0}", `{"a":[1]}`, nil},
		{"a path through a text leads nowhere", "a = x, b = ${a.c}", "", nil},
		{"the environment comes last", "HC_ENV = own, a = ${HC_ENV}, b { c = ${HC_ENV} }", `{"HC_ENV":"own","a":"own","b":{"c":"own"}}`, nil},
		{"the environment", "b { c = ${?HC_ENV}-x, d = ${?HC_NONE} }", `{"b":{"c":"envval-x"}}`, nil},
		{"a list from the environment is not known", "a = ${?HC_L[]}", "", nil},
		{"without a value", "a = ${none}", "", nil},
		{"not closed", "a = ${b", "", nil},
		{"not closed on its line", "a = ${b\n}", "", nil},
		{"nothing in it", "a = ${}", "", nil},
		{"within another", "a = ${b${c}}", "", nil},
		{"with a blank before the question mark", "a = ${ ?b}", "", nil},
	})
}

func TestSpecSelfReference(t *testing.T) {
	t.Parallel()
	runSpec(t, []specCase{
		{"to nothing", "a = ${a}", "", nil},
		{"optional, to nothing", "a = ${?a}", `{}`, nil},
		{"to what was", "a = 1, a = ${a}, a = ${a}, a = ${a}", `{"a":1}`, nil},
		{"in a text, again and again", "a = 1, a = ${a}x, a = ${a}y, a = z${a}", `{"a":"z1xy"}`, nil},
		{"optional, twice in a text", "a = ${?a}f${?a}, b = 1, b = ${?b}f${?b}", `{"a":"f","b":"1f1"}`, nil},
		{"in an array, again and again", "a = ${?a} [1], a = ${a} [2], a = [0] ${a}", `{"a":[0,1,2]}`, nil},
		{"in an object", "a { x = 1 }, a = ${a} { y = 2 }, a = { x = 3 } ${a}", `{"a":{"x":1,"y":2}}`, nil},
		{"below what is replaced", "a = 1, a = ${a}, a = 2", `{"a":2}`, nil},
		{"first of all", "a = ${?a}, a = 1", `{"a":1}`, nil},
		{"between objects", "a { b = 5 }, a = ${a}, a { c = 6 }", `{"a":{"b":5,"c":6}}`, nil},
		{"along a path", "a.b.c = 1, a.b.c = ${a.b.c}2", `{"a":{"b":{"c":"12"}}}`, nil},
		{"of a field within the object", "a { b = [1] }, a { b = ${a.b} [2] }, a.b = ${a.b} [3]", `{"a":{"b":[1,2,3]}}`, nil},
		{"to a field of what was", "a { b { c = 1 } }, a = ${a.b}, a { d = 2 }", `{"a":{"b":{"c":1},"c":1,"d":2}}`, nil},
		{"no looking back from within an array", "a = 1, a = [${a}]", "", nil},
		{"no looking back from within an object", "a = 1, a { b = ${a} }", "", nil},
		{"optional, joined, to the object in which it stands", "c = ${b.a}, b.a = ${?b} 1, d { e { f = ${?d.e} { x = 1 }, g = [${?d}] [2] } }", `{"c":" 1","b":{"a":" 1"},"d":{"e":{"f":{"x":1},"g":[2]}}}`, nil},
		{"joined, to the object in which it stands", "b.a = ${b} 1", "", nil},
		{"indirect", "a = 1, b = ${a}, a = ${b}", `{"a":1,"b":1}`, nil},
		{"indirect by three", "a = 1, b = ${c}, c = ${a}, a = ${b}", `{"a":1,"b":1,"c":1}`, nil},
		{"indirect and optional", "a = ${?b}x, b = ${?a}", `{"a":"x","b":"x"}`, nil},
		{"a circle of two", "a = ${b}, b = ${a}", "", nil},
		{"a circle of three", "a = ${b}, b = ${c}, c = ${a}", "", nil},
		{"a circle through an object", "a { b = ${c} }, c = ${a}", "", nil},
		{"an object's own field is no circle", "a { b = 1, c = ${a.b} }, a.b = 2", `{"a":{"b":2,"c":2}}`, nil},
		{"+= to nothing, to an array, to an empty one", "a += 1, b = [1], b += 2, b += [3], c = [], c += { x = 1 }", `{"a":[1],"b":[1,2,[3]],"c":[{"x":1}]}`, nil},
		{"+= in objects and arrays", "x { a += 1, a += 2 }, y = [{ a += 1, a += 2 }], z += { a += 1, a += 2 }", `{"x":{"a":[1,2]},"y":[{"a":[1,2]}],"z":[{"a":[1,2]}]}`, nil},
		{"+= with substitutions", "p = [1], a = ${p}, a += ${q}, q = 2, a += ${?none}", `{"p":[1],"a":[1,2],"q":2}`, nil},
		{"+= of a path with several parts", "a.b.c = [1], a.b.c += 2, a { b.c += 3 }", `{"a":{"b":{"c":[1,2,3]}}}`, nil},
		{"+= to a text", "a = x, a += 1", "", nil},
		{"+= to an object", "a { x = 1 }, a += 1", "", nil},
		{"+= to null", "a = null, a += 1", "", nil},
		{"+= without blanks, of numbers", "a+=1, 1+=2", `{"a":[1],"1":[2]}`, nil},
	})
}

func TestSpecIncludes(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"one.conf": "a = 1, b = ${a}, c = ${?outer}", "self.conf": "l = ${?l} [x], t = ${?t}x", "plus.conf": "l += 2",
		"three.conf": "from = conf, only.conf = 1", "three.json": `{"from": "json", "only": {"json": 2}}`, "three.properties": "from=properties\nonly.properties=3",
		"sub/in.conf": "include \"../one.conf\"\ninclude \"beside\"\nhere = sub", "sub/beside.conf": "beside = sub", "beside.conf": "beside = root", "sub/path.conf": "include classpath(\"beside.conf\")",
		"list.conf": "[1]", "bad.conf": "a = [", "loose.json": "# c\na = 1", "loose2.json": "# c\na = 1", "x.txt": "a = 1", "env.conf": "v = ${HC_ENV}", "deep.conf": "x { y = ${z} }, z = 1",
	}
	cases := []specCase{
		{"beside, without and with extension", "include \"one\"\ninclude \"one.conf\"", `{"a":1,"b":1}`, nil},
		{"what stands later is stronger", "a = 0\ninclude \"one\"\nb = 2", `{"a":1,"b":2}`, nil},
		{"the included substitution sees what overrides it", "include \"one\"\na = 5, outer = o", `{"a":5,"b":5,"c":"o","outer":"o"}`, nil},
		{"in an object", "o { include \"one\", a = 7 }, outer = o", `{"o":{"a":7,"b":7,"c":"o"},"outer":"o"}`, nil},
		{"in an object, deeper", "o.p { q { include \"deep.conf\" } }, z = 9", `{"o":{"p":{"q":{"x":{"y":1},"z":1}}},"z":9}`, nil},
		{"the root answers what the included object does not have", "o { include \"one\" }, outer = ${o.a}", `{"o":{"a":1,"b":1,"c":1},"outer":1}`, nil},
		{"the environment answers from within an object", "o { include \"env\" }", `{"o":{"v":"envval"}}`, nil},
		{"self references in an included file", "o { l = [w], t = t }\no { include \"self\" }", `{"o":{"l":["w","x"],"t":"tx"}}`, nil},
		{"+= in an included file", "o { l = [1], include \"plus\" }, include \"plus\"", `{"o":{"l":[1,2]},"l":[2]}`, nil},
		{"three formats of one name", "include \"three\"", `{"from":"conf","only":{"properties":"3","json":2,"conf":1}}`, nil},
		{"from a folder, to its own folder", "include \"sub/in\"", `{"a":1,"b":1,"beside":"sub","here":"sub"}`, nil},
		{"the class path begins at the outermost file", "include \"sub/path\"\ninclude classpath(\"/one.conf\")", `{"beside":"root","a":1,"b":1}`, nil},
		{
			"every form", "a1 { include file(\"one\") }\na2 { include required(\"one\") }\na3 { include required( file( \"one.conf\" ) ) }\na4 { include required(classpath(\"one\")) }\na5 { include url(\"file:one.conf\") }\na6 { include required(url(\"file:one.conf\")) }",
			strings.ReplaceAll(`{"a1":X,"a2":X,"a3":X,"a4":X,"a5":X,"a6":X}`, "X", `{"a":1,"b":1}`), nil,
		},
		{"lines within the statement", "include\n\n\"one\"\nd { include required(\n  file(\n\"one\"\n)\n) }", `{"a":1,"b":1,"d":{"a":1,"b":1}}`, nil},
		{"no blank behind the word", "include\"one\"", `{"a":1,"b":1}`, nil},
		{"commas behind it", "include \"one\", include \"beside\", d = 1", `{"a":1,"b":1,"beside":"root","d":1}`, nil},
		{"what is missing is left out", "include \"none\"\ninclude file(\"none.conf\")\ninclude classpath(\"none\")\ninclude url(\"file:none\")\na = 1", `{"a":1}`, nil},
		{"a URL of a file without its extension", `include url("file:x.txt")`, `{"a":1}`, nil},
		{"a JSON file that says its name may be HOCON", `include "loose.json"`, `{"a":1}`, nil},
		{"twice the same file", "include \"one\", include \"one\"\no { include \"one\" }", `{"a":1,"b":1,"o":{"a":1,"b":1}}`, nil},
		{"a word, not a statement", "x = include, y = [include], a include = 1, \"include\" = 2, z.include = 3", `{"x":"include","y":["include"],"a include":1,"include":2,"z":{"include":3}}`, nil},
		{"in an object in an array", "l = [{ include \"beside\" }], m = [[{ include \"env\" }]]", `{"l":[{"beside":"root"}],"m":[[{"v":"envval"}]]}`, nil},
		{"a JSON file of a name without extension must be JSON", `include "loose2"`, "", nil},
		{"a required file that is missing", `include required("none")`, "", nil},
		{"a required file that is missing, with a form", `o { include required(file("none.conf")) }`, "", nil},
		{"a file that holds a list", `include "list"`, "", nil},
		{"a file with a mistake", `include "bad"`, "", nil},
		{"another scheme", `include url("https://127.0.0.1/one.conf")`, "", nil},
		{"another scheme without a form", `include "http://127.0.0.1/one.conf"`, "", nil},
		{"a URL of another host", `include url("file://elsewhere/one.conf")`, "", nil},
		{"no URL", `include url("one.conf")`, "", nil},
		{"an unknown form", `include package("one")`, "", nil},
		{"not in quotes", "include one", "", nil},
		{"a number", "include 10", "", nil},
		{"an object", "include { }", "", nil},
		{"two names", `include "one" "two"`, "", nil},
		{"a bracket too many", `include file("one"))`, "", nil},
		{"a bracket too few", `include required(file("one")`, "", nil},
		{"a substitution", `include ${a}`, "", nil},
		{"substitutions of an included file in an array have no names", "l = [{ include \"one\" }]", "", nil},
	}
	for i := range cases {
		cases[i].files = maps.Clone(files)
	}
	runSpec(t, cases)
}

func TestSpecJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"JSON", "\ufeff { \"a.b\" : [ 1, -2.5e+3, true, null, \"\\u00e9\" ], \"c\" : { \"\" : {} },\n\"d\": \"\" } ", `{"a.b":[1,-2.5e+3,true,null,"é"],"c":{"":{}},"d":""}`},
		{"a substitution is a text", `{"a": "${b}", "include": "x"}`, `{"a":"${b}","include":"x"}`},
		{"nothing", "", ""},
		{"no braces", `"a": 1`, ""},
		{"a list", `[1]`, ""},
		{"a comment", "{ // c\n}", ""},
		{"another comment", "{ # c\n}", ""},
		{"a comma at the end", `{"a": 1,}`, ""},
		{"a comma at the end of a list", `{"a": [1,]}`, ""},
		{"a line instead of a comma", "{\"a\": 1\n\"b\": 2}", ""},
		{"an equals sign", `{"a" = 1}`, ""},
		{"no sign", `{"a" {}}`, ""},
		{"a key without quotes", `{a: 1}`, ""},
		{"a value without quotes", `{"a": b}`, ""},
		{"two values", `{"a": 1 2}`, ""},
		{"triple quotes", `{"a": """b"""}`, ""},
		{"a substitution", `{"a": ${b}}`, ""},
		{"a key twice", `{"a": 1, "a": 2}`, ""},
		{"a zero first", `{"a": 01}`, ""},
		{"no digit behind the point", `{"a": 1.}`, ""},
		{"behind the end", `{} {}`, ""},
		{"not closed", `{"a": 1`, ""},
		{"adding", `{"a" += 1}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, err := Parse("x.json", []byte(c.text), options(nil))
			if c.want == "" {
				if err == nil {
					t.Fatal("no error")
				}
				checkError(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			v, err := doc.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := v.MarshalJSON(); string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
