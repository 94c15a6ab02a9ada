package platform

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// encrypts says whether anything of the platform's is to be encrypted.
func (c *Config) encrypts() bool {
	return c.TLSAddress != "" || c.WSSAddress != "" || c.HTTP2TLSAddress != "" || c.AuthAddress != "" && c.AuthTLS
}

// prepareTLS reads the certificate, or makes one.
func (p *Platform) prepareTLS() error {
	if !p.cfg.encrypts() {
		return nil
	}
	var cert tls.Certificate
	var err error
	if p.cfg.Certificate != "" {
		cert, err = tls.LoadX509KeyPair(p.cfg.Certificate, p.cfg.Key)
	} else {
		cert, p.authority, err = selfMade(p.now())
	}
	if err != nil {
		return fmt.Errorf("platform: certificate: %w", err)
	}
	p.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if p.cfg.AuthorityFile == "" || p.authority == nil {
		return nil
	}
	if err := os.WriteFile(p.cfg.AuthorityFile, p.authority, 0o644); err != nil { //nolint:gosec // a certificate is public
		return fmt.Errorf("platform: authorityFile: %w", err)
	}
	return nil
}

// Authority is the PEM of the authority that has signed the platform's
// certificate, when the platform has made it itself; clients have to trust it.
// Nil otherwise.
func (p *Platform) Authority() []byte { return p.authority }

// selfMade is a certificate for this machine, and the PEM of its authority. It is
// good for a year; the authority's key is not kept.
func selfMade(now time.Time) (cert tls.Certificate, authority []byte, err error) {
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), BasicConstraintsValid: true,
		}
	}
	ca := template(now.UnixNano(), "linkspan local platform")
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, nil, err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return cert, nil, err
	}
	leaf := template(now.UnixNano()+1, "localhost")
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.DNSNames, leaf.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if name, unknown := os.Hostname(); unknown == nil && validName(name) {
		leaf.DNSNames = append(leaf.DNSNames, name)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return cert, nil, err
	}
	cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), nil
}
