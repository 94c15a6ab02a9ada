package config

import (
	"reflect"
	"slices"
	"sync"

	"github.com/linkspan/linkspan/config/hocon"
)

// Tree is a loaded configuration, or a section of one. Its values do not
// change; it may be used from several goroutines.
type Tree struct {
	value *hocon.Value // nil: the section is not there
	path  []string     // from the root
	all   *shared
}

// shared is what a tree and its sections know of their use.
type shared struct {
	root     *hocon.Value
	optional map[string]optional // keys that stand in the files as ${?name}, by path; does not change

	mu      sync.Mutex
	pending []*variable             // overrides of keys that no file has; the slice does not change
	read    map[string]bool         // paths whose whole value has been decoded; guarded by mu
	known   map[string]keyInfos     // paths decoded into structs, with the keys these have; guarded by mu
	secret  map[string]bool         // paths that must not be printed; guarded by mu
	decoded []decoded               // what Decode has filled, the last last; guarded by mu
	fromEnv map[string]*hocon.Value // values of pending overrides, by path; guarded by mu
	missed  map[string]bool         // paths of which it matters that they are not set; guarded by mu
	derived map[string]string       // paths whose defaults were made of the value at another path; guarded by mu
	notes   Errors                  // what is no mistake, but no good either; guarded by mu
}

// optional is the value ${?name} of a key.
type optional struct {
	at   hocon.Position
	name string
}

// nothing says what became of it when the key is not set.
func (o optional) nothing() string {
	return "${?" + o.name + "} found nothing: there is no such key, and no such environment variable"
}

func newTree(root *hocon.Value, pending []*variable) *Tree {
	return &Tree{value: root, all: &shared{
		root: root, optional: map[string]optional{}, pending: pending,
		read: map[string]bool{}, known: map[string]keyInfos{}, secret: map[string]bool{}, fromEnv: map[string]*hocon.Value{}, missed: map[string]bool{}, derived: map[string]string{},
	}}
}

// Path is the section's place in the configuration, "" for the root.
func (t *Tree) Path() string { return hocon.FormatPath(t.path) }

// Sub is the section at path, which may be missing. Numbers lead to elements of
// lists. A malformed path leads nowhere.
func (t *Tree) Sub(path string) *Tree {
	parts, err := splitPath(path)
	if err != nil {
		return &Tree{path: append(slices.Clip(t.path), path), all: t.all}
	}
	return &Tree{value: t.value.At(parts...), path: append(slices.Clip(t.path), parts...), all: t.all}
}

// Has tells whether the configuration has a value at path; null is none.
func (t *Tree) Has(path string) bool {
	s := t.Sub(path)
	if s.value.Kind() != hocon.Null {
		return true
	}
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	t.all.missed[hocon.FormatPath(s.path)] = true
	return false
}

// Len is the number of elements of a list, or of keys of an object.
func (t *Tree) Len() int { return max(len(t.value.Elems()), len(t.value.Fields())) }

// Keys are the keys of an object, in the order of the files.
func (t *Tree) Keys() []string {
	keys := make([]string, 0, len(t.value.Fields()))
	for _, f := range t.value.Fields() {
		keys = append(keys, f.Key)
	}
	return keys
}

// Text is the text of the scalar at path and marks it as read; "" if there is
// none.
func (t *Tree) Text(path string) string {
	s := t.Sub(path)
	switch s.value.Kind() {
	case hocon.Null, hocon.Array, hocon.Object:
		return ""
	default:
		s.all.markRead(s.path)
		return s.value.Text()
	}
}

// Errorf makes an [Error] about the key at path, for owners who find more
// mistakes than types show. An empty path means the section itself. A key that is
// not set is where the nearest section around it is; one that is not set since its
// ${?name} found nothing is where that stands, and the error says so.
func (t *Tree) Errorf(path, problem, hint string) *Error {
	s := t.Sub(path)
	pos := t.all.posOf(s)
	if o, ok := t.all.optional[s.Path()]; ok && s.value == nil && pos.File == "" {
		return errorAt(o.at, s.Path(), problem+": "+o.nothing(), hint)
	}
	for n := len(s.path); pos.File == "" && n > 1; n-- {
		pos = t.all.root.At(s.path[:n-1]...).Pos()
	}
	return errorAt(pos, s.Path(), problem, hint)
}

// posOf is where the value of s stands, in a file or in the environment.
func (s *shared) posOf(section *Tree) hocon.Position {
	if section.value != nil {
		return section.value.Pos()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fromEnv[hocon.FormatPath(section.path)].Pos() // of no value: nowhere
}

func errorAt(pos hocon.Position, key, problem, hint string) *Error {
	return &Error{File: pos.File, Line: pos.Line, Column: pos.Column, Key: key, Problem: problem, Hint: hint}
}

func splitPath(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	return hocon.ParsePath(path)
}

func (s *shared) markRead(path []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read[hocon.FormatPath(path)] = true
}

func (s *shared) markSecret(path []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret[hocon.FormatPath(path)] = true
}

// keep remembers what has been decoded.
func (s *shared) keep(path []string, v reflect.Value) {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decoded = append(s.decoded, decoded{path, c})
}

func (s *shared) note(e *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, e)
}

func (s *shared) markKnown(path []string, keys keyInfos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := hocon.FormatPath(path)
	s.known[p] = append(s.known[p], keys...)
}

// override is the pending environment variable for path, nil if there is none.
func (s *shared) override(path []string) *variable {
	for _, v := range s.pending {
		if v.names(path) {
			s.mu.Lock()
			v.used = true
			s.mu.Unlock()
			return v
		}
	}
	return nil
}

// overridesBelow tells whether a pending variable may name a key below path.
func (s *shared) overridesBelow(path []string) bool {
	return slices.ContainsFunc(s.pending, func(v *variable) bool { return v.below(path) })
}
