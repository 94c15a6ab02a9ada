package bridge

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// DownlinkHandler tells devices whose session's channel is no [Commander]: the
// Java SDK's DownlinkChannelHandler. It is called on goroutines of the bridge's
// (Config.DownlinkWorkers), one call at a time for each session; a call that
// blocks delays other devices.
type DownlinkHandler interface {
	// Push tells the device of s: topic and payload are cmd's Topic and Raw. It
	// returns the state in which cmd has ended, or 0 when a message of kind
	// thing.Reply will end it. An error ends it with thing.Failed, or as the
	// *thing.ReplyError says.
	Push(s *session.Session, cmd *thing.Command) (thing.State, error)
	// Broadcast tells all devices: the platform named none.
	Broadcast(cmd *thing.Command) error
}

// DirectDownlink writes the payload of a [thing.Notice] or [thing.RawDown] to
// the session's channel, an io.Writer, as it is: the Java SDK's
// DefaultDownlinkChannelHandler. Such a command is done once it is written.
type DirectDownlink struct {
	// Timeout bounds a write to a channel that has SetWriteDeadline, as a
	// net.Conn has; afterwards the channel has no write deadline. 0 is 5 seconds.
	Timeout time.Duration
}

// Push implements [DownlinkHandler].
func (d DirectDownlink) Push(s *session.Session, cmd *thing.Command) (thing.State, error) {
	if cmd.Kind != thing.Notice && cmd.Kind != thing.RawDown {
		return 0, &thing.ReplyError{State: thing.Unsupported, Text: fmt.Sprintf("a %s command has no bytes to write as they are", cmd.Kind)}
	}
	w, ok := s.Channel().(io.Writer)
	if !ok {
		return 0, &thing.ReplyError{State: thing.Unsupported, Text: fmt.Sprintf("the session's channel, a %T, is no io.Writer", s.Channel())}
	}
	timeout := d.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	if c, ok := w.(interface{ SetWriteDeadline(t time.Time) error }); ok {
		if err := c.SetWriteDeadline(time.Now().Add(timeout)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
			return 0, fmt.Errorf("bridge: write to %q: %w", s.Identity(), err)
		}
		defer func() { _ = c.SetWriteDeadline(time.Time{}) }() // or the writes of the channel's owner would fail later
	}
	if _, err := w.Write(cmd.Raw); err != nil {
		return 0, fmt.Errorf("bridge: write to %q: %w", s.Identity(), err)
	}
	return thing.Done, nil
}

// Broadcast implements [DownlinkHandler]: it returns ErrNoBroadcast. Embed
// DirectDownlink in a type with a Broadcast of its own to have one.
func (DirectDownlink) Broadcast(*thing.Command) error { return ErrNoBroadcast }
