package api //nolint:revive,nolintlint // it is what the HTTP API says, and nothing else; reported for either file

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// The actions of a [Fault].
const (
	Refuse     = "refuse"     // answer with Code and do nothing
	Throttle   = "throttle"   // refuse what is more than Rate per second, with code 429 unless Code says another
	Wait       = "delay"      // answer, or send a command, Delay later
	Silent     = "silent"     // do what is asked but answer nothing; send no command
	Lose       = "lose"       // acknowledge what a device publishes and forget it
	NoAck      = "noAck"      // do what is asked but send no PUBACK
	Duplicate  = "duplicate"  // send twice what is sent
	Disconnect = "disconnect" // close the connection without a word
	HalfOpen   = "halfOpen"   // hear and say nothing on the connection any more, but leave it open
)

// Fault is something that the platform does wrong on purpose, to what fits every
// one of Method, Topic, Device, Product and Gateway that is not empty.
//
// Method is what is asked, a pattern with * and ?: "connect", "subscribe",
// "combine.login", "thing.event.property.post", "thing.topo.*",
// "thing.service.property.set", "rrpc.request", "custom", "auth.devicename",
// "auth.register", "pop.RegisterDevice".
type Fault struct {
	ID      string `json:"id,omitempty"` // of the platform's making
	Action  string `json:"action"`
	Method  string `json:"method,omitempty"`
	Topic   string `json:"topic,omitempty"`   // an MQTT topic filter
	Device  string `json:"device,omitempty"`  // productKey/deviceName that it is about
	Product string `json:"product,omitempty"` // of that device
	Gateway string `json:"gateway,omitempty"` // productKey/deviceName whose connection carries it

	Code    int      `json:"code,omitempty"`    // refuse, throttle: one of the vendor's; for connect a CONNACK code, 1 to 5
	Message string   `json:"message,omitempty"` // refuse, throttle: the text behind the code's; in the account's API the error's code
	Delay   Duration `json:"delay,omitempty"`   // delay
	Rate    float64  `json:"rate,omitempty"`    // throttle: per second, with bursts of one second's

	Count       int      `json:"count,omitempty"`       // how often it strikes; 0: always
	For         Duration `json:"for,omitempty"`         // how long it lasts; 0: until it is taken away
	Probability float64  `json:"probability,omitempty"` // of striking, above 0 and up to 1; 0 is 1

	Struck uint64    `json:"struck"` // how often it has
	Until  time.Time `json:"until,omitzero"`
}

// AddFault makes the platform do something wrong, and returns the fault with its
// ID. [Disconnect] and [HalfOpen] without a method and a topic are for the
// connections of this moment.
func (c *Client) AddFault(ctx context.Context, f Fault) (Fault, error) {
	var added Fault
	err := c.call(ctx, http.MethodPost, "/faults/rules", f, &added)
	return added, err
}

// FaultRules are the faults that were added and not taken away, oldest first.
func (c *Client) FaultRules(ctx context.Context) ([]Fault, error) {
	var list []Fault
	err := c.call(ctx, http.MethodGet, "/faults/rules", nil, &list)
	return list, err
}

// RemoveFault takes a fault away and returns it as it was.
func (c *Client) RemoveFault(ctx context.Context, id string) (Fault, error) {
	var f Fault
	err := c.call(ctx, http.MethodDelete, "/faults/rules/"+url.PathEscape(id), nil, &f)
	return f, err
}
