package protocol

import (
	"cmp"
	"errors"
	"slices"

	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// ErrRelogin is the cause of a session that ended because its device logged in
// again on the same connection.
var ErrRelogin = errors.New("protocol: device logged in again")

// ErrReplaced is the cause of a session that ended because another device has
// logged in on the same connection.
var ErrReplaced = errors.New("protocol: another device logged in on the connection")

// ErrTooManyAttached is returned by [Conn.Attach] of a connection that has as
// many further devices as [Host.MaxAttached] allows, logins under way included.
var ErrTooManyAttached = errors.New("protocol: too many devices behind one connection")

// Online brings the connection's own device online; done, if not nil, runs on
// the loop. A login is a barrier: what the device sends behind it is not decoded
// before done has run. A session that the connection had of the same device is
// ended first, and one of another device when the login has succeeded, before done
// runs. When the device could not go online nothing but done happens: the adapter
// decides whether to close. When the connection closes first, done does not run.
// opts overrule the listener's. A transport that knows who the peer is ([Voucher])
// may refuse the identity before the platform is asked.
//
// While another login is under way done gets [ErrBusy], and [ErrClosed] when the
// connection has closed: both at once, before Online returns.
func (c *Conn[M]) Online(identity string, credentials []string, done func(error), opts ...session.Option) {
	if done == nil {
		done = func(error) {}
	}
	if c.closed {
		done(ErrClosed)
		return
	}
	if c.waiting {
		done(ErrBusy)
		return
	}
	if s := c.session; s != nil && s.Identity() == identity {
		c.Offline(ErrRelogin) // before: a device is online once
	}
	if err := c.admit(identity); err != nil {
		c.waiting = true
		c.complete(func(err error) {
			if !c.closed {
				c.waiting = false
				done(err)
			}
		}, err)
		return
	}
	c.login(&endpoint[M]{conn: c}, identity, credentials, opts, func(s *session.Session, err error) {
		c.waiting = false
		if err == nil {
			c.Offline(ErrReplaced)
			c.session = s
		}
		done(err)
	})
	c.waiting = true // only now: an uplink that panics must not leave the barrier down; and done is never called inline
}

// Attach brings a further device online that is reached through this
// connection: a unit behind a gateway. done runs on the loop, with the device's
// session or the reason why there is none, unless the connection closes first.
// Decoding goes on meanwhile. [ErrClosed] and [ErrTooManyAttached] are told at
// once, before Attach returns.
func (c *Conn[M]) Attach(identity string, credentials []string, done func(*session.Session, error), opts ...session.Option) {
	if done == nil {
		done = func(*session.Session, error) {}
	}
	if c.closed {
		done(nil, ErrClosed)
		return
	}
	if c.further == nil {
		c.further = &further{}
	}
	more := c.further
	if len(more.attached)+more.attaching >= c.host.maxAttached() {
		done(nil, ErrTooManyAttached)
		return
	}
	if err := c.guarded(identity); err != nil {
		more.attaching++
		c.complete(func(err error) {
			if !c.closed {
				more.attaching--
				done(nil, err)
			}
		}, err)
		return
	}
	c.login(&endpoint[M]{conn: c, attached: true}, identity, credentials, opts, func(s *session.Session, err error) {
		more.attaching--
		if err == nil {
			more.attached = append(more.attached, s)
		}
		done(s, err)
	})
	more.attaching++
}

// admit is why a device may not try to log in now.
func (c *Conn[M]) admit(identity string) error {
	if err := c.vouch(identity); err != nil {
		return err
	}
	return c.guarded(identity)
}

// gatekeeper is who decides whether devices may try, nil if nobody does: datagrams may
// have any address, so that somebody else could fail in a device's name.
func (c *Conn[M]) gatekeeper() Guard {
	if c.datagrams {
		return nil
	}
	return c.host.Guard
}

// guarded is what the guard says.
func (c *Conn[M]) guarded(identity string) error {
	if g := c.gatekeeper(); g != nil {
		return g.Admit(c.transport.Remote().Addr(), identity)
	}
	return nil
}

// Denied notes that the adapter itself has refused a login, for the listener's
// guard and for the log: err is auth.ErrDenied, or says that it was nobody's fault, and
// has no secrets in it.
func (c *Conn[M]) Denied(identity string, err error) {
	c.Refused(identity, err)
	if g := c.gatekeeper(); g != nil {
		g.Denied(c.transport.Remote().Addr(), identity, err)
	}
}

// Refused says in the log that the adapter has turned a device away that has not tried
// to log in, or has no right to what it asks for: err says why, and has no secrets in it.
// Logins that the uplink or the guard refuse need no such line.
func (c *Conn[M]) Refused(identity string, err error) {
	if r, ok := c.transport.(Refuser); ok {
		r.Refused(identity, err)
	}
}

// login runs done on the loop unless the connection has closed meanwhile; then
// a login that succeeded is undone.
func (c *Conn[M]) login(end *endpoint[M], identity string, credentials []string, opts []session.Option, done func(*session.Session, error)) {
	defaults := c.host.Heartbeat
	s := session.New(identity, end, append(defaults[:len(defaults):len(defaults)], opts...)...)
	s.Touch(c.transport.Now().UnixMilli())
	end.session = s
	from, g := c.transport.Remote().Addr(), c.gatekeeper()
	c.host.Uplink.Online(s, credentials, func(err error) {
		if g != nil {
			g.Outcome(from, identity, err)
		}
		c.Do(func() {
			if c.closed {
				c.host.Uplink.Offline(s, ErrClosed)
				return
			}
			if err == nil && end.ended != nil { // as soon as it was online
				c.host.Uplink.Offline(s, end.ended)
				err = end.ended
			}
			if err != nil {
				done(nil, err)
				return
			}
			defer end.deliverEarly() // also when done panics
			done(s, nil)
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
	if i := slices.Index(c.attached(), s); i >= 0 {
		c.further.attached = slices.Delete(c.further.attached, i, i+1)
		c.host.Uplink.Offline(s, cause)
	}
}

// holds says whether s is the session of a device of this connection.
func (c *Conn[M]) holds(s *session.Session) bool {
	return c.session == s || slices.Contains(c.attached(), s)
}

// maxEarly bounds the commands that wait for their device's login to complete.
// One that does not fit times out at the bridge.
const maxEarly = 16

// endpoint is the channel of a session: one device behind a connection. Its
// methods may be called from any goroutine.
type endpoint[M any] struct {
	conn     *Conn[M]
	session  *session.Session
	attached bool             // a further device, not the connection's own
	settled  bool             // the login has succeeded; of the loop
	ended    error            // why a further device's session ended before that; of the loop
	early    []*thing.Command // came before that; of the loop
}

// Close ends the device's session: with the connection for the connection's own
// device, without it for a further one, for others may be behind it.
func (e *endpoint[M]) Close(cause error) {
	if !e.attached {
		e.conn.Close(cause)
		return
	}
	e.conn.Do(func() {
		if !e.settled { // the end has overtaken the login's completion
			e.ended = cmp.Or(cause, ErrOffline)
			return
		}
		e.conn.Detach(e.session, cause)
	})
}

// Command tells the device something.
func (e *endpoint[M]) Command(cmd *thing.Command) {
	e.conn.Do(func() { e.command(cmd) })
}

func (e *endpoint[M]) command(cmd *thing.Command) {
	c := e.conn
	switch {
	case c.closed:
		return // the bridge ends the commands of a session when it ends
	case !e.settled:
		if len(e.early) < maxEarly {
			e.early = append(e.early, cmd)
		}
		return
	case !c.holds(e.session):
		return // ended, as above
	}
	a, ok := c.adapter.(Commander[M])
	if !ok {
		c.refuse(e.session, cmd, &thing.ReplyError{State: thing.Unsupported, Text: "the protocol takes no commands"})
		return
	}
	if err := c.try(func() error { return a.Command(c, e.session, cmd) }); err != nil {
		c.refuse(e.session, cmd, err)
	}
}

// deliverEarly hands over what came while the login was under way.
func (e *endpoint[M]) deliverEarly() {
	e.settled = true
	early := e.early
	e.early = nil
	for _, cmd := range early {
		e.command(cmd)
	}
}

// refuse ends cmd for the device of s with the state that err asks for.
func (c *Conn[M]) refuse(s *session.Session, cmd *thing.Command, err error) {
	m := cmd.Reply(thing.Failed)
	m.Text = err.Error()
	var r *thing.ReplyError
	if errors.As(err, &r) {
		m.State, m.Code, m.Text = r.State, r.Code, r.Text
	}
	_ = c.ReportFor(s, &m, nil) // when nobody waits any more the command has ended
}
