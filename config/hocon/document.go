package hocon

import (
	"bytes"
	"io"
	"path/filepath"
)

// Document is one or more files, parsed and not yet resolved. It belongs to one
// goroutine.
type Document struct {
	root *node
	opts Options
}

// Parse parses a text. name stands in positions; files are included relative
// to its folder. When it ends in .properties, the text is a properties file.
// Errors are *[Error].
func Parse(name string, text []byte, opts Options) (*Document, error) {
	return read(name, bytes.NewReader(text), opts)
}

// ParseFile parses a file, HOCON or JSON, or a properties file when its name
// says so. Errors are *[Error].
func ParseFile(name string, opts Options) (*Document, error) {
	r, err := opts.open(name)
	if err != nil {
		return nil, &Error{Pos: Position{File: name}, Problem: "cannot open the file: " + err.Error(), Err: err}
	}
	defer r.Close()
	return read(name, r, opts)
}

func read(name string, r io.Reader, opts Options) (*Document, error) {
	d := &Document{root: newObject(place{file: &name, line: 1, column: 1}), opts: opts}
	p := &parser{session: newSession(opts, name), name: name, including: []string{identityOf(name)}}
	if err := p.read(r, d.root); err != nil {
		return nil, err
	}
	return d, nil
}

// Merge lays high over d. high must not be used afterwards.
func (d *Document) Merge(high *Document) { d.root = overlay(d.root, high.root) }

// Resolve replaces all substitutions. The result shares nothing that changes;
// the document can be merged and resolved again. Errors are *[Error].
func (d *Document) Resolve() (*Value, error) {
	r := newResolver(d.root, d.opts)
	return r.resolve()
}

// References calls f for the path of each substitution, as it stands in the file
// and, in an included file, with the path of the including object before it.
func (d *Document) References(f func(path []string)) { d.root.eachReference(f) }

func (n *node) eachReference(f func([]string)) {
	if !n.open {
		return
	}
	if n.kind == nodeSubst {
		f(n.path[n.written:])
		if n.written > 0 {
			f(n.path)
		}
	}
	for _, e := range n.elems {
		e.eachReference(f)
	}
	if n.kind == nodeObject {
		for _, field := range n.object.fields {
			field.val.eachReference(f)
		}
	}
}

// FormatOf names the format that a file's extension means: hocon, json or
// properties; "" for an unknown one.
func FormatOf(name string) string {
	switch filepath.Ext(name) {
	case ".conf", ".hocon":
		return "hocon"
	case ".json":
		return "json"
	case ".properties":
		return "properties"
	default:
		return ""
	}
}

// ParseValue reads a single value: HOCON when it begins with [, { or ", else a
// text as it is. source says where it comes from. Errors are *[Error].
func ParseValue(text, source string) (*Value, error) {
	d := &Document{root: newObject(place{file: &source})}
	if err := d.Set([]string{"value"}, text, source); err != nil {
		return nil, err
	}
	root, err := d.Resolve()
	return root.Get("value"), err
}
