package bridge

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// phase is how far a link has come. Phases only grow.
type phase uint32

const (
	joining phase = iota // being checked, or logged in
	online               // logged in
	over                 // ended; a login may still be under way
)

// link is what the bridge binds to a session: its login. It may be used from
// any goroutine. No lock is held while anything outside of the bridge is called.
//
// Logins of one device must be called in the order of its sessions, or the
// platform would have an older one replace a newer one. A session whose login is
// about to be called ("entering") is therefore not overtaken: whoever takes it
// over leaves its own login with it, to be called next, and whoever ends it
// leaves it in the session table until then.
//
// What every message looks at stands first, in one line of the processor's cache.
type link struct {
	self     any // the link, for its session
	b        *Bridge
	device   upstream.Device                   // written once, under mu: before phase becomes online, or when it is over
	store    func(*thing.Message, func(error)) // Store of device, if it has that; written with it
	ack      func(error)                       // acked, made once
	phase    atomic.Uint32                     // changes under mu
	inflight atomic.Int32                      // messages under way

	s         *session.Session
	mu        sync.Mutex
	join      *join       // guarded by mu; nil once the session is online and early commands are handed over
	commands  *pending    // guarded by mu; those under way, newest first
	concluded []concluded // guarded by mu; the last that ended, newest last
	count     uint16      // guarded by mu; of commands
	stripe    uint8       // of the bridge's counters; constant
	leaves    bool        // over, and the device may be back soon; guarded by mu
}

// join is what a link needs only on its way online; guarded by the link's mu.
type join struct {
	credentials []string
	done        func(error)      // nil once somebody has taken it to call it
	entering    bool             // between Open and the return of Login, or its completion
	after       func()           // the login of the session that took over, to be called when entering is over
	cause       error            // why the session ended while entering
	deadline    *pending         // of the login
	early       []*thing.Command // came before the device was online
	place       place            // where it waits for its turn; guarded by the admission's mu
}

func (l *link) at() phase { return phase(l.phase.Load()) }

// bound is the bridge's link of s, nil if it has none.
func (b *Bridge) bound(s *session.Session) *link {
	if s == nil {
		return nil
	}
	if l, ok := s.Bound().(*link); ok && l.b == b {
		return l
	}
	return nil
}

// online brings the device of s online; done is called once.
func (b *Bridge) online(s *session.Session, credentials []string, done func(error)) {
	if done == nil {
		done = upstream.Ignore
	}
	if err := b.ready(); err != nil {
		b.counts.loginFailures[failureOf(err)].Add(1)
		done(err)
		return
	}
	l := &link{b: b, s: s, join: &join{credentials: credentials, done: done}}
	l.ack = l.acked
	l.stripe = uint8(b.links.Add(1) % stripes) //nolint:gosec // below stripes
	l.self = l
	if !s.Claim(&l.self) {
		done(session.ErrReused)
		return
	}
	switch now, err := b.admission.pass(l); {
	case err != nil:
		l.end(ending{cause: fmt.Errorf("bridge: %q waits for no login: %w", s.Identity(), err)})
	case now:
		l.proceed()
	}
}

// proceed begins a login that was admitted.
func (l *link) proceed() {
	b, s := l.b, l.s
	if b.auth == nil && !b.slow {
		l.admit()
		return
	}
	if !b.checks.submit(0, l.check) {
		l.end(ending{cause: fmt.Errorf("bridge: %q waits for no check of its credentials: %w", s.Identity(), ErrOverloaded)})
	}
}

// check checks the device's own credentials, on one of the bridge's goroutines.
func (l *link) check() {
	if l.at() == over {
		return
	}
	l.mu.Lock()
	credentials := l.join.credentials
	l.join.credentials = nil
	l.mu.Unlock()
	if err := l.b.authenticate(l.s.Identity(), credentials); err != nil {
		l.end(ending{cause: err})
		return
	}
	l.admit()
}

