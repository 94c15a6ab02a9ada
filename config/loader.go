package config

import (
	"os"
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
	// are over everything else; a later one is over an earlier one.
	Defines []string
	// Environ are NAME=value pairs as of os.Environ. LINKSPAN_A_B overrides the
	// key a.b. Case does not matter, and a key of several words may be written
	// with or without _ between them: LINKSPAN_SOCKETSERVER_LISTENTYPE and
	// LINKSPAN_SOCKET_SERVER_LISTEN_TYPE are both socketServer.listenType. All of
	// them answer substitutions that no key answers: ${HOME}.
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
			errs = append(errs, asError(err, ""))
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
	var errs Errors
	pending := l.variables()
	doc.Keys(func(path []string) {
		for _, v := range pending {
			if v.names(path) {
				v.paths = append(v.paths, path)
			}
		}
	})
	rest := pending[:0]
	for _, v := range pending {
		for _, path := range v.paths {
			if err := doc.Set(path, v.text, v.source()); err != nil {
				errs = append(errs, asError(err, hocon.FormatPath(path)))
			}
		}
		if v.paths == nil {
			rest = append(rest, v)
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
	return newTree(root, rest), nil
}

func define(doc *hocon.Document, definition string) *Error {
	key, text, ok := strings.Cut(definition, "=")
	source := "-D" + key
	if !ok {
		return &Error{File: source, Problem: "the definition has no value", Hint: "write -Dkey=value"}
	}
	path, err := hocon.ParsePath(key)
	if err == nil {
		err = doc.Set(path, text, source)
	}
	if err != nil {
		e := asError(err, key)
		e.File, e.Line, e.Column = source, 0, 0
		return e
	}
	return nil
}

// variable is an environment variable that overrides a key.
type variable struct {
	name  string
	parts []string // of the name without its prefix, in upper case
	text  string
	paths [][]string // keys of the files that it names
	used  bool       // guarded by shared.mu
}

func (v *variable) source() string { return "environment variable " + v.name }

func (l Loader) variables() []*variable {
	var out []*variable
	for _, pair := range l.Environ {
		name, text, ok := strings.Cut(pair, "=")
		rest, override := strings.CutPrefix(name, EnvPrefix)
		if ok && override && rest != "" {
			out = append(out, &variable{name: name, text: text, parts: strings.Split(strings.ToUpper(rest), "_")})
		}
	}
	return out
}

// names tells whether v means the key at path.
func (v *variable) names(path []string) bool { return v.match(path) && len(path) > 0 }

func (v *variable) match(path []string) bool {
	parts := v.parts
	for _, key := range path {
		want := letters(key)
		if want == "" {
			return false
		}
		for want != "" {
			if len(parts) == 0 {
				return false
			}
			rest, ok := strings.CutPrefix(want, parts[0])
			if !ok {
				return false
			}
			want, parts = rest, parts[1:]
		}
	}
	return len(parts) == 0
}

// below tells whether v may mean a key below path.
func (v *variable) below(path []string) bool {
	for n := len(v.parts) - 1; n > 0; n-- {
		head := variable{parts: v.parts[:n]}
		if head.match(path) {
			return true
		}
	}
	return false
}

// letters is key in upper case without what a variable's name cannot have.
func letters(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return -1
		}
	}, key)
}
