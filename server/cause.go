package server

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
)

// Cause is why a connection ended or was refused. It is an error, so that
// errors.Is(err, server.CauseIdle) tells.
//
//	cause              what happened; what to do about it
//	peer closed        the device closed the connection; nothing
//	peer reset         the network or the device broke it; nothing, if seldom
//	protocol           the adapter ended it, for a reason of its own, such as a refused login; see err
//	taken over         a newer connection of the same device; devices with the same identity, if often
//	heartbeats         the device's session saw no heartbeat in time; the heartbeat interval, or a bad network
//	revoked            the device was removed, or has another identity now; nothing, it was the operator
//	shutdown           the server is closing; nothing
//	panic              a codec or adapter panicked too often; report the stack in the log
//	decoder            a decoder broke its contract; report it
//	unsynchronised     the stream cannot be understood any more; the listener's protocol may be the wrong one
//	faults             more damaged frames than Limits.MaxFaults; as above
//	first message      no message within Limits.FirstMessage; port scanners, wrong protocol
//	login              not online within Limits.Login; wrong credentials, or a slow platform
//	idle               nothing received within Limits.Idle
//	pending            more undecoded bytes than Limits.MaxPending; an unending frame, or a flood during the login
//	memory             more undecoded bytes of all connections than Config.MaxPending, and more of this one than its share
//	bytes rate         more than Limits.BytesPerSecond
//	messages rate      more than Limits.MessagesPerSecond
//	not reading        the device does not read what it is sent: Limits.MaxOutbound
//	connections        refused: as many connections as Limits.MaxConnections or Config.MaxConnections
//	address            refused, or ended when its PROXY header names the address: as many connections of one address as Limits.MaxPerAddress
//	banned             refused, or ended when its PROXY header names the address: too many failed logins from there (protocol.Host.Guard)
//	proxy              refused or ended: no PROXY header that could be believed; see err
//	tls                the TLS handshake failed, or what came behind it was damaged; see err: no TLS, no certificate that is valid, no version or cipher suite in common
//	handshake          no PROXY header, or no finished TLS handshake, within Limits.Handshake; or its handshake gave way to others (Config.MaxHandshakes)
//	evicted            UDP: a peer whose device was never online made room for a new one; a flood of forged addresses, or Limits.MaxConnections is too low
//	dial               a device that listens itself could not be connected to
//	files              refused: the process has no file descriptors left; raise its limit (ulimit -n)
type Cause uint8 //nolint:errname // an enum that is also an error

// The causes. Their order is no part of the contract, their texts are: they are
// labels of metrics.
//
//nolint:errname // an enum whose values are also errors
const (
	CausePeerClosed     Cause = iota + 1 // the device closed the connection
	CausePeerReset                       // the connection broke
	CauseProtocol                        // the adapter ended it
	CauseTakenOver                       // a newer session of the device
	CauseHeartbeats                      // the session's heartbeats stopped
	CauseRevoked                         // the device's identity changed or was removed
	CauseShutdown                        // the server is closing
	CausePanic                           // too many panics
	CauseDecoder                         // the decoder broke its contract
	CauseUnsynchronised                  // the decoder gave the stream up
	CauseFaults                          // too many damaged frames
	CauseFirstMessage                    // no message in time
	CauseLogin                           // not online in time
	CauseIdle                            // silent for too long
	CausePending                         // too many undecoded bytes of the connection
	CauseMemory                          // too many undecoded bytes of all connections
	CauseBytesRate                       // too many bytes in a second
	CauseMessagesRate                    // too many messages in a second
	CauseNotReading                      // the device does not read
	CauseConnections                     // refused: too many connections
	CauseAddress                         // refused: too many connections of the address
	CauseFiles                           // refused: no file descriptors left
	CauseProxy                           // no PROXY header that could be believed
	CauseEvicted                         // a UDP peer that made room for a new one
	CauseTLS                             // TLS failed
	CauseHandshake                       // no handshake in time
	CauseBanned                          // refused: an address with too many failed logins
	CauseDial                            // a device that listens itself could not be reached
	causes                               // how many there are
)