// admit finds out who the device is at its platform.
func (l *link) admit() {
	revision := l.b.revision.Load()
	device, err := l.b.devices.Identity(l.s.Identity())
	if err != nil {
		l.end(ending{cause: fmt.Errorf("bridge: identity of %q: %w", l.s.Identity(), err)})
		return
	}
	l.enter(device, revision)
}

// enter puts the session into the table and logs it in, after the session that
// it takes over. revision is that of before the look-up of device.
func (l *link) enter(device auth.Identity, revision uint64) {
	l.mu.Lock()
	if l.at() == over {
		l.mu.Unlock()
		return
	}
	l.join.entering = true
	l.mu.Unlock()
	old, err := l.b.sessions.Open(l.s)
	if err != nil {
		l.left()
		l.end(ending{cause: fmt.Errorf("bridge: session of %q: %w", l.s.Identity(), err)})
		return
	}
	if l.b.ready() != nil { // Close may have looked for sessions before this one was there
		l.end(ending{cause: ErrClosed, logout: true})
	}
	if l.b.revision.Load() != revision { // Revoke may have looked for the session before it was there
		l.confirm(device)
	}
	var prior upstream.Device
	if o := l.b.bound(old); o != nil {
		r := o.end(ending{cause: session.ErrTakenOver, next: func() { l.login(device, nil) }})
		old.CloseChannel(session.ErrTakenOver)
		if r.waits {
			return
		}
		prior = r.device
	} else if old != nil {
		old.CloseChannel(session.ErrTakenOver)
	}
	l.login(device, prior)
}

// confirm ends the session if its identity is not the device's any more.
func (l *link) confirm(device auth.Identity) {
	now, err := l.b.devices.Identity(l.s.Identity())
	if err == nil && now == device {
		return
	}
	l.end(ending{cause: session.ErrRevoked, logout: true})
	l.s.CloseChannel(session.ErrRevoked)
}

// login calls Login, and then logs out prior, the device of the session that
// was taken over: in this order the platform sees one device that stays online.
func (l *link) login(device auth.Identity, prior upstream.Device) {
	defer l.left()
	defer l.b.logout(prior, false, nil)
	l.mu.Lock()
	if l.at() == over {
		l.mu.Unlock()
		return
	}
	p := &pending{link: l}
	p.timer.Value = p
	l.join.deadline = p
	l.b.expire(p, l.b.cfg.LoginTimeout)
	l.mu.Unlock()
	l.b.work.Add(1)
	l.b.up.Login(upstream.Login{
		Device: device, Name: l.s.Identity(), Listener: l.s.Via(), Command: l.command, Lost: l.lost,
	}, l.loggedIn)
}

// left ends entering: it does what others have left to the session meanwhile.
func (l *link) left() {
	l.mu.Lock()
	j := l.join
	if j == nil || !j.entering {
		l.mu.Unlock()
		return
	}
	j.entering = false
	after, cause := j.after, j.cause
	j.after = nil
	l.mu.Unlock()
	if cause != nil {
		l.b.sessions.Close(l.s, cause) // nothing when it was taken over
	}
	if after != nil {
		after()
	}
}

// loggedIn is called when Login completes: once, from any goroutine, perhaps
// within Login.
func (l *link) loggedIn(device upstream.Device, err error) {
	defer l.b.finished()
	l.mu.Lock()
	j := l.join
	if l.at() == over {
		l.mu.Unlock()
		if err == nil {
			l.undo(device)
		}
		return
	}
	if err != nil {
		j.entering = false // the call has taken effect
		l.mu.Unlock()
		l.end(ending{cause: fmt.Errorf("bridge: login of %q: %w", l.s.Identity(), err)})
		return
	}
	done := j.done
	j.done = nil
	j.entering = false
	deadline := j.deadline
	l.device = device
	if storer, ok := device.(upstream.Storer); ok {
		l.store = storer.Store
	}
	l.phase.Store(uint32(online))
	l.mu.Unlock()
	l.b.forget(deadline)
	l.b.counts.logins.Add(1)
	l.b.sessions.Activate(l.s) // not when it has ended by now
	done(nil)
	l.handOver()
}

