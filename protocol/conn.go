package protocol

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// ErrClosed is the cause of what ends because its connection has.
var ErrClosed = errors.New("protocol: connection closed")

// ErrOffline is returned when a device that is not online is to say something:
// bring it online first.
var ErrOffline = errors.New("protocol: device is not online")

// ErrBusy is returned by [Conn.Online] while another login of the connection is
// under way.
var ErrBusy = errors.New("protocol: a login is under way")

// ErrTooLong is returned by [Conn.Send] when the message does not fit into a
// datagram. Nothing was sent, and the connection stays as it is.
var ErrTooLong = errors.New("protocol: message does not fit into a datagram")

// ErrUnsupported is wrapped by faults of frames that arrived as they were sent and that
// nobody here can read, such as encrypted ones: they are counted apart from damaged ones.
var ErrUnsupported = errors.New("protocol: nobody here can read this frame")

// ErrNoEncoder is returned by [Conn.Send] of a protocol that has no encoder.
var ErrNoEncoder = errors.New("protocol: the protocol has no encoder")

// Conn is one connection as its adapter sees it. Every method is called on the
// connection's loop, but for [Conn.Do] and [Conn.Close], which may be called
// from anywhere.
//
// It takes 128 bytes, which Go aligns to lines of the processor's cache: with many
// devices they have to be fetched for each message.
type Conn[M any] struct {
	transport Transport
	host      *Host
	protocol  *Protocol[M]
	decoder   codec.Decoder[M]
	adapter   Adapter[M]
	session   *session.Session // the connection's own device; nil until online
	out       *[]byte          // what Send has encoded and flush has not yet written; nil when empty
	done      completions      // may be added to from any goroutine
	further   *further         // devices behind the connection; nil until the first
	rest      int32            // how many bytes the decoder found incomplete, 0 when it did not
	ending    atomic.Bool      // Close was called; nothing more is decoded
	waiting   bool             // for a login of its own device; nothing is decoded meanwhile
	datagrams bool             // the peer sends datagrams; see Datagrams
	closed    bool             // Closed was called
}

// further is the devices behind a connection that are not its own.
type further struct {
	attached  []*session.Session
	attaching int // logins under way
}

// attached is the sessions of further devices.
func (c *Conn[M]) attached() []*session.Session {
	if c.further == nil {
		return nil
	}
	return c.further.attached
}

// outputs holds the buffers that connections encode into between flushes, so
// that an idle connection holds none.
var outputs = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

const (
	maxPooledOutput = 64 << 10 // larger buffers go to the garbage collector
	flushAt         = 64 << 10 // output of one callback that is written before it ends
)

// Send encodes msg for the device. All that is sent in one callback of the loop
// leaves in one write when the callback ends; over datagrams each message leaves
// at once, in a datagram of its own.
func (c *Conn[M]) Send(msg M) error {
	if c.protocol.Encoder == nil {
		return ErrNoEncoder
	}
	if c.closed {
		return ErrClosed
	}
	if c.out == nil {
		c.out = outputs.Get().(*[]byte)
	}
	out, err := c.protocol.Encoder.Append(*c.out, msg)
	if err != nil {
		return fmt.Errorf("protocol: encode: %w", err)
	}
	*c.out = out
	if len(out) >= flushAt || c.datagrams {
		return c.flush()
	}
	return nil
}

// flush writes what was sent since the last time.
func (c *Conn[M]) flush() error {
	out := c.out
	if out == nil {
		return nil
	}
	c.out = nil
	var err error
	if len(*out) > 0 && !c.closed {
		err = c.transport.Write(*out)
	}
	if cap(*out) <= maxPooledOutput {
		*out = (*out)[:0]
		outputs.Put(out)
	}
	return err
}

