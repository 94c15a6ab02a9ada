package scaffold

import (
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	plainName  = regexp.MustCompile(`^([a-z][a-z0-9]*\.)?[a-z][a-z0-9]*$`)
	modulePath = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
)

// folders are names of packages that the go command treats in a way of its own.
var folders = []string{"internal", "main", "testdata", "vendor"}

// check reports all that is wrong with p.
func (p Plugin) check(names []string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("scaffold: "+format, args...)) }
	switch {
	case !plainName.MatchString(p.Name):
		bad("name %q: want a word of lower-case letters and digits that begins with a letter, perhaps with a maker's before it: meter, acme.meter", p.Name)
	case token.IsKeyword(p.Package()) || slices.Contains(folders, p.Package()):
		bad("name %q: %s means something to Go; choose another", p.Name, p.Package())
	case slices.Contains(p.Taken, p.Name):
		bad("name %q: there is a protocol of this name; put a maker's name before it: acme.%s", p.Name, p.Package())
	default:
		used, err := identifiers(names)
		if err != nil {
			return err
		}
		if used[p.Package()] {
			bad("name %q: the files use the identifier %s for something else; choose another", p.Name, p.Package())
		}
	}
	if m := p.Module; m != "" && (!modulePath.MatchString(m) || m == linkspan || strings.HasPrefix(m, linkspan+"/")) {
		bad("module %q: want a module path of your own, such as example.com/acme", m)
	}
	return errors.Join(errs...)
}

// identifiers are all that the templates' Go files use, but for the package's
// name: it is to take the place of none of them. Predeclared ones are in it as
// far as they are used.
func identifiers(names []string) (map[string]bool, error) {
	used := map[string]bool{}
	for _, name := range names {
		if path.Ext(strings.TrimSuffix(name, templateSuffix)) != ".go" {
			continue
		}
		text, err := templates.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("scaffold: %w", err)
		}
		file := token.NewFileSet().AddFile(name, -1, len(text))
		var s scanner.Scanner
		s.Init(file, text, nil, 0)
		for {
			_, tok, literal := s.Scan()
			if tok == token.EOF {
				break
			}
			if tok == token.IDENT {
				used[literal] = true
			}
		}
		base := strings.TrimSuffix(path.Base(name), ".go"+templateSuffix)
		used[base] = true // a file of the package
	}
	delete(used, "meter")
	return used, nil
}
