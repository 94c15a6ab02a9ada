package bridge

import (
	"errors"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/upstream"
)

// The conditions that callers can tell apart, besides those of packages auth
// (ErrBadCredentials), session (ErrTakenOver, ErrReused, ErrFull) and upstream
// (ErrNotConnected, ErrTimeout, *RefusedError).
var (
	// ErrUnknownDevice: no platform identity belongs to the device's name. Add the
	// device to the device configuration. It is auth.ErrUnknownDevice, which
	// sources of devices return, under the name that fits here.
	ErrUnknownDevice = auth.ErrUnknownDevice
	// ErrOffline: the device is not online, or no longer. Bring it online first.
	ErrOffline = errors.New("bridge: device is offline")
	// ErrOverloaded: more is under way than may be. The message is not sent: slow
	// down, try again later.
	ErrOverloaded = errors.New("bridge: too much under way")
	// ErrNotStarted: Start has not been called, or not returned.
	ErrNotStarted = errors.New("bridge: not started")
	// ErrClosed: the bridge is closed or closing.
	ErrClosed = errors.New("bridge: closed")
	// ErrNoCommand: a reply to a command that nobody waits for: it was replied to
	// before, or its time was over. The reply is dropped.
	ErrNoCommand = errors.New("bridge: no such command under way")
	// ErrNoBroadcast is returned by downlink handlers that cannot broadcast.
	ErrNoBroadcast = errors.New("bridge: the downlink handler does not broadcast")
	// ErrLoggedOut is the cause of a session that [Bridge.Offline] ended.
	ErrLoggedOut = errors.New("bridge: taken offline")
)

var errNoHandler = errors.New("bridge: there is no downlink handler")

// failure is why a device did not go online, for counting.
type failure uint8

const (
	failedUnknown failure = iota
	failedCredentials
	failedRefused
	failedNotConnected
	failedTimeout
	failedOverloaded
	failedTakenOver
	failedClosed
	failedOther
	failures
)

var failureNames = [failures]string{
	"unknown device", "bad credentials", "refused", "not connected", "timeout", "overloaded", "taken over", "closed", "other",
}

func failureOf(err error) failure {
	var refused *upstream.RefusedError
	switch {
	case errors.Is(err, ErrUnknownDevice):
		return failedUnknown
	case errors.Is(err, auth.ErrBadCredentials):
		return failedCredentials
	case errors.As(err, &refused):
		return failedRefused
	case errors.Is(err, upstream.ErrNotConnected):
		return failedNotConnected
	case errors.Is(err, upstream.ErrTimeout):
		return failedTimeout
	case errors.Is(err, ErrOverloaded), errors.Is(err, upstream.ErrOverloaded), errors.Is(err, session.ErrFull),
		errors.Is(err, session.ErrListenerBehind):
		return failedOverloaded
	case errors.Is(err, session.ErrTakenOver):
		return failedTakenOver
	case errors.Is(err, ErrClosed), errors.Is(err, upstream.ErrClosed), errors.Is(err, ErrNotStarted):
		return failedClosed
	default:
		return failedOther
	}
}
