package gbt26875

import (
	"fmt"

	"github.com/linkspan/linkspan/codec/internal/chinese"
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

// decodeText reads GB18030; NULs and spaces at both ends are padding. See
// [chinese.Decode].
func decodeText(b []byte) string { return chinese.Decode(b, "\x00 ") }

// appendText appends s, which is UTF-8, as GB18030.
func appendText(dst []byte, s string) ([]byte, error) {
	dst, err := chinese.Append(dst, s)
	if err != nil {
		return dst, fmt.Errorf("gbt26875: %w", err)
	}
	return dst, nil
}
