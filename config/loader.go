package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/config/hocon"
)

// EnvPrefix begins the names of environment variables that override keys.
const EnvPrefix = "LINKSPAN_"

// Loader says what makes up a configuration.
type Loader struct {
	// Paths are the files, each over those before it. The extension tells the
	// format: .conf and .hocon, .json, .properties.
	Paths []string
	// Defines are key=value definitions, as -D gives them on a command line. They
	// are over everything else; a later one is over an earlier one. A number in
	// the key means an element of a list, from 0, of which the rest stays; key+=value
	// adds an element to a list.
	Defines []string
	// Environ are NAME=value pairs as of os.Environ. LINKSPAN_A_B overrides the
	// key a.b. Case does not matter, and a key of several words may be written
	// with or without _ between them: LINKSPAN_SOCKETSERVER_LISTENTYPE and
	// LINKSPAN_SOCKET_SERVER_LISTEN_TYPE are both socketServer.listenType. A number
	// means an element of a list. All of them answer substitutions that no key
	// answers: ${HOME}.
	Environ []string
	// Limits bound what the files may cost.
	Limits hocon.Limits
}

// Values of definitions and of environment variables are texts, but for those
// that begin with [, { or a double quote: they are HOCON.

// Load loads files, each over those before it, with the overrides of the
// process's environment. The error is an [Errors].
func Load(paths ...string) (*Tree, error) {
	return Loader{Paths: paths, Environ: os.Environ()}.Load()
}

// Parse loads one text, without overrides and without environment. name stands
// in positions; its extension tells the format (HOCON by default), and included
// files are relative to its folder. The error is an [Errors].
func Parse(name, text string) (*Tree, error) {
	doc, err := hocon.Parse(name, []byte(text), hocon.Options{})
	if err != nil {
		return nil, Errors{asError(err, "")}
	}
	return Loader{}.finish(doc)
}

// Load loads the configuration. The error is an [Errors] with the first mistake
// of each file.
func (l Loader) Load() (*Tree, error) {
	var doc *hocon.Document
	var errs Errors
	for _, path := range l.Paths {
		if hocon.FormatOf(path) == "" {
			errs = append(errs, &Error{File: path, Problem: "the format is not known", Hint: "name it .conf, .hocon, .json or .properties"})
			continue
		}
		high, err := hocon.ParseFile(path, l.options())
		if err != nil {
			e := asError(err, "")
			if errors.Is(err, fs.ErrNotExist) {
				e.Hint = beside(path)
			}
			errs = append(errs, e)
			continue
		}
		if doc == nil {
			doc = high
		} else {
			doc.Merge(high)
		}
	}
	if errs != nil {
		return nil, errs
	}
	if doc == nil {
		var err error
		if doc, err = hocon.Parse("", nil, l.options()); err != nil {
			return nil, Errors{asError(err, "")}
		}
	}
	return l.finish(doc)
}

// beside says which file of the same name is there in another format, "" if none
// is.
func beside(path string) string {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	for _, ext := range []string{".conf", ".hocon", ".json", ".properties"} {
		if info, err := os.Stat(stem + ext); err == nil && info.Mode().IsRegular() {
			return stem + ext + " is there"
		}
	}
	return ""
}

func (l Loader) options() hocon.Options {
	return hocon.Options{Limits: l.Limits, LookupEnv: func(name string) (string, bool) {
		for i := len(l.Environ) - 1; i >= 0; i-- {
			if k, v, ok := strings.Cut(l.Environ[i], "="); ok && k == name {
				return v, true
			}
		}
		return "", false
	}}
}

// finish lays the overrides over doc and resolves it.
func (l Loader) finish(doc *hocon.Document) (*Tree, error) {
	pending := l.variables()
	var plain *hocon.Document
	if len(pending) > 0 {
		plain = doc.Clone()
		doc.Keys(func(path []string) { match(pending, path) })
	}
	root, err := l.override(doc, pending)
	if err != nil {
		return nil, err
	}
	if len(pending) == 0 {
		return treeOf(doc, root, nil), nil
	}
	// Keys that only resolving brings, such as those of ${defaults}.
	found := false
	root.Keys(func(path []string) { found = match(pending, path) || found })
	if found {
		if root, err = l.override(plain, pending); err != nil {
			return nil, err
		}
	}
	rest := slices.DeleteFunc(pending, func(v *variable) bool { return v.paths != nil })
	if err := beyondLists(root, rest); err != nil {
		return nil, err
	}
	return treeOf(doc, root, rest), nil
}

// treeOf makes the tree of a document. What its substitutions refer to counts
// as read.
func treeOf(doc *hocon.Document, root *hocon.Value, pending []*variable) *Tree {
	t := newTree(root, pending)
	doc.References(t.all.markRead)
	doc.Optionals(func(path []string, at hocon.Position, name string) {
		t.all.optional[hocon.FormatPath(path)] = optional{at, name}
	})
	return t
}

// override lays variables over the keys that they have been found to name, and
// definitions over them.
func (l Loader) override(doc *hocon.Document, variables []*variable) (*hocon.Value, error) {
	var errs Errors
	for _, v := range variables {
		for _, path := range v.paths {
			if err := doc.Set(path, v.text, v.source()); err != nil {
				errs = append(errs, asError(err, hocon.FormatPath(path)))
			}
		}
	}
	for _, d := range l.Defines {
		if err := define(doc, d); err != nil {
			errs = append(errs, err)
		}
	}
	if errs != nil {
		return nil, errs
	}
	root, err := doc.Resolve()
	if err != nil {
		return nil, Errors{asError(err, "")}
	}
	return root, nil
}

func define(doc *hocon.Document, definition string) *Error {
	key, text, ok := strings.Cut(definition, "=")
	source := "-D" + key
	if !ok {
		return &Error{File: source, Problem: "the definition has no value", Hint: "write -Dkey=value"}
	}
	key, adds := strings.CutSuffix(key, "+")
	if adds {
		key = strings.TrimSpace(key)
		source = "-D" + key + "+"
	}
	path, err := hocon.ParsePath(key)
	switch {
	case err != nil:
	case adds:
		err = doc.Append(path, strings.TrimSpace(text), source)
	default:
		err = doc.Set(path, text, source)
	}
	if err != nil {
		e := asError(err, key)
		e.File, e.Line, e.Column = source, 0, 0
		return e
	}
	return nil
}
