package hocon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// exampleCase is an input with the answer of the reference implementation.
type exampleCase struct {
	Name  string            `json:"name"`
	Files map[string]string `json:"files"` // m.conf is read, the others are beside it
	Want  string            `json:"want"`  // JSON
	Error bool              `json:"error"` // the reference refuses it
	Ours  string            `json:"ours"`  // what we answer on purpose instead of Want
	Why   string            `json:"why"`   // of Ours
}

func readCases(tb testing.TB) []exampleCase {
	tb.Helper()
	text, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		tb.Fatal(err)
	}
	var cases []exampleCase
	if err := json.Unmarshal(text, &cases); err != nil {
		tb.Fatal(err)
	}
	return cases
}

func testEnv(name string) (string, bool) {
	if name == "HC_ENV" {
		return "envval", true
	}
	return "", false
}

func TestCasesAnswerAsTheReference(t *testing.T) {
	t.Parallel()
	cases := readCases(t)
	if len(cases) < 140 {
		t.Fatalf("%d cases, want 140", len(cases))
	}
	differ := 0
	for _, c := range cases {
		want := c.Want
		if c.Ours != "" {
			if c.Why == "" {
				t.Errorf("%s: a difference without a reason", c.Name)
			}
			want = c.Ours
			differ++
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range c.Files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := resolveFile(filepath.Join(dir, "m.conf"))
			if c.Error {
				if err == nil {
					t.Fatalf("got %s, want an error", got)
				}
				checkError(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, got, want)
		})
	}
	if differ > 1 {
		t.Errorf("%d cases differ from the reference; there was 1", differ)
	}
}

func resolveFile(path string) (string, error) {
	doc, err := ParseFile(path, Options{LookupEnv: testEnv})
	if err != nil {
		return "", err
	}
	v, err := doc.Resolve()
	if err != nil {
		return "", err
	}
	text, err := v.MarshalJSON()
	return string(text), err
}

func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// checkError wants file, line, column and a problem.
func checkError(t *testing.T, err error) {
	t.Helper()
	e, ok := err.(*Error) //nolint:errorlint // that exactly this type comes is what is tested
	if !ok {
		t.Fatalf("%T %v, want *Error", err, err)
	}
	if e.Pos.File == "" || e.Pos.Line < 1 || e.Pos.Column < 1 || e.Problem == "" {
		t.Errorf("%+v: a position or the problem is missing", e)
	}
}