// Report says m, which is not kept, to the platform for the connection's own
// device; done, if not nil, runs on the loop, perhaps after the connection has
// closed: in the order of the reports, but for those that are refused at once
// (see [Uplink]), so that an acknowledgement has to name what it acknowledges.
// When the device is not online Report returns [ErrOffline] and done does not
// run. Without done Report returns also why the message was refused at once, so
// that it is not acknowledged: it is lost unless the device says it again. That is
// no reason to end the connection.
func (c *Conn[M]) Report(m *thing.Message, done func(error)) error {
	return c.ReportFor(c.session, m, done)
}

// ReportFor is [Conn.Report] for any session of the connection. A report of a
// device that was attached counts as a sign of life of it; for the connection's
// own device everything that it sends does.
func (c *Conn[M]) ReportFor(s *session.Session, m *thing.Message, done func(error)) error {
	if s == nil {
		return ErrOffline
	}
	if s != c.session {
		s.Touch(c.transport.Now().UnixMilli())
		s.Count(1, 0)
	}
	if done == nil {
		return c.host.Uplink.Publish(s, m, nil)
	}
	_ = c.host.Uplink.Publish(s, m, func(err error) { c.complete(done, err) }) // done is told
	return nil
}

// Reply ends cmd for the device of s. fields may be nil.
func (c *Conn[M]) Reply(s *session.Session, cmd *thing.Command, state thing.State, fields []thing.Field) {
	m := cmd.Reply(state)
	m.Fields = fields
	_ = c.ReportFor(s, &m, nil) // without a session the bridge has ended the command
}

// Session is the time online of the connection's own device, nil until it is.
func (c *Conn[M]) Session() *session.Session { return c.session }

// Target is the address that was dialled, as the configuration has it
// ("10.0.0.5:502"), of a device that listens itself; empty for a connection that
// the device has opened.
func (c *Conn[M]) Target() string {
	if d, ok := c.transport.(Dialled); ok {
		return d.Target()
	}
	return ""
}

// Remote is the peer's address.
func (c *Conn[M]) Remote() netip.AddrPort { return c.transport.Remote() }

// Now is the time at which the loop's present callback began.
func (c *Conn[M]) Now() time.Time { return c.transport.Now() }

// After runs f on the loop when d has passed, unless stop is called or the
// connection closes before. Timers are coarse: up to 100 ms late.
func (c *Conn[M]) After(d time.Duration, f func()) (stop func()) {
	return c.transport.After(d, func() {
		if !c.closed {
			c.guard(f)
		}
	})
}

// Do runs f on the connection's loop, soon, in the order of the calls; also
// after the connection has closed. It may be called from any goroutine.
func (c *Conn[M]) Do(f func()) { c.transport.Do(func() { c.guard(f) }) }

// Close ends the connection with that cause, soon: what was sent before leaves,
// what has arrived and is not yet decoded is dropped. It may be called from any
// goroutine, more than once; the first cause counts.
func (c *Conn[M]) Close(cause error) {
	c.ending.Store(true)
	c.transport.Close(cause)
}

// guard runs f as the loop's callback: what it sends is written, and a panic of
// it is a fault, not the end of the process.
func (c *Conn[M]) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			c.fault(newPanicError(r), nil)
		}
		if err := c.flush(); err != nil {
			c.Close(err)
		}
	}()
	f()
}

// try runs f; a panic of it is a fault and its error.
func (c *Conn[M]) try(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			p := newPanicError(r)
			c.fault(p, nil)
			err = p
		}
	}()
	return f()
}

// Fault counts a frame that was decoded and is lost all the same to err, like one that the
// decoder could not read: the connection is closed when that was one too many. frame is
// its bytes, as far as known. err may wrap [ErrUnsupported].
func (c *Conn[M]) Fault(err error, frame []byte) { c.fault(err, frame) }

// fault counts err and closes the connection when that was one too many.
func (c *Conn[M]) fault(err error, frame []byte) {
	if cause := c.transport.Fault(err, frame); cause != nil {
		c.Close(cause)
	}
}
