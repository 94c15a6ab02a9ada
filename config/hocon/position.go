package hocon

import (
	"fmt"
	"strings"
)

// Position is a place in a text, or the name of another source of a value,
// such as an environment variable; then Line is 0.
type Position struct {
	File   string // the file's path as given, or the source's name
	Line   int    // from 1; 0: not in a text
	Column int    // from 1, in characters
}

// String gives file:line:column, as editors understand it.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error is a mistake in a text. Correct the text and load it again.
type Error struct {
	Pos     Position
	Key     string // path of the key whose value is wrong; empty where it is not known
	Problem string // what is wrong
	Hint    string // how to mend it; may be empty
	Err     error  // the cause, such as a file that cannot be read; may be nil
}

// Error gives the position, the key, the problem and the hint in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("hocon: ")
	if pos := e.Pos.String(); pos != "" {
		b.WriteString(pos)
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key)
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// place is a Position as nodes hold it: 16 bytes.
type place struct {
	file   *string
	line   int32
	column int32
}

func (p place) position() Position {
	if p.file == nil {
		return Position{}
	}
	return Position{File: *p.file, Line: int(p.line), Column: int(p.column)}
}

func (p place) errorf(hint, format string, args ...any) *Error {
	return &Error{Pos: p.position(), Problem: fmt.Sprintf(format, args...), Hint: hint}
}
