// Package api is what the local platform says about itself over HTTP, and a
// [Client] that asks.
//
// The types are the JSON documents of the platform's HTTP API, which package
// platform describes. The platform's own Go methods return the same types, so a
// test may ask either way.
//
//	c := api.NewClient("http://127.0.0.1:1884")
//	d, err := c.Device(ctx, "a1pk", "truck-1")
//	r, err := c.Set(ctx, "a1pk", "truck-1", map[string]any{"fan": 1}, 5*time.Second)
//
// The package is a leaf: it knows no broker and no other package of linkspan.
package api //nolint:revive,nolintlint // it is what the HTTP API says, and nothing else; reported for either file

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// The states of a device, as the console of the vendor's platform names them.
const (
	Online   = "online"   // it has a session
	Offline  = "offline"  // it had one once
	Unactive = "unactive" // it never had one
	Disabled = "disabled" // it may not log in
	Deleted  = "deleted"  // it is gone; what is left tells a login why
)

// Device is what the platform knows of one device.
type Device struct {
	ProductKey string    `json:"productKey"`
	DeviceName string    `json:"deviceName"`
	State      string    `json:"state"`                // Online, Offline, Unactive, Disabled or Deleted
	Online     bool      `json:"online"`               // it has a session now
	Gateway    string    `json:"gateway,omitempty"`    // productKey/deviceName of the gateway that carries its session; empty: its own connection
	Since      time.Time `json:"since,omitzero"`       // of the session, or of its end
	LastSeen   time.Time `json:"lastSeen,omitzero"`    // of its last message
	Unverified bool      `json:"unverified,omitempty"` // made on the fly, its secret unknown: any signature will do

	Counters Counters `json:"counters"`

	// What follows is only in the answer about a single device.

	Properties map[string]Property `json:"properties,omitempty"`
	Events     []Event             `json:"events,omitempty"` // the last ones, oldest first
	Tags       map[string]string   `json:"tags,omitempty"`
	SubDevices []string            `json:"subDevices,omitempty"` // topology of a gateway, productKey/deviceName
}

// Counters are how many messages of each kind a device sent.
type Counters struct {
	Messages   uint64 `json:"messages"`   // all of them
	Properties uint64 `json:"properties"` // property posts
	Events     uint64 `json:"events"`     // event posts
	Raw        uint64 `json:"raw"`        // raw data
	Replies    uint64 `json:"replies"`    // replies to commands
	Custom     uint64 `json:"custom"`     // under topics of its own
	Refused    uint64 `json:"refused"`    // of all: those the platform could not take
	Logins     uint64 `json:"logins"`     // times it went online
}

// Property is a device's last value of one property.
type Property struct {
	Value json.RawMessage `json:"value"`
	Time  time.Time       `json:"time"` // the device's where it gave one, otherwise the arrival
}

// Event is an event that a device posted.
type Event struct {
	Name  string          `json:"name"` // the event's identifier
	Value json.RawMessage `json:"value"`
	Time  time.Time       `json:"time"` // the device's where it gave one, otherwise the arrival
}

// The kinds of [Message].
const (
	KindProperty = "property"
	KindEvent    = "event"
	KindRaw      = "raw"
	KindReply    = "reply"   // of a device to a command
	KindCommand  = "command" // of the platform to a device
	KindCustom   = "custom"
	KindOnline   = "online"
	KindOffline  = "offline"
	KindRefused  = "refused" // something the platform did not take; Cause says why
	KindControl  = "control" // topology, tags and the like
	KindLagged   = "lagged"  // Count messages are missing here, because the watcher was too slow
)

// Message is one thing that happened at the platform.
type Message struct {
	Sequence   uint64          `json:"sequence,omitempty"` // counts what the platform told its watchers; gaps are what the filter left out or the watcher missed
	Time       time.Time       `json:"time"`
	Kind       string          `json:"kind"`
	ProductKey string          `json:"productKey,omitempty"`
	DeviceName string          `json:"deviceName,omitempty"`
	Name       string          `json:"name,omitempty"`    // of the event or the service
	ID         string          `json:"id,omitempty"`      // of the message, as the sender chose it
	Topic      string          `json:"topic,omitempty"`   // where that tells something
	Data       json.RawMessage `json:"data,omitempty"`    // JSON that came with it: params, or the data of a reply
	Raw        []byte          `json:"raw,omitempty"`     // bytes that are not the platform's to read (base64 in JSON)
	Code       int             `json:"code,omitempty"`    // of a reply or a refusal
	Cause      string          `json:"cause,omitempty"`   // why it went offline or was refused
	Gateway    string          `json:"gateway,omitempty"` // online, offline: who carries the session
	Count      uint64          `json:"count,omitempty"`   // lagged: how many are missing
}

// Result is how a command ended.
type Result struct {
	// State is "done", "refused" (the device's code was not 200), "timed out",
	// "offline" or "failed" (the platform could not send it; Message says why),
	// or "sent" when nobody waited.
	State   string          `json:"state"`
	Code    int             `json:"code,omitempty"`    // the device's own
	Message string          `json:"message,omitempty"` // in words
	ID      string          `json:"id,omitempty"`      // of the command
	Data    json.RawMessage `json:"data,omitempty"`    // what the device answered
	Raw     []byte          `json:"raw,omitempty"`     // what it answered to raw data (base64 in JSON)
	Latency Duration        `json:"latency,omitempty"`
}

