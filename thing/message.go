package thing

import (
	"fmt"
	"slices"
	"time"
)

// Kind is what a [Message] is about.
type Kind uint8

// The kinds of message.
const (
	Property    Kind = iota + 1 // values the device has
	Event                       // something happened; Name says what
	Reply                       // the outcome of the command with that ID
	Raw                         // bytes nobody here understands, for the platform to interpret
	Publication                 // Raw under the platform's own Topic: the core SDK's publish
)

// String is the kind's name in logs and metrics.
func (k Kind) String() string {
	switch k {
	case Property:
		return "property"
	case Event:
		return "event"
	case Reply:
		return "reply"
	case Raw:
		return "raw"
	case Publication:
		return "publication"
	default:
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
}

// QoS is how hard the way to the platform tries, in MQTT's words.
type QoS uint8

// The qualities of service. The zero QoS leaves the choice to the connector's
// configuration.
const (
	QoSDefault  QoS = iota // what the connector is configured with
	AtMostOnce             // MQTT QoS 0: sent, and done means handed to the network
	AtLeastOnce            // MQTT QoS 1: done means that the platform has it
)

// Message is one thing a device says.
//
// It belongs to its maker again as soon as the call that it was given to
// returns; whoever keeps it copies it (see [Message.Clone]).
type Message struct {
	Kind   Kind
	QoS    QoS
	Name   string    // Event: its identifier; Reply: the command's name; otherwise empty
	ID     string    // Reply: the ID of the command it answers
	Time   time.Time // by the device's clock; zero: when it arrived
	Fields []Field   // Property, Event, Reply: the values
	Raw    []byte    // Raw, Publication: the bytes; Reply to a raw command: the device's answer
	Topic  string    // Publication: the platform's topic; without a slash in front one of the device's own
	State  State     // Reply: how the command ended
	Code   int       // Reply: the device's own result code, 0 when it has none
	Text   string    // Reply: why, in words, when State is not Done
}

// Clone is a copy of m that shares no memory with it that a maker may reuse:
// Fields and Raw are copied, composite values inside fields are shared, for
// they are immutable.
func (m *Message) Clone() *Message {
	c := *m
	c.Fields = append([]Field(nil), m.Fields...)
	c.Raw = append([]byte(nil), m.Raw...)
	return &c
}

// State is how a command ended. Every command has exactly one final state.
type State uint8

// The final states of a command.
const (
	Done        State = iota + 1 // the device did it; Fields and Raw hold what it answered
	Refused                      // the device said no; Code is the device's own result code
	TimedOut                     // the device did not answer within the command's time
	Offline                      // the device was not, or is no longer, online
	Superseded                   // a newer command of the same kind took its place
	Unsupported                  // the device's protocol has no such command
	Invalid                      // the command's parameters are wrong; Text says which and how to mend it
	Failed                       // linkspan could not carry it out; Text says why
)

// String is the state's name in logs, metrics and replies.
func (s State) String() string {
	switch s {
	case Done:
		return "done"
	case Refused:
		return "refused"
	case TimedOut:
		return "timed out"
	case Offline:
		return "offline"
	case Superseded:
		return "superseded"
	case Unsupported:
		return "unsupported"
	case Invalid:
		return "invalid"
	case Failed:
		return "failed"
	default:
		return fmt.Sprintf("state(%d)", uint8(s))
	}
}

// CommandKind is what a [Command] asks for.
type CommandKind uint8

// The kinds of command.
const (
	SetProperties CommandKind = iota + 1 // Fields are the new values
	GetProperties                        // Fields are the names wanted, with null values; none: all
	Service                              // Name is the service, Fields its input
	RawDown                              // Raw is for the device as it is
	Notice                               // Raw under the platform's own Topic: the core SDK's downlink
)

// String is the kind's name in logs and metrics.
func (k CommandKind) String() string {
	switch k {
	case SetProperties:
		return "set"
	case GetProperties:
		return "get"
	case Service:
		return "service"
	case RawDown:
		return "raw"
	case Notice:
		return "notice"
	default:
		return fmt.Sprintf("command(%d)", uint8(k))
	}
}

// Command is one thing a device is told. It is immutable once it was handed
// over and may be kept.
type Command struct {
	ID       string // the platform's; the reply carries it back. Empty: nobody waits for a reply
	Kind     CommandKind
	Name     string    // Service: its identifier
	Fields   []Field   // see CommandKind
	Raw      []byte    // RawDown, Notice: the bytes
	Topic    string    // Notice: the platform's topic
	Deadline time.Time // when the platform stops waiting; zero: the bridge's default
}

// Reply is the message that ends cmd with state. The caller fills in Fields,
// Raw, Code or Text as the state asks for.
func (c *Command) Reply(state State) Message {
	return Message{Kind: Reply, ID: c.ID, Name: c.Name, State: state}
}

// Field is one named value.
type Field struct {
	Name  string
	Value Value
}

// AppendField appends a field: as append does, but without a copy of it on the way,
// which is what making the sixteen fields of a report costs otherwise.
func AppendField(fields []Field, name string, v Value) []Field {
	n := len(fields)
	if n == cap(fields) {
		fields = slices.Grow(fields, 1)
	}
	fields = fields[:n+1]
	f := &fields[n]
	f.Name, f.Value = name, v
	return fields
}

// Get is the value of the first field with that name.
func Get(fields []Field, name string) (Value, bool) {
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Value, true
		}
	}
	return Value{}, false
}
