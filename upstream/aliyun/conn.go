package aliyun

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"sync"
	"time"
)

// errGivenUp is what reads and writes of a connection say once it was closed on
// this side. It is not net.ErrClosed, which paho keeps to itself.
var errGivenUp = errors.New("aliyun: connection given up")

const (
	readBuffer  = 8 << 10
	writeBuffer = 64 << 10 // bytes that may wait for a write
)

// conn is the network connection below paho. It reads ahead, for paho asks for a
// packet in three pieces, and gathers what paho writes packet by packet while a
// write is under way, so that a burst leaves in few system calls. It owns a
// goroutine that writes, which Close ends. One goroutine may read; any may write.
type conn struct {
	net.Conn
	in      *bufio.Reader
	timeout time.Duration // of a write

	mu      sync.Mutex
	changed *sync.Cond // out, err or closing changed
	out     []byte     // to be written
	err     error      // why nothing more can be written
	closing bool
	ended   chan struct{} // closed when the writing goroutine has
}

// dial connects to tcp://host:port or ssl://host:port.
func dial(ctx context.Context, u *url.URL, tlsConfig *tls.Config, timeout time.Duration) (*conn, error) {
	dialer := &net.Dialer{}
	var raw net.Conn
	var err error
	if u.Scheme == "ssl" {
		if tlsConfig == nil {
			tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		raw, err = (&tls.Dialer{NetDialer: dialer, Config: tlsConfig}).DialContext(ctx, "tcp", u.Host)
	} else {
		raw, err = dialer.DialContext(ctx, "tcp", u.Host)
	}
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, in: bufio.NewReaderSize(raw, readBuffer), timeout: timeout, ended: make(chan struct{})}
	c.changed = sync.NewCond(&c.mu)
	go c.write() // owned by c: Close waits for it
	return c, nil
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if err != nil {
		c.mu.Lock()
		if c.closing {
			err = errGivenUp
		}
		c.mu.Unlock()
	}
	return n, err
}

// Write implements net.Conn: it takes p and returns; an error of the network is
// told to the next call.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > writeBuffer && c.err == nil && !c.closing {
		c.changed.Wait()
	}
	if c.err != nil {
		return 0, c.err
	}
	if c.closing {
		return 0, errGivenUp
	}
	if c.out = append(c.out, p...); len(c.out) == len(p) {
		c.changed.Broadcast()
	}
	return len(p), nil
}

// write writes what Write took until c is closed or the network fails.
func (c *conn) write() {
	defer close(c.ended)
	var spare []byte
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.out) == 0 && !c.closing {
			c.changed.Wait()
		}
		if len(c.out) == 0 {
			return
		}
		out := c.out
		c.out = spare[:0]
		c.mu.Unlock()
		err := c.Conn.SetWriteDeadline(time.Now().Add(c.timeout))
		if err == nil {
			_, err = c.Conn.Write(out)
		}
		if err != nil {
			_ = c.Conn.Close() // the reader has to know
		}
		c.mu.Lock()
		if spare = out; cap(spare) > 2*writeBuffer {
			spare = nil
		}
		c.changed.Broadcast()
		if err != nil {
			c.err = err
			return
		}
	}
}

// SetWriteDeadline implements net.Conn. Writes have their own.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.Conn for reads only.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Close implements net.Conn. What was taken before is written, if the network
// takes it within the write timeout.
func (c *conn) Close() error {
	c.mu.Lock()
	c.closing = true
	c.changed.Broadcast()
	c.mu.Unlock()
	<-c.ended
	return c.Conn.Close()
}

// abort closes the connection without writing what is left.
func (c *conn) abort() {
	c.mu.Lock()
	c.closing, c.out = true, nil
	c.changed.Broadcast()
	c.mu.Unlock()
	_ = c.Conn.Close() // it is given up
	<-c.ended
}
