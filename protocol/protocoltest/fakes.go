package protocoltest

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// timer is one call of After. Unlike a server's it is exact.
type timer struct {
	at time.Time
	f  func()
}

// Now is the time on the device's clock, which only Advance moves.
func (d *Device) Now() time.Time { return d.now }

// Advance moves the clock by t. Timers that become due run in their order, each
// at its own time.
func (d *Device) Advance(t time.Duration) {
	d.tb.Helper()
	until := d.now.Add(t)
	for {
		next := d.nextTimer(until)
		if next == nil {
			break
		}
		if next.at.After(d.now) {
			d.now = next.at
		}
		d.stop(next)
		next.f()
		d.Run()
	}
	d.now = until
	d.Run()
}

// Timers is how many timers are running.
func (d *Device) Timers() int { return len(d.timers) }

func (d *Device) nextTimer(until time.Time) *timer {
	var next *timer
	for _, t := range d.timers {
		if !t.at.After(until) && (next == nil || t.at.Before(next.at)) {
			next = t
		}
	}
	return next
}

func (d *Device) stop(t *timer) {
	d.timers = slices.DeleteFunc(d.timers, func(have *timer) bool { return have == t })
}

// ReleaseLogins completes the logins that HoldLogins held back, in their order:
// with nil they succeed, otherwise they fail with err.
func (d *Device) ReleaseLogins(err error) {
	d.tb.Helper()
	logins := d.logins
	d.logins = nil
	for _, l := range logins {
		l.release(err)
	}
	d.Run()
}

// ReleasePublishes completes the publishes that HoldPublishes held back, in
// their order, with err.
func (d *Device) ReleasePublishes(err error) {
	d.tb.Helper()
	d.ReleasePublish(len(d.publish), err)
}

// ReleasePublish completes the n oldest publishes that are held back with err.
func (d *Device) ReleasePublish(n int, err error) {
	d.tb.Helper()
	if n > len(d.publish) {
		d.tb.Fatalf("protocoltest: release of %d publishes, %d are held", n, len(d.publish))
	}
	released := d.publish[:n]
	d.publish = d.publish[n:]
	for _, p := range released {
		p.release(err)
	}
	d.Run()
}

// Held is how many logins and publishes are held back.
func (d *Device) Held() (logins, publishes int) { return len(d.logins), len(d.publish) }

// Live is the sessions that are online, by identity, sorted.
func (d *Device) Live() []string {
	names := make([]string, 0, len(d.live))
	for s := range d.live {
		names = append(names, s.Identity())
	}
	slices.Sort(names)
	return names
}

// side is a device's connection as the plugin's transport.
type side struct{ d *Device }

func (s side) Write(p []byte) error {
	d := s.d
	if d.Closed {
		return net.ErrClosed
	}
	if d.FailWrite != nil {
		d.end(d.FailWrite)
		return d.FailWrite
	}
	d.Writes++
	d.Written = append(d.Written, p...)
	return nil
}

func (s side) Do(f func()) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.queue = append(s.d.queue, f)
}

func (s side) After(t time.Duration, f func()) (stop func()) {
	d := s.d
	if d.Closed {
		return func() {}
	}
	due := &timer{at: d.now.Add(max(t, time.Millisecond)), f: f}
	d.timers = append(d.timers, due)
	return func() { d.stop(due) }
}

func (s side) Now() time.Time { return s.d.now }

func (s side) Close(cause error) { s.d.end(cause) }

func (s side) Fault(err error, frame []byte) error {
	d := s.d
	d.tb.Helper()
	d.Faults = append(d.Faults, Fault{Err: err, Frame: bytes.Clone(frame)})
	var p *protocol.PanicError
	if errors.As(err, &p) && !d.AllowPanics {
		d.tb.Errorf("%v\n%s", p, p.Stack)
	}
	if d.MaxFaults > 0 && len(d.Faults) >= d.MaxFaults {
		return ErrTooManyFaults
	}
	return nil
}

// Refused implements protocol.Refuser.
func (s side) Refused(identity string, err error) {
	s.d.Refused = append(s.d.Refused, Refusal{Identity: identity, Err: err})
}

// Datagrams implements protocol.Datagrams.
func (s side) Datagrams() bool { return s.d.parted }

func (side) Remote() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.1:7611") }

// platform is what is behind a device, as the plugin's uplink.
type platform struct{ d *Device }

func (p platform) Online(s *session.Session, credentials []string, done func(error)) {
	d := p.d
	l := Login{Identity: s.Identity(), Credentials: slices.Clone(credentials), Session: s}
	d.Tried = append(d.Tried, l)
	answer := &held{done: done, then: func(err error) {
		if err == nil {
			d.Online = append(d.Online, l)
			d.live[s] = true
		}
	}}
	if d.HoldLogins {
		d.logins = append(d.logins, answer)
		return
	}
	answer.release(d.Refuse)
}

func (p platform) Publish(s *session.Session, m *thing.Message, done func(error)) error {
	d := p.d
	if err := d.RefusePublish; err != nil {
		if done != nil {
			done(err)
		}
		return err
	}
	d.Said = append(d.Said, Said{Message: m.Clone(), Identity: s.Identity()})
	answer := &held{done: done}
	if d.HoldPublishes {
		d.publish = append(d.publish, answer)
		return nil
	}
	answer.release(d.FailPublish)
	return nil
}

func (p platform) Offline(s *session.Session, cause error) {
	d := p.d
	if !d.live[s] {
		return
	}
	delete(d.live, s)
	d.Offline = append(d.Offline, Logout{Identity: s.Identity(), Cause: cause})
}
