package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed plugin
var templates embed.FS

const (
	templateRoot   = "plugin" // of the embedded files
	templateSuffix = ".txt"   // of their names, so that no tool takes them for programs
)

// Plugin says what to make. It is used by one goroutine.
type Plugin struct {
	// Name is what configurations call the protocol: a word, which is the
	// package's name too, or with a maker's name before it, acme.meter.
	Name string
	// Module is the path of the new module; empty: example.com and the first
	// word of Name.
	Module string
	// Linkspan is where linkspan comes from.
	Linkspan Source
	// Taken are names of protocols that there are already.
	Taken []string
}

// File is one file of the scaffold.
type File struct {
	Name string // slash-separated, from the module's folder
	Text string
}

// ErrExists is returned by [Write] for a folder that has something in it.
var ErrExists = errors.New("scaffold: there is something already")

// Package is the name of the package and of its folder.
func (p Plugin) Package() string { return p.Name[strings.LastIndexByte(p.Name, '.')+1:] }

// module is p.Module or its default.
func (p Plugin) module() string {
	if p.Module != "" {
		return p.Module
	}
	first, _, _ := strings.Cut(p.Name, ".")
	return "example.com/" + first
}

// Files are the files of the new module, sorted by name, for a folder dir. It
// reports all that is wrong with p at once.
func (p Plugin) Files(dir string) ([]File, error) {
	names, err := templateNames()
	if err != nil {
		return nil, err
	}
	if err = p.check(names); err != nil {
		return nil, err
	}
	files, err := p.Linkspan.files(p.module(), dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := templates.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("scaffold: %w", err)
		}
		f := File{Name: p.rename(strings.TrimSuffix(strings.TrimPrefix(name, templateRoot+"/"), templateSuffix)), Text: p.rename(string(text))}
		if path.Ext(f.Name) == ".go" { // other names may move columns
			pretty, err := format.Source([]byte(f.Text))
			if err != nil {
				return nil, fmt.Errorf("scaffold: %s: %w", f.Name, err)
			}
			f.Text = string(pretty)
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// mark finds the example's names in a template.
var mark = regexp.MustCompile(`example\.com/acme|acme\.meter|\bmeter(_test)?\b`)

// rename puts p's names in place of the example's.
func (p Plugin) rename(text string) string {
	return mark.ReplaceAllStringFunc(text, func(name string) string {
		switch name {
		case "example.com/acme":
			return p.module()
		case "acme.meter":
			return p.Name
		default:
			return p.Package() + strings.TrimPrefix(name, "meter")
		}
	})
}

func templateNames() (names []string, err error) {
	err = fs.WalkDir(templates, templateRoot, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("scaffold: %w", err)
	}
	return names, nil
}

// Write writes files into dir, which it makes. It never overwrites: a folder
// that has something in it is [ErrExists].
func Write(dir string, files []File) error {
	have, err := os.ReadDir(dir)
	switch {
	case err == nil && len(have) > 0:
		return fmt.Errorf("%w: %s is not empty; name another folder with --dir", ErrExists, dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("scaffold: %w", err)
	}
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // a folder of sources
			return fmt.Errorf("scaffold: %w", err)
		}
		mode := fs.FileMode(0o644)
		if filepath.Base(name) == "devices.conf" { // is for secrets
			mode = 0o600
		}
		if err := create(name, f.Text, mode); err != nil {
			return fmt.Errorf("scaffold: %w", err)
		}
	}
	return nil
}

func create(name, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // a source file, where the user asked for it
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
