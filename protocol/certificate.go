package protocol

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// Secured is implemented by transports whose connections may be encrypted.
type Secured interface {
	// TLS is what the connection's handshake has agreed upon, nil when the
	// connection is not encrypted. On the loop only.
	TLS() *tls.ConnectionState
}

// Voucher is implemented by transports that know who the peer is.
type Voucher interface {
	// Vouch refuses an identity that is not the peer's; nil means that nothing
	// speaks against it. On the loop only.
	Vouch(identity string) error
}

// TLS is what the connection's TLS handshake has agreed upon, nil when the
// connection is not encrypted. An adapter takes a device's identity from its
// certificate so:
//
//	identity, err := protocol.CertificateName(c.TLS(), protocol.CommonName)
//
// Each call makes a new value: ask once, when the device logs in.
func (c *Conn[M]) TLS() *tls.ConnectionState {
	if s, ok := c.transport.(Secured); ok {
		return s.TLS()
	}
	return nil
}

// vouch is what the transport has to say about an identity.
func (c *Conn[M]) vouch(identity string) error {
	if v, ok := c.transport.(Voucher); ok {
		return v.Vouch(identity)
	}
	return nil
}

// Where a certificate has a device's name.
const (
	CommonName = "cn"    // the common name of the subject (RFC 5280, 4.1.2.6)
	DNSName    = "dns"   // the first DNS name of subjectAltName (RFC 5280, 4.2.1.6)
	URIName    = "uri"   // its first URI, such as urn:imei:490154203237518
	EmailName  = "email" // its first e-mail address
)

// CertificateNames are the values that CertificateName takes.
func CertificateNames() []string { return []string{CommonName, DNSName, URIName, EmailName} }

// ErrNoCertificate says that a peer has shown no certificate that was verified.
var ErrNoCertificate = errors.New("protocol: the peer has shown no certificate that was verified")

// ErrNoName says that a certificate does not have the name that was asked for.
var ErrNoName = errors.New("protocol: the peer's certificate has no such name")

// CertificateName is the device's name in its certificate; from says where, see
// [CertificateNames]. Only a certificate that was verified counts: a listener with
// clientAuth optional or required verifies it. state may be nil. The error is
// [ErrNoCertificate] or [ErrNoName].
func CertificateName(state *tls.ConnectionState, from string) (string, error) {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return "", ErrNoCertificate
	}
	if name := certificateName(state.PeerCertificates[0], from); name != "" {
		return name, nil
	}
	return "", fmt.Errorf("%w: %s", ErrNoName, from)
}

func certificateName(c *x509.Certificate, from string) string {
	switch {
	case from == CommonName:
		return c.Subject.CommonName
	case from == DNSName && len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case from == URIName && len(c.URIs) > 0:
		return c.URIs[0].String()
	case from == EmailName && len(c.EmailAddresses) > 0:
		return c.EmailAddresses[0]
	}
	return ""
}
