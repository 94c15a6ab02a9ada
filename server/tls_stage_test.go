package server

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// memory is a connection without a socket: what the device sends arrives in pieces
// of its choice, on a loop that is a goroutine of the test.
type memory struct {
	loop   *loop
	conn   *conn
	tasks  chan func() // what runs on the loop
	echo   *echoHandler
	ends   chan error
	opened chan struct{}

	mu     sync.Mutex
	come   *sync.Cond
	sent   bytes.Buffer // to the device, not read; guarded by mu
	writes int          // of the socket; guarded by mu
	closed bool         // guarded by mu
}

// Execute implements executor.
func (m *memory) Execute(ctx context.Context, task gnet.Runnable) error {
	m.tasks <- func() { _ = task.Run(ctx) }
	return nil
}

func (m *memory) write(p []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent.Write(p)
	m.writes++
	m.come.Broadcast()
	return nil
}

func (m *memory) outbound() int    { return 0 }
func (m *memory) closeWrite() bool { return true }

func (m *memory) close() {
	m.mu.Lock()
	m.closed = true
	m.come.Broadcast()
	m.mu.Unlock()
	m.conn.socketClosed(because(CausePeerClosed, nil))
}

func (m *memory) socketWrites() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

// run runs f on the loop and waits for it.
func (m *memory) run(f func()) {
	done := make(chan struct{})
	m.tasks <- func() { defer close(done); f() }
	<-done
}

// arrive gives the connection bytes in pieces of step.
func (m *memory) arrive(p []byte, step int) {
	m.run(func() {
		for len(p) > 0 && !m.conn.gone && !m.conn.ended {
			n := min(step, len(p))
			piece := append([]byte(nil), p[:n]...)
			m.loop.enter()
			m.conn.arrived(piece)
			clear(piece) // nothing may be kept of it
			p = p[n:]
		}
	})
}

// echoHandler sends back what it gets.
type echoHandler struct {
	memory *memory
	peer   protocol.Transport
	got    bytes.Buffer
	err    error // of Write
}

func (h *echoHandler) Opened() error { close(h.memory.opened); return nil }

func (h *echoHandler) Data(in []byte) (n, messages int, err error) {
	h.got.Write(in)
	if err := h.peer.Write(in); err != nil {
		h.err = err
	}
	return len(in), 1, nil
}
func (h *echoHandler) Session() *session.Session { return nil }
func (h *echoHandler) Command(*thing.Command)    {}
func (h *echoHandler) Closed(cause error)        { h.memory.ends <- cause }

func newMemory(t *testing.T, config *tls.Config) *memory {
	t.Helper()
	m := &memory{tasks: make(chan func(), 64), ends: make(chan error, 1), opened: make(chan struct{})}
	m.come = sync.NewCond(&m.mu)
	s := &Server{cfg: DefaultConfig(), log: zap.NewNop(), made: time.Now(), endLog: newLimitedLog(1, 1), empty: make(chan struct{}, 1), closing: make(chan struct{})}
	s.handshakes = newHandshakes(4, 1)
	limits := DefaultLimits()
	limits.MaxOutbound = 1 << 30
	l := &listener{Listener: Listener{Name: "memory", TLS: TLSWith(config), Open: func(p protocol.Transport, _ *protocol.Host) protocol.Handler {
		m.echo = &echoHandler{memory: m, peer: p}
		return m.echo
	}}, limits: limits}
	s.listeners = []*listener{l}
	m.loop = newLoop(s, m)
	m.conn = newConn(l, netip.MustParseAddrPort("192.0.2.1:1"))
	s.open.Add(1)
	l.open.Add(1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for f := range m.tasks {
			f()
		}
	}()
	m.run(func() { m.conn.open(m.loop, m) })
	t.Cleanup(func() {
		m.run(func() {
			if !m.conn.gone {
				m.conn.end(because(CauseShutdown, nil))
				m.conn.settle()
				m.conn.closeSocket()
			}
		})
		s.handshakes.end()
		m.run(func() { m.loop.tick.Stop() })
		close(m.tasks)
		<-ended
		if n := s.pending.Load(); n != 0 {
			t.Errorf("%d bytes are still counted as pending", n)
		}
		if n := s.open.Load(); n != 0 {
			t.Errorf("%d connections are still open", n)
		}
	})
	return m
}

