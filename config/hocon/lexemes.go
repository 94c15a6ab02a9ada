package hocon

import (
	"bytes"
	"errors"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// tokComment never leaves the lexer.
const tokComment tokenKind = 255

var punctuation = [128]tokenKind{
	'\n': tokNewline, ',': tokComma, ':': tokColon, '=': tokEquals,
	'{': tokOpenBrace, '}': tokCloseBrace, '[': tokOpenBracket, ']': tokCloseBracket,
}

// scan finds the token at pos and its end, without moving.
func (l *lexer) scan() (t token, end int, err error) {
	i := l.pos
	c, ok := l.at(i)
	if !ok {
		return token{kind: tokEOF}, i, nil
	}
	if c < 128 && punctuation[c] != 0 {
		return token{kind: punctuation[c]}, i + 1, nil
	}
	switch {
	case c == '"':
		return l.scanQuoted(i)
	case c == '#', c == '/' && l.is(i+1, '/'):
		if l.json {
			return token{}, i, l.placeOf(i).errorf(jsonHint, "JSON has no comments")
		}
		return token{kind: tokComment}, l.lineEnd(i), nil
	case c == '$' && l.is(i+1, '{'):
		return l.scanSubst(i)
	case c == '+' && l.is(i+1, '='):
		return token{kind: tokPlusEquals}, i + 2, nil
	case c == '-' || isDigit(c):
		return l.scanNumber(i)
	}
	if end = l.spaceEnd(i); end > i {
		if blanks := bytes.Trim(l.src[i:end], " \t\r"); l.json && len(blanks) > 0 {
			return token{}, i, l.placeOf(i).errorf(jsonHint, "%q is no blank in JSON", blanks)
		}
		return token{kind: tokSpace, text: l.intern(l.src[i:end])}, end, nil
	}
	end, err = l.unquotedEnd(i)
	if err != nil {
		return token{}, i, err
	}
	if end == i {
		return token{}, i, l.placeOf(i).errorf("put the text in double quotes",
			"%q cannot stand in an unquoted text", c)
	}
	return token{kind: tokUnquoted, text: l.intern(l.src[i:end])}, end, nil
}

// intern makes a string of b: the same one for keys and blanks that come again
// and again.
func (l *lexer) intern(b []byte) string {
	n := len(b)
	if n == 0 || n > maxInterned {
		return string(b)
	}
	slot := &l.names[(uint(n)*31+uint(b[0])*7+uint(b[n/2])*3+uint(b[n-1]))%uint(len(l.names))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

func (l *lexer) lineEnd(i int) int {
	for {
		c, ok := l.at(i)
		if !ok || c == '\n' {
			return i
		}
		i++
	}
}

// spaceEnd is where blanks that begin at i end. A newline is none.
func (l *lexer) spaceEnd(i int) int {
	for {
		c, ok := l.at(i)
		switch {
		case !ok || c == '\n':
			return i
		case c < utf8.RuneSelf:
			if !isSpace(rune(c)) {
				return i
			}
			i++
		default:
			r, n := l.runeAt(i)
			if !isSpace(r) {
				return i
			}
			i += n
		}
	}
}

func (l *lexer) runeAt(i int) (rune, int) {
	if !utf8.FullRune(l.src[i:]) {
		l.short = true
	}
	return utf8.DecodeRune(l.src[i:])
}

// isSpace is the specification's whitespace without the newline.
func isSpace(r rune) bool {
	switch {
	case r == ' ', r == '\t', r == '\r', r == '\v', r == '\f', r >= 0x1c && r <= 0x1f:
		return true
	case r < utf8.RuneSelf:
		return false
	default:
		return r == 0xfeff || unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp)
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

var forbidden = func() (t [128]bool) {
	for _, c := range "$\"{}[]:=,+#`^?!@*&\\\n" {
		t[c] = true
	}
	return t
}()

// unquotedEnd is where an unquoted text that begins at i ends.
func (l *lexer) unquotedEnd(i int) (int, error) {
	for {
		c, ok := l.at(i)
		switch {
		case !ok:
			return i, nil
		case c == '/' && l.is(i+1, '/'):
			return i, nil
		case c < utf8.RuneSelf:
			if forbidden[c] || isSpace(rune(c)) {
				return i, nil
			}
			i++
		default:
			r, n := l.runeAt(i)
			if r == utf8.RuneError && n <= 1 {
				return i, l.placeOf(i).errorf("save the file as UTF-8", "byte 0x%02x is not UTF-8", c)
			}
			if isSpace(r) {
				return i, nil
			}
			i += n
		}
	}
}

// scanNumber takes what looks like a number. What is none after all, such as
// 10.0.0.1 or an integer that is too large, is text.
func (l *lexer) scanNumber(i int) (token, int, error) {
	end, fraction, plus := i, false, -1
scan:
	for {
		c, _ := l.at(end)
		switch {
		case isDigit(c) || c == '-':
		case c == '.', c == 'e', c == 'E':
			fraction = true
		case c == '+':
			if l.is(end+1, '=') { // 1+=2 is a key and its separator
				break scan
			}
			plus = end
		default:
			break scan
		}
		end++
	}
	text := l.intern(l.src[i:end])
	if isNumber(text, fraction) {
		return token{kind: tokNumber, text: text}, end, nil
	}
	if plus >= 0 {
		return token{}, i, l.placeOf(plus).errorf("put the text in double quotes", "'+' cannot stand in an unquoted text")
	}
	return token{kind: tokUnquoted, text: text}, end, nil
}

func isNumber(text string, fraction bool) bool {
	if !fraction {
		_, err := strconv.ParseInt(text, 10, 64)
		return err == nil
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// scanSubst takes ${path} or ${?path}.
func (l *lexer) scanSubst(i int) (t token, end int, err error) {
	at := l.placeOf(i)
	j := i + 2
	if l.is(j, '?') {
		t.optional = true
		j++
	}
	path, j, problem, err := l.scanPath(j)
	if err != nil {
		return t, i, err
	}
	c, ok := l.at(j)
	switch {
	case !ok || c == '\n':
		return t, i, at.errorf("close it with '}'", "the substitution is not closed")
	case c != '}':
		return t, i, l.placeOf(j).errorf("put that part of the path in double quotes", "%q cannot stand in the path of a substitution", c)
	case problem != nil:
		return t, i, at.errorf("", "substitution: %s", problem)
	}
	t.kind, t.path = tokSubst, path
	return t, j + 1, nil
}

// scanPath takes a path expression that begins at i; blanks around it are
// passed over. problem tells what is wrong with the path as a whole.
func (l *lexer) scanPath(i int) (path []string, end int, problem, err error) {
	var b pathBuilder
	for j := l.spaceEnd(i); ; {
		c, ok := l.at(j)
		if ok && c == '"' {
			q, k, err := l.scanQuoted(j)
			if err != nil {
				return nil, j, nil, err
			}
			b.quoted(q.text)
			j = k
			continue
		}
		k, err := l.unquotedEnd(j)
		if err != nil {
			return nil, j, nil, err
		}
		after := l.spaceEnd(k)
		if next, ok := l.at(after); ok && (next == '"' || !forbidden[next&127] || next >= utf8.RuneSelf) {
			k = after // blanks inside the path
		}
		if k == j {
			path, problem = b.done()
			return path, after, problem, nil
		}
		b.unquoted(string(l.src[j:k]))
		j = k
	}
}
