package hocon

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// properties parses a Java properties file (java.util.Properties.load) into
// root: keys split at periods, all values strings, unless p.loose. Where a key has both a value
// and keys beneath it, those beneath win.
func (p *parser) properties(root *node) error {
	text, err := p.lex.all()
	if err != nil {
		return err
	}
	s := propertyScanner{text: text}
	for s.next() {
		at := place{p.lex.file, s.start, 1}
		if s.bad != "" {
			return at.errorf("write four hexadecimal digits behind \\u, or \\\\ for a backslash", "%s", s.bad)
		}
		path := strings.Split(s.key, ".")
		if len(path) > p.limits.Depth {
			return at.errorf("", "the key has more than %d parts", p.limits.Depth)
		}
		val := &node{kind: nodeString, at: at, text: s.value}
		if p.loose {
			val.kind = looseKind(s.value)
		}
		if p.scan != nil {
			if err := p.scan.take(path, at, val); err != nil {
				return err
			}
			continue
		}
		if existing := root.descend(path); existing != nil && existing.kind == nodeObject {
			continue
		}
		root.setPath(path, at, val)
	}
	return nil
}

// looseKind is what a property's value is when the reference implementation
// takes the file for HOCON: a number or a boolean, if it looks like one.
func looseKind(text string) nodeKind {
	if kind := literalKind(text); kind == nodeBool {
		return kind
	}
	l := newLexer("", []byte(text))
	if t, err := l.next(); err == nil && t.kind == tokNumber && len(t.text) == len(text) {
		return nodeNumber
	}
	return nodeString
}

// descend is the node at path, nil if there is none.
func (n *node) descend(path []string) *node {
	for _, key := range path {
		if n == nil || n.kind != nodeObject {
			return nil
		}
		n = n.object.get(key)
	}
	return n
}

// all reads the rest of the text. Bytes that are not UTF-8 are ISO 8859-1, as
// Java reads them.
func (l *lexer) all() (string, error) {
	for !l.eof {
		if err := l.fill(); err != nil {
			return "", err
		}
	}
	b := l.src[l.pos:]
	if utf8.Valid(b) {
		return string(b), nil
	}
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String(), nil
}

// propertyScanner walks over the logical lines of a properties file.
type propertyScanner struct {
	text  string
	pos   int
	line  int32 // lines before pos
	start int32 // of the present property, from 1
	key   string
	value string
	bad   string
}

// next goes to the next property.
func (s *propertyScanner) next() bool {
	for s.pos < len(s.text) {
		s.start = s.line + 1
		first := strings.TrimLeft(s.peekLine(), " \t\f")
		if first == "" || first[0] == '#' || first[0] == '!' {
			s.natural()
			continue
		}
		s.split(s.logical())
		return true
	}
	return false
}

func (s *propertyScanner) peekLine() string {
	rest := s.text[s.pos:]
	if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
		return rest[:i]
	}
	return rest
}

// natural takes one line with its end.
func (s *propertyScanner) natural() string {
	line := s.peekLine()
	s.pos += len(line)
	if strings.HasPrefix(s.text[s.pos:], "\r\n") {
		s.pos += 2
	} else if s.pos < len(s.text) {
		s.pos++
	}
	s.line++
	return line
}

// logical takes one line with those that continue it.
func (s *propertyScanner) logical() string {
	var b strings.Builder
	for {
		line := strings.TrimLeft(s.natural(), " \t\f")
		slashes := len(line) - len(strings.TrimRight(line, `\`))
		if slashes%2 == 0 {
			b.WriteString(line)
			return b.String()
		}
		b.WriteString(line[:len(line)-1])
		if s.pos >= len(s.text) {
			return b.String()
		}
	}
}

// split finds key and value in a logical line.
func (s *propertyScanner) split(line string) {
	end := 0
	for end < len(line) && !strings.ContainsRune("=: \t\f", rune(line[end])) {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	s.bad = ""
	s.key, s.value = s.unescape(line[:end]), s.unescape(rest)
}

func (s *propertyScanner) unescape(in string) string {
	if !strings.Contains(in, `\`) {
		return in
	}
	var units []uint16
	flush := func(b *strings.Builder) {
		b.WriteString(decodeUTF16(units))
		units = units[:0]
	}
	var b strings.Builder
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' || i+1 == len(in) {
			flush(&b)
			b.WriteByte(in[i])
			continue
		}
		i++
		if in[i] == 'u' {
			n, err := strconv.ParseUint(in[min(i+1, len(in)):min(i+5, len(in))], 16, 16)
			if err != nil || i+5 > len(in) {
				s.bad = `\u without four hexadecimal digits`
				return ""
			}
			units = append(units, uint16(n))
			i += 4
			continue
		}
		flush(&b)
		if c, ok := map[byte]byte{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f'}[in[i]]; ok {
			b.WriteByte(c)
		} else {
			b.WriteByte(in[i])
		}
	}
	flush(&b)
	return b.String()
}

func decodeUTF16(units []uint16) string { return string(utf16.Decode(units)) }
