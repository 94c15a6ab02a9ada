package hocon

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokNewline
	tokSpace
	tokComma
	tokColon
	tokEquals
	tokPlusEquals
	tokOpenBrace
	tokCloseBrace
	tokOpenBracket
	tokCloseBracket
	tokUnquoted
	tokNumber
	tokQuoted
	tokSubst
)

type token struct {
	kind     tokenKind
	optional bool // of tokSubst: ${?
	at       place
	text     string   // of tokSpace, tokUnquoted, tokNumber, tokQuoted (unescaped)
	path     []string // of tokSubst
}

// String names the token for an error message.
func (t token) String() string {
	switch t.kind {
	case tokEOF:
		return "the end of the file"
	case tokNewline:
		return "the end of the line"
	case tokSpace:
		return "a blank"
	case tokSubst:
		return "a substitution"
	case tokQuoted:
		return strconv.Quote(clip(t.text))
	case tokUnquoted, tokNumber:
		return "'" + clip(t.text) + "'"
	default:
		return "'" + symbols[t.kind] + "'"
	}
}

var symbols = map[tokenKind]string{
	tokComma: ",", tokColon: ":", tokEquals: "=", tokPlusEquals: "+=",
	tokOpenBrace: "{", tokCloseBrace: "}", tokOpenBracket: "[", tokCloseBracket: "]",
}

func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// lexer cuts a text into tokens. The text comes whole, or in pieces from r: a
// token that touched the end of src while there is more is scanned again after
// the buffer has been filled.
type lexer struct {
	src    []byte
	pos    int // of the next token in src
	file   *string
	line   int32
	col    int32
	r      io.Reader   // nil: src is everything
	eof    bool        // src holds the rest of the text
	short  bool        // the scan wanted bytes behind src
	failed bool        // src could not be filled
	read   int64       // bytes taken from r
	max    int64       // bytes r may give
	names  [256]string // texts that came lately, see intern
}

const (
	streamBuffer = 256 << 10
	maxToken     = 4 << 20 // of a streamed text
	maxInterned  = 16      // bytes of a text worth remembering
)

func newLexer(file string, src []byte) *lexer {
	l := &lexer{src: src, file: &file, line: 1, col: 1, eof: true}
	l.skipBOM()
	return l
}

func newStreamLexer(file string, r io.Reader, limit int64) (*lexer, error) {
	l := &lexer{file: &file, line: 1, col: 1, r: r, max: limit}
	if err := l.fill(); err != nil {
		return nil, err
	}
	l.skipBOM()
	return l, nil
}

func (l *lexer) skipBOM() {
	if len(l.src) >= 3 && string(l.src[:3]) == "\ufeff" {
		l.pos = 3
	}
}

// fill drops what has been scanned and reads more.
func (l *lexer) fill() error {
	err := l.more()
	l.failed = err != nil
	return err
}

func (l *lexer) more() error {
	rest := len(l.src) - l.pos
	if rest >= maxToken {
		return l.here().errorf("a quote may be missing", "a single word, string or comment is longer than %d bytes", maxToken)
	}
	size := cap(l.src)
	switch {
	case size == 0:
		size = streamBuffer
	case rest > size/2:
		size *= 2
	}
	buf := l.src[:cap(l.src)]
	if size != cap(l.src) {
		buf = make([]byte, size)
	}
	copy(buf, l.src[l.pos:])
	n, err := io.ReadFull(l.r, buf[rest:])
	l.src, l.pos = buf[:rest+n], 0
	l.read += int64(n)
	if l.read > l.max {
		return l.here().errorf("split it into several files", "the file is larger than %d bytes", l.max)
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		l.eof = true
	default:
		return &Error{Pos: l.here().position(), Problem: "cannot read on: " + err.Error(), Err: err}
	}
	return nil
}

func (l *lexer) here() place { return place{l.file, l.line, l.col} }

// placeOf is the place of src[i], which is not before pos.
func (l *lexer) placeOf(i int) place {
	p := l.here()
	for _, c := range l.src[l.pos:min(i, len(l.src))] {
		p.step(c)
	}
	return p
}

func (p *place) step(c byte) {
	switch {
	case c == '\n':
		if p.line < math.MaxInt32 {
			p.line++
		}
		p.column = 1
	case utf8.RuneStart(c) && p.column < math.MaxInt32:
		p.column++
	}
}

// at gives src[i], or false behind the end.
func (l *lexer) at(i int) (byte, bool) {
	if i < len(l.src) {
		return l.src[i], true
	}
	l.short = true
	return 0, false
}

func (l *lexer) is(i int, c byte) bool {
	b, ok := l.at(i)
	return ok && b == c
}

// next gives the next token. Comments are left out.
func (l *lexer) next() (token, error) {
	for {
		l.short = false
		t, end, err := l.scan()
		if l.short && !l.eof {
			if err = l.fill(); err != nil {
				return token{}, err
			}
			continue
		}
		if err != nil {
			return token{}, err
		}
		t.at = l.here()
		l.pass(end)
		if t.kind != tokComment {
			return t, nil
		}
	}
}

// pass moves behind a token.
func (l *lexer) pass(end int) {
	text := l.src[l.pos:end]
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		l.line += int32(bytes.Count(text, newline)) //nolint:gosec // a token is smaller than 2 GiB
		l.col = 1
		text = text[i+1:]
	}
	l.col += int32(utf8.RuneCount(text)) //nolint:gosec // as above
	l.pos = end
}

var newline = []byte{'\n'}

// skipLine goes to the beginning of the next line, whatever stands between.
func (l *lexer) skipLine() error {
	for {
		if i := bytes.IndexByte(l.src[l.pos:], '\n'); i >= 0 {
			l.pos += i + 1
			l.line++
			l.col = 1
			return nil
		}
		l.pos = len(l.src)
		if l.eof {
			return nil
		}
		if err := l.fill(); err != nil {
			return err
		}
	}
}

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
		return token{kind: tokComment}, l.lineEnd(i), nil
	case c == '$' && l.is(i+1, '{'):
		return l.scanSubst(i)
	case c == '+' && l.is(i+1, '='):
		return token{kind: tokPlusEquals}, i + 2, nil
	case c == '-' || isDigit(c):
		return l.scanNumber(i)
	}
	if end = l.spaceEnd(i); end > i {
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
