package h2

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stream is one that is open. It is guarded by its connection's mu.
type stream struct {
	id      uint32
	request *Request // nil: the server's own, or Done was called
	stay    bool     // of a request: see Request.Stay
	pushed  bool
	queued  bool          // is in the list of blocked streams
	body    []byte        // not yet sent
	window  int64         // that the server has left for body
	sent    bool          // END_STREAM was sent
	credit  int           // of the server's window, taken and not yet given back
	begun   time.Duration // since the connection was made
	got     Message
	header  bool // the final header was there
}

// queue is requests in the order of their coming.
type queue struct {
	head, tail *Request
	n          int
}

func (q *queue) push(r *Request) {
	r.waits, r.prev, r.next = true, q.tail, nil
	if q.tail == nil {
		q.head = r
	} else {
		q.tail.next = r
	}
	q.tail = r
	q.n++
}

func (q *queue) pop() *Request {
	r := q.head
	q.remove(r)
	return r
}

func (q *queue) remove(r *Request) {
	if r.prev == nil {
		q.head = r.next
	} else {
		r.prev.next = r.next
	}
	if r.next == nil {
		q.tail = r.prev
	} else {
		r.next.prev = r.prev
	}
	r.waits, r.prev, r.next = false, nil, nil
	q.n--
}

// headerBlock is the pieces of a header block on their way.
type headerBlock struct {
	stream   uint32 // that it is about; 0: none is on its way
	promised uint32 // by it; 0: it is no promise
	end      bool   // ends the stream
	pieces   int
	block    []byte
}

// decode reads a block. What is too large is told, and the rest is read all the
// same, for the decoder's state depends on it.
func (c *Conn) decode(block []byte) (fields []hpack.HeaderField, tooLarge bool, err error) {
	size := 0
	c.decoder.SetEmitFunc(func(f hpack.HeaderField) {
		if size += int(f.Size()); size > c.cfg.MaxHeader {
			tooLarge, fields = true, nil
			return
		}
		fields = append(fields, f)
	})
	if _, err = c.decoder.Write(block); err == nil {
		err = c.decoder.Close()
	}
	return fields, tooLarge, err
}

// reserve makes a stream of the server's. mu is held.
func (c *Conn) reserve(id uint32) *stream {
	c.lastPush = id
	s := &stream{id: id, pushed: true, sent: true}
	c.streams[id] = s
	return s
}

// refuse resets a stream of the server's that is one too many. mu is held.
func (c *Conn) refuse(id uint32) {
	c.stats.Refused++
	_ = c.framer.WriteRSTStream(id, http2.ErrCodeRefusedStream)
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
	c.held -= len(s.got.Body)
	switch {
	case !s.pushed:
		c.open--
	case s.header:
		c.pushes--
	default:
		c.promised--
	}
	if s.queued {
		s.queued = false
		c.blocked = slices.DeleteFunc(c.blocked, func(b *stream) bool { return b == s })
	}
	c.progress()
}

// take reads the header of a stream (RFC 9113, section 8.3). A stream of the
// server's needs no status.
func (s *stream) take(fields []hpack.HeaderField) (final bool, err error) {
	own := make([]hpack.HeaderField, 0, len(fields)+len(s.got.Header))
	status := 0
	for _, f := range fields {
		switch {
		case f.IsPseudo() && len(own) > 0:
			return false, breaks(http2.ErrCodeProtocol, "%s behind other headers", f.Name)
		case f.Name == ":status":
			n, err := strconv.Atoi(f.Value)
			if err != nil || len(f.Value) != 3 || n < 100 || status != 0 {
				return false, breaks(http2.ErrCodeProtocol, "status %q", f.Value)
			}
			status = n
		case f.IsPseudo():
		case strings.ContainsFunc(f.Name, func(r rune) bool { return r <= ' ' || r >= 'A' && r <= 'Z' || r > '~' }):
			return false, breaks(http2.ErrCodeProtocol, "a header with the name %q", f.Name)
		default:
			own = append(own, f)
		}
	}
	if !s.pushed && status == 0 {
		return false, breaks(http2.ErrCodeProtocol, "a response without a status")
	}
	if status >= 100 && status < 200 {
		return false, nil
	}
	s.got.Status = status
	s.got.Header = append(own, s.got.Header...) // what was promised counts last
	return true, nil
}
