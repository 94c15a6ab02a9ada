package doctest

import (
	"regexp"
	"slices"
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

var require = regexp.MustCompile(`(?m)^\t?(?:require )?([a-z]\S+\.\S+/\S+ v\S+)`)

// The plugin's module lives by what the project's needs: go commands in it need
// no network and change nothing.
func TestThePluginsModuleIsUpToDate(t *testing.T) {
	t.Parallel()
	needs := func(name string) (all []string) {
		for _, m := range require.FindAllStringSubmatch(read(t, name), -1) {
			if !strings.HasPrefix(m[1], "github.com/linkspan/linkspan ") {
				all = append(all, m[1])
			}
		}
		slices.Sort(all)
		return all
	}
	have, want := needs("examples/plugin/go.mod"), needs("go.mod")
	if len(want) < 10 {
		t.Fatalf("go.mod requires %q", want)
	}
	for _, m := range want {
		if !slices.Contains(have, m) {
			t.Errorf("examples/plugin/go.mod lacks %s", m)
		}
	}
	for _, m := range have {
		if !slices.Contains(want, m) {
			t.Errorf("examples/plugin/go.mod has %s, which go.mod has not", m)
		}
	}
	if read(t, "examples/plugin/go.sum") != read(t, "go.sum") {
		t.Error("examples/plugin/go.sum is not go.sum: copy it")
	}
}
