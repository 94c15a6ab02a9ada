package hocon

import (
	"bytes"
	"errors"
	"io"
	"math"
	"unicode/utf8"
)

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
	json   bool        // neither comments nor triple quotes
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
