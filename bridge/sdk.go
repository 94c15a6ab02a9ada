package bridge

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// Message is what a device publishes: bytes under a topic of the platform's, or
// a message in the words of package thing.
type Message struct {
	Topic   string         // the platform's, or without a slash in front one of the device's own; empty: the bytes go to its place for raw data
	Payload []byte         // the bytes
	QoS     thing.QoS      // how hard to try
	Thing   *thing.Message // said in place of all the others when it is not nil
}

func (m *Message) thing() *thing.Message {
	switch {
	case m.Thing != nil:
		return m.Thing
	case m.Topic == "":
		return &thing.Message{Kind: thing.Raw, Raw: m.Payload, QoS: m.QoS}
	default:
		return &thing.Message{Kind: thing.Publication, Topic: m.Topic, Raw: m.Payload, QoS: m.QoS}
	}
}

// Online brings the device of s, which is new, online, and waits for it: the
// Java SDK's doOnline. credentials are the device's own, for the auth provider.
// An older session of the same device ends with session.ErrTakenOver, and its
// channel is closed.
//
// It returns ErrUnknownDevice, auth.ErrBadCredentials, *upstream.RefusedError,
// upstream.ErrNotConnected, upstream.ErrTimeout, session.ErrTakenOver,
// session.ErrReused, session.ErrFull, ErrOverloaded, ErrNotStarted or ErrClosed,
// wrapped. When ctx is done before, the device goes offline again.
func (b *Bridge) Online(ctx context.Context, s *session.Session, credentials ...string) error {
	result := make(chan error, 1)
	b.online(s, credentials, func(err error) { result <- err })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-result: // both were there; s may be another call's, which is not to be ended
		return err
	default:
	}
	err := fmt.Errorf("bridge: %q goes online: %w", s.Identity(), context.Cause(ctx))
	if l := b.bound(s); l != nil {
		l.end(ending{cause: err, logout: true})
	}
	return err
}

// Offline takes the device offline and waits until its platform knows: the Java
// SDK's doOffline. It does not close the session's channel, and does nothing
// when the device is not online.
func (b *Bridge) Offline(ctx context.Context, identity string) error {
	s := b.sessions.Get(identity)
	if s == nil {
		return nil
	}
	l := b.bound(s)
	if l == nil {
		b.sessions.Close(s, ErrLoggedOut)
		return nil
	}
	result := make(chan error, 1)
	l.end(ending{cause: ErrLoggedOut, logout: true, then: func(err error) { result <- err }})
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("bridge: %q goes offline: %w", identity, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("bridge: %q goes offline: %w", identity, context.Cause(ctx))
	}
}

// Kick ends the device's session with that cause and closes its channel. It says
// whether there was one.
func (b *Bridge) Kick(identity string, cause error) bool {
	s := b.sessions.Get(identity)
	if s == nil {
		return false
	}
	if l := b.bound(s); l != nil {
		l.end(ending{cause: cause, logout: true})
	} else {
		b.sessions.Close(s, cause)
	}
	s.CloseChannel(cause)
	return true
}

// Revoke ends the sessions of devices of which Devices says something else now:
// with that cause, which is session.ErrRevoked unless there is more to say. Their
// channels are closed, so that devices that are still known come back under their
// new identity. Call it after Devices has changed: a device that is on its way
// online, with an identity from before, does not get there with it. It returns
// how many sessions it has ended.
func (b *Bridge) Revoke(identities iter.Seq[string], cause error) (count int) {
	b.revision.Add(1)
	for identity := range identities {
		if b.Kick(identity, cause) {
			count++
		}
	}
	return count
}

// Publish says m for the device and waits until the platform has it, or ctx is
// done: the Java SDK's doPublish. It returns ErrUnknownDevice, ErrOffline,
// ErrOverloaded, ErrClosed, an error of the connector's, or of ctx: then the
// platform may or may not have the message.
func (b *Bridge) Publish(ctx context.Context, identity string, m Message) error {
	t := b.PublishAsync(identity, m)
	select {
	case <-t.Done():
		return t.Err()
	case <-ctx.Done():
		return fmt.Errorf("bridge: publish for %q: %w", identity, context.Cause(ctx))
	}
}

// PublishAsync says m for the device and does not wait: the Java SDK's
// doPublishAsync. Messages of one device keep their order. With
// [WithSlowDevices], a device that is not online is ErrOffline, known or not. m's slices may be
// used again when it returns. It is a sign of life of the device; callers that
// hear of others call Touch of its session.
func (b *Bridge) PublishAsync(identity string, m Message) *Token {
	t := &Token{done: make(chan struct{})}
	if l := b.bound(b.sessions.Get(identity)); l != nil {
		l.s.Touch(time.Now().UnixMilli())
		_ = l.publish(m.thing(), t.complete) // t is told
		return t
	}
	err := b.ready()
	count := &b.counts.closed
	if err == nil {
		err, count = ErrOffline, &b.counts.offline
		if !b.slow { // nothing waits here, not even to tell unknown from offline
			if _, e := b.devices.Identity(identity); errors.Is(e, ErrUnknownDevice) {
				err = fmt.Errorf("bridge: publish for %q: %w", identity, e)
			}
		}
	}
	count.Add(1)
	b.warn(&b.quiet.refusals, "message refused", identity, err)
	t.complete(err)
	return t
}

// Token is a message on its way. It may be used from any goroutine.
type Token struct {
	done chan struct{}
	err  error // written before done is closed
}

func (t *Token) complete(err error) {
	t.err = err
	close(t.done)
}

// Done is closed when the platform has the message, or will not have it.
func (t *Token) Done() <-chan struct{} { return t.done }

// Err is why the platform does not have the message; nil when it has, and before
// Done is closed.
func (t *Token) Err() error {
	select {
	case <-t.done:
		return t.err
	default:
		return nil
	}
}
