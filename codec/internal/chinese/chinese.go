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
// Some devices send UTF-8. Bytes are taken for that when all of this holds:
//
//   - They are valid UTF-8 and have no two-byte sequences: two bytes C2-DF 80-BF are
//     common GBK characters as well.
//   - Its characters are neither for private use nor of the planes from 4 on, which
//     have none that are in use.
//   - They are not GB2312, or are so in both readings. GB2312 is what everyday text
//     is made of: 6763 hanzi, punctuation, and letters of full width.
//
// So UTF-8 of characters of GB2312 is always read as such, and of two hanzi that
// GB2312 lacks all but 4 in 100. Of GB2312 itself all texts of one and two hanzi are
// read right, and all but 3 in a million of three.
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

// looksUTF8 says whether b is UTF-8: see Decode.
func looksUTF8(b []byte) bool {
	ascii := true
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		ascii = false
		r, size := utf8.DecodeRune(b[i:])
		if size < 3 || r >= 0x40000 || '\uE000' <= r && r <= '\uF8FF' {
			return false
		}
		i += size
	}
	if ascii || !isGB2312(b) {
		return true
	}
	again, err := simplifiedchinese.GB18030.NewEncoder().Bytes(b)
	return err == nil && isGB2312(again)
}

// isGB2312 says whether b is ASCII and characters from where GBK has those of
// GB2312: two bytes, both from A1 on, rows 1 to 9 and those of hanzi, 16 to 87.
func isGB2312(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i] < utf8.RuneSelf {
			continue
		}
		hanzi, symbol := b[i] >= 0xB0 && b[i] <= 0xF7, b[i] >= 0xA1 && b[i] <= 0xA9
		if i++; i == len(b) || !hanzi && !symbol || b[i] < 0xA1 || b[i] == 0xFF {
			return false
		}
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
