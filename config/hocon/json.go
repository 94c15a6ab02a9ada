package hocon

import "encoding/json"

const jsonHint = "this is JSON; to write it as HOCON, name the file .conf"

// jsonField parses a member of an object of a file that must be JSON.
func (p *parser) jsonField(o *node) error {
	at, key := p.tok.at, p.tok.text
	if p.tok.kind != tokQuoted {
		return p.unlikeJSON("a key in double quotes")
	}
	if p.scan == nil || !p.atRoot() { // what a scan gives its caller, the caller compares
		if i := o.object.find(key); i >= 0 {
			return at.errorf("remove one", "the key %s stands here and at line %d", FormatPath([]string{key}), o.object.fields[i].at.line)
		}
	}
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.skipLines(); err != nil {
		return err
	}
	if p.tok.kind != tokColon {
		return p.unlikeJSON("a colon behind the key")
	}
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.skipLines(); err != nil {
		return err
	}
	return p.assign(o, []string{key}, at, tokColon)
}

// jsonValue parses a value of a file that must be JSON.
func (p *parser) jsonValue() (*node, error) {
	switch p.tok.kind {
	case tokQuoted, tokOpenBrace, tokOpenBracket:
		return p.piece()
	case tokNumber, tokUnquoted: // an integer beyond an int64 is no number in HOCON
		switch kind := literalKind(p.tok.text); {
		case kind != nodeString:
			return p.piece()
		case json.Valid([]byte(p.tok.text)):
			n := &node{kind: nodeNumber, at: p.tok.at, text: p.tok.text}
			return n, p.advance()
		}
	default:
	}
	return nil, p.unlikeJSON("a value")
}

// jsonSeparator goes over what stands between elements: one comma, or nothing
// before the end.
func (p *parser) jsonSeparator(end tokenKind) error {
	if err := p.skipLines(); err != nil {
		return err
	}
	switch p.tok.kind {
	case end, tokEOF:
		return nil
	case tokComma:
	default:
		return p.unlikeJSON("a comma")
	}
	at := p.tok.at
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.skipLines(); err != nil {
		return err
	}
	if p.tok.kind == end {
		return at.errorf("remove it; "+jsonHint, "a comma stands before the end")
	}
	return nil
}

func (p *parser) unlikeJSON(want string) error {
	return p.tok.at.errorf(jsonHint, "expected %s, found %s", want, p.tok)
}
