package archtest

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// maxLines keeps files to one subject.
const maxLines = 450

func TestFilesHaveOneSubject(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if !s.isTest() && s.lines > maxLines {
			t.Errorf("%s has %d lines, want at most %d: split it by subject", s.name, s.lines, maxLines)
		}
	}
}

// Every package says what it is, in one file of it.
func TestPackagesHaveComments(t *testing.T) {
	t.Parallel()
	comments := map[string][]string{}
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		if _, known := comments[s.pkg]; !known {
			comments[s.pkg] = nil
		}
		if s.file.Doc == nil {
			continue
		}
		comments[s.pkg] = append(comments[s.pkg], s.name)
		want := "Package " + s.file.Name.Name + " "
		if s.file.Name.Name == "main" {
			name := path.Base(s.pkg)
			if s.pkg == "examples/plugin" { // a module of its own: what linkspan new plugin writes
				name = "linkspan-meter"
			}
			want = "Command " + name + " "
		}
		if text := s.file.Doc.Text(); !strings.HasPrefix(text, want) {
			t.Errorf("%s: the package comment begins %.40q, want %q", s.name, text, want)
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(comments)) {
		switch files := comments[pkg]; len(files) {
		case 0:
			t.Errorf("%s has no package comment", pkg)
		case 1:
		default:
			t.Errorf("%s has package comments in %q, want one", pkg, files)
		}
	}
}

// outside are paths that mean something on one machine only.
var outside = []string{
	"/wor" + "k/", "../sha" + "red", "/sha" + "red/", "/ro" + "ot/", "/tm" + "p/brief",
}

// The project is whole: no file of it points out of it.
func TestNoFilePointsOutside(t *testing.T) {
	t.Parallel()
	walk(t, func(root fs.FS, name string) {
		if path.Ext(name) == "" && path.Dir(name) != "." || strings.HasSuffix(name, ".test") {
			return // programs
		}
		for i, line := range strings.Split(read(t, root, name), "\n") {
			for _, path := range outside {
				if strings.Contains(line, path) {
					t.Errorf("%s:%d mentions %s", name, i+1, path)
				}
			}
		}
	})
}

// Nothing of ours but server, and what measures it, knows the library of its
// event loops; test files neither.
func TestOnlyServerKnowsGnet(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if under(s.pkg, "server") || under(s.pkg, "bench") || under(s.pkg, "internal/deps") {
			continue
		}
		for _, imp := range s.file.Imports {
			if p := strings.Trim(imp.Path.Value, `"`); under(p, gnet) {
				t.Errorf("%s imports %s", s.name, p)
			}
		}
	}
}
