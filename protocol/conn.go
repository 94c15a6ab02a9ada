package protocol

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
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

// ErrNoEncoder is returned by [Conn.Send] of a protocol that has no encoder.
var ErrNoEncoder = errors.New("protocol: the protocol has no encoder")

// Conn is one connection as its adapter sees it. Every method is called on the
// connection's loop, but for [Conn.Do] and [Conn.Close], which may be called
// from anywhere.
type Conn[M any] struct {
	transport Transport
	host      *Host
	protocol  *Protocol[M]
	decoder   codec.Decoder[M]
	adapter   Adapter[M]
	session   *session.Session   // the connection's own device; nil until online
	attached  []*session.Session // further devices behind the connection
	waiting   bool               // for a login of its own device; nothing is decoded meanwhile
	closed    bool
	out       []byte // what Send has encoded and flush has not yet written; nil when empty
	done      completions
}

// outputs holds the buffers that connections encode into between flushes, so
// that an idle connection holds none.
var outputs = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

const (
	maxPooledOutput = 64 << 10 // larger buffers go to the garbage collector
	flushAt         = 64 << 10 // output of one callback that is written before it ends
)

// Send encodes msg for the device. All that is sent in one callback of the loop
// leaves in one write when the callback ends.
func (c *Conn[M]) Send(msg M) error {
	if c.protocol.Encoder == nil {
		return ErrNoEncoder
	}
	if c.closed {
		return ErrClosed
	}
	if c.out == nil {
		c.out = *outputs.Get().(*[]byte)
	}
	before := len(c.out)
	out, err := c.protocol.Encoder.Append(c.out, msg)
	if err != nil {
		c.out = c.out[:before]
		return fmt.Errorf("protocol: encode: %w", err)
	}
	c.out = out
	if len(c.out) >= flushAt {
		return c.flush()
	}
	return nil
}

func (c *Conn[M]) flush() error {
	if c.out == nil {
		return nil
	}
	out := c.out
	c.out = nil
	var err error
	if len(out) > 0 && !c.closed {
		err = c.transport.Write(out)
	}
	if cap(out) <= maxPooledOutput {
		out = out[:0]
		outputs.Put(&out)
	}
	return err
}

// Online brings the connection's own device online; done, if not nil, runs on
// the loop. A login is a barrier: what the device sends behind it is not decoded
// before done has run. A session that the connection had is ended first. When
// the device could not go online nothing but done happens: the adapter decides
// whether to close. opts overrule the listener's.
func (c *Conn[M]) Online(identity string, credentials []string, done func(error), opts ...session.Option) {
	if done == nil {
		done = func(error) {}
	}
	if c.waiting {
		done(ErrBusy)
		return
	}
	if c.closed {
		done(ErrClosed)
		return
	}
	if c.session != nil {
		c.Offline(ErrRelogin)
	}
	c.waiting = true
	c.login(identity, credentials, opts, func(s *session.Session, err error) {
		c.waiting = false
		if err == nil {
			c.session = s
		}
		done(err)
	})
}

// ErrRelogin is the cause of a session that ended because its device logged in
// again on the same connection.
var ErrRelogin = errors.New("protocol: device logged in again")

// Attach brings a further device online that is reached through this
// connection: a unit behind a gateway. done runs on the loop, with the device's
// session or the reason why there is none. Decoding goes on meanwhile.
func (c *Conn[M]) Attach(identity string, credentials []string, done func(*session.Session, error), opts ...session.Option) {
	if c.closed {
		done(nil, ErrClosed)
		return
	}
	c.login(identity, credentials, opts, func(s *session.Session, err error) {
		if err == nil {
			c.attached = append(c.attached, s)
		}
		done(s, err)
	})
}

// login runs done on the loop unless the connection has closed meanwhile; then
// a login that succeeded is undone.
func (c *Conn[M]) login(identity string, credentials []string, opts []session.Option, done func(*session.Session, error)) {
	end := &endpoint[M]{conn: c}
	s := session.New(identity, end, append(c.host.Heartbeat[:len(c.host.Heartbeat):len(c.host.Heartbeat)], opts...)...)
	s.Touch(c.transport.Now().UnixMilli())
	end.session = s
	c.host.Uplink.Online(s, credentials, func(err error) {
		c.Do(func() {
			if c.closed {
				c.host.Uplink.Offline(s, ErrClosed)
				return
			}
			if err != nil {
				s = nil
			}
			done(s, err)
		})
	})
}

// Offline ends the session of the connection's own device and leaves the
// connection open.
func (c *Conn[M]) Offline(cause error) {
	if s := c.session; s != nil {
		c.session = nil
		c.host.Uplink.Offline(s, cause)
	}
}

// Detach ends the session of a device that was attached.
func (c *Conn[M]) Detach(s *session.Session, cause error) {
	for i, have := range c.attached {
		if have == s {
			c.attached = append(c.attached[:i], c.attached[i+1:]...)
			c.host.Uplink.Offline(s, cause)
			return
		}
	}
}

// Report says m, which is not kept, to the platform for the connection's own
// device; done, if not nil, runs on the loop. When the device is not online
// Report returns [ErrOffline] and done does not run.
func (c *Conn[M]) Report(m *thing.Message, done func(error)) error {
	return c.ReportFor(c.session, m, done)
}

// ReportFor is [Conn.Report] for any session of the connection.
func (c *Conn[M]) ReportFor(s *session.Session, m *thing.Message, done func(error)) error {
	if s == nil {
		return ErrOffline
	}
	if done == nil {
		c.host.Uplink.Publish(s, m, nil)
		return nil
	}
	c.host.Uplink.Publish(s, m, func(err error) { c.complete(done, err) })
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

// Close ends the connection with that cause. It may be called from any
// goroutine, more than once; the first cause counts.
func (c *Conn[M]) Close(cause error) { c.transport.Close(cause) }

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

// fault counts err and closes the connection when that was one too many.
func (c *Conn[M]) fault(err error, frame []byte) {
	if cause := c.transport.Fault(err, frame); cause != nil {
		c.Close(cause)
	}
}

// endpoint is the channel of a session: one device behind a connection.
type endpoint[M any] struct {
	conn    *Conn[M]
	session *session.Session
}

// Close ends the device's connection, and all other devices' of it.
func (e *endpoint[M]) Close(cause error) { e.conn.Close(cause) }

// Command tells the device something. It may be called from any goroutine.
func (e *endpoint[M]) Command(cmd *thing.Command) {
	c := e.conn
	c.Do(func() {
		if c.closed || !c.holds(e.session) {
			return // the bridge ends the commands of a session when it ends
		}
		a, ok := c.adapter.(Commander[M])
		if !ok {
			c.refuse(e.session, cmd, &thing.ReplyError{State: thing.Unsupported, Text: "the protocol takes no commands"})
			return
		}
		if err := a.Command(c, e.session, cmd); err != nil {
			c.refuse(e.session, cmd, err)
		}
	})
}

func (c *Conn[M]) holds(s *session.Session) bool {
	if c.session == s {
		return true
	}
	for _, have := range c.attached {
		if have == s {
			return true
		}
	}
	return false
}

func (c *Conn[M]) refuse(s *session.Session, cmd *thing.Command, err error) {
	m := cmd.Reply(thing.Failed)
	m.Text = err.Error()
	var r *thing.ReplyError
	if errors.As(err, &r) {
		m.State, m.Code, m.Text = r.State, r.Code, r.Text
	}
	_ = c.ReportFor(s, &m, nil)
}