// deviceConn is the device's end.
type deviceConn struct {
	m    *memory
	step int
	mu   sync.Mutex
	hold *bytes.Buffer // what is written goes there instead; guarded by mu
}

func (d *deviceConn) Read(p []byte) (int, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	for d.m.sent.Len() == 0 && !d.m.closed {
		d.m.come.Wait()
	}
	if d.m.sent.Len() == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return d.m.sent.Read(p)
}

func (d *deviceConn) Write(p []byte) (int, error) {
	d.mu.Lock()
	hold := d.hold
	d.mu.Unlock()
	if hold != nil {
		return hold.Write(p)
	}
	d.m.arrive(p, d.step)
	return len(p), nil
}

func (d *deviceConn) Close() error                     { return nil }
func (d *deviceConn) LocalAddr() net.Addr              { return nil }
func (d *deviceConn) RemoteAddr() net.Addr             { return nil }
func (d *deviceConn) SetDeadline(time.Time) error      { return nil }
func (d *deviceConn) SetReadDeadline(time.Time) error  { return nil }
func (d *deviceConn) SetWriteDeadline(time.Time) error { return nil }

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// device makes the handshake, whose bytes arrive in pieces of step.
func (m *memory) device(t *testing.T, config *tls.Config, step int) (*tls.Conn, *deviceConn) {
	t.Helper()
	raw := &deviceConn{m: m, step: step}
	config.InsecureSkipVerify = true
	c := tls.Client(raw, config)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	<-m.opened
	return c, raw
}

func (m *memory) cause(t *testing.T) Cause {
	t.Helper()
	select {
	case err := <-m.ends:
		return classify(err).Cause
	case <-time.After(20 * time.Second):
		t.Fatal("the connection did not end")
		return 0
	}
}

// Whatever the pieces are in which records arrive, the protocol gets what was
// sent, and the device what the protocol says.
func TestTLSRecordsInPieces(t *testing.T) {
	t.Parallel()
	certificate := selfSigned(t)
	for _, v := range []struct {
		name    string
		version uint16
		suite   uint16
	}{
		{"TLS 1.3", tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256},
		{"AES-GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		{"ChaCha20", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256},
		{"CBC", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA},
	} {
		for _, step := range []int{1, 2, 5, 7, 1000, 1 << 20} {
			t.Run(fmt.Sprintf("%s by %d", v.name, step), func(t *testing.T) {
				t.Parallel()
				m := newMemory(t, &tls.Config{Certificates: []tls.Certificate{certificate}})
				c, _ := m.device(t, &tls.Config{
					MinVersion: v.version, MaxVersion: v.version, CipherSuites: []uint16{v.suite}, DynamicRecordSizingDisabled: true,
				}, step)
				for _, size := range []int{1, 64, 1200, 16384, 16385, 70_000} {
					sent := make([]byte, size)
					_, _ = rand.Read(sent)
					if _, err := c.Write(sent); err != nil {
						t.Fatal(err)
					}
					got := make([]byte, size)
					if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
						t.Fatalf("%d bytes came back wrong: %v", size, err)
					}
				}
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if got := m.cause(t); got != CausePeerClosed {
					t.Errorf("ended with %v", got)
				}
				if _, err := c.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // exactly close_notify
					t.Errorf("got %v, want close_notify", err)
				}
			})
		}
	}
}

// One write of the protocol is one of the socket, however many records it takes.
func TestTLSOneWrite(t *testing.T) {
	t.Parallel()
	m := newMemory(t, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}})
	c, _ := m.device(t, &tls.Config{}, 1<<20)
	for _, size := range []int{1, 1000, 5000, 70_000} {
		before := m.socketWrites()
		sent := make([]byte, size)
		m.run(func() { _ = m.conn.Write(sent) })
		if n := m.socketWrites() - before; n != 1 {
			t.Errorf("%d bytes left in %d writes", size, n)
		}
		if _, err := io.ReadFull(c, sent); err != nil {
			t.Fatal(err)
		}
	}
}

