package hocon

import (
	"errors"
	"slices"
	"strings"
)

// parser makes the tree of one file. Files it includes have parsers of their own,
// with the same session.
type parser struct {
	*session
	lex       *lexer
	tok       token
	depth     int
	path      []string // keys from the root of all to where the parser is
	base      int      // path[:base] is where the file has been included
	inArray   int
	including []string // the files that are being read, outermost first
	name      string   // of the file, for includes beside it
	json      bool     // the file must be JSON, strictly
	loose     bool     // see includeFile
	scan      *scan    // takes the fields of the root as they come; nil: they are gathered
}

// session is what all files of one document share.
type session struct {
	opts      Options
	limits    Limits
	outermost string // the file that begins the document
	bytes     int64
	includes  int
}

func newSession(opts Options, outermost string) *session {
	return &session{opts: opts, limits: opts.Limits.withDefaults(), outermost: outermost}
}

func (p *parser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

// skipBlank goes on to what is no blank.
func (p *parser) skipBlank() error {
	for p.tok.kind == tokSpace {
		if err := p.advance(); err != nil {
			return err
		}
	}
	return nil
}

// skipLines goes on to what is neither blank nor newline.
func (p *parser) skipLines() error {
	for p.tok.kind == tokSpace || p.tok.kind == tokNewline {
		if err := p.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) enter(at place) error {
	if p.depth++; p.depth > p.limits.Depth {
		return at.errorf("", "objects, arrays and paths nest deeper than %d", p.limits.Depth)
	}
	return nil
}

var errRootArray = errors.New("the file holds an array")

// parseRoot parses a whole file into root.
func (p *parser) parseRoot(root *node) error {
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.skipLines(); err != nil {
		return err
	}
	root.at = p.tok.at
	switch p.tok.kind {
	case tokOpenBracket:
		return &Error{Pos: p.tok.at.position(), Problem: "the file begins with an array", Hint: "the outermost must be an object: key = [...]", Err: errRootArray}
	case tokOpenBrace:
		if err := p.braced(root); err != nil {
			return err
		}
		if err := p.skipLines(); err != nil {
			return err
		}
		if p.tok.kind != tokEOF {
			return p.tok.at.errorf("remove it, or the braces around the whole file", "%s stands behind the closing brace of the file", p.tok)
		}
		return nil
	default:
		if p.json {
			return p.unlikeJSON("'{'")
		}
		return p.fields(root, tokEOF)
	}
}

// braced parses an object at its opening brace.
func (p *parser) braced(o *node) error {
	at := p.tok.at
	if err := p.enter(at); err != nil {
		return err
	}
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.fields(o, tokCloseBrace); err != nil {
		return err
	}
	if p.tok.kind != tokCloseBrace {
		return p.tok.at.errorf("close it with '}'", "the object that begins at line %d is not closed", at.line)
	}
	p.depth--
	return p.advance()
}

// fields parses fields up to end or the end of the file.
func (p *parser) fields(o *node, end tokenKind) error {
	if err := p.skipLines(); err != nil {
		return err
	}
	if p.scan != nil && p.atRoot() {
		return p.scanFields(o, end)
	}
	for p.tok.kind != end && p.tok.kind != tokEOF {
		if err := p.field(o); err != nil {
			return err
		}
		if err := p.separator(end); err != nil {
			return err
		}
	}
	return nil
}

// separator goes over what stands between elements: newlines, one comma, or
// nothing before the end.
func (p *parser) separator(end tokenKind) error {
	if p.json {
		return p.jsonSeparator(end)
	}
	if err := p.skipBlank(); err != nil {
		return err
	}
	line := p.tok.kind == tokNewline
	if err := p.skipLines(); err != nil {
		return err
	}
	switch {
	case p.tok.kind == tokComma:
		if err := p.advance(); err != nil {
			return err
		}
		if err := p.skipLines(); err != nil {
			return err
		}
		if p.tok.kind == tokComma {
			return p.tok.at.errorf("remove one", "two commas without anything between them")
		}
		return nil
	case line, p.tok.kind == end, p.tok.kind == tokEOF:
		return nil
	default:
		return p.unexpected("a comma or a new line")
	}
}

func (p *parser) unexpected(want string) error {
	hint := ""
	switch p.tok.kind {
	case tokColon, tokEquals, tokPlusEquals:
		hint = "put a text that holds it in double quotes"
	case tokCloseBrace, tokCloseBracket:
		hint = "it closes nothing that is open here"
	case tokOpenBrace, tokOpenBracket, tokSubst:
		hint = "put a key that holds it in double quotes"
	default:
	}
	return p.tok.at.errorf(hint, "expected %s, found %s", want, p.tok)
}

// field parses an include, or a key with its value.
func (p *parser) field(o *node) error {
	if p.json {
		return p.jsonField(o)
	}
	if p.tok.kind == tokUnquoted && p.tok.text == "include" {
		return p.include(o)
	}
	at := p.tok.at
	path, err := p.key()
	if err != nil {
		return err
	}
	sep := p.tok
	switch sep.kind {
	case tokColon, tokEquals, tokPlusEquals:
		if err = p.advance(); err == nil {
			err = p.skipLines()
		}
		if err != nil {
			return p.withKey(err, slices.Concat(p.path, path))
		}
	case tokOpenBrace:
		if p.scan != nil && !p.atRoot() && p.scan.flat {
			return &unclosedError{path: path, at: at, entry: p.scan.entry}
		}
	default:
		return sep.at.errorf("write key = value or key { ... }", "the key %s is followed by %s", FormatPath(path), sep)
	}
	return p.assign(o, path, at, sep.kind)
}

// atRoot tells whether the parser is among the fields of the outermost object.
func (p *parser) atRoot() bool { return len(p.path) == p.base && p.inArray == 0 }

// assign parses the value of a key and sets it.
func (p *parser) assign(o *node, path []string, at place, sep tokenKind) error {
	p.depth += len(path) - 2 // an object's own level counts at its brace
	if err := p.enter(at); err != nil {
		return err
	}
	p.path = append(p.path, path...)
	here := len(p.path)
	val, err := p.value(path)
	if err != nil {
		return p.withKey(err, p.path[:here])
	}
	if sep == tokPlusEquals {
		val = &node{kind: nodeAppend, at: val.at, open: true, text: FormatPath(p.path), elems: []*node{val}}
	}
	p.path = p.path[:len(p.path)-len(path)]
	p.depth -= len(path) - 1
	if p.scan != nil && p.atRoot() {
		return p.scan.take(path, at, val)
	}
	o.setPath(path, at, val)
	return nil
}

// withKey adds the key to a mistake in this file that has none.
func (p *parser) withKey(err error, path []string) error {
	var e *Error
	if errors.As(err, &e) && e.Key == "" && e.Pos.File == *p.lex.file {
		e.Key = FormatPath(path)
	}
	return err
}

// key parses a path up to its separator.
func (p *parser) key() ([]string, error) {
	at := p.tok.at
	if p.tok.kind == tokQuoted || p.tok.kind == tokUnquoted && strings.IndexByte(p.tok.text, '.') < 0 {
		// Nearly all keys are one word.
		word := p.tok
		if err := p.advance(); err != nil {
			return nil, err
		}
		blank := p.tok
		if err := p.skipBlank(); err != nil {
			return nil, err
		}
		switch p.tok.kind {
		case tokColon, tokEquals, tokPlusEquals, tokOpenBrace, tokNewline:
			return []string{word.text}, p.skipLines()
		default:
		}
		var b pathBuilder
		if word.kind == tokQuoted {
			b.quoted(word.text)
		} else {
			b.unquoted(word.text)
		}
		if blank.kind != tokSpace {
			blank.text = ""
		}
		return p.longKey(at, &b, blank.text)
	}
	return p.longKey(at, &pathBuilder{}, "")
}

// longKey goes on with a key of which b and the blanks behind it have been
// taken.
func (p *parser) longKey(at place, b *pathBuilder, blanks string) ([]string, error) {
	for {
		switch p.tok.kind {
		case tokQuoted:
			if blanks != "" {
				b.unquoted(blanks)
			}
			b.quoted(p.tok.text)
			blanks = ""
		case tokUnquoted, tokNumber:
			if blanks != "" {
				b.unquoted(blanks)
			}
			b.unquoted(p.tok.text)
			blanks = ""
		case tokSpace:
			blanks = p.tok.text
		default:
			if !b.any {
				return nil, p.unexpected("a key")
			}
			path, err := b.done()
			if err != nil {
				return nil, at.errorf("put a key that holds periods in double quotes", "key: %s", err)
			}
			if len(path) > p.limits.Depth {
				return nil, at.errorf("", "the path of the key has more than %d parts", p.limits.Depth)
			}
			// A brace may stand on the next line.
			return path, p.skipLines()
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}
