package keystore

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"software.sslmate.com/src/go-pkcs12"
)

// loadPKCS12 reads a PKCS #12 file (RFC 7292).
func (s Source) loadPKCS12(data []byte) (material, error) {
	password, keyPassword := s.passwords()
	key, leaf, more, err := pkcs12.DecodeChain(data, password.Reveal())
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		if password != keyPassword {
			return material{}, fmt.Errorf("%s: %w: check keyStorePassword; in PKCS12 the key's password is the store's", s.KeyStoreFile, ErrPassword)
		}
		return material{}, fmt.Errorf("%s: %w: check keyPassword or keyStorePassword, whichever is given", s.KeyStoreFile, ErrPassword)
	}
	single := err == nil
	if single && s.Alias == "" {
		return material{s.KeyStoreFile, key, append(more, leaf)}, nil
	}
	// Only what the library calls PEM tells the names of entries.
	entries, named := s.entries(data, password.Reveal())
	if named != nil {
		if single { // the names cannot be read, but there is no choice
			return material{s.KeyStoreFile, key, append(more, leaf)}, nil
		}
		return material{}, fmt.Errorf("%s: %w as PKCS12: the file is damaged or another; look at it with openssl pkcs12 -info -noout -in %s (%w)", s.KeyStoreFile, ErrFormat, s.KeyStoreFile, err)
	}
	alias, err := s.choose(entries.names)
	if err != nil {
		return material{}, err
	}
	return material{s.KeyStoreFile, entries.keys[slices.Index(entries.names, alias)], entries.certificates}, nil
}

// entries are the keys of a PKCS #12 file by name, and all its certificates.
type entries struct {
	names        []string
	keys         []any
	certificates []*x509.Certificate
}

func (s Source) entries(data []byte, password string) (entries, error) {
	var out entries
	blocks, err := pkcs12.ToPEM(data, password) //nolint:staticcheck // the only call that reads several keys, and their names
	if err != nil {
		return out, err
	}
	for _, b := range blocks {
		if b.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(b.Bytes)
			if err != nil {
				return out, err
			}
			out.certificates = append(out.certificates, c)
			continue
		}
		key, err := parseKey(b.Bytes)
		if err != nil {
			return out, err
		}
		name := b.Headers["friendlyName"]
		if name == "" {
			name = b.Headers["localKeyId"]
		}
		out.names = append(out.names, name)
		out.keys = append(out.keys, key)
	}
	return out, nil
}
