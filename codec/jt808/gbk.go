package jt808

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// decodeText reads a STRING (JT/T 808-2019 table 1: GBK): NULs at both ends are
// padding and go; the rest is read as GB18030, which contains GBK. Bytes that
// are no GB18030 become U+FFFD.
//
// Some terminals send UTF-8. Bytes are taken for that when they are valid UTF-8
// and have no two-byte sequences: two bytes C2-DF 80-BF are common GBK
// characters as well, while GBK text hardly ever forms valid sequences of three
// or four bytes throughout.
func decodeText(b []byte) string {
	b = bytes.Trim(b, "\x00")
	if looksUTF8(b) {
		return string(b)
	}
	s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil {
		return string(bytes.ToValidUTF8(b, []byte(string(utf8.RuneError))))
	}
	return string(s)
}

// looksUTF8 reports whether b is valid UTF-8 of ASCII and of sequences of three
// or four bytes.
func looksUTF8(b []byte) bool {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, size := utf8.DecodeRune(b[i:])
		if size < 3 {
			return false
		}
		i += size
	}
	return true
}

// appendText appends s, which is UTF-8, as GBK (GB18030 for what GBK lacks).
func appendText(dst []byte, s string) ([]byte, error) {
	if isASCII(s) {
		return append(dst, s...), nil
	}
	if !utf8.ValidString(s) {
		return dst, fmt.Errorf("jt808: text %q: %w", s, encoding.ErrInvalidUTF8)
	}
	b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
	if err != nil {
		return dst, fmt.Errorf("jt808: text %q: %w", s, err)
	}
	return append(dst, b...), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
