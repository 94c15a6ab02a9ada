package gbt26875

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Description is the text that says where a part is, as the wire has it: 31
// bytes of GB18030, padded behind with NUL or spaces.
type Description [31]byte

// NewDescription is s, which is UTF-8, as the wire has it. Its error wraps
// [ErrTooLong] when it has more than 31 bytes: 15 Chinese characters fit.
func NewDescription(s string) (d Description, err error) {
	b, err := appendText(d[:0:0], s)
	if err != nil {
		return d, err
	}
	if len(b) > len(d) {
		return d, tooLong("description", len(b), len(d))
	}
	copy(d[:], b)
	return d, nil
}

// String is the text in UTF-8, without its padding.
func (d Description) String() string { return decodeText(d[:]) }

// MarshalText is [Description.String].
func (d Description) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Text is a text as the wire has it: GB18030, of at most 255 bytes.
type Text []byte

// NewText is s, which is UTF-8, as the wire has it.
func NewText(s string) (Text, error) {
	b, err := appendText(nil, s)
	if err != nil {
		return nil, err
	}
	return b, Text(b).fits()
}

// String is the text in UTF-8, without padding.
func (t Text) String() string { return decodeText(t) }

// MarshalText is [Text.String].
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// decodeText reads GB18030; NULs and spaces at both ends are padding. Bytes that
// are no GB18030 become U+FFFD. Some devices send UTF-8: bytes are taken for that
// when they are valid UTF-8 without sequences of two bytes, which are common GBK
// characters as well, while GBK hardly ever forms valid longer ones throughout.
func decodeText(b []byte) string {
	b = bytes.Trim(b, "\x00 ")
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
// four bytes; a sequence that the end of a field has cut is left out.
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

// appendText appends s, which is UTF-8, as GB18030.
func appendText(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return dst, fmt.Errorf("gbt26875: text %q: %w", s, encoding.ErrInvalidUTF8)
	}
	b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
	if err != nil {
		return dst, fmt.Errorf("gbt26875: text %q: %w", s, err)
	}
	return append(dst, b...), nil
}
