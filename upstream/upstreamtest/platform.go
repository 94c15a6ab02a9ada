package upstreamtest

import (
	"context"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Platform is the other end of a connector under test. What is optional may be
// nil; then the subtests that need it are left out.
type Platform struct {
	// Devices may log in; at least three.
	Devices []auth.Identity
	// Unknown is a device that the platform refuses for good.
	Unknown auth.Identity
	// Connector makes a connector for this platform; it is called once in a
	// subtest. Run starts and closes what it returns.
	Connector func(testing.TB) upstream.Connector
	// Next waits for what happens next at the platform; an error ends it. What
	// one device does is told in its order.
	Next func(context.Context) (Event, error)

	// Command has the platform tell a device something and waits for the reply.
	// Optional.
	Command func(ctx context.Context, device auth.Identity, c *thing.Command) (thing.Message, error)
	// Topic is a topic that a device may publish to. Optional.
	Topic func(device auth.Identity) string
	// Kick ends a device's login from the platform's side, for good. Optional.
	Kick func(device auth.Identity) error
	// Cut ends the connector's connections and lets none be made until Restore.
	// Optional; both or neither.
	Cut, Restore func()
	// Kinds are the kinds of message, besides replies, that the platform takes
	// and tells of by Next. The connector refuses the others with
	// upstream.ErrUnsupported.
	Kinds []thing.Kind
	// Patience is how long one thing may take before it counts as never
	// happening; 0: 20 s.
	Patience time.Duration
}

// EventKind is what an [Event] is about.
type EventKind uint8

// The kinds of event.
const (
	Online  EventKind = iota + 1 // the device has a session
	Offline                      // it has none any more
	Said                         // it said Message
)

// Event is one thing that happened at the platform.
type Event struct {
	Kind    EventKind
	Device  auth.Identity // without its secret
	Message thing.Message // Said: as far as the platform shows it; IDs and times are not looked at
}
