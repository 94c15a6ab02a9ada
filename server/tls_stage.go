package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/protocol"
)

// tlsStage is the TLS of one connection: the stage that decrypts what arrives, and
// the socket that encrypts what is sent. It belongs to the connection's loop.
//
// crypto/tls wants to block in its handshake, so that one has a goroutine of its
// own (handshake). Afterwards the loop alone reads and writes, and nothing blocks:
// what crypto/tls would wait for is a time-out to it, after which a read may be
// tried again.
type tlsStage struct {
	conn     *conn
	under    socket
	tls      *tls.Conn  // nil until the client's hello is there
	shaking  *handshake // nil once the handshake is done
	in       []byte     // what arrived and crypto/tls has not read; only while the loop reads
	out      *[]byte    // records of the write under way, nil when there is none
	record   record     // that crypto/tls is reading
	notified bool       // close_notify was sent
}

// record is how much of a record crypto/tls has been given. It gets one at a time:
// then it holds nothing of the next one, which would make its buffer larger, and
// what it was given to the end holds nothing that it has not delivered.
type record struct {
	head uint8  // bytes of the header; 0 between records
	left uint16 // bytes of the body to come
}

const (
	recordHeader = 5 // bytes in front of a record; the last two are its length (RFC 8446, 5.1)
	lengthAt     = 3
)

// take is how many bytes of in are of the record, and goes on by so much.
func (r *record) take(in []byte) (n int) {
	for ; n < len(in) && r.head < recordHeader; n++ {
		if r.head >= lengthAt {
			r.left = r.left<<8 | uint16(in[n])
		}
		r.head++
	}
	if r.head < recordHeader {
		return n
	}
	body := min(len(in)-n, int(r.left))
	if r.left -= uint16(body); r.left == 0 { //nolint:gosec // at most as much
		r.head = 0
	}
	return n + body
}

func newTLSStage(c *conn) *tlsStage {
	t := &tlsStage{conn: c, under: c.socket}
	t.shaking = newHandshake(t)
	return t
}

// plainSize is how much a loop decrypts before the protocol gets it: as much as it
// reads from a socket at once.
const plainSize = 64 << 10

// received implements stage.
func (t *tlsStage) received(in []byte) {
	if h := t.shaking; h != nil {
		if err := h.feed(in); err != nil {
			t.conn.end(classify(err))
		}
	} else {
		t.drain(in)
	}
	t.conn.limitRates(len(in), 0)
}

