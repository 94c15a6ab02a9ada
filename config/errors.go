package config

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/config/hocon"
)

// Error is one mistake in a configuration: correct it and load again.
type Error struct {
	File    string // or another source, such as an environment variable; may be empty
	Line    int    // from 1; 0: not in a file
	Column  int    // from 1; 0: not in a file
	Key     string // path of the key; may be empty
	Problem string
	Hint    string // how to mend it; may be empty
	Err     error  // the cause; may be nil
}

// Error gives file:line: key: problem; hint.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("config: ")
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			b.WriteString(":" + strconv.Itoa(e.Line))
			if e.Column > 0 {
				b.WriteString(":" + strconv.Itoa(e.Column))
			}
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Problem)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors are all mistakes that were found, in the order of the files.
type Errors []*Error

// Error gives one line for each mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single mistakes.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i := range e {
		out[i] = e[i]
	}
	return out
}

// sorted orders by place and leaves out repetitions. It gives nil for none.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Key, b.Key))
	})
	return slices.CompactFunc(e, func(a, b *Error) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Key == b.Key && a.Problem == b.Problem
	})
}

// asError makes an error of package hocon one of ours.
func asError(err error, key string) *Error {
	var h *hocon.Error
	if errors.As(err, &h) {
		if key == "" {
			key = h.Key
		}
		return &Error{File: h.Pos.File, Line: h.Pos.Line, Column: h.Pos.Column, Key: key, Problem: h.Problem, Hint: h.Hint, Err: err}
	}
	return &Error{Key: key, Problem: err.Error(), Err: err}
}
