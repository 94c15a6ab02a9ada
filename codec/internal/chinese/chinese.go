// Package chinese is the texts of Chinese devices: GB18030, which contains GBK, or
// what they take for it.
package chinese

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Decode reads GB18030; bytes of padding at both ends go. Bytes that are no GB18030
// become U+FFFD.
//
// Some devices send UTF-8. Bytes are taken for that when they are valid UTF-8 and
// have no two-byte sequences: two bytes C2-DF 80-BF are common GBK characters as
// well, while GBK text hardly ever forms valid sequences of three or four bytes
// throughout.
func Decode(b []byte, padding string) string {
	b = bytes.Trim(b, padding)
	if looksUTF8(b) {
		return string(b)
	}
	s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil {
		return string(bytes.ToValidUTF8(b, []byte(string(utf8.RuneError))))
	}
	return string(s)
}

// looksUTF8 says whether b is valid UTF-8 of ASCII and of sequences of three or
// four bytes.
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

// Append appends s, which is UTF-8, as GBK (GB18030 for what GBK lacks). What is no
// UTF-8 is encoding.ErrInvalidUTF8.
func Append(dst []byte, s string) ([]byte, error) {
	if isASCII(s) {
		return append(dst, s...), nil
	}
	if !utf8.ValidString(s) {
		return dst, fmt.Errorf("text %q: %w", s, encoding.ErrInvalidUTF8)
	}
	b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
	if err != nil {
		return dst, fmt.Errorf("text %q: %w", s, err)
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
