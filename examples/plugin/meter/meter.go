package meter

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// Config is the section acme.meter of a listener.
type Config struct {
	MaxLine int `conf:"maxLine" doc:"longest line in bytes, without its end"`
}

// Plugin is the protocol as listeners name it: protocol = acme.meter.
var Plugin = protocol.Define("acme.meter", Config{MaxLine: 256}, build)

func init() { protocol.Register(Plugin) }

// build is called once for each listener and checks its section.
func build(c Config) (protocol.Protocol[Message], error) {
	if c.MaxLine < 16 || c.MaxLine > 4096 {
		return protocol.Protocol[Message]{}, fmt.Errorf("maxLine is %d, want 16 to 4096", c.MaxLine)
	}
	return protocol.Protocol[Message]{
		Decoder: func() codec.Decoder[Message] { return NewDecoder(c.MaxLine) },
		Encoder: codec.AppendFunc[Message](Append),
		Adapter: func() protocol.Adapter[Message] { return &adapter{} },
	}, nil
}

// adapter serves one connection, on its event loop: it needs no locks.
type adapter struct{}

var (
	errStranger = errors.New("meter: its first word is not HELLO")
	errBye      = errors.New("meter: it said BYE")
)

// Received handles one line. An error ends the connection, and the session.
func (a *adapter) Received(c *protocol.Conn[Message], m Message) error {
	switch verb, args := m[0], m[1:]; {
	case verb == "HELLO" && len(args) > 0:
		a.hello(c, args[0], args[1:])
	case c.Session() == nil:
		return errStranger // a port scanner, or another protocol
	case verb == "TEMP" && len(args) == 2:
		return a.temperature(c, args[0], args[1])
	case verb == "DONE" && len(args) == 1:
		_ = c.Report(&thing.Message{Kind: thing.Reply, ID: args[0], State: thing.Done}, nil) // it may be too late
	case verb == "FAIL" && len(args) == 2:
		code, _ := strconv.Atoi(args[1]) // no number: no code
		_ = c.Report(&thing.Message{Kind: thing.Reply, ID: args[0], State: thing.Refused, Code: code}, nil)
	case verb == "BYE":
		return errBye
	default:
		return c.Send(Message{"NAK"})
	}
	return nil
}

// hello brings the device online. What it sends behind HELLO waits until the
// platform has answered.
func (a *adapter) hello(c *protocol.Conn[Message], name string, credentials []string) {
	c.Online(name, credentials, func(err error) {
		if err != nil {
			_ = c.Send(Message{"NO"}) // leaves before the connection closes
			c.Close(err)
			return
		}
		_ = c.Send(Message{"OK"})
	})
}

// temperature reports a value, and acknowledges it once the platform has it.
func (a *adapter) temperature(c *protocol.Conn[Message], number, text string) error {
	degrees, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return c.Send(Message{"NAK", number})
	}
	return c.Report(&thing.Message{Kind: thing.Property, Fields: []thing.Field{
		{Name: "temperature", Value: thing.Float(degrees)},
	}}, func(err error) {
		verb := "ACK"
		if err != nil {
			verb = "NAK"
		}
		_ = c.Send(Message{verb, number}) // a closed connection needs no answer
	})
}

// Command tells the device to run a service; DONE or FAIL ends the command, or
// the bridge does when its time is over. It implements protocol.Commander.
func (a *adapter) Command(c *protocol.Conn[Message], _ *session.Session, cmd *thing.Command) error {
	if cmd.Kind != thing.Service {
		return &thing.ReplyError{State: thing.Unsupported, Text: "the protocol only knows services"}
	}
	m := Message{"DO", cmp.Or(cmd.ID, "-"), cmd.Name} // without an ID nobody waits for the outcome
	for _, f := range cmd.Fields {
		m = append(m, f.Name+"="+f.Value.String())
	}
	if err := c.Send(m); err != nil {
		return &thing.ReplyError{State: thing.Invalid, Text: err.Error()}
	}
	return nil
}
