package h2

import (
	"errors"
	"fmt"

	"golang.org/x/net/http2"
)

// The conditions that callers can tell apart.
var (
	// ErrClosed says that Close has ended the connection.
	ErrClosed = errors.New("h2: connection is closed")
	// ErrUnprocessed says that the server has not looked at a request: it may be
	// sent again on another connection.
	ErrUnprocessed = errors.New("h2: the server did not process the request")
	// ErrRefused says that the server has refused the stream of a request several
	// times without looking at it.
	ErrRefused = errors.New("h2: the server refused the stream")
	// ErrUnanswered says that a request was not answered in time.
	ErrUnanswered = errors.New("h2: the server did not answer in time")
	// ErrGoingAway says that the connection takes no more requests, and ends when
	// those that are open have an end.
	ErrGoingAway = errors.New("h2: the server is going away")
	// ErrBusy says that more requests wait than the connection may hold.
	ErrBusy = errors.New("h2: too many requests wait")
	// ErrSilent says that the server did not answer a PING in time.
	ErrSilent = errors.New("h2: the server does not answer a PING")
	// ErrTooLarge says that the header or the body of what the server sent is
	// larger than the connection takes.
	ErrTooLarge = errors.New("h2: larger than this side takes")
)

// StreamError says that a stream was reset: by the server, or by this side when
// the server broke a rule on it. The connection goes on.
type StreamError struct {
	Code http2.ErrCode
	Text string // the rule; empty: the server has reset it
}

func (e *StreamError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("h2: stream reset by the server with %v", e.Code)
	}
	return fmt.Sprintf("h2: stream reset: %s (%v)", e.Text, e.Code)
}

// GoAwayError says that the server has ended the connection.
type GoAwayError struct {
	Code http2.ErrCode
	Text string // the server's own words
}

func (e *GoAwayError) Error() string {
	return fmt.Sprintf("h2: the server has gone away with %v %q", e.Code, e.Text)
}

// Is makes it an [ErrGoingAway].
func (*GoAwayError) Is(target error) bool { return target == ErrGoingAway }

// errExhausted is an [ErrGoingAway] of this side's: a connection has 2^30 streams.
var errExhausted = fmt.Errorf("%w: all streams of the connection are used up", ErrGoingAway)

// broken is a mistake of the peer's that ends the connection (RFC 9113, section
// 5.4.1).
type broken struct {
	code http2.ErrCode
	text string
}

func (e *broken) Error() string {
	return fmt.Sprintf("h2: the server breaks the rules: %s (%v)", e.text, e.code)
}

func breaks(code http2.ErrCode, format string, args ...any) error {
	return &broken{code, fmt.Sprintf(format, args...)}
}
