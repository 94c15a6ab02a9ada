package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/config/hocon"
)

// Warn adds e to the [Tree.Warnings] and to [Tree.Unused], for owners who find
// what keeps nothing from running. The key that it names counts as read.
func (t *Tree) Warn(e *Error) {
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	t.all.notes = append(t.all.notes, e)
	if e.Key != "" {
		t.all.read[e.Key] = true
	}
}

// Knows tells whether a struct that has been decoded has the key at path, be it
// set or not.
func (t *Tree) Knows(path string) bool {
	s := t.Sub(path)
	if len(s.path) == 0 {
		return false
	}
	last := len(s.path) - 1
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	return t.all.known[hocon.FormatPath(s.path[:last])].has(s.path[last])
}

// Derived says that the default of the key at path was made of what the key
// from is set to, both from the root: [Tree.WriteResolved] tells so.
func (t *Tree) Derived(path, from string) {
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	t.all.derived[path] = from
}

// keyInfo is a key that a struct has.
type keyInfo struct {
	name    string
	section bool // or a list of such
}

type keyInfos []keyInfo

func (k keyInfos) has(name string) bool {
	return slices.ContainsFunc(k, func(i keyInfo) bool { return i.name == name })
}

// names are those of sections, or all.
func (k keyInfos) names(sections bool) []string {
	var out []string
	for _, i := range k {
		if i.section || !sections {
			out = append(out, i.name)
		}
	}
	return out
}

// maxListed is how many keys are listed in place of one that is not known.
const maxListed = 16

// hintFor says what to write in place of the unknown key name, whose value is v,
// of the section at path. s.mu is held.
func (s *shared) hintFor(path []string, name string, v *hocon.Value, known keyInfos) string {
	if like := Nearest(name, known.names(v.Kind() == hocon.Object)); like != "" {
		return "did you mean " + like + "?"
	}
	if v.Kind() == hocon.Object || len(path) == 0 {
		return ""
	}
	for _, at := range slices.Sorted(maps.Keys(s.known)) { // a level too high
		if sub, ok := cutPath(at, path); ok && len(sub) == 1 {
			if s.known[at].has(name) {
				return "did you mean " + hocon.FormatPath([]string{sub[0], name}) + "?"
			}
		}
	}
	switch n := len(known); {
	case n == 0:
		return "no keys are known here"
	case n > maxListed:
		return ""
	}
	return "known here: " + strings.Join(known.names(false), ", ")
}
