package hocon

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	other "github.com/gurkankaymak/hocon"
	"pgregory.net/rapid"
)

// TestAnswersAsAnotherParser compares with an independent implementation, on
// what that one does rightly: no escapes, triple quotes, negative numbers,
// units, self references, keys of several words or numbers, and no comments in
// arrays, at which it never ends.
func TestAnswersAsAnotherParser(t *testing.T) {
	t.Parallel()
	compared, substituted := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		text := (&author{t: rt}).document()
		theirs, err := theirAnswer(text)
		if errors.Is(err, errEndless) {
			rt.Skipf("the other parser does not end: %q", text)
		}
		if err != nil {
			rt.Fatalf("the other parser: %v in\n%s", err, text)
		}
		doc, err := Parse("m.conf", []byte(text), Options{})
		if err != nil {
			rt.Fatalf("%v in\n%s", err, text)
		}
		v, err := doc.Resolve()
		if err != nil {
			rt.Fatalf("%v in\n%s", err, text)
		}
		b, _ := v.MarshalJSON()
		var ours any
		if err := json.Unmarshal(b, &ours); err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(ours, theirs) {
			rt.Fatalf("ours   %v\ntheirs %v\nof\n%s", ours, theirs, text)
		}
		compared++
		if strings.Contains(text, "${") {
			substituted++
		}
	})
	if compared < 50 || substituted < 20 {
		t.Errorf("%d documents were compared, %d of them with substitutions", compared, substituted)
	}
}

// author writes documents at random. Substitutions refer to bases, which stand
// at the top and do not change.
type author struct {
	t     *rapid.T
	b     strings.Builder
	depth int
}

func (a *author) below(n int, label string) int { return rapid.IntRange(0, n-1).Draw(a.t, label) }

func (a *author) one(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(a.t, label)
}

func (a *author) document() string {
	fmt.Fprintf(&a.b, "base.text = %s\nbase.number = %d\nbase.array = [%s, 2]\nbase.object { p = %s, q { r = 1 } }\n", a.scalar(), a.below(1000, "number"), a.scalar(), a.scalar())
	if a.below(3, "late") == 0 { // substitutions look forward
		late := a.b.String()
		a.b.Reset()
		a.fields("\n")
		return a.b.String() + "\n" + late
	}
	a.fields("\n")
	return a.b.String()
}

func (a *author) fields(separator string) {
	for i := range a.below(5, "fields") + 1 {
		if i > 0 {
			a.b.WriteString(separator)
		}
		a.field()
		if separator == "\n" && a.below(6, "comment") == 0 {
			a.b.WriteString(a.one("sign", " # x = 1", " // { y"))
		}
	}
}

func (a *author) field() {
	// A key says what its value is: the other parser is wrong when a substitution
	// stands over another value.
	kind := a.one("kind", "plain", "plain", "object", "object", "array", "joined")
	key := kind + a.one("key", "A", "B", "C-c", "D_d")
	if a.below(3, "deep") == 0 {
		key = "path." + a.one("step", "x", "y") + "." + key
	}
	switch kind {
	case "object":
		a.b.WriteString(key + a.one("separator", " ", " = ", ":", "="))
		a.object()
	case "array":
		a.b.WriteString(key + a.one("separator", " = ", ":"))
		a.array()
	case "plain":
		a.b.WriteString(key + a.one("separator", " = ", ":", "=") + a.scalar())
	default:
		key += strconv.Itoa(a.b.Len()) // never twice
		a.b.WriteString(key + " = " + a.one("value",
			"${base.text}", "${base.number}", "${base.array}", "${base.object}", "${base.object.q.r}", "${?nowhere.x}",
			`"a"${base.number}"b"`, `"a"${?nowhere.x}"b"`, `${base.array} [3]`, `[0] ${base.array}`, "[${base.number}, ${base.object}]",
			"${base.object} { p = over, s = new }", "{ t = ${base.text} }", "[1] [2, 3]", "{ a = 1 } { b = 2 }", "x ${base.number} y"))
	}
}

func (a *author) object() {
	a.depth++
	a.b.WriteString("{")
	if a.depth < 4 {
		separator := a.one("between", "\n", ", ", "\n,\n")
		a.b.WriteString(a.one("open", " ", "\n"))
		a.fields(separator)
		if separator == "\n" { // a comment may stand there
			a.b.WriteString("\n")
		}
	}
	a.b.WriteString("}")
	a.depth--
}

func (a *author) array() {
	a.depth++
	n := a.below(4, "elements")
	separator := a.one("between", ",", ", ", "\n")
	a.b.WriteString("[")
	for i := range n {
		if i > 0 {
			a.b.WriteString(separator)
		}
		switch {
		case a.depth > 3 || a.below(3, "element") > 0:
			a.b.WriteString(a.scalar())
		case a.below(2, "nested") == 0:
			a.array()
		default:
			a.object()
		}
	}
	a.b.WriteString("]")
	a.depth--
}

func (a *author) scalar() string {
	switch a.below(6, "scalar") {
	case 0:
		return strconv.Itoa(a.below(100000, "integer"))
	case 1:
		return fmt.Sprintf("%d.%d", a.below(100, "whole"), a.below(9, "part")+1)
	case 2:
		return a.one("word", "true", "false", "null")
	case 3:
		if a.depth > 0 { // in an array the other parser joins words over lines
			return a.one("unquoted", "abc", "a-b", "with_1_number", "名称")
		}
		return a.one("unquoted", "abc", "a-b", "two words", "with_1_number", "名称")
	default:
		return a.one("quoted", `""`, `"abc"`, `"a # b // c"`, `"a.b = { [ ${x} ] }"`, `"  blanks  "`, `"设备"`)
	}
}

var errEndless = errors.New("no end")

// theirAnswer is what the other parser makes of text.
func theirAnswer(text string) (any, error) {
	type answer struct {
		value any
		err   error
	}
	done := make(chan answer, 1)
	go func() { // ends with its answer, or with the process: the parser cannot be interrupted
		defer func() {
			if r := recover(); r != nil {
				done <- answer{err: fmt.Errorf("panic: %v", r)}
			}
		}()
		c, err := other.ParseString(text)
		if err != nil {
			done <- answer{err: err}
			return
		}
		done <- answer{value: plainOf(c.GetRoot())}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-time.After(5 * time.Second):
		return nil, errEndless
	}
}

func plainOf(v other.Value) any {
	switch v := v.(type) {
	case other.Object:
		out := map[string]any{}
		for key, e := range v {
			out[key] = plainOf(e)
		}
		return out
	case other.Array:
		out := []any{}
		for _, e := range v {
			out = append(out, plainOf(e))
		}
		return out
	case other.Int:
		return float64(v)
	case other.Float32:
		return float64(v)
	case other.Float64:
		return float64(v)
	case other.Boolean:
		return bool(v)
	case other.String:
		s := string(v)
		if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
			s = s[1 : len(s)-1]
		}
		return s
	case other.Null, nil:
		return nil
	default:
		return v.String()
	}
}
