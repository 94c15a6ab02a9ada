package keystore

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	java "github.com/pavlo-v-chernykh/keystore-go/v4"

	"github.com/linkspan/linkspan/auth"
)

// loadJKS reads a key store of Java's own format.
func (s Source) loadJKS(data []byte) (material, error) {
	storePassword, keyPassword := s.passwords()
	store, err := latin1(storePassword)
	if err != nil {
		return material{}, fmt.Errorf("%s: keyStorePassword: %w", s.KeyStoreFile, err)
	}
	key, err := latin1(keyPassword)
	if err != nil {
		return material{}, fmt.Errorf("%s: keyPassword: %w", s.KeyStoreFile, err)
	}
	ks := java.New(java.WithOrderedAliases())
	if err = ks.Load(bytes.NewReader(data), store); err != nil {
		if isDigest(err) {
			return material{}, fmt.Errorf("%s: %w, or the key store is damaged: check keyStorePassword, or keyPassword when that is not given", s.KeyStoreFile, ErrPassword)
		}
		return material{}, fmt.Errorf("%s: %w as JKS: %w", s.KeyStoreFile, ErrFormat, err)
	}
	var keys []string
	for _, alias := range ks.Aliases() {
		if ks.IsPrivateKeyEntry(alias) {
			keys = append(keys, alias)
		}
	}
	alias, err := s.choose(keys)
	if err != nil {
		return material{}, err
	}
	entry, err := ks.GetPrivateKeyEntry(alias, key)
	if err != nil {
		if isDigest(err) {
			return material{}, fmt.Errorf("%s: the key %q: %w: check keyPassword", s.KeyStoreFile, alias, ErrPassword)
		}
		return material{}, fmt.Errorf("%s: the key %q: %w: %w", s.KeyStoreFile, alias, ErrFormat, err)
	}
	m := material{file: s.KeyStoreFile}
	if m.key, err = parseKey(entry.PrivateKey); err != nil {
		return material{}, fmt.Errorf("%s: the key %q: %w: %w", s.KeyStoreFile, alias, ErrFormat, err)
	}
	for _, c := range entry.CertificateChain {
		certificate, err := x509.ParseCertificate(c.Content)
		if err != nil {
			return material{}, fmt.Errorf("%s: the certificate of %q: %w: %w", s.KeyStoreFile, alias, ErrFormat, err)
		}
		m.chain = append(m.chain, certificate)
	}
	return m, nil
}

// isDigest says whether err is the library's for a password that does not fit; it
// has no value of its own.
func isDigest(err error) bool { return strings.Contains(err.Error(), "got invalid digest") }

// choose is the alias that is meant of those with a key.
func (s Source) choose(aliases []string) (string, error) {
	if s.Alias != "" {
		i := slices.IndexFunc(aliases, func(have string) bool { return strings.EqualFold(have, s.Alias) })
		if i < 0 {
			return "", fmt.Errorf("%s: %w: alias %q; there are %q", s.KeyStoreFile, ErrNoKey, s.Alias, aliases)
		}
		return aliases[i], nil
	}
	switch len(aliases) {
	case 0:
		return "", fmt.Errorf("%s: %w: it holds none, only certificates perhaps", s.KeyStoreFile, ErrNoKey)
	case 1:
		return aliases[0], nil
	}
	return "", fmt.Errorf("%s: %w: it holds several, choose one by alias: %q", s.KeyStoreFile, ErrNoKey, aliases)
}

var errNotLatin1 = errors.New("the password has characters beyond Latin-1, with which JKS cannot be read here: convert the store to PKCS12")

// latin1 is a password with one byte for each character, as the library takes it;
// Java takes two, the first of which is 0 then.
func latin1(password auth.Secret) ([]byte, error) {
	var out []byte
	for _, r := range password.Reveal() {
		if r > 0xff {
			return nil, errNotLatin1
		}
		out = append(out, byte(r))
	}
	return out, nil
}
