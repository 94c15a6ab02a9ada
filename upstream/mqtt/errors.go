package mqtt

import (
	"errors"

	"github.com/linkspan/linkspan/upstream"
)

var (
	// ErrStarted says that a connector was started a second time.
	ErrStarted = errors.New("mqtt: connector was started before")
	// ErrTopic says that a message's topic, as its template makes it, is none
	// that can be published to: it is empty or longer than 65535 bytes, has a
	// wildcard or control characters, or is no UTF-8.
	ErrTopic = errors.New("mqtt: not a topic to publish to")
	// ErrName says that an event's name or a reply's ID cannot be one level of a
	// topic, where its topic's template wants it to be.
	ErrName = errors.New("mqtt: not a level of a topic")
	// ErrTooLarge says that a message is larger than maxPayload.
	ErrTooLarge = errors.New("mqtt: message larger than maxPayload")
)

// Codes of the refusals that come from no broker; those from CONNACK are 1 to 5,
// that from SUBACK is 128.
const (
	// CodeIdentity: the device's names cannot be levels of a topic.
	CodeIdentity = 1000
	// CodeShared: another device that is online would share the topics by which
	// this one is told something.
	CodeShared = 1001
	// CodeUnstable: the broker ended the connection of the device's own right
	// after it had accepted it, again and again.
	CodeUnstable = 1002
	// CodeCertificate: there is no file with a certificate for the device's own
	// connection.
	CodeCertificate = 1003
)

const codeDenied = 0x80 // of a SUBACK

func refused(code int, reason string) error {
	return &upstream.RefusedError{Code: code, Reason: reason}
}

// Limits of MQTT 3.1.1 and of linkspan.
const (
	maxTopic    = 65535 // bytes: section 1.5.3
	maxName     = 1024  // bytes of one level
	maxInFlight = 30000 // so that packet identifiers never run out
	maxLeaked   = 16384 // identifiers of messages given up before the connection is begun anew
	maxEarly    = 64    // commands that come before done of their device's login is called
	maxCommands = 1024  // commands that wait for their callback; then the connection is not read
	maxFilters  = 8     // filters in one SUBSCRIBE
	maxAsked    = 1024  // SUBSCRIBEs and UNSUBSCRIBEs under way
	maxReason   = 512   // bytes of what somebody else has said that are repeated
	maxShort    = 5     // short-lived connections in a row of a device's own
)
