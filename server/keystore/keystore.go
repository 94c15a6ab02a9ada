// Package keystore reads a TLS certificate and its private key from where people
// keep them: PEM files, and key stores of Java, which are JKS or PKCS12, made by
// keytool or openssl.
//
// It reads; it never writes. A [Source] says which files; [Source.Load] reads them
// anew each time, so that a certificate that was renewed is found.
//
//	cert, err := keystore.Source{KeyStoreFile: "server.p12", KeyPassword: "changeit"}.Load()
package keystore

import (
	"cmp"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/linkspan/linkspan/auth"
)

// Source says where one certificate and its private key are: in PEM files, or in
// a key store.
type Source struct {
	Certificate string `conf:"certificate" doc:"PEM file of the certificate, and behind it of those between it and the root"`
	Key         string `conf:"key" doc:"PEM file of the certificate's private key; default: it is in the certificate's file"`

	KeyStoreFile     string      `conf:"keyStoreFile" doc:"key store with the certificate and its key, instead of certificate and key"`
	KeyStoreType     string      `conf:"keyStoreType" doc:"JKS, PKCS12 or PEM; default: what the file looks like"`
	KeyStorePassword auth.Secret `conf:"keyStorePassword" doc:"password of the key store; default: keyPassword"`
	KeyPassword      auth.Secret `conf:"keyPassword" doc:"password of the key in the key store; default: keyStorePassword"`
	Alias            string      `conf:"alias" doc:"name of the entry in the key store; needed only when it holds several keys"`
}

// The values of Source.KeyStoreType.
const (
	JKS    = "JKS"
	PKCS12 = "PKCS12"
	PEM    = "PEM"
)

var (
	// ErrPassword says that a password does not fit: mend keyPassword or
	// keyStorePassword.
	ErrPassword = errors.New("the password is wrong")
	// ErrNoKey says that a file holds no private key that could be meant.
	ErrNoKey = errors.New("there is no such private key")
	// ErrMismatch says that a private key is of another certificate.
	ErrMismatch = errors.New("the private key does not belong to the certificate")
	// ErrFormat says that a file cannot be read as what it should be.
	ErrFormat = errors.New("the file cannot be read")
)

// Empty says whether the source names no file.
func (s Source) Empty() bool { return s.Certificate == "" && s.Key == "" && s.KeyStoreFile == "" }

// Files are the files that the source names.
func (s Source) Files() []string {
	var files []string
	for _, name := range []string{s.Certificate, s.Key, s.KeyStoreFile} {
		if name != "" {
			files = append(files, name)
		}
	}
	return files
}

// Load reads the certificate, with its chain in the order of the handshake and
// Leaf set, and its key. Errors name the file and what to mend; they are one of
// the package's, or the file system's.
func (s Source) Load() (tls.Certificate, error) {
	m, err := s.load()
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("keystore: %w", err)
	}
	return m.pair()
}

// material is what was read of one entry.
type material struct {
	file  string // for errors
	key   crypto.PrivateKey
	chain []*x509.Certificate // in no order
}

func (s Source) load() (material, error) {
	switch {
	case s.Empty():
		return material{}, errors.New("neither certificate nor keyStoreFile is given")
	case s.KeyStoreFile != "" && (s.Certificate != "" || s.Key != ""):
		return material{}, fmt.Errorf("both keyStoreFile %s and certificate %s are given: remove one of them", s.KeyStoreFile, cmp.Or(s.Certificate, s.Key))
	case s.KeyStoreFile == "" && s.Certificate == "":
		return material{}, fmt.Errorf("key %s is given without a certificate", s.Key)
	case s.KeyStoreFile == "":
		return loadPEM(s.Certificate, s.Key)
	}
	data, err := os.ReadFile(s.KeyStoreFile)
	if err != nil {
		return material{}, fmt.Errorf("keyStoreFile: %w", err)
	}
	looks := sniff(data)
	want := strings.ToUpper(s.KeyStoreType)
	switch want {
	case "":
		want = looks
	case "P12", "PFX":
		want = PKCS12
	}
	if looks == jceks {
		return material{}, fmt.Errorf("%s: %w: it is a JCEKS key store; convert it: keytool -importkeystore -srckeystore %s -srcstoretype JCEKS -destkeystore server.p12 -deststoretype PKCS12",
			s.KeyStoreFile, ErrFormat, s.KeyStoreFile)
	}
	if looks != "" && want != looks && (want == JKS || want == PKCS12 || want == PEM) {
		// keytool has made PKCS12 files called server.jks since Java 9, and Java reads
		// them whatever the type says.
		want = looks
	}
	switch want {
	case JKS:
		return s.loadJKS(data)
	case PKCS12:
		return s.loadPKCS12(data)
	case PEM:
		return parsePEM(s.KeyStoreFile, data, s.KeyStoreFile, data)
	case "":
		return material{}, fmt.Errorf("%s: %w: it looks like neither JKS nor PKCS12 nor PEM", s.KeyStoreFile, ErrFormat)
	}
	return material{}, fmt.Errorf("keyStoreType is %q, want JKS, PKCS12 or PEM", s.KeyStoreType)
}

const jceks = "JCEKS"

// sniff is what a file looks like; "" when it looks like nothing known.
func sniff(data []byte) string {
	switch text := string(data[:min(len(data), 4)]); {
	case text == "\xfe\xed\xfe\xed":
		return JKS
	case text == "\xce\xce\xce\xce":
		return jceks
	case strings.HasPrefix(text, "\x30"):
		return PKCS12
	case strings.Contains(string(data), "-----BEGIN "):
		return PEM
	}
	return ""
}

// passwords are those of the store and of the key in it.
func (s Source) passwords() (store, key auth.Secret) {
	store, key = s.KeyStorePassword, s.KeyPassword
	if store == "" {
		store = key
	}
	if key == "" {
		key = store
	}
	return store, key
}

// pair puts the certificates in order, and checks that the key is the first one's.
func (m material) pair() (tls.Certificate, error) {
	signer, ok := m.key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("keystore: %s: %w: a key of type %T cannot sign", m.file, ErrFormat, m.key)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return tls.Certificate{}, fmt.Errorf("keystore: %s: %w: a key of type %T", m.file, ErrFormat, m.key)
	}
	if len(m.chain) == 0 {
		return tls.Certificate{}, fmt.Errorf("keystore: %s: %w: there is no certificate", m.file, ErrFormat)
	}
	for i, c := range m.chain {
		if public.Equal(c.PublicKey) {
			rest := append(append([]*x509.Certificate(nil), m.chain[:i]...), m.chain[i+1:]...)
			out := tls.Certificate{PrivateKey: m.key, Leaf: c}
			for _, c := range ordered(c, rest) {
				out.Certificate = append(out.Certificate, c.Raw)
			}
			return out, nil
		}
	}
	return tls.Certificate{}, fmt.Errorf("keystore: %s: %w, which is of %s", m.file, ErrMismatch, m.chain[0].Subject)
}

// ordered is leaf with those certificates behind it that lead to its root; the
// others are dropped.
func ordered(leaf *x509.Certificate, others []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for last := leaf; last.CheckSignatureFrom(last) != nil; {
		next := -1
		for i, c := range others {
			if c != nil && string(c.RawSubject) == string(last.RawIssuer) && last.CheckSignatureFrom(c) == nil {
				next = i
				break
			}
		}
		if next < 0 {
			break
		}
		last, others[next] = others[next], nil
		chain = append(chain, last)
	}
	return chain
}
