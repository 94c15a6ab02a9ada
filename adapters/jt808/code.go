package jt808

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// codes makes and checks the codes that terminals get when they register. A
// code is the time of its making and a signature of that and of the terminal's
// number, so nothing has to be remembered: every node that has the key can check
// it, and it is of no use to another terminal.
//
//	0 DWORD     seconds since 2020-01-01
//	4 BYTE[12]  the first bytes of an HMAC-SHA256
//
// It is sent as 22 characters of base64 (RFC 4648 section 5). It may be used
// from any goroutine.
type codes struct {
	key      []byte
	lifetime time.Duration // 0: for ever
}

const (
	codeEpoch = 1577836800 // 2020-01-01 in Unix seconds
	codeMAC   = 12         // bytes
	codeSize  = 4 + codeMAC
	codeSkew  = 5 * time.Minute // that the clocks of two nodes may differ by
)

// issue is a code for the terminal of that identity, made at now.
func (c codes) issue(identity string, now time.Time) string {
	code := binary.BigEndian.AppendUint32(nil, uint32(now.Unix()-codeEpoch)) //nolint:gosec // until 2156
	return base64.RawURLEncoding.EncodeToString(append(code, c.sign(identity, code)...))
}

// check is nil for a code that was issued to identity and is still good at now;
// otherwise it says why not, without the code.
func (c codes) check(identity, code string, now time.Time) error {
	raw, err := base64.RawURLEncoding.DecodeString(strings.Trim(code, "\x00 "))
	switch {
	case err != nil || len(raw) != codeSize:
		return fmt.Errorf("%w: jt808: it is no code of ours", auth.ErrBadCredentials)
	case !hmac.Equal(raw[4:], c.sign(identity, raw[:4])):
		return fmt.Errorf("%w: jt808: the code was made with another key (authentication.key), or for another terminal", auth.ErrBadCredentials)
	}
	age := now.Sub(time.Unix(int64(binary.BigEndian.Uint32(raw))+codeEpoch, 0))
	switch {
	case age < -codeSkew:
		return fmt.Errorf("%w: jt808: the code was made %v from now: clocks differ", auth.ErrBadCredentials, -age.Round(time.Second))
	case c.lifetime != 0 && age > c.lifetime:
		return fmt.Errorf("%w: jt808: the code is too old: %v, authentication.lifetime is %v", auth.ErrBadCredentials, age.Round(time.Second), c.lifetime)
	}
	return nil
}

func (c codes) sign(identity string, issued []byte) []byte {
	m := hmac.New(sha256.New, c.key)
	m.Write([]byte("linkspan jt808 code\x00"))
	m.Write(issued)
	m.Write([]byte(identity))
	return m.Sum(nil)[:codeMAC]
}
