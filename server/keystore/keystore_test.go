package keystore_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/server/keystore"
)

// The files are made by testdata/make.sh.
const (
	kindEC      = "EC"
	kindRSA     = "RSA"
	kindEd25519 = "Ed25519"
)

func file(name string) string {
	if name == "" {
		return ""
	}
	return filepath.Join("testdata", name)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct {
		source keystore.Source
		kind   string
		chain  int
	}{
		"PEM":                          {keystore.Source{Certificate: "ec.pem", Key: "ec.key"}, kindEC, 1},
		"PEM, PKCS #8 of RSA":          {keystore.Source{Certificate: "rsa.pem", Key: "rsa.key"}, kindRSA, 1},
		"PEM, PKCS #1":                 {keystore.Source{Certificate: "rsa.pem", Key: "rsa-pkcs1.key"}, kindRSA, 1},
		"PEM, SEC 1":                   {keystore.Source{Certificate: "ec.pem", Key: "ec-sec1.key"}, kindEC, 1},
		"PEM, Ed25519":                 {keystore.Source{Certificate: "ed25519.pem", Key: "ed25519.key"}, kindEd25519, 1},
		"PEM, all in any order":        {keystore.Source{Certificate: "mixed.pem"}, kindEC, 3},
		"PEM as a key store":           {keystore.Source{KeyStoreFile: "mixed.pem"}, kindEC, 3},
		"JKS":                          {keystore.Source{KeyStoreFile: "keytool.jks", KeyPassword: "changeit"}, kindRSA, 3},
		"JKS, the type in small":       {keystore.Source{KeyStoreFile: "keytool.jks", KeyStoreType: "jks", KeyPassword: "changeit"}, kindRSA, 3},
		"JKS, one password":            {keystore.Source{KeyStoreFile: "keytool.jks", KeyStorePassword: "changeit"}, kindRSA, 3},
		"JKS, two passwords":           {keystore.Source{KeyStoreFile: "separate.jks", KeyStorePassword: "changeit", KeyPassword: "keypass1"}, kindEC, 3},
		"JKS, one of two keys":         {keystore.Source{KeyStoreFile: "two.jks", KeyPassword: "changeit", Alias: "EC"}, kindEC, 3},
		"JKS, the other":               {keystore.Source{KeyStoreFile: "two.jks", KeyPassword: "changeit", Alias: "rsa"}, kindRSA, 3},
		"PKCS12 called JKS":            {keystore.Source{KeyStoreFile: "renamed.jks", KeyStoreType: "JKS", KeyPassword: "changeit"}, kindRSA, 3},
		"PKCS12 of keytool":            {keystore.Source{KeyStoreFile: "keytool.p12", KeyStoreType: "PKCS12", KeyPassword: "changeit"}, kindRSA, 3},
		"PKCS12 of openssl":            {keystore.Source{KeyStoreFile: "openssl-ec.p12", KeyStoreType: "p12", KeyPassword: "changeit"}, kindEC, 3},
		"PKCS12 of openssl, RSA":       {keystore.Source{KeyStoreFile: "openssl-rsa.p12", KeyPassword: "changeit"}, kindRSA, 3},
		"PKCS12 of openssl, Ed25519":   {keystore.Source{KeyStoreFile: "openssl-ed25519.p12", KeyPassword: "changeit"}, kindEd25519, 3},
		"PKCS12 of openssl, old":       {keystore.Source{KeyStoreFile: "openssl-legacy.p12", KeyPassword: "changeit"}, kindRSA, 3},
		"PKCS12, one of two keys":      {keystore.Source{KeyStoreFile: "two.p12", KeyPassword: "changeit", Alias: "ec"}, kindEC, 3},
		"PKCS12, the other":            {keystore.Source{KeyStoreFile: "two.p12", KeyPassword: "changeit", Alias: "RSA"}, kindRSA, 3},
		"PKCS12, the only one by name": {keystore.Source{KeyStoreFile: "openssl-rsa.p12", KeyPassword: "changeit", Alias: "rsa"}, kindRSA, 3},
		"PKCS12 with others' too":      {keystore.Source{KeyStoreFile: "mixed.p12", KeyPassword: "changeit"}, kindEC, 3},
		"PKCS12 with others', by name": {keystore.Source{KeyStoreFile: "mixed.p12", KeyPassword: "changeit", Alias: "ec"}, kindEC, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := v.source
			s.Certificate, s.Key, s.KeyStoreFile = file(s.Certificate), file(s.Key), file(s.KeyStoreFile)
			c, err := s.Load()
			if err != nil {
				t.Fatal(err)
			}
			if got := kindOf(c); got != v.kind {
				t.Errorf("a key of %s, want %s", got, v.kind)
			}
			if len(c.Certificate) != v.chain {
				t.Errorf("%d certificates, want %d", len(c.Certificate), v.chain)
			}
			if v.chain > 1 {
				handshake(t, c)
			}
		})
	}
}

