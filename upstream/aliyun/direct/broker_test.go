package direct_test

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/linkspan/linkspan/platform"
)

// gate is a platform that wants tokens: its authentication service and its
// broker, over TLS.
type gate struct {
	broker.HookBase
	tokens *httptest.Server
	server *broker.Server
	host   string
	port   string
	caFile string
	heard  chan packets.Packet // PUBLISHes

	mu       sync.Mutex
	forms    []url.Values
	answer   func(url.Values) (status int, body string)
	connects []packets.ConnectParams
	refuse   byte // code of the next CONNACK
	valid    string
}

const goodToken = `{"code":200,"data":{"iotId":"42Ze0mk3556498a1A1TP","iotToken":"0d7fdeb9dc1f4344a2cc0d45edcb0bcb"},"message":"success"}`

func startGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{heard: make(chan packets.Packet, 100), valid: "0d7fdeb9dc1f4344a2cc0d45edcb0bcb"}
	cfg := platform.DefaultConfig() // for a certificate
	cfg.MQTTAddress, cfg.TLSAddress, cfg.APIAddress = "127.0.0.1:0", "127.0.0.1:0", ""
	g.tokens = httptest.NewTLSServer(http.HandlerFunc(g.authenticate))
	t.Cleanup(g.tokens.Close)
	g.caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(g.caFile, pemOf(g.tokens.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	g.server = broker.New(&broker.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := g.server.AddHook(g, nil); err != nil {
		t.Fatal(err)
	}
	if err := g.server.Serve(); err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: g.tokens.TLS.Certificates, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	g.host, g.port, _ = net.SplitHostPort(ln.Addr().String())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				_ = g.server.EstablishConnection("test", c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		_ = g.server.Close()
		serving.Wait()
	})
	return g
}

func (g *gate) authenticate(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forms = append(g.forms, r.PostForm)
	status, body := http.StatusOK, goodToken
	if g.answer != nil {
		status, body = g.answer(r.PostForm)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// ID, Provides, OnConnect, OnConnectAuthenticate, OnACLCheck and OnPublish
// implement mochi's Hook.
func (*gate) ID() string { return "gate" }

func (*gate) Provides(b byte) bool {
	return b == broker.OnConnect || b == broker.OnConnectAuthenticate || b == broker.OnACLCheck || b == broker.OnPublish
}

func (g *gate) OnConnect(cl *broker.Client, pk packets.Packet) error {
	g.mu.Lock()
	g.connects = append(g.connects, pk.Connect)
	code := g.refuse
	if code == 0 && (string(pk.Connect.Username) != "42Ze0mk3556498a1A1TP" || string(pk.Connect.Password) != g.valid) {
		code = 3
	}
	g.refuse = 0
	g.mu.Unlock()
	if code != 0 {
		_ = g.server.SendConnack(cl, packets.Code{Code: code}, false, nil)
		return packets.ErrNotAuthorized
	}
	return nil
}

func (*gate) OnConnectAuthenticate(*broker.Client, packets.Packet) bool { return true }
func (*gate) OnACLCheck(*broker.Client, string, bool) bool              { return true }

func (g *gate) OnPublish(cl *broker.Client, pk packets.Packet) (packets.Packet, error) {
	if !cl.Net.Inline {
		g.heard <- pk
	}
	return pk, nil
}
