package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/linkspan/linkspan"

// source is one Go file of the project.
type source struct {
	name  string // slash-separated, from the root
	pkg   string // its directory
	text  string
	file  *ast.File // imports and comments before them
	lines int
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

// isKit says whether pkg is a test kit, such as codec/codectest.
func isKit(pkg string) bool { return strings.HasSuffix(pkg, "test") }

// sources reads all Go files of the project, those of modules inside of it
// included. It does so itself, not through the go command, so that the test
// cache sees what the tests depend on.
func sources(t *testing.T) (all []source) {
	t.Helper()
	walk(t, func(root fs.FS, name string) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		text := read(t, root, name)
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		all = append(all, source{name, path.Dir(name), text, file, strings.Count(text, "\n")})
	})
	if len(all) == 0 {
		t.Fatal("there is no Go file: is the root two directories up?")
	}
	return all
}

// walk visits every file of the project but for build products and test data.
func walk(t *testing.T, visit func(root fs.FS, name string)) {
	t.Helper()
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || name == "bin" || name == ".git"):
			return fs.SkipDir
		case d.Type().IsRegular():
			visit(root, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, root fs.FS, name string) string {
	t.Helper()
	text, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// importsOf lists what each package imports outside of tests.
func importsOf(all []source) map[string][]string {
	imports := map[string][]string{}
	for _, s := range all {
		if s.isTest() {
			continue
		}
		if _, known := imports[s.pkg]; !known {
			imports[s.pkg] = nil // a package without imports is a package
		}
		for _, imp := range s.file.Imports {
			if p, err := strconv.Unquote(imp.Path.Value); err == nil {
				imports[s.pkg] = append(imports[s.pkg], p)
			}
		}
	}
	return imports
}