func kindOf(c tls.Certificate) string {
	switch c.PrivateKey.(type) {
	case *rsa.PrivateKey:
		return kindRSA
	case *ecdsa.PrivateKey:
		return kindEC
	case ed25519.PrivateKey:
		return kindEd25519
	}
	return fmt.Sprintf("%T", c.PrivateKey)
}

// handshake proves that a device that trusts the root alone accepts the chain.
func handshake(t *testing.T, c tls.Certificate) {
	t.Helper()
	data, err := os.ReadFile(file("root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(data)
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	ended := make(chan error, 1)
	go func() { ended <- tls.Server(far, &tls.Config{Certificates: []tls.Certificate{c}}).Handshake() }()
	if err := tls.Client(near, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}).Handshake(); err != nil {
		t.Error(err)
	}
	_ = near.Close() // the server may wait for its ticket to be read
	<-ended
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct {
		source keystore.Source
		is     error
		says   []string
	}{
		"nothing":                    {keystore.Source{}, nil, []string{"neither certificate nor keyStoreFile"}},
		"both":                       {keystore.Source{Certificate: "ec.pem", KeyStoreFile: "keytool.jks"}, nil, []string{"both", "keytool.jks"}},
		"key alone":                  {keystore.Source{Key: "ec.key"}, nil, []string{"without a certificate"}},
		"no such certificate":        {keystore.Source{Certificate: "none.pem"}, fs.ErrNotExist, []string{"none.pem"}},
		"no such key":                {keystore.Source{Certificate: "ec.pem", Key: "none.key"}, fs.ErrNotExist, []string{"none.key"}},
		"no such store":              {keystore.Source{KeyStoreFile: "none.jks"}, fs.ErrNotExist, []string{"none.jks"}},
		"no key in the file":         {keystore.Source{Certificate: "ec.pem"}, keystore.ErrNoKey, []string{"ec.pem"}},
		"no certificate in the file": {keystore.Source{Certificate: "ec.key", Key: "ec.key"}, keystore.ErrFormat, []string{"ec.key"}},
		"another's key":              {keystore.Source{Certificate: "ec.pem", Key: "rsa.key"}, keystore.ErrMismatch, []string{"ec.pem", "CN=localhost"}},
		"encrypted, PKCS #8":         {keystore.Source{Certificate: "ec.pem", Key: "encrypted-pkcs8.key"}, keystore.ErrFormat, []string{"encrypted-pkcs8.key", "openssl pkey", "openssl pkcs12"}},
		"encrypted, PKCS #1":         {keystore.Source{Certificate: "rsa.pem", Key: "encrypted-pkcs1.key"}, keystore.ErrFormat, []string{"openssl pkey"}},
		"JKS, no password":           {keystore.Source{KeyStoreFile: "keytool.jks"}, keystore.ErrPassword, []string{"keytool.jks", "keyStorePassword"}},
		"JKS, wrong password":        {keystore.Source{KeyStoreFile: "keytool.jks", KeyPassword: "s3cr3t"}, keystore.ErrPassword, []string{"keytool.jks", "keyPassword"}},
		"JKS, wrong key password":    {keystore.Source{KeyStoreFile: "separate.jks", KeyStorePassword: "changeit"}, keystore.ErrPassword, []string{`the key "ec"`, "keyPassword"}},
		"JKS, Chinese password":      {keystore.Source{KeyStoreFile: "keytool.jks", KeyPassword: "密码"}, nil, []string{"Latin-1", "PKCS12"}},
		"JKS, which key":             {keystore.Source{KeyStoreFile: "two.jks", KeyPassword: "changeit"}, keystore.ErrNoKey, []string{`"ec" "rsa"`, "alias"}},
		"JKS, no such alias":         {keystore.Source{KeyStoreFile: "two.jks", KeyPassword: "changeit", Alias: "x"}, keystore.ErrNoKey, []string{`"x"`, `"ec" "rsa"`}},
		"JKS, only certificates":     {keystore.Source{KeyStoreFile: "trust.jks", KeyPassword: "changeit"}, keystore.ErrNoKey, []string{"trust.jks", "certificates"}},
		"PKCS12, wrong password":     {keystore.Source{KeyStoreFile: "openssl-rsa.p12", KeyPassword: "s3cr3t"}, keystore.ErrPassword, []string{"openssl-rsa.p12", "keyPassword"}},
		"PKCS12, no password":        {keystore.Source{KeyStoreFile: "keytool.p12"}, keystore.ErrPassword, []string{"keytool.p12"}},
		"PKCS12, which key":          {keystore.Source{KeyStoreFile: "two.p12", KeyPassword: "changeit"}, keystore.ErrNoKey, []string{"alias", "ec", "rsa"}},
		"PKCS12, no such alias":      {keystore.Source{KeyStoreFile: "openssl-rsa.p12", KeyPassword: "changeit", Alias: "x"}, keystore.ErrNoKey, []string{`"x"`, `"rsa"`}},
		"PKCS12, only certificates":  {keystore.Source{KeyStoreFile: "trust.p12", KeyPassword: "changeit"}, keystore.ErrFormat, []string{"trust.p12", "private key"}},
		"JCEKS":                      {keystore.Source{KeyStoreFile: "keytool.jceks", KeyPassword: "changeit"}, keystore.ErrFormat, []string{"JCEKS", "keytool -importkeystore"}},
		"unknown type":               {keystore.Source{KeyStoreFile: "keytool.jks", KeyStoreType: "BKS"}, nil, []string{`"BKS"`, "JKS, PKCS12 or PEM"}},
		"no key store":               {keystore.Source{KeyStoreFile: "make.sh"}, keystore.ErrFormat, []string{"make.sh", "neither JKS nor PKCS12 nor PEM"}},
		"no JKS":                     {keystore.Source{KeyStoreFile: "make.sh", KeyStoreType: "JKS"}, keystore.ErrFormat, []string{"make.sh", "JKS"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := v.source
			s.Certificate, s.Key, s.KeyStoreFile = file(s.Certificate), file(s.Key), file(s.KeyStoreFile)
			_, err := s.Load()
			if err == nil {
				t.Fatal("no error")
			}
			if v.is != nil && !errors.Is(err, v.is) {
				t.Errorf("%v is not %v", err, v.is)
			}
			for _, want := range v.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: does not say %s", err, want)
				}
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%v: tells the password", err)
			}
		})
	}
}

// A file that is damaged anywhere is an error, or still the same certificate; it
// never ends the process.
func TestLoadDamaged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"separate.jks", "openssl-ec.p12", "mixed.pem"} {
		data, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		for cut := 0; cut < len(data); cut += 97 {
			if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
				t.Fatal(err)
			}
			s := keystore.Source{KeyStoreFile: path, KeyStorePassword: "changeit", KeyPassword: "keypass1"}
			if strings.HasSuffix(name, "p12") {
				s.KeyPassword = "changeit"
			}
			if _, err := s.Load(); err == nil && name != "mixed.pem" {
				t.Errorf("%s of %d bytes: no error", name, cut)
			}
		}
	}
}

func ExampleSource_Load() {
	c, err := keystore.Source{KeyStoreFile: "testdata/keytool.p12", KeyPassword: "changeit"}.Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Leaf.Subject, len(c.Certificate))

	_, err = keystore.Source{KeyStoreFile: "testdata/keytool.p12", KeyPassword: "changed"}.Load()
	fmt.Println(err)
	// Output:
	// CN=localhost 3
	// keystore: testdata/keytool.p12: the password is wrong: check keyPassword or keyStorePassword, whichever is given
}
