package protocol

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/session"
)

// PanicError is a panic of a codec or an adapter. It costs the frame that it
// happened in; the server counts it and logs its stack once.
type PanicError struct {
	Value any
	Stack []byte
}

func newPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

func (e *PanicError) Error() string { return fmt.Sprintf("protocol: panic: %v", e.Value) }

// Unwrap is the panic's value, if that was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// handler shows servers what adapters need not see of a Conn.
type handler[M any] struct{ c *Conn[M] }

// Opened implements Handler.
func (h handler[M]) Opened() error {
	c := h.c
	var err error
	if a, ok := c.adapter.(Opener[M]); ok && !c.closed {
		c.guard(func() { err = a.Opened(c) })
	}
	return err
}

// Data implements Handler.
func (h handler[M]) Data(in []byte) (n, messages int, err error) {
	c := h.c
	if len(in) > 0 && len(in) == int(c.rest) {
		return 0, 0, c.flush() // offered again, after a task, without anything new
	}
	c.rest = 0
	for again := true; again; {
		again, err = c.drain(in, &n, &messages)
	}
	if s := c.session; s != nil && n > 0 {
		s.Touch(c.transport.Now().UnixMilli())
		s.Count(messages, n)
	}
	if e := c.flush(); err == nil {
		err = e
	}
	return n, messages, err
}

// drain handles what is whole in in[*n:]. A panic ends it early, with the frame
// it happened in done with; again says that there may be more.
func (c *Conn[M]) drain(in []byte, n, messages *int) (again bool, err error) {
	start, decoding := *n, false
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if decoding { // nobody knows how long the frame is: give up its first byte
			*n = start + 1
			if c.datagrams {
				*n = len(in)
			}
			c.decoder = c.protocol.Decoder()
		}
		err = c.transport.Fault(newPanicError(r), in[start:*n])
		again = err == nil
	}()
	for *n < len(in) && c.open() {
		start, decoding = *n, true
		msg, used, err := c.decoder.Decode(in[start:])
		decoding = false
		if used < 0 || used > len(in)-start || used == 0 && err != codec.ErrIncomplete {
			return false, badDecoder(used, len(in)-start, err)
		}
		*n += used // before Received, so that a panic there costs this frame and no other
		if err != nil {
			if more, cause := c.undecoded(err, in, start, n, *messages); !more {
				return false, cause
			}
			continue
		}
		*messages++
		if err := c.adapter.Received(c, msg); err != nil {
			return false, err
		}
	}
	return false, nil
}

// open says whether the next message may be decoded.
func (c *Conn[M]) open() bool { return !c.waiting && !c.closed && !c.ending.Load() }

// undecoded deals with what is no message, in[start:*n], and says whether there
// may be more behind it.
func (c *Conn[M]) undecoded(err error, in []byte, start int, n *int, messages int) (more bool, cause error) {
	switch {
	case c.datagrams:
		return c.skipDatagram(err, in, start, n, messages)
	case err == codec.ErrIncomplete: //nolint:errorlint // a decoder's, which is never wrapped
		c.rest = int32(len(in) - *n) //nolint:gosec // servers bound what they hold far below
		return false, nil
	}
	cause = c.skip(err, in[start:*n])
	return cause == nil, cause
}

// skip counts a damaged frame. The result is the cause with which the
// connection has to end, if it has to.
func (c *Conn[M]) skip(err error, frame []byte) error {
	if cause := c.transport.Fault(err, frame); cause != nil {
		return cause
	}
	var fatal *codec.FatalError
	if errors.As(err, &fatal) {
		return fmt.Errorf("%w: %w", ErrUnsynchronised, err)
	}
	return nil
}

// ErrCutShort is the fault of a datagram that ends inside a message.
var ErrCutShort = errors.New("protocol: the datagram ends inside a message")

