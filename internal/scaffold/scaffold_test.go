package scaffold

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "copy examples/plugin anew, and write its go.mod and go.sum")

const (
	checkout = "../.."
	example  = checkout + "/examples/plugin"
)

// meter is the example itself.
var meter = Plugin{Name: "acme.meter", Module: "example.com/acme", Linkspan: Source{Path: checkout}}

// What the command writes is examples/plugin under other names: all of it.
func TestTheExampleIsTheScaffold(t *testing.T) { //nolint:paralleltest // may write it
	have := map[string]string{}
	err := fs.WalkDir(os.DirFS(example), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(example, name))
		have[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		copyExample(t, have)
		return
	}
	files, err := meter.Files(example)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		switch text, ok := have[f.Name]; {
		case !ok:
			t.Errorf("examples/plugin lacks %s", f.Name)
		case text != f.Text:
			t.Errorf("examples/plugin/%s is not what the command writes: go test ./internal/scaffold -update", f.Name)
		}
		delete(have, f.Name)
	}
	for name := range have {
		t.Errorf("the command does not write examples/plugin/%s: go test ./internal/scaffold -update", name)
	}
}

// copyExample makes the templates of the example, and the example's go.mod.
func copyExample(t *testing.T, have map[string]string) {
	t.Helper()
	mod, err := meter.Linkspan.files(meter.Module, example)
	if err != nil {
		t.Fatal(err)
	}
	if err = os.RemoveAll(templateRoot); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range mod {
		write(filepath.Join(example, f.Name), f.Text)
		delete(have, f.Name)
	}
	for name, text := range have {
		write(filepath.Join(templateRoot, name+templateSuffix), text)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plugin     Plugin
		where      string // a file that has it
		want       string
		wrong      string // in the error
		otherwrong string // in the error too
	}{
		"a word":                 {plugin: Plugin{Name: "pump"}, where: "pump/pump.go", want: `protocol.Define("pump", `},
		"a word's module":        {plugin: Plugin{Name: "pump"}, where: "main.go", want: `_ "example.com/pump/pump"`},
		"a word's section":       {plugin: Plugin{Name: "pump"}, where: "application.conf", want: "  pump { maxLine"},
		"with a maker":           {plugin: Plugin{Name: "umbrella.pump"}, where: "application.conf", want: "protocol = umbrella.pump\n"},
		"a maker's module":       {plugin: Plugin{Name: "umbrella.pump"}, where: "main.go", want: `_ "example.com/umbrella/pump"`},
		"a module":               {plugin: Plugin{Name: "pump", Module: "meter.example/acme.meter"}, where: "main.go", want: `_ "meter.example/acme.meter/pump"`},
		"tests":                  {plugin: Plugin{Name: "pump"}, where: "pump/pump_test.go", want: "package pump_test\n"},
		"the program":            {plugin: Plugin{Name: "umbrella.pump"}, where: "README.md", want: "go build -o linkspan-pump ."},
		"capitals":               {plugin: Plugin{Name: "Pump"}, wrong: `name "Pump"`},
		"no name":                {plugin: Plugin{}, wrong: `name ""`},
		"a path":                 {plugin: Plugin{Name: "../pump"}, wrong: "want a word"},
		"a hyphen":               {plugin: Plugin{Name: "heat-pump"}, wrong: "want a word"},
		"two makers":             {plugin: Plugin{Name: "a.b.pump"}, wrong: "want a word"},
		"a digit first":          {plugin: Plugin{Name: "4g"}, wrong: "want a word"},
		"a keyword":              {plugin: Plugin{Name: "select"}, wrong: "means something to Go"},
		"a maker's keyword":      {plugin: Plugin{Name: "acme.range"}, wrong: "means something to Go"},
		"main":                   {plugin: Plugin{Name: "main"}, wrong: "means something to Go"},
		"a package in use":       {plugin: Plugin{Name: "thing"}, wrong: "identifier thing"},
		"a variable in use":      {plugin: Plugin{Name: "d"}, wrong: "identifier d"},
		"a predeclared one":      {plugin: Plugin{Name: "string"}, wrong: "identifier string"},
		"a file in use":          {plugin: Plugin{Name: "codec"}, wrong: "identifier codec"},
		"a protocol in the box":  {plugin: Plugin{Name: "jt808", Taken: []string{"jt808"}}, wrong: "acme.jt808"},
		"its name with a maker":  {plugin: Plugin{Name: "acme.jt808", Taken: []string{"jt808"}}, where: "main.go", want: "protocol acme.jt808"},
		"a bad module":           {plugin: Plugin{Name: "pump", Module: "has space"}, wrong: `module "has space"`},
		"linkspan as the module": {plugin: Plugin{Name: "pump", Module: linkspan}, wrong: "of your own"},
		"two mistakes":           {plugin: Plugin{Name: "Pump", Module: "/"}, wrong: `name "Pump"`, otherwrong: `module "/"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.plugin.Linkspan = Source{Path: checkout}
			files, err := c.plugin.Files("x")
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), c.otherwrong) {
					t.Fatalf("error %v, want one with %q and %q", err, c.wrong, c.otherwrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, f := range files {
				if f.Name != c.where {
					continue
				}
				found = true
				if !strings.Contains(f.Text, c.want) {
					t.Errorf("%s has no %q:\n%s", f.Name, c.want, f.Text)
				}
			}
			if !found {
				t.Errorf("there is no file %s", c.where)
			}
		})
	}
}
