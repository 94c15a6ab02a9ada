package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// config reads the files once, so that a mistake is found at the start; of the
// certificates of devices that are not known yet there is only own.
func (t TLS) config(k *checker, allowed []field) (c *tls.Config, own *certificate) {
	c = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
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
		return c, nil
	}
	if t.Certificate == "" || t.Key == "" {
		k.wrong("tls has one of certificate and key, want both or neither")
		return c, nil
	}
	own = &certificate{k.template("tls.certificate", t.Certificate, allowed...), k.template("tls.key", t.Key, allowed...)}
	if own.chain == nil || own.key == nil {
		return c, nil
	}
	if len(own.placeholders()) == 0 {
		if _, err := tls.LoadX509KeyPair(own.chain.with(&values{}), own.key.with(&values{})); err != nil {
			k.wrong("tls.certificate and tls.key: %w", err)
		}
	}
	return c, own
}

// certificate is where the certificates of connections are.
type certificate struct{ chain, key template }

// placeholders are the fields that the paths have.
func (o *certificate) placeholders() (found []field) {
	for f := literal + 1; f < fieldCount; f++ {
		if o.chain.has(f) || o.key.has(f) {
			found = append(found, f)
		}
	}
	return found
}

// keyPair is the files of one connection.
type keyPair struct{ chain, key string }

// of is where the certificate of a connection is. A device cannot have a name that
// leads to the files of another.
func (o *certificate) of(v *values) (keyPair, error) {
	for _, f := range o.placeholders() {
		if name := v[f]; name == "." || name == ".." || !isLevel(name) {
			return keyPair{}, refused(CodeIdentity, fmt.Sprintf("%s is %q, which cannot be part of the path of a certificate", fieldNames[f], name))
		}
	}
	return keyPair{o.chain.with(v), o.key.with(v)}, nil
}

// load is base with the certificate, whose files may have been renewed. That a
// device has none is a refusal; anything else may be over in a moment.
func (p keyPair) load(base *tls.Config, device bool) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(p.chain, p.key)
	if device && errors.Is(err, fs.ErrNotExist) {
		return nil, refused(CodeCertificate, fmt.Sprintf("there is no certificate for the connection: %v", err))
	}
	if err != nil {
		return nil, fmt.Errorf("mqtt: tls.certificate %s: %w", p.chain, err)
	}
	c := base.Clone()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	return c, nil
}