var causeTexts = [causes]string{
	CausePeerClosed:     "peer closed",
	CausePeerReset:      "peer reset",
	CauseProtocol:       "protocol",
	CauseTakenOver:      "taken over",
	CauseHeartbeats:     "heartbeats",
	CauseRevoked:        "revoked",
	CauseShutdown:       "shutdown",
	CausePanic:          "panic",
	CauseDecoder:        "decoder",
	CauseUnsynchronised: "unsynchronised",
	CauseFaults:         "faults",
	CauseFirstMessage:   "first message",
	CauseLogin:          "login",
	CauseIdle:           "idle",
	CausePending:        "pending",
	CauseMemory:         "memory",
	CauseBytesRate:      "bytes rate",
	CauseMessagesRate:   "messages rate",
	CauseNotReading:     "not reading",
	CauseConnections:    "connections",
	CauseAddress:        "address",
	CauseFiles:          "files",
	CauseProxy:          "proxy",
	CauseEvicted:        "evicted",
	CauseTLS:            "tls",
	CauseHandshake:      "handshake",
	CauseBanned:         "banned",
	CauseDial:           "dial",
}

// String is the cause's text in logs and metrics.
func (c Cause) String() string {
	if c == 0 || c >= causes {
		return fmt.Sprintf("cause(%d)", uint8(c))
	}
	return causeTexts[c]
}

// Error is the cause's text.
func (c Cause) Error() string { return "server: connection ended: " + c.String() }

// normal says whether connections of healthy devices end with that cause: their
// end is logged at debug level.
func (c Cause) normal() bool {
	return c == CausePeerClosed || c == CausePeerReset || c == CauseShutdown || c == CauseTakenOver || c == CauseRevoked
}

// orderly says whether the device may be given time to read the last bytes.
func (c Cause) orderly() bool {
	return c == CauseProtocol || c == CauseShutdown || c == CauseTakenOver || c == CauseRevoked || c == CauseTLS
}

// disconnected says whether a connection that ended with that cause broke: neither
// the device nor an operator has said that it shall be offline.
func (c Cause) disconnected() bool {
	switch c {
	case CausePeerClosed, CausePeerReset, CauseHeartbeats, CauseIdle, CausePending, CauseMemory, CauseBytesRate, CauseMessagesRate,
		CauseNotReading, CauseFaults, CauseUnsynchronised, CauseEvicted, CauseTLS, CauseDecoder, CausePanic:
		return true
	default:
		return false
	}
}

// CloseError is why a connection ended, with what is known about it. It is also
// its Cause, its Err and net.ErrClosed, as errors.Is sees it, and
// session.ErrDisconnected when the connection broke.
type CloseError struct {
	Cause Cause
	Err   error // the error behind the cause; may be nil
}

func (e *CloseError) Error() string {
	if e.Err == nil {
		return e.Cause.Error()
	}
	return e.Cause.Error() + ": " + e.Err.Error()
}

// Unwrap is what the error also is.
func (e *CloseError) Unwrap() []error {
	all := []error{e.Cause, net.ErrClosed}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	if e.Cause.disconnected() {
		all = append(all, session.ErrDisconnected)
	}
	return all
}

func because(cause Cause, err error) *CloseError { return &CloseError{Cause: cause, Err: err} }

// classify finds the cause in an error that ends a connection.
func classify(err error) *CloseError {
	var known *CloseError
	if errors.As(err, &known) {
		return known
	}
	var cause Cause
	if errors.As(err, &cause) {
		return because(cause, err)
	}
	var panicked *protocol.PanicError
	switch {
	case err == nil:
		return because(CauseProtocol, nil)
	case errors.Is(err, session.ErrTakenOver):
		cause = CauseTakenOver
	case errors.Is(err, session.ErrHeartbeatTimeout):
		cause = CauseHeartbeats
	case errors.Is(err, session.ErrRevoked):
		cause = CauseRevoked
	case errors.Is(err, protocol.ErrBadDecoder):
		cause = CauseDecoder
	case errors.As(err, &panicked):
		cause = CausePanic
	case errors.Is(err, protocol.ErrUnsynchronised):
		cause = CauseUnsynchronised
	default:
		cause = CauseProtocol
	}
	return because(cause, err)
}

// broken is the end of a connection whose socket said err.
func broken(err error) *CloseError {
	if err == nil || errors.Is(err, io.EOF) {
		return because(CausePeerClosed, nil)
	}
	return because(CausePeerReset, err)
}
