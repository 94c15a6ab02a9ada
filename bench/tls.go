//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linkspan/linkspan/server"
)

// tlsPrefix marks addresses where devices speak TLS.
const tlsPrefix = "tls:"

// tlsVariants are those with TLS 1.3, that of the standard library: once with a
// goroutine for each connection, once with the server's event loop.
func (b *bench) tlsVariants() []string { return b.wanted(goroutinesTLSName, discardTLSName) }

// encrypted is the throughput over TLS.
func (b *bench) encrypted(r *report) (err error) {
	r.TLS, err = b.saturated("TLS", framesPerDevice, b.tlsVariants())
	return err
}

// startDiscardTLS is linkspan-discard with a listener that has TLS.
func startDiscardTLS(string) (*role, error) {
	config, err := serverTLS()
	if err != nil {
		return nil, err
	}
	d := &discard{}
	r, err := startLinkspan(d, "received", d.count, func(l *server.Listener) { l.TLS = server.TLSWith(config) })
	if err == nil {
		r.addr = tlsPrefix + r.addr
	}
	return r, err
}

// startGoroutinesTLS is goroutines with TLS in front of each.
func startGoroutinesTLS(string) (*role, error) {
	config, err := serverTLS()
	if err != nil {
		return nil, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return nil, err
	}
	r := goroutinesOn(listener)
	r.addr = tlsPrefix + r.addr
	return r, nil
}

// serverTLS has a certificate of its own, with the key that servers have today.
func serverTLS() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"bench"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS13,
	}, nil
}

// secured is the TLS of one device. Its handshake has a goroutine; afterwards it
// belongs to the fleet's.
type secured struct {
	net.Conn // until the handshake is done, nil afterwards

	tls *tls.Conn
	in  []byte // arrived, not yet read by crypto/tls
	out []byte // records of a write
}

// dialTLS begins a connection; shaken gets the device when its handshake is done.
func (f *fleet) dialTLS(d *device) {
	d.stage = connecting
	go func() { f.shaken <- shaken{d, f.shake(d)} }() // ends with the handshake, which has a deadline
}

// shaken is the outcome of a handshake.
type shaken struct {
	device *device
	err    error
}

func (f *fleet) shake(d *device) error {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+d.index/perAddress))}, Timeout: patience}
	raw, err := dialer.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.addr.Port))
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }() // the device has a duplicate
	if err = raw.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	s := &secured{Conn: raw}
	s.tls = tls.Client(s, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) //nolint:gosec // what is measured is the server
	if err = s.tls.Handshake(); err != nil {                                                   //nolint:noctx // the socket has a deadline
		return err
	}
	s.Conn = nil
	file, err := raw.(*net.TCPConn).File() //nolint:forcetypeassert // it is one
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	d.fd, d.tls = fd, s
	return errors.Join(unix.SetNonblock(fd, true), unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
}

// greet goes on with the devices whose handshake is done.
func (f *fleet) greet() error {
	for {
		select {
		case s := <-f.shaken:
			if s.err != nil {
				return fmt.Errorf("device %d: %w", s.device.number, s.err)
			}
			if err := f.watch(unix.EPOLL_CTL_ADD, s.device, unix.EPOLLIN); err != nil {
				return err
			}
			if err := f.login(s.device); err != nil {
				return err
			}
			if err := f.readable(s.device); err != nil { // what came with the handshake
				return err
			}
		default:
			return nil
		}
	}
}

// Read implements net.Conn.
func (s *secured) Read(p []byte) (int, error) {
	if s.Conn != nil {
		return s.Conn.Read(p)
	}
	if len(s.in) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

// Write implements net.Conn.
func (s *secured) Write(p []byte) (int, error) {
	if s.Conn != nil {
		return s.Conn.Write(p)
	}
	s.out = append(s.out, p...)
	return len(p), nil
}

// SetWriteDeadline implements net.Conn.
func (s *secured) SetWriteDeadline(time.Time) error { return nil }

// seal is p in records. They must be written before the next call, unless part of
// them is held up.
func (s *secured) seal(p []byte, heldUp bool) ([]byte, error) {
	if s.out = s.out[:0]; heldUp {
		s.out = nil
	}
	_, err := s.tls.Write(p)
	return s.out, err
}

// read reads from a device's socket.
func (f *fleet) read(d *device, p []byte) (int, error) {
	if d.tls == nil {
		return unix.Read(d.fd, p)
	}
	n, err := unix.Read(d.fd, f.wire)
	if err != nil && !errors.Is(err, unix.EAGAIN) || n == 0 {
		return n, err
	}
	d.tls.in = f.wire[:max(n, 0)]
	size := 0
	for size < len(p) {
		n, err := d.tls.tls.Read(p[size:])
		size += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return size, err
		}
	}
	if size == 0 {
		return 0, unix.EAGAIN
	}
	return size, nil
}