// Records that arrive together are one call of the protocol, and one write.
func TestTLSRecordsTogether(t *testing.T) {
	t.Parallel()
	m := newMemory(t, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}})
	c, raw := m.device(t, &tls.Config{}, 1<<20)
	var records bytes.Buffer
	raw.mu.Lock()
	raw.hold = &records
	raw.mu.Unlock()
	for range 100 {
		_, _ = c.Write([]byte("0123456789"))
	}
	before := m.socketWrites()
	m.arrive(records.Bytes(), 1<<20)
	if n := m.socketWrites() - before; n != 1 {
		t.Errorf("100 records were answered in %d writes", n)
	}
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
}

// A record that was tampered with ends the connection; nothing of it is believed.
func TestTLSTampered(t *testing.T) {
	t.Parallel()
	for _, step := range []int{1, 1 << 20} {
		m := newMemory(t, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}})
		c, raw := m.device(t, &tls.Config{}, 1<<20)
		var record bytes.Buffer
		raw.mu.Lock()
		raw.hold = &record
		raw.mu.Unlock()
		_, _ = c.Write([]byte("hello"))
		wire := append(record.Bytes(), record.Bytes()...)
		wire[record.Len()-1] ^= 1
		m.arrive(wire, step)
		if got := m.cause(t); got != CauseTLS {
			t.Errorf("ended with %v", got)
		}
		if m.echo.got.Len() != 0 {
			t.Errorf("the protocol got %q", m.echo.got.String())
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
			t.Errorf("the device was told %v", err)
		}
	}
}

// The device's keys change while it sends (RFC 8446, 4.6.3), and it asks for ours
// to change too.
func TestTLSKeyUpdate(t *testing.T) {
	t.Parallel()
	for _, step := range []int{1, 3, 1 << 20} {
		m := newMemory(t, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, MinVersion: tls.VersionTLS13})
		var log bytes.Buffer
		c, _ := m.device(t, &tls.Config{KeyLogWriter: &log}, 1<<20)
		if suite := c.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
			t.Skipf("cipher suite %s, the test knows AES-128-GCM alone", tls.CipherSuiteName(suite))
		}
		w := newRecordWriter(t, log.String())
		const typeData, typeShake = 23, 22
		for round := range 4 {
			text := fmt.Sprintf("round %d", round)
			m.arrive(w.record(typeData, []byte(text)), step)
			got := make([]byte, len(text))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
				t.Fatalf("got %q and %v, want %q", got, err, text)
			}
			m.arrive(w.record(typeShake, []byte{24, 0, 0, 1, byte(round % 2)}), step) // update_not_requested, update_requested
			w.update()
		}
		m.arrive(w.record(typeData, []byte("end")), step)
		if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
	}
}

// recordWriter writes records of TLS_AES_128_GCM_SHA256 with a client's keys.
type recordWriter struct {
	t      *testing.T
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func newRecordWriter(t *testing.T, keyLog string) *recordWriter {
	t.Helper()
	for line := range strings.SplitSeq(keyLog, "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(f[2])
			if err != nil {
				t.Fatal(err)
			}
			w := &recordWriter{t: t, secret: secret}
			w.keys()
			return w
		}
	}
	t.Fatal("no secret in the key log")
	return nil
}

// expand is HKDF-Expand-Label without a context (RFC 8446, 7.1).
func (w *recordWriter) expand(label string, size int) []byte {
	w.t.Helper()
	label = "tls13 " + label
	info := append([]byte{byte(size >> 8), byte(size), byte(len(label))}, label...)
	out, err := hkdf.Expand(sha256.New, w.secret, string(append(info, 0)), size)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *recordWriter) keys() {
	w.t.Helper()
	block, err := aes.NewCipher(w.expand("key", 16))
	if err != nil {
		w.t.Fatal(err)
	}
	if w.aead, err = cipher.NewGCM(block); err != nil {
		w.t.Fatal(err)
	}
	w.iv, w.seq = w.expand("iv", 12), 0
}

// update goes on to the next keys (RFC 8446, 7.2).
func (w *recordWriter) update() {
	w.secret = w.expand("traffic upd", sha256.Size)
	w.keys()
}

func (w *recordWriter) record(kind byte, content []byte) []byte {
	plain := append(append([]byte(nil), content...), kind)
	head := []byte{23, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(head[3:], uint16(len(plain)+w.aead.Overhead()))
	nonce := append([]byte(nil), w.iv...)
	for i := range 8 {
		nonce[4+i] ^= byte(w.seq >> (56 - 8*i))
	}
	w.seq++
	return w.aead.Seal(head, nonce, plain, head)
}
