package hocon

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanQuoted takes "..." with JSON's escapes, or """...""" without any.
func (l *lexer) scanQuoted(i int) (token, int, error) {
	if !l.json && l.is(i+1, '"') && l.is(i+2, '"') {
		return l.scanTriple(i)
	}
	j := i + 1
	for {
		c, ok := l.at(j)
		switch {
		case !ok:
			return token{}, i, l.placeOf(i).errorf(`close it with "`, "the string is not closed")
		case c == '"':
			return l.quotedToken(l.src[i+1:j], i, j+1)
		case c == '\\':
			return l.scanEscaped(i, j)
		case c == '\n':
			return token{}, i, l.placeOf(i).errorf(`close it with ", or use """ for several lines`, "the string is not closed on its line")
		case c < ' ':
			return token{}, i, l.placeOf(j).errorf(`write it as \`+"u00"+strconv.FormatUint(uint64(c)+0x100, 16)[1:], "a control character stands in a string")
		}
		j++
	}
}

func (l *lexer) quotedToken(text []byte, start, end int) (token, int, error) {
	if !utf8.Valid(text) {
		return token{}, start, l.placeOf(start).errorf("save the file as UTF-8", "the string is not UTF-8")
	}
	return token{kind: tokQuoted, text: l.intern(text)}, end, nil
}

// scanTriple takes a triple-quoted string. Quotes before the last three are
// its own.
func (l *lexer) scanTriple(i int) (token, int, error) {
	from := i + 3
	n := bytes.Index(l.src[min(from, len(l.src)):], []byte(`"""`))
	if n < 0 {
		l.short = true
		return token{}, i, l.placeOf(i).errorf(`close it with """`, "the triple-quoted string is not closed")
	}
	end := from + n + 3
	for l.is(end, '"') {
		end++
	}
	return l.quotedToken(l.src[from:end-3], i, end)
}

// scanEscaped goes on with a string that begins at i and has its first
// backslash at j.
func (l *lexer) scanEscaped(i, j int) (token, int, error) {
	out := append(make([]byte, 0, j-i+16), l.src[i+1:j]...)
	for {
		c, ok := l.at(j)
		switch {
		case !ok:
			return token{}, i, l.placeOf(i).errorf(`close it with "`, "the string is not closed")
		case c == '"':
			return l.quotedToken(out, i, j+1)
		case c == '\n':
			return token{}, i, l.placeOf(i).errorf(`close it with ", or use """ for several lines`, "the string is not closed on its line")
		case c < ' ':
			return token{}, i, l.placeOf(j).errorf("write it with a backslash", "a control character stands in a string")
		case c != '\\':
			out = append(out, c)
			j++
		default:
			var err error
			if out, j, err = l.escape(out, j); err != nil {
				return token{}, i, err
			}
		}
	}
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends what the backslash at j stands for.
func (l *lexer) escape(out []byte, j int) ([]byte, int, error) {
	c, _ := l.at(j + 1)
	if b, ok := escapes[c]; ok {
		return append(out, b), j + 2, nil
	}
	if c != 'u' {
		return out, j, l.placeOf(j).errorf(`write \\ for a backslash`, `\%c is not an escape`, c)
	}
	r, ok := l.hex4(j + 2)
	if !ok {
		return out, j, l.placeOf(j).errorf(`write four hexadecimal digits, as in \`+"u00e9", `\u without four hexadecimal digits`)
	}
	j += 6
	if utf16.IsSurrogate(r) {
		low, ok := rune(0), false
		if l.is(j, '\\') && l.is(j+1, 'u') {
			low, ok = l.hex4(j + 2)
		}
		if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
			return utf8.AppendRune(out, pair), j + 6, nil
		}
		r = utf8.RuneError
	}
	return utf8.AppendRune(out, r), j, nil
}

func (l *lexer) hex4(i int) (rune, bool) {
	if _, ok := l.at(i + 3); !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(string(l.src[i:i+4]), 16, 16)
	return rune(n), err == nil
}
