package hocon

import (
	"slices"
	"strconv"
	"strings"
)

// concat gives the value of the pieces of one line.
func (r *resolver) concat(n *node) (*node, error) {
	var parts []*node
	plain, composed := 0, 0
	for _, piece := range n.elems {
		v, err := r.eval(piece)
		if err != nil {
			return nil, err
		}
		switch {
		case v == nil:
			continue
		case !v.scalar() && piece.around && piece.optional:
			continue // the object in which it stands is missing while it is made
		case !v.scalar():
			composed++
		case !v.blank:
			plain++
		}
		parts = append(parts, v)
	}
	switch {
	case len(parts) == 0:
		return nil, nil
	case composed == 0:
		return r.text(n, parts)
	case plain > 0:
		return nil, mixed(n, parts)
	}
	parts = slices.DeleteFunc(parts, func(p *node) bool { return p.blank })
	if !slices.ContainsFunc(parts, func(p *node) bool { return p.kind == nodeArray }) {
		return r.join(n.at, parts)
	}
	return r.array(n, parts)
}

// text joins scalars into a string. One alone stays what it is.
func (r *resolver) text(n *node, parts []*node) (*node, error) {
	if len(parts) == 1 && !parts[0].blank {
		return parts[0], nil
	}
	size := 0
	for _, p := range parts {
		size += len(p.text)
	}
	if size > r.limits.Text {
		return nil, n.errorf("look for substitutions that multiply", "the text is longer than %d bytes", r.limits.Text)
	}
	if err := r.step(n, len(parts)+size/64); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.Grow(size)
	for _, p := range parts {
		b.WriteString(p.text)
	}
	return &node{kind: nodeString, at: n.at, text: b.String()}, nil
}

// array joins arrays, and objects whose keys are numbers, into one array.
func (r *resolver) array(n *node, parts []*node) (*node, error) {
	out := &node{kind: nodeArray, at: n.at}
	for _, p := range parts {
		a := asArray(p)
		if a == nil {
			return nil, mixed(n, parts)
		}
		if err := r.step(n, len(a.elems)+1); err != nil {
			return nil, err
		}
		out.elems = append(out.elems, a.elems...)
	}
	return out, nil
}

func mixed(n *node, parts []*node) *Error {
	kinds := make([]string, 0, len(parts))
	for _, p := range parts {
		if d := describe(p); !p.blank && !slices.Contains(kinds, d) {
			kinds = append(kinds, d)
		}
	}
	return n.errorf("put a comma or a line break between them if the second is a key; join only texts with texts, arrays with arrays, objects with objects",
		"%s cannot be joined on one line", strings.Join(kinds, " and "))
}

// asArray gives n as an array: itself, or an object's values in the order of
// its numeric keys; nil when it is neither.
func asArray(n *node) *node {
	switch n.kind {
	case nodeArray:
		return n
	case nodeObject:
		type entry struct {
			index int
			val   *node
		}
		var entries []entry
		for _, f := range n.object.fields {
			if i, err := strconv.Atoi(f.key); err == nil && i >= 0 {
				entries = append(entries, entry{i, f.val})
			}
		}
		if len(entries) == 0 {
			return nil
		}
		slices.SortStableFunc(entries, func(a, b entry) int { return a.index - b.index })
		out := &node{kind: nodeArray, at: n.at}
		for _, e := range entries {
			out.elems = append(out.elems, e.val)
		}
		return out
	default:
		return nil
	}
}

func describe(n *node) string {
	switch n.kind {
	case nodeNull:
		return "null"
	case nodeBool:
		return "a boolean"
	case nodeNumber:
		return "a number"
	case nodeString:
		return "a text"
	case nodeArray:
		return "an array"
	case nodeObject:
		return "an object"
	default:
		return "an unresolved value"
	}
}
