package aliyun_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// certificate is one for 127.0.0.1 that has signed itself, and its PEM file.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, file := certificate(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serveScript(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
	defer s.close()
	cfg := s.config()
	cfg.Endpoint = "ssl://" + l.Addr().String()
	cfg.RequestTimeout = 300 * time.Millisecond

	stranger, err := aliyun.New(cfg) // trusts the system's authorities only
	if err != nil {
		t.Fatal(err)
	}
	if err = stranger.Start(t.Context(), upstream.Host{}); err != nil {
		t.Fatal(err)
	}
	if s := stranger.Stats(); s.Connected != 0 || s.Failures == 0 {
		t.Errorf("connected to a platform whose certificate nobody vouches for: %+v", s)
	}
	closeConnector(t, stranger)

	cfg.CAFile = file
	up, d := online(t, cfg)
	defer closeConnector(t, up)
	done := make(chan error, 1)
	d.Publish(number(1, thing.AtLeastOnce), func(err error) { done <- err })
	a := <-s.got
	a.ack()
	if err := <-done; err != nil {
		t.Errorf("Publish: %v", err)
	}
}
