package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// saveCertificate writes a certificate of that name, with its key, to a PEM file.
func saveCertificate(t *testing.T, path, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if err := errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// TestReloadOfCertificates reads the certificates again for a signal; a file that
// is none changes nothing.
func TestReloadOfCertificates(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "server.pem")
	saveCertificate(t, file, "first")
	y := startYard(t, fmt.Sprintf(`devices.watch = 0
listeners += { name = secure, protocol = jt808, address = "127.0.0.1:0", tls { certificate = %q, reload = 0 } }`, file), list("101=a"))
	shown := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", y.node.addr("secure").String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Errorf("the certificate is %s", got)
	}
	reload := func(line string) {
		t.Helper()
		before := y.lines.FilterMessage(line).Len()
		y.hup <- syscall.SIGHUP
		for end := time.Now().Add(patience); y.lines.FilterMessage(line).Len() == before; <-time.After(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("nothing says %q", line)
			}
		}
	}
	saveCertificate(t, file, "second")
	if got := shown(); got != "first" {
		t.Errorf("without a signal the certificate is %s", got)
	}
	reload("certificates were read again")
	if got := shown(); got != "second" {
		t.Errorf("the certificate is %s", got)
	}
	if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	reload("certificates stay as they were")
	if got := shown(); got != "second" {
		t.Errorf("the certificate is %s", got)
	}
}
