package hocon

import "strconv"

// Optionals calls f for each field that has ${?name} for its value and nothing else,
// also in elements of lists: with the field's path, the place of the substitution and
// its name as it stands in the file. Such a field is missing when the name is nowhere.
func (d *Document) Optionals(f func(path []string, at Position, name string)) {
	d.root.eachOptional(nil, f)
}

func (n *node) eachOptional(path []string, f func([]string, Position, string)) {
	if !n.open {
		return
	}
	path = path[:len(path):len(path)]
	switch n.kind {
	case nodeSubst:
		if n.optional {
			f(path, n.at.position(), FormatPath(n.path[n.written:]))
		}
	case nodeMerge:
		for _, e := range n.elems { // the highest last
			e.eachOptional(path, f)
		}
	case nodeArray:
		for i, e := range n.elems {
			if e.kind != nodeObject { // it may be missing, or several
				return
			}
			e.eachOptional(append(path, strconv.Itoa(i)), f)
		}
	case nodeObject:
		for _, field := range n.object.fields {
			field.val.eachOptional(append(path, field.key), f)
		}
	default:
	}
}
