package server

import (
	"fmt"
	"math/bits"
	"sync"
	"time"

	"github.com/linkspan/linkspan/protocol"
)

// offer gives the handler what is held once more, after a task.
func (c *conn) offer() {
	if !c.ended && c.request.Load() == nil && c.pending != nil && !c.loop.draining {
		if c.listener.datagrams {
			c.offerDatagrams()
		} else {
			c.receive(nil)
		}
	}
	c.settle()
}

// receive gives the handler what has arrived, behind what is held, and holds
// what it leaves.
func (c *conn) receive(in []byte) {
	if c.listener.datagrams {
		c.receiveDatagram(in)
		return
	}
	fresh, held := len(in), 0
	if c.stage != nil { // which pays for the bytes as they were sent
		fresh = 0
	}
	if c.pending != nil {
		held = len(*c.pending)
		c.pending = appendBuffer(c.pending, in)
		in = *c.pending
	}
	n, messages, err := c.decode(in)
	rest := in[n:]
	c.hold(rest)
	if grown := len(rest) - held; grown != 0 {
		total := c.loop.server.pending.Add(int64(grown))
		c.limitPending(len(rest), total, grown)
	}
	c.count += uint32(messages)                                        //nolint:gosec // not negative
	add(&c.loop.counters[c.listener.index].messages, uint64(messages)) //nolint:gosec // not negative
	if err != nil {
		c.end(classify(err))
	}
	c.limitRates(fresh, messages)
}

// decode calls the handler. n is within in.
func (c *conn) decode(in []byte) (n, messages int, err error) {
	c.calls++
	defer func() {
		c.calls--
		if r := recover(); r != nil { // not the codec's or the adapter's, which the handler catches
			c.panicked(r)
			n, messages, err = len(in), 0, because(CausePanic, nil)
		}
	}()
	n, messages, err = c.handler.Data(in)
	if n < 0 || n > len(in) || messages < 0 {
		return len(in), 0, because(CauseDecoder, fmt.Errorf("%w: %d of %d bytes", protocol.ErrBadDecoder, n, len(in)))
	}
	return n, messages, err
}

// hold keeps rest, which may be the end of what is held already.
func (c *conn) hold(rest []byte) {
	switch {
	case len(rest) == 0:
		c.drop()
	case c.pending == nil:
		c.pending = newBuffer(len(rest))
		*c.pending = append(*c.pending, rest...)
	case len(rest) < len(*c.pending):
		if fit := bufferSize(len(rest)); fit < cap(*c.pending)/4 { // do not sit on a large one
			small := newBuffer(len(rest))
			*small = append(*small, rest...)
			freeBuffer(c.pending)
			c.pending = small
			return
		}
		*c.pending = append((*c.pending)[:0], rest...)
	}
}

// drop lets go of what is held.
func (c *conn) drop() {
	if c.pending != nil {
		freeBuffer(c.pending)
		c.pending = nil
	}
}

// limitPending ends a connection that holds too much. When all together do, that
// is one with more than its share, so that few cannot have all others ended; the
// small ones may make it at most twice as much.
func (c *conn) limitPending(size int, total int64, grown int) {
	if limit := c.listener.limits.MaxPending; size > limit {
		c.end(because(CausePending, fmt.Errorf("%d bytes are not decoded, maxPending is %d", size, limit)))
	} else if limit := int64(c.loop.server.cfg.MaxPending); grown > 0 && total > limit && int64(size) > limit/max(c.loop.server.open.Load(), 1) {
		c.end(because(CauseMemory, fmt.Errorf("%d bytes of all connections are not decoded, maxPending of the server is %d", total, limit)))
	}
}

func (c *conn) limitRates(fresh, messages int) {
	limits := &c.listener.limits
	if limits.BytesPerSecond > 0 && !c.pay(0, fresh, limits.BytesPerSecond) {
		c.end(because(CauseBytesRate, nil))
	}
	if limits.MessagesPerSecond > 0 && !c.pay(1, messages, limits.MessagesPerSecond) {
		c.end(because(CauseMessagesRate, nil))
	}
}

// pay says whether n more are within the rate. It is a token bucket, kept as
// the time at which the bucket is full again.
func (c *conn) pay(which, n, perSecond int) bool {
	now := c.loop.ms * int64(time.Millisecond)
	c.paid[which] = max(c.paid[which], now) + int64(float64(n)*float64(time.Second)/float64(perSecond))
	return c.paid[which]-now <= int64(c.listener.limits.Burst)
}

// Buffers come in sizes of powers of two from pools, and are given back when
// they are empty.
const (
	minBufferBits = 9  // 512 bytes
	maxBufferBits = 20 // larger ones are not pooled
)

var buffers [maxBufferBits - minBufferBits + 1]sync.Pool

// bufferSize is the capacity of a buffer for n bytes.
func bufferSize(n int) int {
	if n > 1<<maxBufferBits {
		return n + n/4
	}
	return 1 << max(bits.Len(uint(max(n, 1)-1)), minBufferBits) //nolint:gosec // n > 0
}

func newBuffer(n int) *[]byte {
	size := bufferSize(n)
	if n <= 1<<maxBufferBits {
		if b, ok := buffers[bits.Len(uint(size))-1-minBufferBits].Get().(*[]byte); ok { //nolint:gosec // size > 0
			return b
		}
	}
	b := make([]byte, 0, size)
	return &b
}

func freeBuffer(b *[]byte) {
	if size := cap(*b); size <= 1<<maxBufferBits {
		*b = (*b)[:0]
		buffers[bits.Len(uint(size))-1-minBufferBits].Put(b)
	}
}

// appendBuffer appends p to b, which moves to a larger buffer when it must.
func appendBuffer(b *[]byte, p []byte) *[]byte {
	if need := len(*b) + len(p); need > cap(*b) {
		larger := newBuffer(need)
		*larger = append(*larger, *b...)
		freeBuffer(b)
		b = larger
	}
	*b = append(*b, p...)
	return b
}
