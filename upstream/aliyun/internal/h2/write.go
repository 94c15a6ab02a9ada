package h2

import (
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// progress sends what may be sent now: bodies that have a window again, and
// requests that have a stream. mu is held.
func (c *Conn) progress() {
	if c.err != nil {
		return
	}
	c.sendBodies()
	for c.pending.n > 0 && c.open < min(c.peer.streams, c.cfg.Streams) && len(c.out) < flushAt {
		c.begin(c.pending.pop())
	}
	if len(c.out) > 0 {
		c.written.Signal()
	}
}

// begin opens a stream for a request. mu is held.
func (c *Conn) begin(r *Request) {
	s := &stream{
		id: c.nextID, request: r, stay: r.Stay, body: r.Body, begun: time.Since(c.start),
		window: c.peer.window,
	}
	c.nextID += 2
	r.stream = s
	c.streams[s.id] = s
	c.open++
	c.block = c.block[:0]
	for _, f := range [...]hpack.HeaderField{
		{Name: ":method", Value: r.Method},
		{Name: ":scheme", Value: c.cfg.Scheme},
		{Name: ":authority", Value: c.cfg.Authority},
		{Name: ":path", Value: r.Path},
	} {
		_ = c.encoder.WriteField(f) // into memory
	}
	for _, f := range r.Header {
		_ = c.encoder.WriteField(f)
	}
	s.sent = len(s.body) == 0
	for rest, first := []byte(c.block), true; first || len(rest) > 0; first = false {
		n := min(len(rest), c.peer.frame)
		last := n == len(rest)
		if first {
			_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: rest[:n], EndStream: s.sent, EndHeaders: last})
		} else {
			_ = c.framer.WriteContinuation(s.id, last, rest[:n])
		}
		rest = rest[n:]
	}
	if !s.sent {
		c.sendBody(s)
	}
}

// sendBody sends as much of a body as the windows allow, and has the rest wait.
// mu is held.
func (c *Conn) sendBody(s *stream) {
	for !s.sent && len(c.out) < flushAt {
		n := min(int64(len(s.body)), int64(c.peer.frame), s.window, c.window)
		if n <= 0 {
			break
		}
		s.sent = int(n) == len(s.body)
		_ = c.framer.WriteData(s.id, s.sent, s.body[:n])
		s.body = s.body[n:]
		s.window -= n
		c.window -= n
	}
	if !s.sent && !s.queued {
		s.queued = true
		c.blocked = append(c.blocked, s)
	}
}

// sendBodies goes on with the bodies that wait. mu is held.
func (c *Conn) sendBodies() {
	if len(c.blocked) == 0 || c.window <= 0 {
		return
	}
	waiting := c.blocked
	c.blocked = nil
	for _, s := range waiting {
		s.queued = false
		c.sendBody(s)
	}
}

// writeLoop writes frames until the connection ends; then it writes what is left
// and closes the network connection.
func (c *Conn) writeLoop() {
	var spare buffer
	for {
		c.mu.Lock()
		for len(c.out) == 0 && c.err == nil {
			c.written.Wait()
		}
		out, last := c.out, c.err != nil
		c.out = spare[:0]
		c.mu.Unlock()
		err := c.writeOut(out, last)
		if last {
			_ = c.net.Close()
			return
		}
		if err != nil {
			c.fail(err)
			_ = c.net.Close()
			return
		}
		if spare = out; cap(spare) > 2*flushAt {
			spare = nil
		}
		c.mu.Lock()
		c.progress() // what had to wait for room
		c.mu.Unlock()
	}
}

// writeOut writes to the network connection.
func (c *Conn) writeOut(out []byte, last bool) error {
	limit := c.cfg.WriteTimeout
	for len(out) > 0 {
		n := min(len(out), writeAtOnce)
		if last || c.isDown() {
			limit = min(limit, lastWords)
		}
		_ = c.net.SetWriteDeadline(time.Now().Add(limit)) // a failure shows at the write
		if _, err := c.net.Write(out[:n]); err != nil {
			return err
		}
		out = out[n:]
	}
	return nil
}

func (c *Conn) isDown() bool {
	select {
	case <-c.down:
		return true
	default:
		return false
	}
}

// answerFrame makes sure that a server which makes this side answer and does not
// read has an end. mu is held.
func (c *Conn) answerFrame() error {
	if len(c.out) > maxWaiting {
		return breaks(http2.ErrCodeEnhanceYourCalm, "it does not read the answers that it asks for")
	}
	c.written.Signal()
	return nil
}
