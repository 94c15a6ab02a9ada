package channel

import (
	"errors"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/h2"
)

// ErrDraining says that a channel takes no more: it ends when what is on its way
// has an end, and what it did not take may be sent over the next.
var ErrDraining = errors.New("channel: the platform is going away")

// Error is a response that is no success.
type Error struct {
	Status int    // of HTTP, or the gateway's own beside it
	Text   string // its body, shortened
}

func (e *Error) Error() string {
	return strings.TrimSpace(fmt.Sprintf("channel: the platform answers with status %d %s", e.Status, e.Text))
}

// Temporary says whether the same may succeed later.
func (e *Error) Temporary() bool { return e.Status == 408 || e.Status == 429 || e.Status >= 500 }

// statusUnavailable is the status of a request that the server refuses to look
// at.
const statusUnavailable = 503

// Outcome is what the error of a request says about its message. With final it is
// the end of the message: nil, an upstream.RefusedError, or upstream.ErrTimeout
// when the platform may have it. Without, the connection has ended or is about to,
// and the message may be sent over the next; unsent says that the platform
// certainly has it not.
func Outcome(err error) (final bool, outcome error, unsent bool) {
	var no *Error
	var reset *h2.StreamError
	switch {
	case err == nil:
		return true, nil, false
	case errors.As(err, &no):
		return true, &upstream.RefusedError{Code: no.Status, Reason: strings.TrimSpace(fmt.Sprintf("status %d %s", no.Status, no.Text)), Temporary: no.Temporary()}, false
	case errors.Is(err, h2.ErrRefused):
		return true, &upstream.RefusedError{Code: statusUnavailable, Reason: err.Error(), Temporary: true}, false
	case errors.As(err, &reset), errors.Is(err, h2.ErrTooLarge), errors.Is(err, h2.ErrUnanswered):
		return true, fmt.Errorf("%w: %w", upstream.ErrTimeout, err), false
	default:
		return false, err, errors.Is(err, h2.ErrUnprocessed)
	}
}

// taken translates why a request was not taken.
func taken(err error) error {
	if errors.Is(err, h2.ErrGoingAway) {
		return fmt.Errorf("%w: %w", ErrDraining, err)
	}
	return err
}