// drain decrypts in and gives it to the protocol, in as few pieces as may be: what
// the protocol answers leaves in one write for each.
func (t *tlsStage) drain(in []byte) {
	c := t.conn
	if c.loop.plain == nil {
		c.loop.plain = make([]byte, plainSize)
	}
	plain := c.loop.plain
	t.in = in
	defer func() { t.in = nil }()
	for c.request.Load() == nil {
		n, err := t.read(plain)
		if n > 0 && c.request.Load() == nil { // first the data, which may come with an error
			c.receive(plain[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case errors.Is(err, io.EOF): // close_notify; ours is sent when the socket is closed
			c.end(because(CausePeerClosed, nil))
		default:
			var known *CloseError
			if !errors.As(err, &known) {
				known = because(CauseTLS, err)
			}
			c.end(known)
		}
	}
}

// read decrypts until p is full or there is no more. A write that fails inside of
// it, of an alert say, closes the socket, but not yet the protocol.
func (t *tlsStage) read(p []byte) (n int, err error) {
	c := t.conn
	c.calls++
	defer func() {
		c.calls--
		if r := recover(); r != nil {
			n, err = 0, because(CausePanic, &protocol.PanicError{Value: r, Stack: debug.Stack()})
		}
	}()
	for n < len(p) && err == nil {
		if n > 0 && len(t.in) == 0 && t.record.head == 0 {
			return n, os.ErrDeadlineExceeded // which crypto/tls would say
		}
		var more int
		more, err = t.tls.Read(p[n:])
		n += more
	}
	return n, err
}

// shaken ends the handshake, with its goroutine. It runs on the loop, after what
// the handshake has sent.
func (t *tlsStage) shaken(err error) {
	c, h := t.conn, t.shaking
	t.shaking = nil
	rest := h.finish()
	defer func() {
		if rest != nil {
			freeBuffer(rest)
		}
		if h.parting != nil {
			c.left(h.parting)
		}
	}()
	if c.ended || c.request.Load() != nil || h.parting != nil && errors.Is(err, io.EOF) {
		return
	}
	n := &c.loop.counters[c.listener.index]
	if err != nil {
		add(&n.tlsFailed, 1)
		c.end(classify(err))
		return
	}
	add(&n.tlsDone, 1)
	if t.tls.ConnectionState().DidResume {
		add(&n.tlsResumed, 1)
	}
	c.begin()
	if c.request.Load() != nil || c.loop.draining {
		return
	}
	if rest != nil { // crypto/tls may hold more in any case
		t.drain(*rest)
	} else {
		t.drain(nil)
	}
}

// unheard says whether the device, whose socket has closed with that cause, has
// sent something behind its handshake that is still held: then shaken gives it to
// the protocol, and ends the connection.
func (t *tlsStage) unheard(cause *CloseError) bool {
	h := t.shaking
	if h == nil || !h.started || t.conn.request.Load() != nil || !h.endOfInput() {
		return false
	}
	h.parting = cause
	return true
}

// closed implements stage.
func (t *tlsStage) closed() {
	if h := t.shaking; h != nil {
		h.close(nil)
	}
}

// write implements socket: one write of the protocol is one of the socket below.
func (t *tlsStage) write(p []byte) error {
	out := newBuffer(len(p) + 64)
	t.out = out
	_, err := t.tls.Write(p)
	out, t.out = t.out, nil
	defer func() { freeBuffer(out) }()
	if err != nil { // only after an error that ends the connection
		t.conn.end(because(CauseTLS, err))
		t.under.close()
		return err
	}
	add(&t.conn.loop.counters[t.conn.listener.index].bytesOut, uint64(len(*out)-len(p))) //nolint:gosec // records are longer than what is in them
	return t.under.write(*out)
}

// outbound implements socket.
func (t *tlsStage) outbound() int { return t.under.outbound() }

// closeWrite implements socket.
func (t *tlsStage) closeWrite() bool {
	t.notify()
	return !t.conn.gone && t.under.closeWrite()
}

// close implements socket.
func (t *tlsStage) close() {
	t.notify()
	if !t.conn.gone {
		t.under.close()
	}
}

// notify sends close_notify (RFC 8446, 6.1), once, unless an alert was sent before.
func (t *tlsStage) notify() {
	if t.shaking == nil && !t.notified {
		t.notified = true
		_ = t.tls.CloseWrite() // the socket is closed in any case
	}
}

// TLS implements protocol.Secured.
func (c *conn) TLS() *tls.ConnectionState {
	t, ok := c.stage.(*tlsStage)
	if !ok || t.shaking != nil {
		return nil
	}
	state := t.tls.ConnectionState()
	return &state
}

// Vouch implements protocol.Voucher: the identity has to be the one in the device's
// certificate where the listener wants that.
func (c *conn) Vouch(identity string) error {
	if c.listener.TLS == nil || c.listener.TLS.cfg.Identity == "" {
		return nil
	}
	name, err := protocol.CertificateName(c.TLS(), c.listener.TLS.cfg.Identity)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: %w", auth.ErrDenied, err)
	case name != identity:
		err = fmt.Errorf("%w: its certificate is of %.100q, and it logs in as %.100q", auth.ErrDenied, name, identity)
	default:
		return nil
	}
	c.Refused(identity, err) // adapters may answer the device and go on
	return err
}

// wire is the connection that crypto/tls sees: the handshake's goroutine while
// there is a handshake, the loop afterwards.
type wire tlsStage

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	if w.shaking != nil {
		return w.shaking.read(p)
	}
	if len(w.in) == 0 {
		return 0, os.ErrDeadlineExceeded // what crypto/tls has read so far it keeps, as it does for expired deadlines
	}
	n := copy(p, w.in[:w.record.take(w.in[:min(len(p), len(w.in))])])
	w.in = w.in[n:]
	return n, nil
}

// Write implements net.Conn. It takes everything: for crypto/tls an error of a
// write is for ever.
func (w *wire) Write(p []byte) (int, error) {
	t := (*tlsStage)(w)
	switch {
	case t.shaking != nil:
		sent := append([]byte(nil), p...) // crypto/tls uses p again
		t.conn.loop.do(t.conn, func() { t.pass(sent) })
	case t.out != nil:
		t.out = appendBuffer(t.out, p)
	default:
		t.pass(p)
	}
	return len(p), nil
}

// pass sends what is not of a write of the protocol: the handshake, alerts and key
// updates.
func (t *tlsStage) pass(p []byte) {
	c := t.conn
	if c.gone {
		return
	}
	c.countWrite(p)
	c.wrote = true
	if t.under.write(p) == nil { // otherwise the connection knows
		_ = c.limitOutbound(t.under) // likewise
	}
}

// Close implements net.Conn. It is never called: the socket is closed by the loop.
func (*wire) Close() error { return nil }

// LocalAddr implements net.Conn.
func (*wire) LocalAddr() net.Addr { return nil }

// RemoteAddr implements net.Conn.
func (w *wire) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(w.conn.remote) }

// SetDeadline implements net.Conn. There are none: the loop keeps the time.
func (*wire) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (*wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (*wire) SetWriteDeadline(time.Time) error { return nil }