// undo logs out a device whose session ended before its login completed.
func (l *link) undo(device upstream.Device) {
	l.b.counts.undone.Add(1)
	l.mu.Lock()
	l.device = device
	commands := l.takeCommands()
	leaves := l.leaves
	l.mu.Unlock()
	l.answerAll(device, commands)
	l.b.logout(device, leaves, nil)
}

// lost is called when the platform ends the login by itself.
func (l *link) lost(cause error) {
	if l.end(ending{cause: cause}).first {
		l.b.counts.lost.Add(1)
		l.s.CloseChannel(cause)
	}
}

// ending is how a session ends.
type ending struct {
	cause  error
	logout bool        // log the device out; otherwise it is returned, for the caller to do so
	then   func(error) // called once the device is logged out, or at once if it was not logged in
	next   func()      // by a newer session that took over: its login
}

// ended is what came of an ending.
type ended struct {
	first  bool            // it was this one that ended the session
	device upstream.Device // for the caller to log out; may be nil
	waits  bool            // next was left to be called when the session's own login has been
}

// end ends the session; only the first call does anything, but for next.
func (l *link) end(e ending) (r ended) {
	if e.cause == nil {
		e.cause = ErrLoggedOut
	}
	l.mu.Lock()
	j, was := l.join, l.at()
	held := j != nil && j.entering
	if held && e.next != nil {
		j.after, r.waits = e.next, true
	}
	if was == over {
		l.mu.Unlock()
		call(e.then, nil)
		return r
	}
	l.phase.Store(uint32(over))
	l.leaves = leaves(e.cause)
	r.first = true
	var done func(error)
	var deadline *pending
	if j != nil {
		done, deadline = j.done, j.deadline
		j.done, j.deadline, j.early = nil, nil, nil
		if held {
			j.cause = e.cause
		}
	}
	var commands *pending
	if was == online { // otherwise undo answers them
		commands = l.takeCommands()
	}
	l.mu.Unlock()

	l.b.forget(deadline)
	if was == joining {
		l.b.admission.leave(j)
	}
	if !held {
		l.b.sessions.Close(l.s, e.cause)
	}
	if was == joining {
		l.b.failed(l.s, e.cause)
	} else {
		l.answerAll(l.device, commands)
		r.device = l.device
	}
	if e.logout && r.device != nil {
		l.b.logout(r.device, leaves(e.cause), e.then)
		r.device = nil
	} else {
		call(e.then, nil)
	}
	call(done, e.cause)
	return r
}

// leaves says whether a session with that cause ended without a goodbye.
func leaves(cause error) bool {
	return errors.Is(cause, session.ErrDisconnected) || errors.Is(cause, session.ErrHeartbeatTimeout)
}

// logout logs device out, if it is not nil. It does nothing at the platform
// when a newer login has taken the device's place. A device that only leaves may
// be logged out later.
func (b *Bridge) logout(device upstream.Device, leaves bool, then func(error)) {
	if device == nil {
		return
	}
	b.work.Add(1)
	b.counts.logouts.Add(1)
	done := func(err error) {
		if err != nil {
			b.counts.logoutFailures.Add(1)
		}
		call(then, err)
		b.finished()
	}
	if l, ok := device.(upstream.Leaver); ok && leaves {
		l.Leave(done)
		return
	}
	device.Logout(done)
}

func (b *Bridge) failed(s *session.Session, cause error) {
	b.counts.loginFailures[failureOf(cause)].Add(1)
	b.warn(&b.quiet.logins, "device did not go online", s.Identity(), cause)
}

func call(done func(error), err error) {
	if done != nil {
		done(err)
	}
}
