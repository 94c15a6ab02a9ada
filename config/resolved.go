package config

import (
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/config/hocon"
)

// decoded is what a Decode has filled.
type decoded struct {
	path  []string
	value reflect.Value // a copy
}

// WriteResolved prints everything that has been decoded of the section, with
// its defaults, as HOCON that means the same when it is loaded. Secrets are
// masked, as [Tree.Write] does. Optional sections and values that are not set
// are left out; a default is a comment where someone has asked whether the key
// is there ([Tree.Has]). With origins, each key is followed by a comment that tells where
// its value comes from.
func (t *Tree) WriteResolved(w io.Writer, origins bool) error {
	t.all.mu.Lock()
	p := printer{all: t.all, origins: origins}
	root := &item{section: true}
	for _, d := range t.all.decoded {
		p.add(root.at(d.path), d.path, d.value, options{})
	}
	t.all.mu.Unlock()
	return p.print(w, prune(root.at(t.path)))
}

// prune leaves out what has no text.
func prune(it *item) *item {
	it.children = slices.DeleteFunc(it.children, func(c *item) bool {
		prune(c)
		return !c.section && !c.list && c.text == ""
	})
	return it
}

// add makes it the value v of the key at path.
func (p *printer) add(it *item, path []string, v reflect.Value, o options) {
	t := v.Type()
	o.secret = o.secret || isSecret(t)
	switch {
	case t == treeType:
		if tree, _ := v.Interface().(*Tree); tree != nil {
			it.set(p.ofValue(tree.value, path, false))
		}
	case reflect.PointerTo(t).Implements(unmarshalerType):
		p.leaf(it, path, v, o)
	case t.Kind() == reflect.Pointer:
		if !v.IsNil() {
			p.add(it, path, v.Elem(), o)
		}
	case t.Kind() == reflect.Struct:
		it.section = true
		for _, f := range fieldsOf(t) {
			p.add(it.at([]string{f.key}), sub(path, f.key), v.FieldByIndex(f.index), f.options)
		}
	case t.Kind() == reflect.Slice && isStruct(elementType(t)):
		it.list = true
		for i := range v.Len() {
			key := strconv.Itoa(i)
			p.add(it.at([]string{key}), sub(path, key), v.Index(i), options{})
		}
		if v.Len() == 0 {
			it.list, it.text = false, "[]"
		}
	case t.Kind() == reflect.Map:
		it.section = true
		keys := map[string]reflect.Value{}
		for m := v.MapRange(); m.Next(); {
			keys[m.Key().String()] = m.Value()
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			p.add(it.at([]string{key}), sub(path, key), keys[key], o)
		}
	default:
		p.leaf(it, path, v, o)
	}
}

func sub(path []string, key string) []string { return append(path[:len(path):len(path)], key) }

// elementType is what a list's elements are, behind pointers.
func elementType(t reflect.Type) reflect.Type {
	t = t.Elem()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// leaf makes it a value on one line.
func (p *printer) leaf(it *item, path []string, v reflect.Value, o options) {
	it.text, it.origin = literal(v, o), "default"
	if pos := p.all.root.At(path...).Pos(); pos.File != "" {
		it.origin = pos.String()
	} else if env := p.all.fromEnv[hocon.FormatPath(path)]; env != nil {
		it.origin = env.Pos().String()
	}
	it.remark = it.origin == "default" && p.all.missed[hocon.FormatPath(path)]
	if from := p.all.derived[hocon.FormatPath(path)]; from != "" && it.origin == "default" {
		it.origin = "from " + from
		if pos := p.all.root.At(splitKnown(from)...).Pos(); pos.File != "" {
			it.origin += ", " + pos.String()
		} else if env := p.all.fromEnv[from]; env != nil {
			it.origin += ", " + env.Pos().String()
		}
	}
}

// literal writes v as a configuration would, "" if it has nothing to be
// written.
func literal(v reflect.Value, o options) string {
	switch {
	case v.Kind() == reflect.Slice && !reflect.PointerTo(v.Type()).Implements(unmarshalerType):
		elems := make([]string, v.Len())
		for i := range elems {
			e := v.Index(i)
			elems[i] = literal(e, options{secret: o.secret || isSecret(e.Type()), bytes: o.bytes})
		}
		return "[" + strings.Join(elems, ", ") + "]"
	case v.Kind() == reflect.Interface:
		if v.IsNil() {
			return ""
		}
		text, err := json.Marshal(v.Interface())
		if err != nil {
			return ""
		}
		return string(text)
	case o.secret && !v.IsZero():
		return quote(masked)
	}
	text := formatValue(v, options{bytes: o.bytes})
	switch {
	case text == "" && v.Kind() == reflect.String:
		return `""`
	case text != "" && text[0] != '"' && reflect.PointerTo(v.Type()).Implements(unmarshalerType):
		return quote(text)
	default:
		return text
	}
}
