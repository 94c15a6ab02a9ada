package h2

import (
	"errors"
	"strconv"
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
			c.fail(readError(err))
			return
		}
		c.read.Store(int64(time.Since(c.start)))
		if first {
			if _, ok := f.(*http2.SettingsFrame); !ok {
				c.fail(breaks(http2.ErrCodeProtocol, "its first frame is %v, want SETTINGS", f.Header().Type))
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
	s := c.reserve(id)
	switch {
	case s == nil:
		return c.answerFrame()
	case tooLarge:
		c.drop(s, http2.ErrCodeRefusedStream)
		return c.answerFrame()
	}
	for _, f := range fields {
		if !f.IsPseudo() {
			s.got.Header = append(s.got.Header, f)
		}
	}
	return nil
}

// reserve makes a stream of the server's, nil when there are too many. mu is
// held.
func (c *Conn) reserve(id uint32) *stream {
	c.lastPush = id
	if c.pushes >= c.cfg.Pushes || c.err != nil {
		c.stats.Refused++
		_ = c.framer.WriteRSTStream(id, http2.ErrCodeRefusedStream)
		return nil
	}
	s := &stream{id: id, pushed: true, sent: true, left: int64(c.cfg.Window)}
	c.streams[id] = s
	c.pushes++
	return s
}

// drop resets a stream of which no more is wanted. mu is held.
func (c *Conn) drop(s *stream, code http2.ErrCode) {
	c.stats.Resets++
	_ = c.framer.WriteRSTStream(s.id, code)
	c.remove(s)
}

// remove forgets a stream. mu is held.
func (c *Conn) remove(s *stream) {
	if c.streams[s.id] != s {
		return
	}
	delete(c.streams, s.id)
	if s.pushed {
		c.pushes--
	} else {
		c.open--
	}
	c.progress()
}

// idle says whether a stream was never open. mu is held.
func (c *Conn) idle(id uint32) bool {
	if id%2 == 0 {
		return id > c.lastPush
	}
	return id >= c.nextID
}

// header goes on with a stream whose header, or trailer, is there.
func (c *Conn) header(h *headerBlock, fields []hpack.HeaderField, tooLarge bool) error {
	c.mu.Lock()
	s := c.streams[h.stream]
	if s == nil && c.idle(h.stream) {
		if h.stream%2 != 0 {
			c.mu.Unlock()
			return breaks(http2.ErrCodeProtocol, "a response on stream %d, which was never opened", h.stream)
		}
		s = c.reserve(h.stream) // a message without a promise
	}
	switch {
	case s == nil: // it was reset on this side
		err := c.answerFrame()
		c.mu.Unlock()
		return err
	case tooLarge:
		return c.settle(s, ErrTooLarge, http2.ErrCodeRefusedStream)
	case s.header && !h.end:
		return c.settle(s, breaks(http2.ErrCodeProtocol, "a trailer in the middle"), http2.ErrCodeProtocol)
	case !s.header:
		if err := s.take(fields); err != nil {
			return c.settle(s, err, http2.ErrCodeProtocol)
		}
	}
	return c.goOn(s, h.end)
}

// take reads the header of a stream.
func (s *stream) take(fields []hpack.HeaderField) error {
	var own []hpack.HeaderField
	status := 0
	for _, f := range fields {
		switch {
		case f.Name == ":status":
			n, err := strconv.Atoi(f.Value)
			if err != nil || n < 100 || n > 999 {
				return breaks(http2.ErrCodeProtocol, "status %q", f.Value)
			}
			status = n
		case !f.IsPseudo():
			own = append(own, f)
		}
	}
	if !s.pushed && status == 0 {
		return breaks(http2.ErrCodeProtocol, "a response without a status")
	}
	if status >= 100 && status < 200 {
		return nil // not the final one
	}
	s.header, s.got.Status = true, status
	s.got.Header = append(own, s.got.Header...) // what was promised counts last
	return nil
}

// goOn tells of a stream that is complete, or complete enough. mu is held, and
// released.
func (c *Conn) goOn(s *stream, end bool) error {
	done, got := s.done, s.got
	switch {
	case s.stay && s.header:
		s.done, s.got.Body = nil, nil
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
		err = errors.Join(err, c.giveBack(len(got.Body)))
	case done != nil:
		done(got, nil)
	}
	return err
}

// settle ends one stream with an error. mu is held, and released.
func (c *Conn) settle(s *stream, cause error, code http2.ErrCode) error {
	c.drop(s, code)
	err := errors.Join(c.answerFrame(), c.drained())
	done := s.done
	held := 0
	if s.pushed {
		held = len(s.got.Body)
	}
	c.mu.Unlock()
	_ = c.giveBack(held) // its error is that of the next answer
	if done != nil {
		done(Message{}, cause)
	}
	return err
}

// data adds to the body of a stream.
func (c *Conn) data(f *http2.DataFrame) error {
	if f.StreamID == 0 {
		return breaks(http2.ErrCodeProtocol, "DATA of stream 0")
	}
	size := int64(f.Length) // padding counts
	body := f.Data()
	c.mu.Lock()
	s := c.streams[f.StreamID]
	c.left -= size
	switch {
	case c.left < 0:
		c.mu.Unlock()
		return breaks(http2.ErrCodeFlowControl, "it sends more than the connection's window")
	case s == nil && c.idle(f.StreamID):
		c.mu.Unlock()
		return breaks(http2.ErrCodeProtocol, "DATA of stream %d, which was never opened", f.StreamID)
	case s == nil:
		c.mu.Unlock()
		return c.giveBack(int(size))
	case s.left < size:
		return c.settle(s, breaks(http2.ErrCodeFlowControl, "it sends more than the stream's window"), http2.ErrCodeFlowControl)
	case !s.header:
		return c.settle(s, breaks(http2.ErrCodeProtocol, "DATA before the header"), http2.ErrCodeProtocol)
	case len(s.got.Body)+len(body) > c.cfg.MaxBody:
		return c.settle(s, ErrTooLarge, http2.ErrCodeRefusedStream)
	}
	s.left -= size
	if !s.stay {
		s.got.Body = append(s.got.Body, body...)
	}
	now := int(size) // what is given back at once: a pushed message's body is when it was handled
	if s.pushed {
		now -= len(body)
	}
	if !f.StreamEnded() && s.left < int64(c.cfg.Window)/2 {
		_ = c.framer.WriteWindowUpdate(s.id, uint32(int64(c.cfg.Window)-s.left)) //nolint:gosec // positive, at most Window
		s.left = int64(c.cfg.Window)
		c.written.Signal()
	}
	return errors.Join(c.goOn(s, f.StreamEnded()), c.giveBack(now))
}

// giveBack gives the server room for n bytes more, in large pieces.
func (c *Conn) giveBack(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.credit += n; c.credit < c.cfg.Window/4 || c.err != nil {
		return nil
	}
	_ = c.framer.WriteWindowUpdate(0, number(c.credit))
	c.left += int64(c.credit)
	c.credit = 0
	return c.answerFrame()
}
