package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/config/hocon"
)

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

// match gives path to the variables that mean it. It tells whether one is new.
func match(variables []*variable, path []string) (found bool) {
	for _, v := range variables {
		if !v.names(path) || slices.ContainsFunc(v.paths, func(p []string) bool { return slices.Equal(p, path) }) {
			continue
		}
		v.paths = append(v.paths, path)
		found = true
	}
	return found
}

// beyondLists finds the variables that mean elements which lists do not have.
func beyondLists(root *hocon.Value, variables []*variable) error {
	var errs Errors
	root.Keys(func(path []string) {
		list := root.At(path...)
		if list.Kind() != hocon.Array {
			return
		}
		for _, v := range variables {
			parts, ok := v.cut(path)
			if !ok || len(parts) == 0 {
				continue
			}
			if i, err := strconv.Atoi(parts[0]); err == nil && i >= len(list.Elems()) {
				errs = append(errs, &Error{
					File: v.source(), Key: hocon.FormatPath(path), Problem: fmt.Sprintf("there is no element %d: the list at %s has %d", i, list.Pos(), len(list.Elems())),
					Hint: "elements are numbered from 0",
				})
			}
		}
	})
	if errs == nil {
		return nil
	}
	return errs.sorted()
}

// names tells whether v means the key at path.
func (v *variable) names(path []string) bool {
	rest, ok := v.cut(path)
	return ok && len(rest) == 0 && len(path) > 0
}

// cut takes the parts of v's name that mean path off and gives the rest.
func (v *variable) cut(path []string) (rest []string, ok bool) {
	parts := v.parts
	for _, key := range path {
		want := letters(key)
		if want == "" {
			return nil, false
		}
		for want != "" {
			if len(parts) == 0 {
				return nil, false
			}
			rest, ok := strings.CutPrefix(want, parts[0])
			if !ok {
				return nil, false
			}
			want, parts = rest, parts[1:]
		}
	}
	return parts, true
}

// below tells whether v may mean a key below path.
func (v *variable) below(path []string) bool {
	rest, ok := v.cut(path)
	return ok && len(rest) > 0
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
