package message_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan/upstream/aliyun/message"
)

// foreign is a gateway on the HTTP/2 server of Go's library: written by others,
// with streams limited to four.
type foreign struct {
	t       *testing.T
	server  *httptest.Server
	again   *httptest.Server // in its place
	denies  atomic.Bool      // subscriptions
	acks    chan string      // identifiers; nobody answers them
	pushes  chan string      // topics; pushed on the connection that opened last
	cut     sync.Mutex
	leave   context.CancelFunc // ends the request that opened last; guarded by cut
	subs    chan string
	release chan struct{} // ends what is not answered
}

func startForeign(t *testing.T) (*foreign, message.Profile) {
	t.Helper()
	f := &foreign{t: t, acks: make(chan string, 1000), pushes: make(chan string), subs: make(chan string, 100), release: make(chan struct{})}
	f.server = httptest.NewUnstartedServer(f)
	f.server.Config.Protocols = new(http.Protocols)
	f.server.Config.Protocols.SetUnencryptedHTTP2(true)
	f.server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 4}
	f.server.Start()
	t.Cleanup(func() { // behind the client's end
		close(f.release)
		f.server.Close()
		if f.again != nil {
			f.again.Close()
		}
	})
	p := message.DeviceProfile(f.server.URL, "pk", "dn", "secret", "pk.dn")
	p.ReconnectMin, p.ReconnectMax, p.WriteTimeout = 5*time.Millisecond, 20*time.Millisecond, time.Second
	return f, p
}

// ServeHTTP implements http.Handler.
func (f *foreign) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/message/")
	switch {
	case r.Header.Get("X-Auth-Name") != "":
		f.open(w, r)
	case path == "ack":
		f.acks <- r.Header.Get("X-Message-Id")
		select { // no answer
		case <-r.Context().Done():
		case <-f.release:
		}
	case strings.HasPrefix(path, "push/"):
		w.Header().Set("X-Topic", "/"+strings.TrimPrefix(path, "push/"))
		w.Header().Set("X-Message-Id", path)
		w.Header().Set("X-Qos", "1")
		_, _ = io.WriteString(w, "pushed")
	case strings.HasPrefix(path, "sub/"):
		f.subs <- strings.TrimPrefix(path, "sub")
		if f.denies.Load() {
			w.WriteHeader(http.StatusForbidden)
		}
	case strings.HasPrefix(path, "pub/"):
		_, _ = io.Copy(io.Discard, r.Body)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// open answers a first request, on whose stream promises are made.
func (f *foreign) open(w http.ResponseWriter, r *http.Request) {
	ctx, leave := context.WithCancel(r.Context())
	defer leave()
	f.cut.Lock()
	f.leave = leave
	f.cut.Unlock()
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case topic := <-f.pushes:
			if err := w.(http.Pusher).Push("/message/push"+topic, nil); err != nil { //nolint:forcetypeassert // it is HTTP/2
				f.t.Errorf("Push: %v", err)
			}
		case <-ctx.Done():
			return
		case <-f.release:
			return
		}
	}
}

// Messages that the server of others pushes come, and acknowledgements that it
// never answers take no stream away for good.
func TestForeignPushes(t *testing.T) {
	t.Parallel()
	f, p := startForeign(t)
	p.RequestTimeout = 50 * time.Millisecond
	got := make(chan *message.Delivery, 100)
	c := connect(t, p, func(d *message.Delivery) message.Action {
		got <- d
		return message.Commit
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range 10 {
		topic := fmt.Sprintf("/pk/dn/user/%d", i)
		select {
		case f.pushes <- topic:
		case <-ctx.Done():
			t.Fatal("there is no connection to push on")
		}
		if d := await(t, "the pushed message", got); d.Topic != topic || string(d.Payload) != "pushed" || d.QoS != 1 {
			t.Errorf("%+v", d)
		}
		if id := await(t, "its acknowledgement", f.acks); !strings.HasSuffix(id, topic) {
			t.Errorf("%s was acknowledged as %s", topic, id)
		}
	}
	for {
		err := c.Publish("/pk/dn/user/update", make([]byte, 100_000), 1).Wait(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if s := c.Stats(); s.Connects != 1 {
		t.Errorf("%+v", s)
	}
}

// What is subscribed is subscribed again on the next connection, and what the
// platform does not grant there costs nothing but itself.
func TestSubscribeAgain(t *testing.T) {
	t.Parallel()
	f, p := startForeign(t)
	c := connect(t, p, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Subscribe(ctx, "/pk/dn/user/get", nil); err != nil {
		t.Fatal(err)
	}
	await(t, "the subscription", f.subs)
	f.denies.Store(true)
	f.server.CloseClientConnections()
	if filter := await(t, "the subscription again", f.subs); filter != "/pk/dn/user/get" {
		t.Errorf("subscribed again: %s", filter)
	}
	if err := c.Publish("/pk/dn/user/update", nil, 1).Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if s := c.Stats(); s.Connects != 2 {
		t.Errorf("%+v", s)
	}
}

// A server that is shut down says so: what is on its way is answered, and the
// client comes back.
func TestForeignShutdown(t *testing.T) {
	t.Parallel()
	f, p := startForeign(t)
	c := connect(t, p, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var tokens []*message.Token
	for i := range 500 {
		tokens = append(tokens, c.Publish(fmt.Sprintf("/pk/dn/user/%d", i%20), make([]byte, 1000), 1))
	}
	f.cut.Lock()
	f.leave()
	f.cut.Unlock()
	stopped := make(chan error, 1)
	go func() { stopped <- f.server.Config.Shutdown(ctx) }() // GOAWAY; ends within ctx
	if err := await(t, "the shutdown", stopped); err != nil {
		t.Error(err)
	}
	address := f.server.Listener.Addr().String()
	again := httptest.NewUnstartedServer(f)
	_ = again.Listener.Close()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	again.Listener = ln
	again.Config.Protocols, again.Config.HTTP2 = f.server.Config.Protocols, f.server.Config.HTTP2
	again.Start()
	f.again = again
	for i, token := range tokens {
		if err := token.Wait(ctx); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}
