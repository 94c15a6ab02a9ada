package queue

import (
	"errors"
	"fmt"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/upstream"
)

// The conditions that callers can tell apart, besides those of package upstream.
var (
	// ErrRecord: bytes that are no record of a queue, or of a newer version's.
	ErrRecord = errors.New("queue: not a record of a message")
	// ErrDropped: a stored message was dropped before the platform had it: the log
	// was full or the message too old, as the configuration wants it, or it was damaged.
	ErrDropped = errors.New("queue: the stored message was dropped")
	// ErrStarted: a connector was started a second time.
	ErrStarted = errors.New("queue: started before")
	// ErrNotStarted: Start has not been called, or not returned.
	ErrNotStarted = errors.New("queue: not started")
)

// StoreError says why a message could not be stored. When there was no room for it,
// it is upstream.ErrOverloaded, by errors.Is.
type StoreError struct{ Err error }

// Error says what happened.
func (e *StoreError) Error() string { return fmt.Sprintf("queue: message not stored: %v", e.Err) }

// Unwrap is the log's error.
func (e *StoreError) Unwrap() error { return e.Err }

// Is makes it upstream.ErrOverloaded when there was no room.
func (e *StoreError) Is(target error) bool {
	return target == upstream.ErrOverloaded && (errors.Is(e.Err, segment.ErrFull) || errors.Is(e.Err, segment.ErrOverloaded)) ||
		target == upstream.ErrClosed && errors.Is(e.Err, segment.ErrClosed)
}

// replaced says whether a message failed because its login is over: another login
// may say it.
func replaced(err error) bool {
	return errors.Is(err, upstream.ErrSuperseded) || errors.Is(err, upstream.ErrLoggedOut) || errors.Is(err, upstream.ErrClosed)
}

// causeOf is why something is a dead letter, for counting.
func causeOf(err error) string {
	switch {
	case errors.Is(err, ErrRecord):
		return causes[0]
	case errors.Is(err, auth.ErrUnknownDevice):
		return causes[1]
	case errors.Is(err, errLogin):
		return causes[2]
	case errors.Is(err, upstream.ErrUnsupported):
		return causes[3]
	default:
		return causes[4]
	}
}

var causes = [...]string{"damaged", "unknown device", "login refused", "unsupported", "refused"}

// errLogin is in the error of a dead letter whose device may not log in.
var errLogin = errors.New("queue: login refused")
