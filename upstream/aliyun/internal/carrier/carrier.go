// Package carrier is what a connection below a gateway has to do when it is not
// MQTT: carry the same messages.
package carrier

import (
	"context"
	"errors"

	"github.com/linkspan/linkspan/auth"
)

// Events is told what a connection brings. Its methods are called one at a time
// and block for no longer than the connection may stand still.
type Events interface {
	// Received is a message of the platform's.
	Received(topic string, payload []byte)
	// Acknowledged ends the message with that id: nil, or why the platform has it
	// not. It is not called for messages that were cancelled, nor for those that
	// the end of the connection leaves open.
	Acknowledged(id uint32, err error)
	// Lost is called once, last, for a connection that was made.
	Lost(err error)
}

// Dialer makes connections.
type Dialer interface {
	// Dial connects and authenticates as a gateway. A refusal is an
	// upstream.RefusedError.
	Dial(ctx context.Context, gateway auth.Identity, events Events) (Conn, error)
	// Endpoint is where a gateway connects, for logs.
	Endpoint(gateway auth.Identity) string
}

// ErrDraining says that a connection takes no more, and ends by itself when what
// is on its way has an end.
var ErrDraining = errors.New("carrier: the connection takes no more")

// Token tells of the end of what was asked.
type Token interface {
	Done() <-chan struct{}
	Error() error // once Done is closed
}

// Subscription is the token of one.
type Subscription interface {
	Token
	Denied() string // the filter, when the platform did not grant it
}

// Conn is a connection. Its methods may be called from any goroutine and do not
// block, but for Close.
type Conn interface { //nolint:interfacebloat // a connection is one thing, and has one user
	// Publish takes a message of a device, whose payload it keeps until it is
	// acknowledged or cancelled. Messages may overtake one another. An error says
	// that the connection did not take it, nor takes any more: ErrDraining, or why
	// it is of no use.
	Publish(id uint32, topic string, qos byte, payload []byte) error
	// Cancel gives up a message.
	Cancel(id uint32)
	// Control publishes what nobody waits for. Its errors are those of Publish.
	Control(topic string, payload []byte) error
	// Subscribe and Unsubscribe begin and end the subscription of a filter. That of
	// a connection which is about to end in good order may never be done.
	Subscribe(filter string) Subscription
	Unsubscribe(filter string)
	// Abort ends the connection; Close waits until nothing of it is left.
	Abort()
	Close()
}
