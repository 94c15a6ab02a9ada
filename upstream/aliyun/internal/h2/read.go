package h2

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// maxPieces is how many frames one header block may come in.
const maxPieces = 32

// readLoop works off what the server sends until the connection ends.
func (c *Conn) readLoop() {
	first := true
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			err = readError(err)
			if first {
				err = fmt.Errorf("h2: nothing that is HTTP/2 came from the server, which may be another one than is meant: check the endpoint's host and port, and https:// or http://: %w", err)
			}
			c.fail(err)
			return
		}
		c.read.Store(int64(time.Since(c.start)))
		if first {
			if _, ok := f.(*http2.SettingsFrame); !ok {
				c.fail(breaks(http2.ErrCodeProtocol, "its first frame is %v, want SETTINGS: it may be another server than is meant, see the endpoint's host and port", f.Header().Type))
				return
			}
			first = false
		}
		if err := c.frame(f); err != nil {
			c.fail(err)
			return
		}
	}
}

// readError translates what the framer says of a frame that is none.
func readError(err error) error {
	var code http2.ConnectionError
	var about http2.StreamError
	switch {
	case errors.As(err, &code):
		return breaks(http2.ErrCode(code), "a frame is malformed")
	case errors.As(err, &about):
		return breaks(about.Code, "a frame of stream %d is malformed", about.StreamID)
	case errors.Is(err, http2.ErrFrameTooLarge):
		return breaks(http2.ErrCodeFrameSize, "a frame is longer than %d bytes", defaultFrame)
	default:
		return err
	}
}

