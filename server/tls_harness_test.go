package server_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/server/keystore"
)

// authority signs the tests' certificates.
type authority struct {
	tb   testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serial atomic.Int64

func newAuthority(tb testing.TB, name string) *authority {
	tb.Helper()
	a := &authority{tb: tb, dir: tb.TempDir()}
	a.key, a.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	return a
}

// sign makes a key, and a certificate of it like template.
func (a *authority) sign(template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatal(err)
	}
	template.SerialNumber = big.NewInt(serial.Add(1))
	template.NotBefore = time.Now().Add(-time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Fatal(err)
	}
	return key, cert
}

// issue makes a certificate for those names; those with a colon are URIs.
func (a *authority) issue(names ...string) tls.Certificate {
	a.tb.Helper()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature,
	}
	for _, name := range names {
		if strings.Contains(name, ":") {
			u, err := url.Parse(name)
			if err != nil {
				a.tb.Fatal(err)
			}
			template.URIs = append(template.URIs, u)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	key, cert := a.sign(template)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// write puts a certificate and its key into a PEM file.
func (a *authority) write(file string, c tls.Certificate) string {
	a.tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		a.tb.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	return a.writeFile(file, text)
}

func (a *authority) writeFile(file string, text []byte) string {
	a.tb.Helper()
	path := filepath.Join(a.dir, file)
	temporary := path + ".new"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		a.tb.Fatal(err)
	}
	if err := os.Rename(temporary, path); err != nil {
		a.tb.Fatal(err)
	}
	return path
}

// file is the authority's own certificate.
func (a *authority) file() string {
	a.tb.Helper()
	return a.writeFile("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// client is the configuration of a device that trusts the authority.
func (a *authority) client() *tls.Config {
	return &tls.Config{RootCAs: a.pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

// config is a server's, with a certificate for localhost.
func (a *authority) config() server.TLSConfig {
	a.tb.Helper()
	cfg := server.DefaultTLSConfig()
	cfg.Source = keystore.Source{Certificate: a.write("server.pem", a.issue("localhost"))}
	return cfg
}

// tlsBench is a server with one listener of the chat protocol over TLS.
type tlsBench struct {
	*bench
	*authority
	tls *server.TLS
}

func serveTLS(tb testing.TB, limits server.Limits, change func(*authority, *server.TLSConfig), opts ...server.Option) *tlsBench {
	tb.Helper()
	return serveTLSWith(tb, server.Config{Loops: 2}, limits, change, opts...)
}

func serveTLSWith(tb testing.TB, cfg server.Config, limits server.Limits, change func(*authority, *server.TLSConfig), opts ...server.Option) *tlsBench {
	tb.Helper()
	b := &tlsBench{authority: newAuthority(tb, "authority"), bench: &bench{cloud: newCloud(tb), ends: make(chan error, 1<<14)}}
	config := b.config()
	if change != nil {
		change(b.authority, &config)
	}
	var err error
	if b.tls, err = server.NewTLS(config); err != nil {
		tb.Fatal(err)
	}
	l := listenerFor(tb, b.cloud, b.ends, limits)
	l.TLS = b.tls
	s, err := server.New(cfg, []server.Listener{l}, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	start(tb, s)
	b.Server, b.addr = s, s.Addr("test").String()
	return b
}

// secure connects a device and makes its handshake.
func (b *tlsBench) secure(tb testing.TB, config *tls.Config) *client {
	tb.Helper()
	c, err := b.trySecure(tb, config)
	if err != nil {
		tb.Fatalf("handshake: %v", err)
	}
	return c
}

func (b *tlsBench) trySecure(tb testing.TB, config *tls.Config) (*client, error) {
	tb.Helper()
	raw := b.dial(tb)
	return overTLS(tb, raw.Conn, config)
}

func overTLS(tb testing.TB, raw net.Conn, config *tls.Config) (*client, error) {
	tb.Helper()
	c := tls.Client(raw, config)
	_ = c.SetDeadline(time.Now().Add(patience))
	return &client{Conn: c, t: tb, r: bufio.NewReader(c)}, c.Handshake()
}

// versions are those that devices may use.
var versions = []struct {
	name    string
	version uint16
	suite   uint16 // 0: any
}{
	{"TLS 1.3", tls.VersionTLS13, 0},
	{"TLS 1.2 AES-GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	{"TLS 1.2 ChaCha20", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256},
	{"TLS 1.2 CBC", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA},
}

func (a *authority) clientWith(version, suite uint16) *tls.Config {
	c := a.client()
	c.MinVersion, c.MaxVersion = version, version
	if suite != 0 {
		c.CipherSuites = []uint16{suite}
	}
	return c
}
