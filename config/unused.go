package config

import (
	"slices"
	"strings"

	"github.com/linkspan/linkspan/config/hocon"
)

// Warnings are the keys that stand in a decoded section and that its struct
// does not know, unless something else has read them or substitutions refer to them; each with the known key
// that looks most like it; and the files of secrets that others may read. They
// cover all of the configuration, whatever section t is.
func (t *Tree) Warnings() Errors { return t.all.unread(false) }

// Unused are all keys that no Decode has read: the [Tree.Warnings], sections
// that nobody asked for, and environment variables LINKSPAN_... that name no
// key. Ask when everything has been decoded.
func (t *Tree) Unused() Errors { return t.all.unread(true) }

func (s *shared) unread(all bool) Errors {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.notes)
	s.walk(s.root, nil, all, &out)
	if all {
		for _, v := range s.pending {
			if !v.used {
				out = append(out, &Error{File: v.source(), Problem: "names no key", Hint: "see the reference of keys; . is written _"})
			}
		}
	}
	return out.sorted()
}

// walk collects what nobody has read below v. It tells whether anything there
// has been read.
func (s *shared) walk(v *hocon.Value, path []string, all bool, out *Errors) (read bool) {
	key := hocon.FormatPath(path)
	if s.read[key] {
		return true
	}
	known, opened := s.known[key]
	visit := func(child *hocon.Value, name string, pos hocon.Position) bool {
		sub := append(slices.Clip(path), name)
		var below Errors
		if s.walk(child, sub, all, &below) {
			*out = append(*out, below...)
			return true
		}
		if all || opened {
			e := errorAt(pos, hocon.FormatPath(sub), "is not a known key", "")
			if !opened || known.has(name) {
				e.Problem = "is not used"
			} else {
				e.Hint = s.hintFor(path, name, child, known)
			}
			*out = append(*out, e)
		}
		return false
	}
	read = opened || len(path) == 0
	for _, f := range v.Fields() {
		read = visit(f.Value, f.Key, f.Pos()) || read
	}
	for i, e := range v.Elems() {
		read = visit(e, indexOf(v, e, i), e.Pos()) || read
	}
	return read
}

// Nearest is the one of known that name may have been meant to be, "" if none
// looks like it.
func Nearest(name string, known []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return k
		}
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the characters to insert, remove, change or swap between a
// and b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
