package platform

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // hmacmd5 is one of the vendor's methods
	"crypto/sha1" //nolint:gosec // hmacsha1 is one of the vendor's methods
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/linkspan/linkspan/auth"
)

// credentials are what a device signs to log in, with a connection of its own
// or through a gateway.
type credentials struct {
	clientID     string
	deviceName   string
	productKey   string
	timestamp    string // empty: not sent, hence not signed
	cleanSession string // never signed, but by those who believe an old page
	method       string // hmacmd5, hmacsha1 or hmacsha256 in any case
	sign         string // hexadecimal in any case
}

// newHash is the hash of a signing method; nil for one the vendor has not.
func newHash(method string) func() hash.Hash {
	switch strings.ToLower(method) {
	case "hmacmd5":
		return md5.New
	case "hmacsha1":
		return sha1.New
	case "hmacsha256":
		return sha256.New
	default:
		return nil
	}
}

// content is what is signed: the parameters but sign, the method and
// cleanSession, sorted by name, names and values without anything between them.
// withCleanSession is the form the documentation printed until 2019 and the
// platform refuses.
func (c *credentials) content(withCleanSession bool) string {
	var b strings.Builder
	add := func(name, value string) {
		if value != "" {
			b.WriteString(name)
			b.WriteString(value)
		}
	}
	if withCleanSession {
		add("cleanSession", c.cleanSession)
	}
	add("clientId", c.clientID)
	add("deviceName", c.deviceName)
	add("productKey", c.productKey)
	add("timestamp", c.timestamp)
	return b.String()
}

// verify says whether c is signed with secret.
func (c *credentials) verify(secret auth.Secret, lenient bool) bool {
	newHash := newHash(c.method)
	given, err := hex.DecodeString(c.sign)
	if newHash == nil || err != nil {
		return false
	}
	if hmac.Equal(given, sum(newHash, secret, c.content(false))) {
		return true
	}
	return lenient && c.cleanSession != "" && hmac.Equal(given, sum(newHash, secret, c.content(true)))
}

func sum(h func() hash.Hash, secret auth.Secret, content string) []byte {
	mac := hmac.New(h, []byte(secret.Reveal()))
	mac.Write([]byte(content))
	return mac.Sum(nil)
}
