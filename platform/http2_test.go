package platform_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/linkspan/linkspan/platform"
)

// h2peer speaks HTTP/2 frame by frame.
type h2peer struct {
	t      *testing.T
	net    net.Conn
	framer *http2.Framer
	block  strings.Builder
	enc    *hpack.Encoder
}

func startHTTP2(t *testing.T, change func(*platform.Config)) *platform.Platform {
	t.Helper()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.HTTP2Address = "127.0.0.1:0", "", "127.0.0.1:0"
	// The sample device of the vendor, whose signature a trace of the vendor's
	// gateway shows.
	cfg.Devices = []platform.Device{{ProductKey: "a1IgnOND7vI", DeviceName: "H2_FS01", DeviceSecret: "r9XSyeZOu6swgV8etCcCGmgQhBSpGBau"}}
	if change != nil {
		change(&cfg)
	}
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

func dialHTTP2(t *testing.T, p *platform.Platform, settings ...http2.Setting) *h2peer {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.HTTP2Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	h := &h2peer{t: t, net: c, framer: http2.NewFramer(c, c)}
	h.enc = hpack.NewEncoder(&h.block)
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err = io.WriteString(c, http2.ClientPreface)
	h.must(err)
	h.must(h.framer.WriteSettings(settings...))
	return h
}

func (h *h2peer) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *h2peer) request(id uint32, method, path, body string, pairs ...string) {
	h.t.Helper()
	h.block.Reset()
	pairs = append([]string{":method", method, ":scheme", "http", ":authority", "host", ":path", path}, pairs...)
	for i := 0; i < len(pairs); i += 2 {
		h.must(h.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}))
	}
	h.must(h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte(h.block.String()), EndHeaders: true, EndStream: body == ""}))
	if body != "" {
		h.must(h.framer.WriteData(id, true, []byte(body)))
	}
}

var credentials = []string{
	"x-auth-name", "devicename", "x-auth-param-client-id", "a1IgnOND7vI.H2_FS01", "x-auth-param-signmethod", "hmacsha1",
	"x-auth-param-product-key", "a1IgnOND7vI", "x-auth-param-device-name", "H2_FS01",
	"x-auth-param-sign", "8d6b80749ed63823dc16b2c1e7f049bbdd00bf2b",
}

// status is that of the response on a stream.
func (h *h2peer) status(id uint32) string {
	h.t.Helper()
	for {
		f, err := h.framer.ReadFrame()
		if err != nil {
			h.t.Fatalf("the response on stream %d: %v", id, err)
		}
		if m, ok := f.(*http2.MetaHeadersFrame); ok && m.StreamID == id {
			return m.PseudoValue("status")
		}
	}
}

// pushed is the next message of the platform's.
func (h *h2peer) pushed() (id, topic, body string, promised bool) {
	h.t.Helper()
	for {
		f, err := h.framer.ReadFrame()
		if err != nil {
			h.t.Fatalf("a pushed message: %v", err)
		}
		switch f := f.(type) {
		case *http2.PushPromiseFrame:
			promised = true
			_, err := h.framer.ReadMetaHeaders.DecodeFull(f.HeaderBlockFragment())
			h.must(err)
		case *http2.MetaHeadersFrame:
			if f.StreamID%2 != 0 {
				continue
			}
			for _, field := range f.RegularFields() {
				switch field.Name {
				case "x-message-id":
					id = field.Value
				case "x-topic":
					topic = field.Value
				}
			}
		case *http2.DataFrame:
			if body += string(f.Data()); f.StreamEnded() {
				return id, topic, body, promised
			}
		}
	}
}

