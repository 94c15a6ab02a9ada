package hocon

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// include parses an include statement at its keyword and what it includes.
func (p *parser) include(o *node) error {
	at := p.tok.at
	t, err := p.includeTarget()
	if err != nil {
		return err
	}
	switch {
	case p.opts.NoIncludes:
		return at.errorf("write what is to be included here", "includes are not allowed in this text")
	case len(p.including) > p.limits.Nesting:
		return at.errorf("", "includes nest deeper than %d files", p.limits.Nesting)
	}
	for _, name := range p.places(t) {
		found, err := p.includeAny(o, at, t, name)
		if found || err != nil {
			return err
		}
	}
	if t.required {
		return &Error{Pos: at.position(), Problem: "the required file " + p.places(t)[0] + " does not exist", Hint: "paths are relative to the including file", Err: fs.ErrNotExist}
	}
	return nil
}

// places are the paths that an include may mean, the first that exists counts.
// A class path begins at the folder of the outermost file.
func (p *parser) places(t target) []string {
	beside := filepath.Join(filepath.Dir(p.name), t.name)
	switch {
	case t.form == "classpath":
		root := filepath.Join(filepath.Dir(p.outermost), strings.TrimPrefix(t.name, "/"))
		return slices.Compact([]string{root, beside})
	case filepath.IsAbs(t.name):
		return []string{t.name}
	default:
		return []string{beside}
	}
}

// includeAny includes the files that name means, the strongest last. It tells
// whether there is one.
func (p *parser) includeAny(o *node, at place, t target, name string) (found bool, err error) {
	formats := []string{""} // the name says what it is, or it is HOCON
	if FormatOf(name) == "" && t.form != "url" {
		formats = []string{".properties", ".json", ".conf"}
	}
	for _, ext := range formats {
		ok, err := p.includeFile(o, at, name+ext, ext == "")
		if err != nil {
			return false, err
		}
		found = found || ok
	}
	return found, nil
}

const includeHint = `write include "file", include file("file") or include required(file("file")); a key with that name needs double quotes`

// target is what an include statement names.
type target struct {
	name     string
	form     string // "", file, classpath or url
	required bool
}

// includeTarget parses what follows the keyword. Lines may end anywhere in it
// but behind its last token.
func (p *parser) includeTarget() (t target, err error) {
	at := p.tok.at
	if err = p.advance(); err != nil {
		return t, err
	}
	before, err := p.includeForm()
	if err != nil {
		return t, err
	}
	if p.tok.kind != tokQuoted {
		return t, at.errorf(includeHint, "include is followed by %s, not by a file's name in double quotes", p.tok)
	}
	t.name = p.tok.text
	if err = p.advance(); err != nil {
		return t, err
	}
	for open := strings.Count(before, "("); open > 0; {
		if err = p.skipLines(); err != nil {
			return t, err
		}
		closed := len(p.tok.text)
		if p.tok.kind != tokUnquoted || strings.Trim(p.tok.text, ")") != "" || closed > open {
			return t, at.errorf("every '(' needs its ')'", "include has the wrong number of parentheses")
		}
		open -= closed
		if err = p.advance(); err != nil {
			return t, err
		}
	}
	form, required := strings.CutPrefix(before, "required(")
	t.form, t.required = strings.TrimSuffix(form, "("), required
	switch form {
	case "", "file(", "classpath(", "url(":
	default:
		return t, at.errorf(includeHint, "include does not know %q", before)
	}
	if t.name == "" {
		return t, at.errorf(includeHint, "include names no file")
	}
	if t.form == "url" || t.form == "" && isURL(t.name) {
		return p.fileURL(at, t)
	}
	return t, nil
}

// includeForm takes the words before the file's name, without the blanks
// between them.
func (p *parser) includeForm() (string, error) {
	var b strings.Builder
	for {
		if err := p.skipLines(); err != nil {
			return "", err
		}
		if p.tok.kind != tokUnquoted {
			return b.String(), nil
		}
		b.WriteString(p.tok.text)
		if err := p.advance(); err != nil {
			return "", err
		}
	}
}

// isURL tells whether a name without a form is a URL, as the reference
// implementation takes it.
func isURL(name string) bool {
	scheme, _, found := strings.Cut(name, ":")
	return found && slices.Contains([]string{"file", "ftp", "http", "https", "jar"}, strings.ToLower(scheme))
}

// fileURL is the path of a file: URL. Others are refused: starting must not
// depend on a network, nor a configuration on who answers there.
func (p *parser) fileURL(at place, t target) (target, error) {
	u, err := url.Parse(t.name)
	if err != nil || !strings.EqualFold(u.Scheme, "file") || u.Host != "" && u.Host != "localhost" || u.Path+u.Opaque == "" {
		return t, at.errorf("fetch the file first, then include it", "only file: URLs can be included, not %q", t.name)
	}
	t.form, t.name = "url", u.Path
	if u.Opaque != "" {
		if t.name, err = url.PathUnescape(u.Opaque); err != nil {
			return t, at.errorf("", "%q is not a URL: %s", t.name, err)
		}
	}
	return t, nil
}

// includeFile parses one file into o. It tells whether the file exists. One
// that is named with its extension is read more loosely, as the reference
// implementation does: JSON may be HOCON, and properties may be numbers.
func (p *parser) includeFile(o *node, at place, name string, loose bool) (bool, error) {
	r, err := p.opts.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, &Error{Pos: at.position(), Problem: "cannot include " + name + ": " + err.Error(), Err: err}
	}
	defer r.Close()
	if i := slices.Index(p.including, identityOf(name)); i >= 0 {
		chain := append(slices.Clone(p.including[i:]), identityOf(name))
		return false, at.errorf("", "files include each other in a circle: %s", strings.Join(chain, " -> "))
	}
	if p.includes++; p.includes > p.limits.Includes {
		return false, at.errorf("", "more than %d files are included", p.limits.Includes)
	}
	path := p.path
	if p.inArray > 0 {
		path = p.path[:p.base] // substitutions cannot reach into arrays
	}
	child := &parser{
		session: p.session, name: name, depth: p.depth, loose: loose,
		path: slices.Clip(path), base: len(path), including: append(slices.Clip(p.including), identityOf(name)),
	}
	if p.atRoot() {
		child.scan = p.scan
	}
	return true, child.read(r, o)
}

// identityOf tells whether two names mean the same file.
func identityOf(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return filepath.Clean(name)
}

// read parses the file p.name, which r gives, into root.
func (p *parser) read(r io.Reader, root *node) error {
	lex, err := newStreamLexer(p.name, r, p.limits.Bytes-p.bytes)
	if err != nil {
		return err
	}
	p.lex = lex
	defer func() { p.bytes += lex.read }()
	format := FormatOf(p.name)
	p.json = format == "json" && !p.loose
	lex.json = p.json
	if format != "properties" && !p.json {
		return p.parseRoot(root)
	}
	own := newObject(root.at) // what the file says twice is another thing than what it says over other files
	if p.json {
		err = p.parseRoot(own)
	} else {
		err = p.properties(own)
	}
	overlay(root, own)
	return err
}
