package keystore

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

// loadPEM reads a certificate, and its key from the same file or another.
func loadPEM(certFile, keyFile string) (material, error) {
	certs, err := os.ReadFile(certFile) //nolint:gosec // whoever configures the server named it
	if err != nil {
		return material{}, fmt.Errorf("certificate: %w", err)
	}
	if keyFile == "" {
		return parsePEM(certFile, certs, certFile, certs)
	}
	key, err := os.ReadFile(keyFile) //nolint:gosec // likewise
	if err != nil {
		return material{}, fmt.Errorf("key: %w", err)
	}
	return parsePEM(certFile, certs, keyFile, key)
}

func parsePEM(certFile string, certs []byte, keyFile string, key []byte) (material, error) {
	chain, chainErr := Certificates(certs)
	if chainErr != nil {
		chainErr = fmt.Errorf("%s: %w", certFile, chainErr)
	}
	private, keyErr := pemKey(keyFile, key)
	return material{file: certFile, key: private, chain: chain}, errors.Join(chainErr, keyErr)
}

// Certificates are those of a PEM file, in its order. Other blocks are skipped. It
// is an error, [ErrFormat], when there is none.
func Certificates(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", ErrFormat, len(out)+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: there is no PEM certificate in it", ErrFormat)
	}
	return out, nil
}

// pemKey is the first private key of a PEM file.
func pemKey(file string, data []byte) (crypto.PrivateKey, error) {
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, fmt.Errorf("%s: %w: there is no PEM block of a private key in it", file, ErrNoKey)
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, fmt.Errorf("%s: %w: the private key is encrypted, which PEM keys must not be here; write it in the clear (openssl pkey -in %s -out plain.key, then protect that file) or put it into a key store (openssl pkcs12 -export -inkey %s -in CERTIFICATE -out server.p12)",
				file, ErrFormat, file, file)
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		key, err := parseKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", file, ErrFormat, err)
		}
		return key, nil
	}
}

// parseKey reads a private key in PKCS #8, PKCS #1 or SEC 1.
func parseKey(der []byte) (crypto.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err == nil {
		return key, nil
	}
	if rsa, failed := x509.ParsePKCS1PrivateKey(der); failed == nil {
		return rsa, nil
	}
	if ec, failed := x509.ParseECPrivateKey(der); failed == nil {
		return ec, nil
	}
	return nil, err
}
