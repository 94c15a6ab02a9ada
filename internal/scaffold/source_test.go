package scaffold

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake is a folder that looks like a checkout.
func fake(t *testing.T, name, mod string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(filepath.Join(dir, "below", "it"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"go.mod": mod, "go.sum": "sums\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const fakeMod = "module " + linkspan + "\n\ngo 1.30\n\nrequire (\n\texample.com/a v1.0.0\n\texample.com/b v0.2.0 // indirect\n)\n"

func TestSources(t *testing.T) {
	t.Parallel()
	plain, spaced := fake(t, "plain", fakeMod), fake(t, "with space", fakeMod)
	for name, c := range map[string]struct {
		source Source
		want   string // of go.mod
	}{
		"version":                    {Source{Version: "v1.2.3"}, "module m\n\ngo " + goVersion + "\n\nrequire " + linkspan + " v1.2.3\n"},
		"checkout":                   {Source{Path: plain}, "\n\treplace " + linkspan + " => " + plain + "\n"},
		"needs":                      {Source{Path: plain}, "\ngo 1.30\n\nrequire " + linkspan + " v0.0.0\n\nrequire (\n\texample.com/a v1.0.0 // indirect\n\texample.com/b v0.2.0 // indirect\n)\n"},
		"checkout of an uneasy name": {Source{Path: spaced}, "=> \"" + spaced + "\"\n"},
		"relative":                   {Source{Path: checkout}, "=> ../../..\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := c.source.files("m", "new")
			if err != nil {
				t.Fatal(err)
			}
			if mod := files[0].Text; !strings.Contains(strings.ReplaceAll(mod, "\nreplace", "\n\treplace"), c.want) {
				t.Errorf("go.mod has no %q:\n%s", c.want, mod)
			}
			if (len(files) == 2) != (c.source.Path != "") {
				t.Errorf("%d files", len(files))
			}
		})
	}
}

func TestNoSources(t *testing.T) {
	t.Parallel()
	other := fake(t, "other", "module example.com/other\n\ngo 1.26\n")
	if _, err := (Source{}).files("m", "new"); !errors.Is(err, ErrNoSource) {
		t.Errorf("nothing: %v", err)
	}
	for _, text := range []string{"", "1.2.3", "v1.2", "latest", other, filepath.Join(other, "gone")} {
		if s, err := ParseSource(text); !errors.Is(err, ErrNoCheckout) {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	if s, err := ParseSource("v0.3.0-rc.1"); err != nil || s.Version == "" {
		t.Errorf("a version: %+v, %v", s, err)
	}
}

func TestCheckout(t *testing.T) {
	t.Parallel()
	dir := fake(t, "plain", fakeMod)
	for _, from := range []string{dir, filepath.Join(dir, "below"), filepath.Join(dir, "below", "it")} {
		if got, ok := Checkout(from); !ok || got != dir {
			t.Errorf("from %s: %s, %t", from, got, ok)
		}
	}
	if got, ok := Checkout(t.TempDir()); ok {
		t.Errorf("somewhere else: %s", got)
	}
}

// A module that knows a version only asks for the Go that linkspan asks for.
func TestTheVersionOfGo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if m := goDirective.FindSubmatch(text); m == nil || string(m[1]) != goVersion {
		t.Errorf("go.mod says %s, goVersion is %s", m, goVersion)
	}
}
