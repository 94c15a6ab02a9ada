package hocon

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// scanAll scans main with the other files beside it.
func scanAll(t *testing.T, main string, files map[string]string, flat bool) (entries, bad []string, err error) {
	t.Helper()
	all := map[string]string{"d.conf": main}
	maps.Copy(all, files)
	err = ScanFile("d.conf", ScanOptions{Options: options(all), Flat: flat, Bad: func(e *Error) {
		bad = append(bad, fmt.Sprintf("%v %s", e.Pos, e.Problem))
	}}, func(e Entry) error {
		text, _ := e.Value.MarshalJSON()
		entries = append(entries, fmt.Sprintf("%d %s %s", e.Pos.Line, FormatPath(e.Path), text))
		return nil
	})
	return entries, bad, err
}

func TestScan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text   string
		entries, bad []string
	}{
		{"entries in order", "a { k = 1 }\n\"b.c\" { k = 2 }, d = x\na { k = 3 }", []string{`1 a {"k":1}`, `2 "b.c" {"k":2}`, `2 d "x"`, `3 a {"k":3}`}, nil},
		{"JSON", `{"a":{"k":1},"b":{"k":2}}`, []string{`1 a {"k":1}`, `1 b {"k":2}`}, nil},
		{"included files", "a { k = 1 }\ninclude \"more.conf\"\nz { k = 9 }", []string{`1 a {"k":1}`, `1 m {"k":5}`, `3 z {"k":9}`}, nil},
		{"substitutions come last", "a { k = ${pk} }\npk = 7\nb { k = 1 }\nc = ${b} { l = 2 }", []string{`2 pk 7`, `3 b {"k":1}`, `1 a {"k":7}`, `4 c {"k":1,"l":2}`}, nil},
		{"an entry that extends itself", "a { k = 1 }\na = ${a} { l = 2 }", []string{`1 a {"k":1}`, `2 a {"k":1,"l":2}`}, nil},
		{
			"a mistake costs its entry", "a { k = 1 }\nb { k = ?\n  l = 2\n}\nc { k = 3 }\nd k\ne { k = \"x }\nf { k = 4 }",
			[]string{`1 a {"k":1}`, `5 c {"k":3}`, `8 f {"k":4}`},
			[]string{"d.conf:2:9 ", "d.conf:7:1 the key \"d k\" is followed", "d.conf:7:9"},
		},
		{
			"a missing brace costs its entry", "a { k = 1 }\nb {\n  k = 2\nc { k = 3 }\nd {\n  k = 4\n\ne { k = 5 }",
			[]string{`1 a {"k":1}`, `4 c {"k":3}`, `8 e {"k":5}`},
			[]string{"d.conf:2:1 the entry is not closed before line 4", "d.conf:5:1 the entry is not closed before line 8"},
		},
		{"a substitution without a value", "a { k = ${nope} }\nb { k = 1 }\nc { k = ${b.k} }", []string{`2 b {"k":1}`, `3 c {"k":1}`}, []string{"d.conf:1:9 ${nope} has no value"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			entries, bad, err := scanAll(t, c.text, map[string]string{"more.conf": "m { k = 5 }"}, true)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(entries, "\n") != strings.Join(c.entries, "\n") {
				t.Errorf("entries %q\nwant    %q", entries, c.entries)
			}
			for i := range max(len(bad), len(c.bad)) {
				if i >= len(bad) || i >= len(c.bad) || !strings.HasPrefix(bad[i], c.bad[i]) {
					t.Fatalf("mistakes %q\nwant     %q", bad, c.bad)
				}
			}
		})
	}
}

// Tokens at every place of the reader's buffer end up the same.
func TestScanIsTheSameAtEveryBufferEdge(t *testing.T) {
	t.Parallel()
	entry := "\"émile \\n 中\" { k = \"\"\"a\"b\"\"\" // comment\n  l = ${?x}1.5, m = -7 }\n"
	for shift := range 2 * len(entry) {
		text := "# " + strings.Repeat("x", streamBuffer-2*len(entry)+shift) + "\n" + strings.Repeat(entry, 3)
		entries, bad, err := scanAll(t, text, nil, false)
		if err != nil || len(bad) > 0 || len(entries) != 3 {
			t.Fatalf("shift %d: %q %q %v", shift, entries, bad, err)
		}
		for i, e := range entries {
			if want := fmt.Sprintf("%d %s", 2+2*i, `"émile \n 中" {"k":"a\"b","l":1.5,"m":-7}`); e != want {
				t.Fatalf("shift %d: %s\nwant %s", shift, e, want)
			}
		}
	}
}

func TestScanEndsWithTheCallersError(t *testing.T) {
	t.Parallel()
	own := errors.New("enough")
	for _, text := range []string{"a { k = 1 }\nb { k = 2 }", "x = 1\na { k = ${x} }\nb { k = ${x} }"} {
		n := 0
		err := ScanFile("d.conf", ScanOptions{Options: options(map[string]string{"d.conf": text})}, func(e Entry) error {
			if e.Path[0] == "x" {
				return nil
			}
			n++
			return own
		})
		if err != own || n != 1 { //nolint:errorlint // the caller's error itself, not wrapped
			t.Errorf("error %v after %d entries, want the caller's after 1", err, n)
		}
	}
}

func TestScanGivesUpOnTooManyMistakes(t *testing.T) {
	t.Parallel()
	n := 0
	err := ScanFile("d.conf", ScanOptions{
		Options: options(map[string]string{"d.conf": strings.Repeat("a ?\n", 50)}), MaxBad: 10, Bad: func(*Error) { n++ },
	}, func(Entry) error { return nil })
	if !errors.Is(err, ErrTooManyMistakes) || n != 10 {
		t.Errorf("error %v after %d reports", err, n)
	}
}
