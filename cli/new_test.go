package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/scaffold"
)

// newPlugin runs linkspan new plugin.
func newPlugin(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := Command()
	cmd.SetArgs(append([]string{"new", "plugin"}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestNewPlugin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source string   // --linkspan; empty: what the command finds
		says   []string // in the next steps
		mod    []string // in go.mod
		not    string   // in neither
		sum    bool     // there is a go.sum
	}{
		"of a checkout":        {source: "..", says: []string{"go test ./...", "./linkspan-pump config check"}, mod: []string{"module example.com/umbrella\n", "replace github.com/linkspan/linkspan => "}, not: "tidy", sum: true},
		"of the checkout here": {says: []string{"go build -o linkspan-pump ."}, mod: []string{"replace github.com/linkspan/linkspan => /"}, not: "tidy", sum: true},
		"of a version":         {source: "v1.2.3", says: []string{"go mod tidy"}, mod: []string{"require github.com/linkspan/linkspan v1.2.3\n"}, not: "replace"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "it's new", "pump")
			args := []string{"umbrella.pump", "--dir", dir}
			if c.source != "" {
				args = append(args, "--linkspan", c.source)
			}
			out, err := newPlugin(t, args...)
			if err != nil {
				t.Fatal(err)
			}
			mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range append(c.says, `cd '`+strings.ReplaceAll(dir, "'", `'\''`)+`'`, "main.go", "pump/pump_test.go") {
				if !strings.Contains(out, want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
			for _, want := range c.mod {
				if !strings.Contains(string(mod), want) {
					t.Errorf("go.mod has no %q:\n%s", want, mod)
				}
			}
			if strings.Contains(out+string(mod), c.not) {
				t.Errorf("there is %q in\n%s\n%s", c.not, out, mod)
			}
			if _, missing := os.Stat(filepath.Join(dir, "go.sum")); (missing == nil) != c.sum {
				t.Errorf("go.sum: %v", missing)
			}
			before, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = newPlugin(t, args...); !errors.Is(err, scaffold.ErrExists) {
				t.Errorf("a second time: %v, want %v", err, scaffold.ErrExists)
			}
			if after, _ := os.ReadDir(dir); len(after) != len(before) {
				t.Errorf("a second time left %d files of %d", len(after), len(before))
			}
		})
	}
}

func TestNewPluginThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no name":          {nil, "accepts 1 arg"},
		"a bad name":       {[]string{"Pump"}, `"Pump"`},
		"a built-in name":  {[]string{"jt808"}, "acme.jt808"},
		"a bad module":     {[]string{"pump", "--module", "a b"}, `"a b"`},
		"no such checkout": {[]string{"pump", "--linkspan", t.TempDir()}, "go.mod"},
		"no such version":  {[]string{"pump", "--linkspan", "1.2"}, "v1.2.3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "new")
			_, err := newPlugin(t, append(c.args, "--dir", dir)...)
			var usage *usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one of usage with %q", err, c.want)
			}
			if _, missing := os.Stat(dir); missing == nil {
				t.Error("something was written")
			}
		})
	}
}
