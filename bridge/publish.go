package bridge

import (
	"sync/atomic"

	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// stripes is how many parts the bridge's counters of messages have, so that
// event loops do not fight for one cache line.
const stripes = 16

// stripe is one part.
type stripe struct {
	inflight  atomic.Int64
	delivered atomic.Uint64
	failed    atomic.Uint64
	_         [128 - 24]byte
}

// Uplink is the bridge as event loops see it: what package protocol's Uplink
// asks for. Its methods do not block and may be called from any goroutine.
type Uplink struct{ b *Bridge }

// Uplink is the bridge as event loops see it.
func (b *Bridge) Uplink() Uplink { return Uplink{b} }

// Online brings the device of s, which is new, online. done, if not nil, is
// called once, from any goroutine, perhaps before Online returns; for the
// reasons see [Bridge.Online].
func (u Uplink) Online(s *session.Session, credentials []string, done func(error)) {
	u.b.online(s, credentials, done)
}

// Offline ends s with that cause. It does nothing when s has ended, and does not
// close its channel.
func (u Uplink) Offline(s *session.Session, cause error) {
	if l := u.b.bound(s); l != nil {
		l.end(ending{cause: cause, logout: true})
	}
}

// Publish says m, which is not kept, for the device of s. done, if not nil, is
// called once, from any goroutine, perhaps before Publish returns: in the order
// of the calls, but for what the bridge itself refuses (ErrOffline,
// ErrOverloaded, ErrClosed, ErrNoCommand), which is refused at once: then Publish
// returns the reason too, for those who do not wait. A [thing.Reply] ends its
// command.
func (u Uplink) Publish(s *session.Session, m *thing.Message, done func(error)) error {
	l := u.b.bound(s)
	if l == nil {
		return u.b.refuse(s.Identity(), &u.b.counts.offline, ErrOffline, done)
	}
	return l.publish(m, done)
}

func (l *link) publish(m *thing.Message, done func(error)) error {
	b := l.b
	if l.at() != online {
		return b.refuse(l.s.Identity(), &b.counts.offline, ErrOffline, done)
	}
	if m.Kind == thing.Reply {
		return l.reply(m, done)
	}
	if l.inflight.Add(1) > int32(b.cfg.MaxSessionInFlight) { //nolint:gosec // checked by New
		l.inflight.Add(-1)
		return b.refuse(l.s.Identity(), &b.counts.overloaded, ErrOverloaded, done)
	}
	part := b.stripes[l.stripe].inflight.Add(1)
	if part > b.share && b.underWay() > int64(b.cfg.MaxInFlight) {
		l.release()
		return b.refuse(l.s.Identity(), &b.counts.overloaded, ErrOverloaded, done)
	}
	if b.ready() != nil { // after the count, so that Close waits for what it has not refused
		l.release()
		return b.refuse(l.s.Identity(), &b.counts.closed, ErrClosed, done)
	}
	l.send(m, done)
	return nil
}

// send says m, which has been counted as under way. A message that nobody waits
// for is done when it is safe, if there is a queue; what is waited for only in
// sessions that say so.
func (l *link) send(m *thing.Message, done func(error)) {
	ack := l.ack
	if done != nil {
		ack = func(err error) {
			done(err)
			l.acked(err)
		}
	}
	if l.store != nil && (done == nil || l.s.Stored()) {
		l.store(m, ack)
		return
	}
	l.device.Publish(m, ack)
}

// acked is called when the platform has a message, or will not have it.
func (l *link) acked(err error) {
	st := &l.b.stripes[l.stripe]
	if err == nil {
		st.delivered.Add(1)
	} else {
		st.failed.Add(1)
	}
	l.release()
}

func (l *link) release() {
	l.inflight.Add(-1)
	l.b.stripes[l.stripe].inflight.Add(-1)
	l.b.drained()
}

// underWay is the number of messages on their way to the platform.
func (b *Bridge) underWay() (n int64) {
	for i := range b.stripes {
		n += b.stripes[i].inflight.Load()
	}
	return n
}

// refuse refuses a message for err, which it returns.
func (b *Bridge) refuse(identity string, count *atomic.Uint64, err error, done func(error)) error {
	count.Add(1)
	b.warn(&b.quiet.refusals, "message refused", identity, err)
	call(done, err)
	return err
}
