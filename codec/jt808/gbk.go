package jt808

import (
	"fmt"

	"github.com/linkspan/linkspan/codec/internal/chinese"
)

// decodeText reads a STRING (JT/T 808-2019 table 1: GBK): NULs at both ends are
// padding and go; see [chinese.Decode].
func decodeText(b []byte) string { return chinese.Decode(b, "\x00") }

// appendText appends s, which is UTF-8, as GBK.
func appendText(dst []byte, s string) ([]byte, error) {
	dst, err := chinese.Append(dst, s)
	if err != nil {
		return dst, fmt.Errorf("jt808: %w", err)
	}
	return dst, nil
}