func TestHTTP2KnownAnswer(t *testing.T) {
	t.Parallel()
	p := startHTTP2(t, nil)
	h := dialHTTP2(t, p)
	h.request(1, "GET", "/message/ack", "", append([]string{"x-clear-session", "0"}, credentials...)...)
	if s := h.status(1); s != "200" {
		t.Errorf("status %s for the signature of the trace", s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.WaitOnline(ctx, "a1IgnOND7vI", "H2_FS01"); err != nil {
		t.Error(err)
	}
}

func TestHTTP2Refused(t *testing.T) {
	t.Parallel()
	p := startHTTP2(t, nil)
	wrong := append([]string{}, credentials...)
	wrong[len(wrong)-1] = strings.Repeat("0", 40)
	for name, fields := range map[string][]string{"signature": wrong, "nothing": nil, "another way": {"x-auth-name", "somebody"}} {
		h := dialHTTP2(t, p)
		h.request(1, "GET", "/message/ack", "", fields...)
		if s := h.status(1); s != "401" {
			t.Errorf("%s: status %s", name, s)
		}
		if _, err := io.Copy(io.Discard, h.net); err != nil {
			t.Errorf("%s: the connection did not end: %v", name, err)
		}
	}
}

// Messages are pushed again until they are acknowledged, with a promise and
// without; large ones keep to the client's window.
func TestHTTP2Push(t *testing.T) {
	t.Parallel()
	for _, push := range []string{platform.PushPromise, platform.PushStream} {
		t.Run(push, func(t *testing.T) {
			t.Parallel()
			p := startHTTP2(t, func(c *platform.Config) { c.HTTP2Push, c.HTTP2Redelivery = push, 20*time.Millisecond })
			h := dialHTTP2(t, p, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 4})
			h.request(1, "GET", "/message/ack", "", credentials...)
			if s := h.status(1); s != "200" {
				t.Fatalf("status %s", s)
			}
			const topic = "/a1IgnOND7vI/H2_FS01/user/get"
			h.request(3, "POST", "/message/sub"+topic, "")
			if s := h.status(3); s != "200" {
				t.Fatalf("subscribe: %s", s)
			}
			h.request(5, "POST", "/message/sub/other/device/user/get", "")
			if s := h.status(5); s != "403" {
				t.Errorf("subscribe another device's: %s", s)
			}
			h.request(7, "POST", "/message/pub"+topic, "hey", "x-qos", "1")
			id, got, body, promised := h.pushed()
			if got != topic || body != "hey" || id == "" || promised != (push == platform.PushPromise) {
				t.Errorf("pushed %q %q %q, promised: %t", id, got, body, promised)
			}
			if again, _, body, _ := h.pushed(); again != id || body != "hey" {
				t.Errorf("again: %q %q, want %q", again, body, id)
			}
			h.request(9, "GET", "/message/ack", "", "x-message-id", id)
			if s := h.status(9); s != "200" {
				t.Errorf("acknowledgement: %s", s)
			}
			h.request(11, "GET", "/message/ack", "", "x-message-id", id)
			if s := h.status(11); s != "404" {
				t.Errorf("second acknowledgement: %s", s)
			}
			h.request(13, "POST", "/message/pub"+topic, "longer than the window", "x-qos", "0")
			for {
				f, err := h.framer.ReadFrame()
				h.must(err)
				if d, ok := f.(*http2.DataFrame); ok && string(d.Data()) != "hey" {
					if len(d.Data()) != 4 || d.StreamEnded() {
						t.Errorf("%q past a window of 4", d.Data())
					}
					h.must(h.framer.WriteWindowUpdate(d.StreamID, 100))
					break
				}
			}
			if _, _, body, _ := h.pushed(); body != "er than the window" {
				t.Errorf("the rest: %q", body)
			}
		})
	}
}

// A connection over which nothing comes ends.
func TestHTTP2Silence(t *testing.T) {
	t.Parallel()
	p := startHTTP2(t, func(c *platform.Config) { c.HTTP2Silence = 50 * time.Millisecond })
	h := dialHTTP2(t, p)
	h.request(1, "GET", "/message/ack", "", credentials...)
	if _, err := io.Copy(io.Discard, h.net); err != nil {
		t.Errorf("the connection did not end: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.WaitOffline(ctx, "a1IgnOND7vI", "H2_FS01"); err != nil {
		t.Error(err)
	}
}

// What is no HTTP/2 ends the connection; the platform goes on.
func TestHTTP2BrokenRules(t *testing.T) {
	t.Parallel()
	p := startHTTP2(t, nil)
	for name, break_ := range map[string]func(*h2peer){ //nolint:revive // break is taken
		"an even stream": func(h *h2peer) { h.request(2, "GET", "/", "") },
		"a promise": func(h *h2peer) {
			h.must(h.framer.WriteRawFrame(http2.FramePushPromise, 4, 1, []byte{0, 0, 0, 2, 0x88}))
		},
		"data of an idle one":   func(h *h2peer) { h.must(h.framer.WriteData(9, true, []byte("x"))) },
		"reset of an idle one":  func(h *h2peer) { h.must(h.framer.WriteRSTStream(9, http2.ErrCodeCancel)) },
		"window of an idle one": func(h *h2peer) { h.must(h.framer.WriteWindowUpdate(2, 1)) },
		"window too large":      func(h *h2peer) { h.must(h.framer.WriteWindowUpdate(0, 1<<31-1)) },
		"data behind the end": func(h *h2peer) {
			h.request(1, "GET", "/message/ack", "", credentials...)
			h.must(h.framer.WriteData(1, true, []byte("x")))
		},
		"a request behind its end": func(h *h2peer) {
			h.request(1, "GET", "/message/ack", "", credentials...)
			h.request(1, "GET", "/message/ack", "", credentials...)
		},
		"a header that is none": func(h *h2peer) {
			h.must(h.framer.WriteRawFrame(http2.FrameHeaders, 4, 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))
		},
	} {
		h := dialHTTP2(t, p)
		break_(h)
		if _, err := io.Copy(io.Discard, h.net); err != nil {
			t.Errorf("%s: the connection did not end: %v", name, err)
		}
	}
	h := dialHTTP2(t, p)
	h.request(1, "GET", "/message/ack", "", credentials...)
	if s := h.status(1); s != "200" {
		t.Errorf("status %s after all that", s)
	}
	h.request(3, "GET", "/nowhere", "")
	if s := h.status(3); s != "404" {
		t.Errorf("an unknown path: %s", s)
	}
}
