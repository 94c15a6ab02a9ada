package http2

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// silence is a carrier.Events that nobody listens to.
type silence struct{ lost chan error }

func (silence) Received(string, []byte)    {}
func (silence) Acknowledged(uint32, error) {}
func (s silence) Lost(err error)           { s.lost <- err }

// The ends of many subscriptions at a time, which the end of a session means
// anyway, leave room for the logouts behind them, however slowly they are answered.
func TestLogoutOfThousands(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	var plain http.Protocols
	plain.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: &plain, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/message/unsub/") {
			<-release
		}
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // until it is closed
	cfg := DefaultConfig()
	cfg.Endpoint = "http://" + l.Addr().String()
	endpoint, tlsConfig, err := cfg.check()
	if err != nil {
		t.Fatal(err)
	}
	d := &dialer{cfg: cfg, endpoint: endpoint, tls: tlsConfig, sign: auth.HMACSHA256, conns: map[*conn]struct{}{}}
	events := silence{make(chan error, 1)}
	c, err := d.Dial(t.Context(), auth.Identity{ProductKey: "gw", DeviceName: "gw", DeviceSecret: "s"}, events)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 * 3000 { // devices
		c.Unsubscribe("/sys/demo/truck/thing/disable")
	}
	for range 3000 / 50 {
		if err := c.Control("/ext/session/gw/gw/combine/batch_logout", []byte("{}")); err != nil {
			t.Errorf("a logout: %v", err)
			break
		}
	}
	close(release)
	c.Close()
	select {
	case <-events.lost:
	case <-time.After(10 * time.Second):
		t.Error("the end was not told")
	}
	_ = server.Close()
	serving.Wait()
}
