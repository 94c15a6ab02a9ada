// Package upstream is what a platform connector is: the way to one IoT
// platform. It knows no device protocols.
//
// A [Connector] logs devices in; a [Device] is one that is logged in and says
// messages. A connector is a value made by a [Plugin], which an init function
// puts into the [Default] registry under the name by which configurations call
// it. Every connector passes the conformance suite in upstreamtest.
package upstream

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
)

// Login is a device that wants to be online, and where what its platform says
// goes.
type Login struct {
	Device auth.Identity
	// Name is the device's own name for itself: a phone number, a serial number.
	// Listener is the name of the listener that it came through. Either may be
	// empty: the caller does not know it.
	Name, Listener string
	// InOrder is for a sender that sends again what failed for now (see [Temporary])
	// and wants its messages to arrive in their order for all that. Once a message has
	// failed so, every later one of the login fails so too, whether it is under way or
	// published afterwards, and nothing of them is sent any more: until the sender
	// calls Resume of the device, which is a [Resumer] then. Replies take no part: they
	// need no order, break nothing and are not held up. A connector of which nothing
	// fails for now need not heed it.
	InOrder bool
	// Command is called when the platform tells the device something, from any
	// goroutine, in the platform's order. It does not block.
	Command func(*thing.Command)
	// Lost is called once when the platform ends the login by itself: the device
	// was disabled, deleted, kicked, logged in elsewhere. It is not called for a
	// connection of the connector's own that was lost: the connector mends that
	// and logs its devices in again. From any goroutine; it does not block.
	Lost func(cause error)
}

// Connector leads to one platform. It is started once ([Starter]), and mends its
// own connections. Its methods may be called from any goroutine and do not
// block.
type Connector interface {
	// Login logs a device in; done is called once, from any goroutine, perhaps
	// before Login returns. Calls for one device, logouts among them, take effect
	// in their order. A login of a device that is logged in already takes the
	// older login's place: the older Device's Publish fails with ErrSuperseded
	// and its Logout does nothing.
	Login(l Login, done func(Device, error))
}

// Device is a device that is logged in at its platform. Its methods may be
// called from any goroutine and do not block.
type Device interface {
	// Publish says m, which it does not keep. done is called once, from any
	// goroutine, in the order of the calls: with nil when the platform has the
	// message (as far as its quality of service tells), or the reason why not.
	Publish(m *thing.Message, done func(error))
	// Logout ends the login; done is called once.
	Logout(done func(error))
}

// Storer is implemented by devices of connectors that keep messages on linkspan's
// own disk until the platform has them.
type Storer interface {
	// Store is Publish for a message whose sender is content when it is safe: done
	// is called with nil as soon as it is on disk, or the platform has it. Calls of
	// Store and of Publish keep their order, and so do their calls of done.
	Store(m *thing.Message, done func(error))
}

// Resumer is implemented by devices of logins with InOrder.
type Resumer interface {
	// Resume has the device take messages again after one has failed for now. The
	// sender calls it when done of all that it has published was called, before it
	// sends again, beginning with the first that failed. When none has failed it does
	// nothing. It may be called from any goroutine and does not block.
	Resume()
}

// Resume has a device take messages again, if it is a [Resumer].
func Resume(d Device) {
	if r, ok := d.(Resumer); ok {
		r.Resume()
	}
}

// Host is what a connector gets of the bridge that starts it.
type Host struct {
	Logger *zap.Logger // never nil
	// Broadcast is called for a command that names no device, from any
	// goroutine. It does not block.
	Broadcast func(*thing.Command)
}

// Starter is implemented by connectors that connect before any device does. It
// returns when the connector is ready to log devices in, or ctx is done. A
// platform that is away is no error once the configuration is right: the
// connector keeps trying, and logins wait or fail with ErrNotConnected.
type Starter interface {
	Start(ctx context.Context, host Host) error
}

// Closer is implemented by connectors that have something to finish. Close
// finishes what was published before, within ctx, and then disconnects.
type Closer interface {
	Close(ctx context.Context) error
}

// The conditions that callers can tell apart.
var (
	// ErrNotConnected: the platform is away. The message is not sent; try again
	// later.
	ErrNotConnected = errors.New("upstream: not connected to the platform")
	// ErrTimeout: the platform did not answer in time. It may or may not have the
	// message.
	ErrTimeout = errors.New("upstream: the platform did not answer in time")
	// ErrOverloaded: more is under way than the connector may hold. Slow down.
	ErrOverloaded = errors.New("upstream: too much under way")
	// ErrSuperseded: a newer login of the same device took this one's place.
	ErrSuperseded = errors.New("upstream: superseded by a newer login of the device")
	// ErrLoggedOut: the device is logged out.
	ErrLoggedOut = errors.New("upstream: device is logged out")
	// ErrClosed: the connector is closed.
	ErrClosed = errors.New("upstream: connector is closed")
	// ErrUnsupported: the platform has no place for that kind of message.
	ErrUnsupported = errors.New("upstream: the platform takes no such message")
)

// Leaver is implemented by devices that may be away for a moment.
type Leaver interface {
	// Leave is Logout of a device whose connection has broken, and that may come
	// back soon: the connector may put the logout off. done is called once.
	Leave(done func(error))
}

// RefusedError is a platform's no. Trying the same again is of no use unless
// Temporary.
type RefusedError struct {
	Code      int    // the platform's own
	Reason    string // what the code means, and what the platform said
	Temporary bool   // too many, too fast: the same may succeed later
	Repeated  bool   // what the platform said before: it was not asked again this time
}

// Repeat is e for one who comes again before the platform may be asked again.
func (e *RefusedError) Repeat() *RefusedError {
	again := *e
	again.Repeated = true
	return &again
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("upstream: refused with code %d: %s", e.Code, e.Reason)
}

// Is makes a refusal that is not Temporary an auth.ErrDenied.
func (e *RefusedError) Is(target error) bool { return target == auth.ErrDenied && !e.Temporary }

// Temporary says whether a message that failed with err failed for now: the same may
// succeed later. It did with ErrNotConnected, ErrTimeout, ErrOverloaded, or a
// RefusedError that is Temporary.
func Temporary(err error) bool {
	if err == nil {
		return false
	}
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused.Temporary
	}
	return errors.Is(err, ErrNotConnected) || errors.Is(err, ErrTimeout) || errors.Is(err, ErrOverloaded)
}

// Ignore is a done function that does nothing.
func Ignore(error) {}
