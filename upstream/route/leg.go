package route

import (
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// leg is a device's login at one copy. All but the first fields are the
// mirror's goroutine's.
type leg struct {
	h      *handle
	mirror *mirror
	index  int  // among the handle's
	taken  bool // its login was queued; guarded by the mirror's mu
	closed bool // it is not to be logged in any more; guarded likewise

	state    legState
	cause    string // why it is over
	leaving  bool   // joining: to be logged out once what waits was said
	device   upstream.Device
	waiting  []parcel // for the login
	attempts int      // refused logins in a row
	at       time.Time
	heap     int // place in the mirror's heap of those who wait
}

type legState uint8

const (
	idle    legState = iota // was never logged in
	joining                 // a login is under way
	pausing                 // waits for at, to try again
	online
	over // nothing goes there any more
)

// parcel is a message for a copy.
type parcel struct {
	msg  *thing.Message
	size int64
}

// enter begins a login. On the mirror's goroutine, as all that follows.
func (g *leg) enter() {
	m := g.mirror
	newest := m.current[g.h.key]
	if newest != nil && newest.h.seq > g.h.seq {
		g.leave("offline")
		return
	}
	m.current[g.h.key] = g
	g.state = joining
	m.counts.logins.Add(1)
	l := g.h.login
	l.Command = g.command
	l.InOrder = false // what a copy misses is not sent again
	l.Lost = func(cause error) { m.control(op{kind: lostOp, leg: g, err: cause}) }
	m.node.up.Login(l, func(d upstream.Device, err error) {
		m.control(op{kind: loggedInOp, leg: g, device: d, err: err})
	})
}

// loggedIn goes on when the copy has decided.
func (g *leg) loggedIn(d upstream.Device, err error) {
	m := g.mirror
	switch {
	case g.state != joining:
		if d != nil { // it has gone meanwhile
			d.Logout(upstream.Ignore)
		}
	case err != nil:
		m.counts.refusals.Add(1)
		m.warn("copy: device not logged in", g.h.key, err)
		if g.leaving || !passes(err) {
			g.leave("refused")
			return
		}
		g.pause()
	default:
		g.attempts, g.state, g.device = 0, online, d
		m.counts.online.Add(1)
		for _, p := range g.unpark() {
			g.say(p)
		}
		if g.leaving {
			g.leave("offline")
		}
	}
}

// passes says whether a login that was refused so may succeed later.
func passes(err error) bool {
	var refused *upstream.RefusedError
	if errors.As(err, &refused) {
		return refused.Temporary
	}
	return !errors.Is(err, upstream.ErrSuperseded) && !errors.Is(err, upstream.ErrClosed)
}

// pause tries again later.
func (g *leg) pause() {
	cfg := &g.mirror.cfg
	d := min(cfg.RetryMin<<min(g.attempts, 20), cfg.RetryMax)
	if d <= 0 {
		d = cfg.RetryMax
	}
	g.attempts++
	g.trim()
	g.state = pausing
	g.at = time.Now().Add(d/2 + rand.N(d/2+1)) //nolint:gosec // no secret
	g.mirror.wait(g)
}

// send takes a message.
func (g *leg) send(p parcel) {
	switch g.state {
	case online:
		g.say(p)
	case joining, pausing, idle:
		g.park(p)
	default:
		g.mirror.drop(p, g.cause)
	}
}

// park keeps a message until the device is logged in. When a login was refused
// before, what waits may take half of the queue, so that devices that the copy
// takes are copied whatever becomes of those that it does not.
func (g *leg) park(p parcel) {
	m := g.mirror
	if g.attempts > 0 && m.parked > 0 && (m.parked >= m.cfg.Queue/2 || m.parkedBytes+p.size > m.cfg.QueueBytes/2) {
		m.drop(p, "full")
		return
	}
	m.parked++
	m.parkedBytes += p.size
	g.waiting = append(g.waiting, p)
}

// trim drops the newest of what waits for the login that was just refused, as far
// as it is more than may wait now (see park).
func (g *leg) trim() {
	m := g.mirror
	for n := len(g.waiting); n > 1 && (m.parked > m.cfg.Queue/2 || m.parkedBytes > m.cfg.QueueBytes/2); n-- {
		p := g.waiting[n-1]
		g.waiting = g.waiting[:n-1]
		m.parked--
		m.parkedBytes -= p.size
		m.drop(p, "full")
	}
}

// unpark takes what waits.
func (g *leg) unpark() []parcel {
	m, waiting := g.mirror, g.waiting
	g.waiting = nil
	m.parked -= len(waiting)
	for _, p := range waiting {
		m.parkedBytes -= p.size
	}
	return waiting
}

func (g *leg) say(p parcel) {
	m := g.mirror
	g.device.Publish(p.msg, func(err error) {
		m.finished(p)
		if err != nil {
			m.counts.failed.Add(1)
			m.warn("copy: message not taken", g.h.key, err)
			return
		}
		m.counts.delivered.Add(1)
	})
}

// lost goes on when the copy has ended the login by itself.
func (g *leg) lost(cause error) {
	if g.state != online {
		return
	}
	g.mirror.warn("copy: device lost", g.h.key, cause)
	g.leave("lost")
}

// logout ends the leg at the device's wish: behind what waits for a login that is
// under way.
func (g *leg) logout() {
	if g.state == joining {
		g.leaving = true
		return
	}
	g.leave("offline")
}

// leave ends the leg; what waits is dropped for that reason.
func (g *leg) leave(cause string) {
	m := g.mirror
	if g.state == online {
		g.device.Logout(upstream.Ignore)
		m.counts.online.Add(-1)
	}
	if g.state == pausing {
		m.unwait(g)
	}
	if g.state != over {
		g.cause = cause
	}
	g.state, g.device = over, nil
	if m.current[g.h.key] == g {
		delete(m.current, g.h.key)
	}
	for _, p := range g.unpark() {
		m.drop(p, cause)
	}
}

// command is a command of the copy. From any goroutine.
func (g *leg) command(c *thing.Command) {
	m := g.mirror
	if g.h.target.CopyCommands && g.h.login.Command != nil {
		m.counts.commands.Add(1)
		g.h.login.Command(marked(c, firstMark+rune(g.index)))
		return
	}
	m.counts.refusedCommands.Add(1)
	if c.Kind == thing.Notice {
		return // nobody waits for an answer
	}
	reply := c.Reply(thing.Refused)
	reply.Text = "this platform gets copies: commands come from the device's own (copyCommands in routes)"
	m.publish(g, &reply)
}

// warn logs what went wrong at the copy, now and then.
func (m *mirror) warn(line, device string, err error) {
	if count, due := m.quiet.Due(time.Now()); due {
		m.log.Warn(line, zap.String("device", device), zap.NamedError("err", err), zap.Uint64("count", count))
	}
}
