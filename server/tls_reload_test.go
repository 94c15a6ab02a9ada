package server_test

import (
	"crypto/tls"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/server"
)

// names is what the server's certificate is called.
func (b *tlsBench) shown(tb testing.TB) string {
	tb.Helper()
	config := b.client()
	config.InsecureSkipVerify = true
	return b.secure(tb, config).Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
}

// Changed files are used for new connections; those that exist go on; files that
// are wrong change nothing.
func TestTLSReload(t *testing.T) {
	t.Parallel()
	b := serveTLS(t, unlimited(), nil)
	old := b.secure(t, b.client())
	if got := b.shown(t); got != "localhost" {
		t.Fatalf("certificate of %s", got)
	}
	b.write("server.pem", b.issue("renewed"))
	if err := b.tls.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := b.shown(t); got != "renewed" {
		t.Errorf("certificate of %s, want the renewed one", got)
	}
	b.writeFile("server.pem", []byte("no certificate"))
	if err := b.tls.Reload(); err == nil {
		t.Error("no error for a file that holds nothing")
	}
	if got := b.shown(t); got != "renewed" {
		t.Errorf("certificate of %s, want the old one to stay", got)
	}
	old.send("ECHO still here\n")
	old.want("still here")
	if s := b.Stats().TLS[0]; s.Reloads != 1 || s.BadReloads != 1 || s.Certificate < float64(time.Now().Unix()) {
		t.Errorf("stats: %+v", s)
	}
}

func TestTLSReloadByItself(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	b := serveTLS(t, unlimited(), func(_ *authority, c *server.TLSConfig) { c.Reload = time.Second }, server.WithLogger(zap.New(core)))
	b.write("server.pem", b.issue("renewed"))
	until(t, "the new certificate is used", func() bool { return b.Stats().TLS[0].Reloads == 1 })
	if got := b.shown(t); got != "renewed" {
		t.Errorf("certificate of %s", got)
	}
	b.writeFile("server.pem", []byte("no certificate"))
	until(t, "the failure is counted", func() bool { return b.Stats().TLS[0].BadReloads == 1 })
	until(t, "the failure is logged", func() bool {
		return logs.FilterMessage("certificates have changed and cannot be used: the old ones stay").Len() == 1
	})
}
