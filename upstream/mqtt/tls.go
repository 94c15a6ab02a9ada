package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"os"
)

// config reads the files once, so that a mistake is found at the start.
func (t TLS) config(k *checker) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		c.RootCAs = x509.NewCertPool()
		switch {
		case err != nil:
			k.wrong("tls.ca: %w", err)
		case !c.RootCAs.AppendCertsFromPEM(pem):
			k.wrong("tls.ca: no certificate in %s: want a PEM file", t.CA)
		}
	}
	if t.Certificate == "" && t.Key == "" {
		return c
	}
	if t.Certificate == "" || t.Key == "" {
		k.wrong("tls has one of certificate and key, want both or neither")
		return c
	}
	if _, err := tls.LoadX509KeyPair(t.Certificate, t.Key); err != nil {
		k.wrong("tls.certificate and tls.key: %w", err)
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair(t.Certificate, t.Key) // it may have been renewed
		return &cert, err
	}
	return c
}
