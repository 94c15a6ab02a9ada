package hocon

import (
	"strconv"
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
