package platform_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/linkspan/linkspan/platform"
)

func startAllDoors(t *testing.T, change func(*platform.Config)) *platform.Platform {
	t.Helper()
	return start(t, func(c *platform.Config) {
		c.TLSAddress, c.WSAddress, c.WSSAddress = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
		if change != nil {
			change(c)
		}
	})
}

func trusting(t *testing.T, authority []byte) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		t.Fatal("no certificate in the authority")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// A device posts over each of the four, says which of the two modes it is in, and
// is refused when that is not true.
func TestDoors(t *testing.T) {
	t.Parallel()
	p := startAllDoors(t, nil)
	config := trusting(t, p.Authority())
	for name, d := range map[string]struct{ url, mode, wrong string }{
		"TCP": {"tcp://" + p.MQTTAddr(), "3", "2"},
		"TLS": {"ssl://" + p.TLSAddr(), "2", "3"},
		"WS":  {"ws://" + p.WSAddr() + "/mqtt", "3", "2"},
		"WSS": {"wss://" + p.WSSAddr() + "/any/path", "2", "3"},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // one device: a newer connection would end the older
			o := func(mode string) *mqtt.ClientOptions {
				o := options(p, pk, gw)
				o.Servers = nil
				o.AddBroker(d.url).SetTLSConfig(config)
				return o.SetClientID(strings.Replace(o.ClientID, "securemode=3", "securemode="+mode, 1))
			}
			if err := newClient(t, o(d.wrong)).connect(); err == nil {
				t.Errorf("securemode=%s was taken", d.wrong)
			}
			c := newClient(t, o(d.mode))
			if err := c.connect(); err != nil {
				t.Fatal(err)
			}
			defer c.Disconnect(0)
			topic := c.sys("thing/event/property/post")
			c.subscribe(topic + "_reply")
			long := strings.Repeat("x", 100_000) // in more than one piece
			c.publish(topic, 1, `{"id":"7","version":"1.0","params":{"text":"`+long+`"},"method":"thing.event.property.post"}`)
			if r := c.next(topic + "_reply"); r["code"] != 200.0 || r["id"] != "7" {
				t.Errorf("reply %v", r)
			}
		})
	}
	if got := p.Stats().Refused["connect_client_id"]; got != 4 {
		t.Errorf("%d connections refused, want 4", got)
	}
}

// What is no MQTT over WebSocket is refused.
func TestWebSocketRefused(t *testing.T) {
	t.Parallel()
	p := startAllDoors(t, nil)
	for name, protocol := range map[string]string{"another subprotocol": "chat", "none": "", "no WebSocket": "-"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.WSAddr()+"/mqtt", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if protocol != "-" {
			req.Header = http.Header{
				"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"},
				"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Origin": {"http://localhost"},
			}
			if protocol != "" {
				req.Header.Set("Sec-Websocket-Protocol", protocol)
			}
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("%s: status %d", name, res.StatusCode)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// A certificate of one's own, and the authority of one that the platform makes.
func TestCertificates(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ca.pem")
	first := startAllDoors(t, func(c *platform.Config) { c.AuthorityFile = file })
	if written, err := os.ReadFile(file); err != nil || !bytes.Equal(written, first.Authority()) {
		t.Errorf("authorityFile: %v", err)
	}
	conn, err := tls.Dial("tcp", first.TLSAddr(), trusting(t, first.Authority()))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if conn, err = tls.Dial("tcp", first.TLSAddr(), trusting(t, startAllDoors(t, nil).Authority())); err == nil {
		t.Error("a stranger's authority is good for it")
		_ = conn.Close()
	}
	for key, change := range map[string]func(*platform.Config){
		"certificate": func(c *platform.Config) { c.Certificate, c.Key = "gone.pem", "gone.key" },
		"both":        func(c *platform.Config) { c.Certificate = "alone.pem" },
		"wssAddress":  func(c *platform.Config) { c.WSSAddress = "nowhere" },
	} {
		cfg := platform.DefaultConfig()
		cfg.TLSAddress = "127.0.0.1:0"
		change(&cfg)
		if _, err := platform.New(cfg); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: error %v", key, err)
		}
	}
}

// An address that another process has is told with its key, and how to mend it.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for key, set := range map[string]func(*platform.Config, string){
		"mqttAddress": func(c *platform.Config, a string) { c.MQTTAddress = a },
		"apiAddress":  func(c *platform.Config, a string) { c.APIAddress = a },
		"authAddress": func(c *platform.Config, a string) { c.AuthAddress = a },
	} {
		cfg := platform.DefaultConfig()
		cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", "127.0.0.1:0"
		set(&cfg, taken.Addr().String())
		p, err := platform.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), "(key "+key+") is in use; stop the process that has it (ss -ltnp shows it) or choose another") {
			t.Errorf("%s: error %v", key, err)
		}
		if err = p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