// Duration is a time.Duration that JSON shows as a text like "12.5ms", and
// that may be given as such a text or as a number of milliseconds.
type Duration time.Duration

// MarshalJSON writes the text.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON reads a text or milliseconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	if ms, err := strconv.ParseFloat(string(b), 64); err == nil {
		*d = Duration(ms * float64(time.Millisecond))
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("api: duration %s: want a text like \"2s\" or milliseconds", b)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("api: duration %q: want a text like \"2s\" or milliseconds", s)
	}
	*d = Duration(v)
	return nil
}

// Page is a part of the list of devices.
type Page struct {
	Devices []Device `json:"devices"`
	Total   int      `json:"total"`  // devices that pass the filter
	Offset  int      `json:"offset"` // of the first one here
	Limit   int      `json:"limit"`  // devices per page
}

// Stats are the platform's counters since it started.
type Stats struct {
	Connections      int               `json:"connections" metric:"linkspan_platform_connections" doc:"open MQTT connections"`
	ConnectionsTotal uint64            `json:"connectionsTotal" metric:"linkspan_platform_connections_total" doc:"MQTT connections accepted by the listener"`
	Devices          int               `json:"devices" metric:"linkspan_platform_devices" doc:"devices the platform knows"`
	Online           int               `json:"online" metric:"linkspan_platform_devices_online" doc:"devices with a session"`
	Messages         map[string]uint64 `json:"messages" metric:"linkspan_platform_messages_total" label:"kind" doc:"messages of devices by kind"`
	MessagesTotal    uint64            `json:"messagesTotal"`
	Bytes            uint64            `json:"bytes" metric:"linkspan_platform_message_bytes_total" doc:"payload bytes of devices' messages"`
	Refused          map[string]uint64 `json:"refused" metric:"linkspan_platform_refused_total" label:"cause" doc:"what the platform did not take, by cause"`
	Replies          uint64            `json:"replies" metric:"linkspan_platform_replies_total" doc:"replies sent to devices"`
	Unsubscribed     uint64            `json:"unsubscribed" metric:"linkspan_platform_unsubscribed_total" doc:"replies and notices not sent because nobody subscribed to their topic"`
	Dropped          uint64            `json:"dropped" metric:"linkspan_platform_dropped_total" doc:"messages to devices dropped because a queue was full"`
	Redelivered      uint64            `json:"redelivered" metric:"linkspan_platform_redelivered_total" doc:"messages sent again over HTTP/2 because they were not acknowledged"`
	Commands         map[string]uint64 `json:"commands" metric:"linkspan_platform_commands_total" label:"state" doc:"commands by how they ended"`
	CommandsPending  int               `json:"commandsPending" metric:"linkspan_platform_commands_pending" doc:"commands that wait for their reply"`
	Watchers         int               `json:"watchers" metric:"linkspan_platform_watchers" doc:"open watches"`
	Lagged           uint64            `json:"lagged" metric:"linkspan_platform_watch_lagged_total" doc:"messages that slow watchers missed"`
	Faults           map[string]uint64 `json:"faults" metric:"linkspan_platform_faults_total" label:"action" doc:"times a fault that was asked for has struck, by action"`
	Saves            uint64            `json:"saves" metric:"linkspan_platform_saves_total" doc:"times the data file or its journal was written"`
	SaveFailures     uint64            `json:"saveFailures" metric:"linkspan_platform_save_failures_total" doc:"times that failed; it is tried again"`
	SavedBytes       uint64            `json:"savedBytes" metric:"linkspan_platform_saved_bytes_total" doc:"bytes written to the data file and its journal"`
}

// Faults are what the platform does wrong on purpose. In a request, what is
// left out stays as it is.
type Faults struct {
	RefuseLogins   *Refusal  `json:"refuseLogins,omitempty"`   // sub-device logins to refuse with a code of the vendor's
	RefuseConnects *Refusal  `json:"refuseConnects,omitempty"` // MQTT connections to refuse with a CONNACK code 1..5
	RefuseRequests *Refusal  `json:"refuseRequests,omitempty"` // registrations, changes of topology and HTTPS authentications to refuse with a code of the vendor's
	Silent         *bool     `json:"silent,omitempty"`         // replies to nothing on the Alink level, as if it hung
	Frozen         *bool     `json:"frozen,omitempty"`         // reads nothing more: no acknowledgements, no answers to pings and CONNECTs
	Delay          *Duration `json:"delay,omitempty"`          // every Alink reply waits so long
	// Disconnect closes connections once: "all", or one productKey/deviceName.
	Disconnect string `json:"disconnect,omitempty"`
}

// Refusal is a number of refusals to come and their code.
type Refusal struct {
	Count int `json:"count"` // how many; below 0: all of them
	Code  int `json:"code"`
}

// Error is what the HTTP API answers when it cannot do what was asked, inside
// {"error": ...}. Code is for programs, Hint says how to mend it.
type Error struct {
	Status  int    `json:"-"` // of the HTTP answer
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("platform api: %s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("platform api: %s: %s (%s)", e.Code, e.Message, e.Hint)
}

// The codes of [Error].
const (
	CodeNotFound   = "not_found"      // no such path
	CodeNoDevice   = "unknown_device" // no such device
	CodeBadRequest = "bad_request"    // a parameter or the body is wrong
	CodeMethod     = "method_not_allowed"
	CodeTooLarge   = "too_large"
	CodeBusy       = "too_busy" // too many commands or watchers
	CodeForbidden  = "forbidden"
)
