package auth

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // the platforms' own choice; used as an HMAC only
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// SignMethod names the keyed hash that signs a device's parameters, in the
// spelling of MQTT client identifiers and HTTP headers: all lower case.
type SignMethod string

// The methods that the platforms know (Alibaba Cloud IoT developer guide,
// chapters 6.1, 9 and 11).
const (
	HMACMD5    SignMethod = "hmacmd5"    // 128 bits
	HMACSHA1   SignMethod = "hmacsha1"   // 160 bits
	HMACSHA256 SignMethod = "hmacsha256" // 256 bits
)

// SignMethods lists the methods, weakest first.
func SignMethods() []SignMethod { return []SignMethod{HMACMD5, HMACSHA1, HMACSHA256} }

// ParseSignMethod reads a method's name in any case: the documents write
// hmacsha1, HmacSHA1 and hmacSha1 for the same thing.
func ParseSignMethod(name string) (SignMethod, error) {
	m := SignMethod(strings.ToLower(name))
	if !slices.Contains(SignMethods(), m) {
		return "", fmt.Errorf("auth: sign method %q: want hmacmd5, hmacsha1 or hmacsha256", name)
	}
	return m, nil
}

// New is the method's keyed hash. It panics for a method that
// [ParseSignMethod] would refuse, for that is a mistake in the program.
func (m SignMethod) New(key Secret) hash.Hash {
	switch m {
	case HMACMD5:
		return hmac.New(md5.New, []byte(key))
	case HMACSHA1:
		return hmac.New(sha1.New, []byte(key))
	case HMACSHA256:
		return hmac.New(sha256.New, []byte(key))
	default:
		panic(fmt.Sprintf("auth: unknown sign method %q", string(m)))
	}
}

// Param is one named parameter of a request that is signed.
type Param struct{ Name, Value string }

// SignContent is what a signature covers: names and values of params, sorted by
// name, one behind the other without anything between them. Which parameters
// are signed is the caller's choice: in this family of platforms all but sign,
// signMethod and cleanSession, and none that is not sent.
func SignContent(params ...Param) string {
	sorted := slices.Clone(params)
	slices.SortStableFunc(sorted, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	for _, p := range sorted {
		b.WriteString(p.Name)
		b.WriteString(p.Value)
	}
	return b.String()
}

// Sign is the signature of params with the key, in lower-case hexadecimal
// digits. Platforms compare it without regard to case.
func Sign(m SignMethod, key Secret, params ...Param) string {
	h := m.New(key)
	h.Write([]byte(SignContent(params...)))
	return hex.EncodeToString(h.Sum(nil))
}

// Verify says whether sign, in hexadecimal digits of any case, is the signature
// of params with the key. It takes the same time whatever is wrong.
func Verify(m SignMethod, key Secret, sign string, params ...Param) bool {
	given, err := hex.DecodeString(sign)
	if err != nil {
		return false
	}
	h := m.New(key)
	h.Write([]byte(SignContent(params...)))
	return hmac.Equal(given, h.Sum(nil))
}
