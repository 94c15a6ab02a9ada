package protocol_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/url"
	"testing"

	"github.com/linkspan/linkspan/protocol"
)

func TestCertificateName(t *testing.T) {
	t.Parallel()
	uri, err := url.Parse("urn:imei:490154203237518")
	if err != nil {
		t.Fatal(err)
	}
	full := &x509.Certificate{
		Subject: pkix.Name{CommonName: "13800138001"}, DNSNames: []string{"d1.example", "other.example"},
		URIs: []*url.URL{uri}, EmailAddresses: []string{"d1@example"},
	}
	state := func(c *x509.Certificate, verified bool) *tls.ConnectionState {
		s := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
		if verified {
			s.VerifiedChains = [][]*x509.Certificate{{c}}
		}
		return s
	}
	for name, v := range map[string]struct {
		state *tls.ConnectionState
		from  string
		want  string
		err   error
	}{
		"common name":    {state(full, true), protocol.CommonName, "13800138001", nil},
		"DNS name":       {state(full, true), protocol.DNSName, "d1.example", nil},
		"URI":            {state(full, true), protocol.URIName, "urn:imei:490154203237518", nil},
		"e-mail":         {state(full, true), protocol.EmailName, "d1@example", nil},
		"not encrypted":  {nil, protocol.CommonName, "", protocol.ErrNoCertificate},
		"no certificate": {&tls.ConnectionState{}, protocol.CommonName, "", protocol.ErrNoCertificate},
		"not verified":   {state(full, false), protocol.CommonName, "", protocol.ErrNoCertificate},
		"no such name":   {state(&x509.Certificate{}, true), protocol.URIName, "", protocol.ErrNoName},
		"no such place":  {state(full, true), "serial", "", protocol.ErrNoName},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := protocol.CertificateName(v.state, v.from)
			if got != v.want || !errors.Is(err, v.err) {
				t.Errorf("got %q and %v, want %q and %v", got, err, v.want, v.err)
			}
		})
	}
}
