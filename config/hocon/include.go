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
	name, required, err := p.includeTarget()
	if err != nil {
		return err
	}
	switch {
	case p.opts.NoIncludes:
		return at.errorf("write what is to be included here", "includes are not allowed in this text")
	case len(p.including) > p.limits.Nesting:
		return at.errorf("", "includes nest deeper than %d files", p.limits.Nesting)
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(p.name), name)
	}
	found := false
	for _, file := range candidates(name) {
		ok, err := p.includeFile(o, at, file)
		if err != nil {
			return err
		}
		found = found || ok
	}
	if required && !found {
		return &Error{Pos: at.position(), Problem: "the required file " + name + " does not exist", Hint: "paths are relative to the including file", Err: fs.ErrNotExist}
	}
	return nil
}

// candidates lists the files that name means, the strongest last.
func candidates(name string) []string {
	switch filepath.Ext(name) {
	case ".conf", ".hocon", ".json", ".properties":
		return []string{name}
	default:
		return []string{name + ".properties", name + ".json", name + ".conf"}
	}
}

const includeHint = `write include "file", include file("file") or include required(file("file")); a key with that name needs double quotes`

// includeTarget parses what follows the keyword.
func (p *parser) includeTarget() (name string, required bool, err error) {
	at := p.tok.at
	words := func() (s string, err error) {
		var b strings.Builder
		for p.tok.kind == tokUnquoted || p.tok.kind == tokSpace {
			b.WriteString(strings.TrimFunc(p.tok.text, isSpace))
			if err := p.advance(); err != nil {
				return "", err
			}
		}
		return b.String(), nil
	}
	if err = p.advance(); err != nil {
		return "", false, err
	}
	before, err := words()
	if err != nil {
		return "", false, err
	}
	if p.tok.kind != tokQuoted {
		return "", false, at.errorf(includeHint, "include is followed by %s, not by a file's name in double quotes", p.tok)
	}
	name = p.tok.text
	if err = p.advance(); err != nil {
		return "", false, err
	}
	after, err := words()
	if err != nil {
		return "", false, err
	}
	if after != strings.Repeat(")", strings.Count(before, "(")) {
		return "", false, at.errorf("every '(' needs its ')'", "include has the wrong number of parentheses")
	}
	form, required := strings.CutPrefix(before, "required(")
	switch form {
	case "", "file(", "classpath(":
	case "url(":
		return p.fileURL(at, name, required)
	default:
		return "", false, at.errorf(includeHint, "include does not know %q", before)
	}
	if name == "" {
		return "", false, at.errorf(includeHint, "include names no file")
	}
	return name, required, nil
}

// fileURL is the path of a file: URL. Others are refused: starting must not
// depend on a network, nor a configuration on who answers there.
func (p *parser) fileURL(at place, name string, required bool) (string, bool, error) {
	u, err := url.Parse(name)
	if err != nil || u.Scheme != "file" {
		return "", false, at.errorf("fetch the file first, then include it", "only file: URLs can be included, not %q", name)
	}
	if u.Opaque != "" {
		return u.Opaque, required, nil
	}
	return u.Path, required, nil
}

// includeFile parses one file into o. It tells whether the file exists.
func (p *parser) includeFile(o *node, at place, name string) (bool, error) {
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
		session: p.session, name: name, depth: p.depth,
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
	if filepath.Ext(p.name) == ".properties" {
		return p.properties(root)
	}
	return p.parseRoot(root)
}
