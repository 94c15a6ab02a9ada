package h2

import "golang.org/x/net/http2/hpack"

// stream is one that is open. It is guarded by its connection's mu.
type stream struct {
	id     uint32
	done   func(Message, error) // nil: the server's own, or done was called
	stay   bool                 // of a request: see Request.Stay
	pushed bool
	queued bool   // is in the list of blocked streams
	body   []byte // not yet sent
	window int64  // that the server has left for body
	sent   bool   // END_STREAM was sent
	left   int64  // of the server's window
	got    Message
	header bool // the final header was there
}

// queue is requests in the order of their coming.
type queue struct {
	list []*Request
	head int
}

func (q *queue) len() int { return len(q.list) - q.head }

func (q *queue) push(r *Request) {
	if q.head > 64 && q.head*2 > len(q.list) {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, r)
}

func (q *queue) pop() *Request {
	r := q.list[q.head]
	q.list[q.head] = nil
	if q.head++; q.head == len(q.list) {
		q.list, q.head = q.list[:0], 0
	}
	return r
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
