package mqtt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

// authority signs certificates.
type authority struct {
	tb   testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last int64
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{tb: tb, dir: tb.TempDir()}
	a.cert, a.key = a.sign("authority")
	return a
}

// sign makes a certificate and its files, NAME.pem and NAME.key. The first one is
// the authority's own.
func (a *authority) sign(name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatal(err)
	}
	a.last++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.last), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: a.cert == nil, BasicConstraintsValid: true, DNSNames: []string{"broker.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
		template.KeyUsage = x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.tb.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.tb.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", secret)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.tb.Helper()
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: kind, Bytes: der}); err != nil {
		a.tb.Fatal(err)
	}
	if err := os.WriteFile(a.path(name), text.Bytes(), 0o600); err != nil {
		a.tb.Fatal(err)
	}
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// server is the TLS of a broker that asks for clients' certificates.
func (a *authority) server() *tls.Config {
	a.tb.Helper()
	a.sign("broker")
	cert, err := tls.LoadX509KeyPair(a.path("broker.pem"), a.path("broker.key"))
	if err != nil {
		a.tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
}

func roundTrip(t *testing.T, b *testBroker, cfg mqtt.Config) {
	t.Helper()
	up := start(t, cfg)
	c := loggedIn(t, up, truck("1"))
	wantErr(t, "Publish", c.publish(1, thing.AtLeastOnce), nil)
	b.say("linkspan/demo/truck-1/down/command", `{"type":"get"}`)
	await(t, "the command", c.commands)
}

// TLS with certificates on both sides, over a plain port and a web socket.
func TestTLS(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newAuthority(t)
	a.sign("bridge")
	stranger.sign("bridge")
	b := startBroker(t)
	secure, err := tls.Listen("tcp", "127.0.0.1:0", a.server())
	if err != nil {
		t.Fatal(err)
	}
	b.serve(secure)
	web := b.webSocket(a.server())
	right := func(c *mqtt.Config) {
		c.TLS = mqtt.TLS{CA: a.path("authority.pem"), Certificate: a.path("bridge.pem"), Key: a.path("bridge.key"), ServerName: "broker.example"}
	}
	for name, endpoint := range map[string]string{"ssl": "ssl://" + secure.Addr().String(), "wss": "wss://" + web + "/mqtt"} {
		t.Run(name, func(t *testing.T) {
			roundTrip(t, b, config(b, func(c *mqtt.Config) {
				right(c)
				c.Endpoint = []string{endpoint}
			}))
		})
	}
	for name, wrong := range map[string]func(*mqtt.TLS){
		"no certificate":         func(c *mqtt.TLS) { c.Certificate, c.Key = "", "" },
		"a stranger's":           func(c *mqtt.TLS) { c.Certificate, c.Key = stranger.path("bridge.pem"), stranger.path("bridge.key") },
		"another authority":      func(c *mqtt.TLS) { c.CA = stranger.path("authority.pem") },
		"another broker's name":  func(c *mqtt.TLS) { c.ServerName = "other.example" },
		"the system's authority": func(c *mqtt.TLS) { c.CA = "" },
	} {
		t.Run(name, func(t *testing.T) {
			up := start(t, config(b, func(c *mqtt.Config) {
				right(c)
				wrong(&c.TLS)
				c.Endpoint, c.RequestTimeout = []string{"ssl://" + secure.Addr().String()}, 100*time.Millisecond
			}))
			_, done := login(t, up, truck("1"))
			wantErr(t, "Login", done, upstream.ErrNotConnected)
			if up.Stats().Connects != 0 {
				t.Error("a connection was made")
			}
		})
	}
}

// With a connection for each device each has its own certificate, which is read
// again for each connection; one that has none is refused, and so is one whose
// name would lead elsewhere.
func TestCertificateOfEachDevice(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	b := startBroker(t)
	conf := a.server()
	seen := make(chan string, 10)
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		seen <- s.PeerCertificates[0].Subject.CommonName
		return nil
	}
	secure, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	b.serve(secure)
	cfg := config(b, func(c *mqtt.Config) {
		c.Endpoint, c.Connections, c.Topics.Bridge = []string{"ssl://" + secure.Addr().String()}, mqtt.ConnectionsDevice, ""
		c.TLS = mqtt.TLS{
			CA: a.path("authority.pem"), Certificate: a.path("${deviceName}.pem"), Key: a.path("${deviceName}.key"), ServerName: "broker.example",
		}
	})
	up := start(t, cfg)
	for _, name := range []string{"1", "2"} {
		a.sign("truck-" + name)
		c := loggedIn(t, up, truck(name))
		if got := await(t, "a handshake", seen); got != "truck-"+name {
			t.Errorf("truck-%s shows the certificate of %s", name, got)
		}
		wantErr(t, "Publish", c.publish(1, thing.AtLeastOnce), nil)
	}
	a.sign("renewed")
	for _, suffix := range []string{".pem", ".key"} {
		if err := os.Rename(a.path("renewed"+suffix), a.path("truck-1"+suffix)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.kick("demo.truck-1"); err != nil {
		t.Fatal(err)
	}
	if got := await(t, "a handshake after the certificate was renewed", seen); got != "renewed" {
		t.Errorf("reconnected with the certificate of %s", got)
	}
	var refused *upstream.RefusedError
	_, done := login(t, up, truck("3"))
	if err := await(t, "done of Login", done); !errors.As(err, &refused) || refused.Code != mqtt.CodeCertificate {
		t.Errorf("without a certificate: %v", err)
	}
	for _, name := range []string{".", ".."} {
		_, done = login(t, up, auth.Identity{ProductKey: "demo", DeviceName: name})
		if err := await(t, "done of Login", done); !errors.As(err, &refused) || refused.Code != mqtt.CodeIdentity {
			t.Errorf("device %q: %v", name, err)
		}
	}
}

func TestCertificateMistakes(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*mqtt.Config){
		"tls.certificate: ${deviceName} is no placeholder here": func(c *mqtt.Config) { c.TLS.Certificate, c.TLS.Key = "${deviceName}.pem", "gone.key" },
		"tls has one of certificate and key":                    func(c *mqtt.Config) { c.TLS.Certificate = "gone.pem" },
		"tls.certificate and tls.key: open gone.pem":            func(c *mqtt.Config) { c.TLS.Certificate, c.TLS.Key = "gone.pem", "gone.key" },
	} {
		cfg := mqtt.DefaultConfig()
		cfg.Endpoint = []string{"ssl://127.0.0.1:8883"}
		change(&cfg)
		if _, err := mqtt.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	web := b.webSocket(nil)
	roundTrip(t, b, config(b, func(c *mqtt.Config) { c.Endpoint = []string{"ws://" + web + "/mqtt"} }))
}

// webSocket has the broker listen to web sockets; they do not tell their port.
func (b *testBroker) webSocket(config *tls.Config) (addr string) {
	b.tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.tb.Fatal(err)
	}
	addr = ln.Addr().String()
	_ = ln.Close()
	socket := listeners.NewWebsocket(listeners.Config{ID: "web", Address: addr, TLSConfig: config})
	if err := b.server.AddListener(socket); err != nil {
		b.tb.Fatal(err)
	}
	b.serving.Go(func() { socket.Serve(b.server.EstablishConnection) })
	return addr
}
