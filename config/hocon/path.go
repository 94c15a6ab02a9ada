package hocon

import (
	"errors"
	"strings"
)

var (
	errEmptyPath    = errors.New("the path is empty")
	errEmptyElement = errors.New(`the path has an empty part: a period begins it, ends it or stands beside another (write "" for an empty part)`)
)

// pathBuilder makes a path of unquoted pieces, which periods split, and quoted
// ones.
type pathBuilder struct {
	parts  []string
	part   strings.Builder
	filled bool // the part has something, or quotes
	any    bool
	bad    bool
}

func (b *pathBuilder) quoted(s string) {
	b.part.WriteString(s)
	b.filled, b.any = true, true
}

func (b *pathBuilder) unquoted(s string) {
	b.any = true
	for {
		before, after, found := strings.Cut(s, ".")
		if before != "" {
			b.filled = true
		}
		b.part.WriteString(before)
		if !found {
			return
		}
		b.split()
		s = after
	}
}

func (b *pathBuilder) split() {
	if !b.filled {
		b.bad = true
	}
	b.parts = append(b.parts, b.part.String())
	b.part.Reset()
	b.filled = false
}

// done gives the path. Who calls leaves out the blanks around it.
func (b *pathBuilder) done() ([]string, error) {
	if !b.any {
		return nil, errEmptyPath
	}
	b.split()
	if b.bad {
		if len(b.parts) == 1 {
			return nil, errEmptyPath
		}
		return nil, errEmptyElement
	}
	return b.parts, nil
}

// ParsePath splits a path expression such as a.b."c.d" into its parts.
func ParsePath(expression string) ([]string, error) {
	l := newLexer("path", []byte(expression))
	path, end, problem, err := l.scanPath(l.pos)
	switch {
	case err != nil:
		return nil, err
	case end < len(l.src):
		return nil, l.placeOf(end).errorf("put that part in double quotes", "%q cannot stand in a path", l.src[end])
	case problem != nil:
		return nil, l.placeOf(0).errorf("", "%s", problem)
	}
	return path, nil
}

// FormatPath is the path expression for parts: quoted where needed.
func FormatPath(parts []string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('.')
		}
		if isPlainKey(p) {
			b.WriteString(p)
		} else {
			b.WriteString(quote(p))
		}
	}
	return b.String()
}

// isPlainKey tells whether a key needs no quotes.
func isPlainKey(s string) bool {
	for _, r := range s {
		if r < 128 && (forbidden[r] || r == '.' || r == '/' || r < ' ') || isSpace(r) {
			return false
		}
	}
	return s != "" && s != "include"
}