// skipDatagram counts a damaged frame, in[start:*n], and says whether there may
// be more behind it in the datagram. What no decoder can follow ends with the
// datagram, and the decoder for the next one is a new one.
func (c *Conn[M]) skipDatagram(err error, in []byte, start int, n *int, messages int) (more bool, cause error) {
	var fatal *codec.FatalError
	incomplete := err == codec.ErrIncomplete //nolint:errorlint // a decoder's, which is never wrapped
	if !incomplete && !errors.As(err, &fatal) {
		cause = c.transport.Fault(err, in[start:*n])
		return cause == nil, cause
	}
	padding := *n == len(in) && messages > 0
	*n = len(in)
	c.decoder = c.protocol.Decoder()
	if incomplete {
		if padding {
			return false, nil
		}
		err = ErrCutShort
	}
	return false, c.transport.Fault(err, in[start:])
}

// ErrUnsynchronised closes a connection whose decoder gave the stream up with a
// *codec.FatalError.
var ErrUnsynchronised = errors.New("protocol: the stream cannot be understood any more")

// ErrBadDecoder closes a connection whose decoder breaks the contract of
// codec.Decoder: it made no progress, or more than there were bytes.
var ErrBadDecoder = errors.New("protocol: decoder breaks its contract")

func badDecoder(used, size int, err error) error {
	if err == nil {
		return fmt.Errorf("%w: a message of %d bytes out of %d", ErrBadDecoder, used, size)
	}
	return fmt.Errorf("%w: %d of %d bytes done with error %w", ErrBadDecoder, used, size, err)
}

// Session implements Handler.
func (h handler[M]) Session() *session.Session {
	if all := h.c.attached(); h.c.session == nil && len(all) > 0 {
		return all[0]
	}
	return h.c.session
}

// AwaitsLogin implements LoginAwaiter.
func (h handler[M]) AwaitsLogin() bool {
	awaits := true
	if a, ok := h.c.adapter.(LoginAwaiter); ok {
		h.c.guard(func() { awaits = a.AwaitsLogin() })
	}
	return awaits
}

// Closed implements Handler.
func (h handler[M]) Closed(cause error) {
	c := h.c
	if c.closed {
		return
	}
	c.closed = true
	if a, ok := c.adapter.(Closer[M]); ok {
		c.guard(func() { a.Closed(c, cause) })
	}
	c.Offline(cause)
	for _, s := range c.attached() {
		c.host.Uplink.Offline(s, cause)
	}
	c.further = nil
}

// completions are done functions on their way back to the loop: however many
// come in while the loop is busy, it is asked to run them once.
type completions struct {
	mu      sync.Mutex
	waiting *[]completion // guarded by mu; nil when there are none
}

type completion struct {
	done func(error)
	err  error
}

// batches holds lists of completions, so that an idle connection holds none.
var batches = sync.Pool{New: func() any { return new([]completion) }}

const maxPooledBatch = 1024 // longer lists go to the garbage collector

// complete runs done(err) on the loop. It may be called from any goroutine.
func (c *Conn[M]) complete(done func(error), err error) {
	q := &c.done
	q.mu.Lock()
	first := q.waiting == nil
	if first {
		q.waiting = batches.Get().(*[]completion)
	}
	*q.waiting = append(*q.waiting, completion{done, err})
	q.mu.Unlock()
	if first {
		c.transport.Do(c.runCompleted)
	}
}

// runCompleted runs the functions that came in; what they send leaves in one
// write.
func (c *Conn[M]) runCompleted() {
	q := &c.done
	q.mu.Lock()
	batch := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	c.guard(func() {
		for _, d := range *batch {
			if p := c.runOne(d); p != nil {
				c.fault(p, nil)
			}
		}
	})
	if cap(*batch) <= maxPooledBatch {
		clear(*batch)
		*batch = (*batch)[:0]
		batches.Put(batch)
	}
}

// runOne runs d; a panic of it keeps nobody else's from running.
func (c *Conn[M]) runOne(d completion) (p *PanicError) {
	defer func() {
		if r := recover(); r != nil {
			p = newPanicError(r)
		}
	}()
	d.done(d.err)
	return nil
}
