package hocon

import (
	"fmt"
	"slices"
)

// value parses the pieces of a value up to the end of its line, a comma or a
// closing bracket.
func (p *parser) value(path []string) (*node, error) {
	if p.json {
		return p.jsonValue()
	}
	var first *node
	var pieces []*node // all of them, once there are two
	var blank token
	for {
		switch p.tok.kind {
		case tokSpace:
			blank = p.tok
			if err := p.advance(); err != nil {
				return nil, err
			}
			continue
		case tokColon, tokEquals, tokPlusEquals:
			return nil, p.unexpected("a value")
		case tokComma, tokNewline, tokEOF, tokCloseBrace, tokCloseBracket:
			switch {
			case first == nil:
				what := "there is no value"
				if path == nil {
					what = "there is no element"
				}
				return nil, p.tok.at.errorf(`write "" for an empty text, or null`, "%s before %s", what, p.tok)
			case pieces == nil:
				return first, nil
			}
			return concatOf(pieces, p.path), nil
		default:
		}
		if first != nil && pieces == nil {
			pieces = append(make([]*node, 0, 4), first)
		}
		if blank.text != "" && first != nil {
			pieces = append(pieces, &node{kind: nodeString, blank: true, at: blank.at, text: blank.text})
		}
		blank = token{}
		piece, err := p.piece()
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = piece
		} else {
			pieces = append(pieces, piece)
		}
	}
}

// piece parses one piece of a value, which begins at the present token.
func (p *parser) piece() (*node, error) {
	t := p.tok
	n := &node{at: t.at, text: t.text}
	switch t.kind {
	case tokOpenBrace:
		n = newObject(t.at)
		return n, p.braced(n)
	case tokOpenBracket:
		return p.array()
	case tokSubst:
		if len(t.path)+p.base > p.limits.Depth {
			return nil, t.at.errorf("", "the path of the substitution has more than %d parts", p.limits.Depth)
		}
		n.kind, n.open, n.optional, n.text = nodeSubst, true, t.optional, FormatPath(p.path)
		n.path, n.written = t.path, p.base
		if p.base > 0 {
			n.path = append(append(make([]string, 0, p.base+len(t.path)), p.path[:p.base]...), t.path...)
		}
		n.around = len(n.path) < len(p.path) && slices.Equal(n.path, p.path[:len(n.path)])
	case tokQuoted:
		n.kind = nodeString
	case tokNumber:
		n.kind = nodeNumber
	case tokUnquoted:
		n.kind = literalKind(t.text)
	default:
		return nil, fmt.Errorf("hocon: parser: %s is no piece of a value", t)
	}
	return n, p.advance()
}

func literalKind(text string) nodeKind {
	switch text {
	case "true", "false":
		return nodeBool
	case "null":
		return nodeNull
	default:
		return nodeString
	}
}

// array parses an array at its opening bracket.
func (p *parser) array() (*node, error) {
	n := &node{kind: nodeArray, at: p.tok.at}
	if err := p.enter(n.at); err != nil {
		return nil, err
	}
	p.inArray++
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.skipLines(); err != nil {
		return nil, err
	}
	for p.tok.kind != tokCloseBracket {
		if p.tok.kind == tokEOF {
			return nil, p.tok.at.errorf("close it with ']'", "the array that begins at line %d is not closed", n.at.line)
		}
		e, err := p.value(nil)
		if err != nil {
			return nil, err
		}
		n.elems = append(n.elems, e)
		n.open = n.open || e.open
		if err := p.separator(tokCloseBracket); err != nil {
			return nil, err
		}
	}
	p.inArray--
	p.depth--
	return n, p.advance()
}

// concatOf makes one value of the pieces of a line, two or more. Scalars join right away.
func concatOf(pieces []*node, path []string) *node {
	size := 0
	for _, n := range pieces {
		if !n.scalar() {
			return &node{kind: nodeConcat, open: true, at: pieces[0].at, text: FormatPath(path), elems: pieces}
		}
		size += len(n.text)
	}
	text := make([]byte, 0, size)
	for _, n := range pieces {
		text = append(text, n.text...)
	}
	return &node{kind: nodeString, at: pieces[0].at, text: string(text)}
}
