package hocon

import (
	"fmt"
	"strconv"
)

// Set lays a value over what path has. A text that begins with [, { or " is
// HOCON, another is a string as it is. Where the document has an array, a
// number in path means its element of that index, from 0, of which the rest
// stays; Resolve fails when there is none. source says where the value comes
// from.
func (d *Document) Set(path []string, text, source string) error {
	if len(path) == 0 {
		return &Error{Pos: Position{File: source}, Problem: errEmptyPath.Error()}
	}
	val, err := d.valueOf(path, text, source)
	if err != nil {
		return err
	}
	d.lay(path, val)
	return nil
}

// Append is Set for an element that is added to the list at path, which is made
// if there is none.
func (d *Document) Append(path []string, text, source string) error {
	if len(path) == 0 {
		return &Error{Pos: Position{File: source}, Problem: errEmptyPath.Error()}
	}
	val, err := d.valueOf(path, text, source)
	if err != nil {
		return err
	}
	d.lay(path, &node{kind: nodeAppend, open: true, text: FormatPath(path), at: val.at, elems: []*node{val}})
	return nil
}

// valueOf reads what is to be laid at path.
func (d *Document) valueOf(path []string, text, source string) (*node, error) {
	val := &node{kind: nodeString, at: place{file: &source}, text: text}
	if text != "" && (text[0] == '[' || text[0] == '{' || text[0] == '"') {
		p := &parser{session: newSession(Options{Limits: d.opts.Limits, NoIncludes: true}, source), lex: newLexer(source, []byte(text)), name: source}
		err := p.advance()
		if err == nil {
			val, err = p.value(path)
		}
		if err == nil && p.tok.kind != tokEOF {
			err = p.unexpected("the end")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", FormatPath(path), err)
		}
	}
	return val, nil
}

// lay makes val the value at path.
func (d *Document) lay(path []string, val *node) {
	at := val.at
	for i := len(path) - 1; i >= 0; i-- {
		o := newObject(at)
		o.patch, o.open = i > 0, true
		o.object.add(field{path[i], at, val})
		val = o
	}
	d.root = overlay(d.root, val)
}

// patch gives the array low with the elements changed that the object high
// names.
func (r *resolver) patch(low, high *node) (*node, error) {
	if err := r.step(high, len(low.elems)+len(high.object.fields)); err != nil {
		return nil, err
	}
	out := &node{kind: nodeArray, open: true, at: low.at, elems: append([]*node(nil), low.elems...)}
	for _, f := range high.object.fields {
		i, err := strconv.Atoi(f.key)
		switch {
		case err != nil:
			return nil, f.at.errorf("name an element by its number, from 0", "%s is no element of the list at %s", FormatPath([]string{f.key}), low.at.position())
		case i < 0 || i >= len(low.elems):
			return nil, f.at.errorf("elements are numbered from 0; += adds one", "there is no element %s: the list at %s has %d", f.key, low.at.position(), len(low.elems))
		}
		out.elems[i] = &node{kind: nodeMerge, open: true, at: f.val.at, elems: []*node{out.elems[i], f.val}}
	}
	return out, nil
}

// Clone is a document that can be changed without changing d.
func (d *Document) Clone() *Document {
	return &Document{root: d.root.clone(), opts: d.opts}
}

func (n *node) clone() *node {
	c := *n
	if n.elems != nil {
		c.elems = make([]*node, len(n.elems))
		for i, e := range n.elems {
			c.elems[i] = e.clone()
		}
	}
	if n.object != nil {
		c.object = &object{}
		for _, f := range n.object.fields {
			c.object.add(field{f.key, f.at, f.val.clone()})
		}
	}
	return &c
}

// Keys calls f for each path that d has without resolving anything, parents
// before children. Numbers stand for elements of arrays.
func (d *Document) Keys(f func(path []string)) { keysOf(d.root, nil, f) }

func keysOf(n *node, path []string, f func([]string)) {
	below := func(key string, val *node) {
		sub := append(path[:len(path):len(path)], key)
		f(sub)
		keysOf(val, sub, f)
	}
	switch n.kind {
	case nodeObject:
		for _, field := range n.object.fields {
			below(field.key, field.val)
		}
	case nodeArray:
		for i, e := range n.elems {
			below(strconv.Itoa(i), e)
		}
	case nodeMerge, nodeConcat:
		for _, e := range n.elems {
			keysOf(e, path, f)
		}
	default:
	}
}

// Keys calls f for each path below v, parents before children. Numbers stand
// for elements of arrays.
func (v *Value) Keys(f func(path []string)) { v.keys(nil, f) }

func (v *Value) keys(path []string, f func([]string)) {
	below := func(key string, val *Value) {
		sub := append(path[:len(path):len(path)], key)
		f(sub)
		val.keys(sub, f)
	}
	for _, field := range v.Fields() {
		below(field.Key, field.Value)
	}
	for i, e := range v.Elems() {
		below(strconv.Itoa(i), e)
	}
}
