package doctest

import (
	"regexp"
	"strings"
	"testing"
)

// What pages show of programs is in files that are compiled and tested. A block
// that is a whole program has to be.
func TestCodeIsThatOfTheFiles(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, p := range pages(t) {
		for _, b := range p.code {
			file := b.value("file")
			if file == "" {
				if b.lang == "go" && strings.HasPrefix(b.text, "package ") {
					t.Errorf("%s:%d: a whole Go file that nothing compiles: put it into examples and say file=", p.name, b.line)
				}
				continue
			}
			seen++
			if !strings.Contains("\n"+read(t, file), "\n"+b.text) {
				t.Errorf("%s:%d: %s has no such lines (any more)", p.name, b.line, file)
			}
		}
	}
	if seen < 3 {
		t.Errorf("only %d blocks of files were found", seen)
	}
}

var requirement = regexp.MustCompile(`(?m)^\t(\S+ v\S+)`)

// The plugin's module lives by what the project's needs: go commands in it need
// no network and change nothing.
func TestThePluginsModuleIsUpToDate(t *testing.T) { //nolint:paralleltest // may write it
	var mod strings.Builder
	mod.WriteString("module example.com/acme\n\ngo 1.26.0\n\nrequire github.com/linkspan/linkspan v0.0.0\n\nrequire (\n")
	needs := requirement.FindAllStringSubmatch(read(t, "go.mod"), -1)
	if len(needs) < 10 {
		t.Fatalf("go.mod requires %q", needs)
	}
	for _, m := range needs {
		mod.WriteString("\t" + m[1] + " // indirect\n")
	}
	mod.WriteString(")\n\nreplace github.com/linkspan/linkspan => ../..\n")
	for name, want := range map[string]string{"examples/plugin/go.mod": mod.String(), "examples/plugin/go.sum": read(t, "go.sum")} {
		generated(t, name, want)
	}
}