// frame works one frame off; an error ends the connection.
func (c *Conn) frame(f http2.Frame) error {
	if h := &c.headers; h.stream != 0 {
		next, ok := f.(*http2.ContinuationFrame)
		if !ok || next.StreamID != h.stream {
			return breaks(http2.ErrCodeProtocol, "%v inside a header block", f.Header().Type)
		}
		return c.piece(next.HeaderBlockFragment(), next.HeadersEnded())
	}
	switch f := f.(type) {
	case *http2.HeadersFrame:
		if f.StreamID == 0 {
			return breaks(http2.ErrCodeProtocol, "HEADERS of stream 0")
		}
		c.headers = headerBlock{stream: f.StreamID, end: f.StreamEnded(), block: c.headers.block[:0]}
		return c.piece(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.PushPromiseFrame:
		if f.StreamID == 0 || f.PromiseID == 0 || f.PromiseID%2 != 0 {
			return breaks(http2.ErrCodeProtocol, "a promise of stream %d on stream %d", f.PromiseID, f.StreamID)
		}
		if c.isIdle(f.StreamID) || f.StreamID%2 == 0 {
			return breaks(http2.ErrCodeProtocol, "a promise on stream %d, which is no request", f.StreamID)
		}
		c.headers = headerBlock{stream: f.StreamID, promised: f.PromiseID, block: c.headers.block[:0]}
		return c.piece(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.ContinuationFrame:
		return breaks(http2.ErrCodeProtocol, "CONTINUATION without a header block")
	case *http2.DataFrame:
		return c.data(f)
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = c.framer.WritePing(true, f.Data)
		return c.answerFrame()
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f)
	case *http2.RSTStreamFrame:
		return c.reset(f)
	case *http2.GoAwayFrame:
		return c.goingAway(f)
	default: // of a kind that nobody knows, or a priority (RFC 9113, sections 5.5 and 5.3)
		return nil
	}
}

// piece adds to the header block on its way.
func (c *Conn) piece(fragment []byte, last bool) error {
	h := &c.headers
	h.pieces++
	if h.pieces > maxPieces || len(h.block)+len(fragment) > 2*c.cfg.MaxHeader {
		return breaks(http2.ErrCodeEnhanceYourCalm, "a header block of more than %d bytes or %d frames", 2*c.cfg.MaxHeader, maxPieces)
	}
	h.block = append(h.block, fragment...)
	if !last {
		return nil
	}
	about := *h
	h.stream = 0
	fields, tooLarge, err := c.decode(about.block)
	if err != nil {
		return breaks(http2.ErrCodeCompression, "a header block cannot be read: %v", err)
	}
	if about.promised != 0 {
		return c.promise(about.promised, fields, tooLarge)
	}
	return c.header(&about, fields, tooLarge)
}

// promise reserves a stream of the server's.
func (c *Conn) promise(id uint32, fields []hpack.HeaderField, tooLarge bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id <= c.lastPush {
		return breaks(http2.ErrCodeProtocol, "a promise of stream %d, which was there before", id)
	}
	switch {
	case c.err != nil:
		return nil
	case tooLarge, c.promised >= c.cfg.Pushes:
		c.lastPush = id
		c.refuse(id)
		return c.answerFrame()
	}
	s := c.reserve(id)
	c.promised++
	for _, f := range fields {
		if !f.IsPseudo() {
			s.got.Header = append(s.got.Header, f)
		}
	}
	return nil
}

// idle says whether a stream was never open. mu is held.
func (c *Conn) idle(id uint32) bool {
	if id%2 == 0 {
		return id > c.lastPush
	}
	return id >= c.nextID
}

// isIdle is idle for those who do not hold mu.
func (c *Conn) isIdle(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle(id)
}

// header goes on with a stream whose header, or trailer, is there.
func (c *Conn) header(h *headerBlock, fields []hpack.HeaderField, tooLarge bool) error {
	c.mu.Lock()
	s := c.streams[h.stream]
	if s == nil && c.err == nil && c.idle(h.stream) {
		if h.stream%2 != 0 {
			c.mu.Unlock()
			return breaks(http2.ErrCodeProtocol, "a response on stream %d, which was never opened", h.stream)
		}
		s = c.reserve(h.stream) // a message without a promise
		c.promised++
	}
	switch {
	case s == nil: // it was reset on this side
		err := c.answerFrame()
		c.mu.Unlock()
		return err
	case s.pushed && !s.header && c.pushes >= c.cfg.Pushes:
		c.refuse(s.id)
		c.remove(s)
		err := errors.Join(c.answerFrame(), c.drained())
		c.mu.Unlock()
		return err
	case tooLarge:
		return c.settle(s, ErrTooLarge, http2.ErrCodeRefusedStream)
	case s.header && !h.end:
		return c.settle(s, breaks(http2.ErrCodeProtocol, "a trailer in the middle"), http2.ErrCodeProtocol)
	case !s.header:
		final, err := s.take(fields)
		if err != nil {
			return c.settle(s, err, http2.ErrCodeProtocol)
		}
		if s.header = final; final && s.pushed {
			c.promised--
			c.pushes++
		}
	}
	return c.goOn(s, h.end)
}

// goOn tells of a stream that is complete, or complete enough. mu is held, and
// released.
func (c *Conn) goOn(s *stream, end bool) error {
	r, got := s.request, s.got
	switch {
	case s.stay && s.header:
		s.request = nil
	case !end:
		c.mu.Unlock()
		return nil
	case !s.header:
		return c.settle(s, breaks(http2.ErrCodeProtocol, "a stream ends without a header"), http2.ErrCodeProtocol)
	}
	var err error
	if end {
		if !s.sent { // the answer came before the whole question: no more of that
			c.drop(s, http2.ErrCodeNo)
			err = c.answerFrame()
		} else {
			c.remove(s)
		}
		err = errors.Join(err, c.drained())
	}
	pushed := s.pushed
	if pushed {
		c.stats.Pushed++
	}
	c.mu.Unlock()
	switch {
	case pushed:
		c.handler.Pushed(got)
	case r != nil:
		r.Done(got, nil)
	}
	return err
}

// settle ends one stream with an error; the connection goes on. mu is held, and
// released.
func (c *Conn) settle(s *stream, cause error, code http2.ErrCode) error {
	c.drop(s, code)
	err := errors.Join(c.answerFrame(), c.drained())
	r := s.request
	c.mu.Unlock()
	if r != nil {
		var b *broken
		if errors.As(cause, &b) {
			cause = &StreamError{b.code, b.text}
		}
		r.Done(Message{}, cause)
	}
	return err
}

// data adds to the body of a stream.
func (c *Conn) data(f *http2.DataFrame) error {
	if f.StreamID == 0 {
		return breaks(http2.ErrCodeProtocol, "DATA of stream 0")
	}
	size := int(f.Length) // padding counts
	body := f.Data()
	c.mu.Lock()
	s := c.streams[f.StreamID]
	if err := c.giveBack(size); err != nil {
		c.mu.Unlock()
		return err
	}
	switch {
	case s == nil && c.err == nil && c.idle(f.StreamID):
		c.mu.Unlock()
		return breaks(http2.ErrCodeProtocol, "DATA of stream %d, which was never opened", f.StreamID)
	case s == nil: // it was reset on this side
		c.mu.Unlock()
		return nil
	case !s.header:
		return c.settle(s, breaks(http2.ErrCodeProtocol, "DATA before the header"), http2.ErrCodeProtocol)
	case s.stay:
	case len(s.got.Body)+len(body) > c.cfg.MaxBody, c.held+len(body) > maxHeld:
		return c.settle(s, ErrTooLarge, http2.ErrCodeEnhanceYourCalm)
	default:
		s.got.Body = append(s.got.Body, body...)
		c.held += len(body)
	}
	if s.credit += size; !f.StreamEnded() && s.credit > c.cfg.Window/2 {
		_ = c.framer.WriteWindowUpdate(s.id, number(s.credit))
		s.credit = 0
		c.written.Signal()
	}
	return c.goOn(s, f.StreamEnded())
}

// giveBack gives the server room for n bytes more, in large pieces. What a message
// holds of the window is given back as it comes, and not when the message is
// complete: many large ones that come at a time would wait for one another. So the
// server never comes to the end of a window before this side has read what it
// sent; what bounds memory is MaxBody and maxHeld. A handler that is slow holds
// the server back all the same, for the reader waits for it. mu is held.
func (c *Conn) giveBack(n int) error {
	if c.credit += n; c.credit < c.cfg.Window/4 || c.over() {
		return nil
	}
	_ = c.framer.WriteWindowUpdate(0, number(c.credit))
	c.credit = 0
	return c.answerFrame()
}
