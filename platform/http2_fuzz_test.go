package platform

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// fed is a connection on which a client says what it is given, and then closes.
type fed struct {
	net.Conn
	in io.Reader
}

func (f *fed) Read(p []byte) (int, error)     { return f.in.Read(p) }
func (*fed) Write(p []byte) (int, error)      { return len(p), nil }
func (*fed) Close() error                     { return nil }
func (*fed) SetReadDeadline(time.Time) error  { return nil }
func (*fed) SetWriteDeadline(time.Time) error { return nil }

// consent is a broker that takes all that is well formed, and sends back what is
// published.
func consent(t *testing.T, c net.Conn) {
	t.Helper()
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for {
		kind, body, err := readPacket(in, 1<<20)
		if err != nil {
			return
		}
		var answer []byte
		switch kind {
		case 0x10:
			if len(body) < 10 || string(body[2:6]) != "MQTT" {
				t.Errorf("CONNECT %q", body)
			}
			answer = []byte{0x20, 2, 0, 0}
		case 0x30, 0x32:
			n := 2 + int(binary.BigEndian.Uint16(body))
			if n > len(body) || n < 3 || body[2] != '/' {
				t.Fatalf("PUBLISH %q", body)
			}
			answer = append(binary.AppendUvarint([]byte{kind}, uint64(len(body))), body...)
			if kind == 0x32 {
				answer = append(answer, 0x40, 2, body[n], body[n+1])
			}
		case 0x82:
			answer = []byte{0x90, 3, body[0], body[1], 1}
		case 0xa2:
			answer = []byte{0xb0, 2, body[0], body[1]}
		case 0x40, 0xc0:
		default:
			t.Errorf("packet %x", kind)
		}
		go func() { _, _ = c.Write(answer) }() // ends with the connection
	}
}

// FuzzGate feeds the gateway what a hostile client may send. It comes to an end,
// holds no more than it may, and what it tells the broker is MQTT.
func FuzzGate(f *testing.F) {
	var out, block bytes.Buffer
	framer := http2.NewFramer(&out, nil)
	enc := hpack.NewEncoder(&block)
	fields := func(method, path string, pairs ...string) []byte {
		block.Reset()
		pairs = append([]string{":method", method, ":scheme", "http", ":authority", "a", ":path", path}, pairs...)
		for i := 0; i < len(pairs); i += 2 {
			_ = enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
		return bytes.Clone(block.Bytes())
	}
	seed := func(write func()) {
		out.Reset()
		_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5})
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: fields("GET", "/message/ack",
			"x-auth-name", "devicename", "x-auth-param-product-key", "pk", "x-auth-param-device-name", "dn")})
		write()
		f.Add(bytes.Clone(out.Bytes()))
	}
	seed(func() {
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, EndHeaders: true, BlockFragment: fields("POST", "/message/pub/pk/dn/a", "x-qos", "1")})
		_ = framer.WriteDataPadded(3, true, []byte("a payload that is longer than the window"), make([]byte, 7))
		_ = framer.WriteWindowUpdate(2, 100)
		_ = framer.WritePing(false, [8]byte{})
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, EndHeaders: true, EndStream: true, BlockFragment: fields("GET", "/message/ack", "x-message-id", "1-1")})
	})
	seed(func() {
		b := fields("POST", "/message/sub/pk/+/%23")
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: b[:3]})
		_ = framer.WriteContinuation(3, true, b[3:])
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, EndHeaders: true, EndStream: true, BlockFragment: fields("GET", "/")})
		_ = framer.WriteRSTStream(1, http2.ErrCodeCancel)
		_ = framer.WriteData(3, true, []byte("twice the end"))
	})
	seed(func() {
		_ = framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0}, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
		_ = framer.WriteGoAway(0, http2.ErrCodeNo, nil)
		_ = framer.WriteWindowUpdate(0, 1<<31-1)
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := DefaultConfig()
		cfg.MaxPayload, cfg.HTTP2Requests = 100, 20
		p, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		broker := p.translate(&fed{in: io.MultiReader(bytes.NewReader([]byte(http2.ClientPreface)), bytes.NewReader(data))}, false)
		consent(t, broker)
		p.wg.Wait()
		p.stats.mu.Lock()
		defer p.stats.mu.Unlock()
		for cause := range p.stats.refused {
			if len(cause) > 100 {
				t.Errorf("a cause of the client's making: %q", cause)
			}
		}
	})
}
