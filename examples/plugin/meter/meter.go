package meter

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// Config is a listener's section acme.meter.
type Config struct {
	MaxLine int           `conf:"maxLine,bytes" doc:"longest line, without its end"`
	Answer  time.Duration `conf:"answer" doc:"how long a meter may take to do what it is told"`
}

// Plugin is the protocol as listeners name it: protocol = acme.meter.
var Plugin = protocol.Define("acme.meter", Config{MaxLine: 256, Answer: 10 * time.Second}, build)

func init() { protocol.Register(Plugin) }

// build is called once for each listener and checks its section.
func build(c Config) (protocol.Protocol[Message], error) {
	var errs []error
	if c.MaxLine < 16 || c.MaxLine > 64<<10 {
		errs = append(errs, fmt.Errorf("maxLine is %d, want 16 to 65536", c.MaxLine))
	}
	if c.Answer <= 0 {
		errs = append(errs, fmt.Errorf("answer is %s, want more than 0", c.Answer))
	}
	return protocol.Protocol[Message]{
		Decoder: func() codec.Decoder[Message] { return NewDecoder(c.MaxLine) },
		Encoder: codec.AppendFunc[Message](Append),
		Adapter: func() protocol.Adapter[Message] { return &adapter{config: c} },
	}, errors.Join(errs...)
}

// adapter serves one connection, on its loop: it needs no locks.
type adapter struct {
	config  Config
	number  int // of the last command
	pending map[int]pending
}

// pending is a command that the meter has been told and has not answered.
type pending struct {
	session *session.Session
	command *thing.Command
	stop    func()
}

var (
	errStrange = errors.New("meter: first word that no meter says")
	errBye     = errors.New("meter: it said BYE")
)

// Received handles one line.
func (a *adapter) Received(c *protocol.Conn[Message], m Message) error {
	switch {
	case m.Verb == "HELLO" && len(m.Args) >= 1:
		a.hello(c, m.Args[0], m.Args[1:])
		return nil
	case m.Verb == "TEMP" && len(m.Args) == 2:
		return a.temperature(c, m.Args[0], m.Args[1])
	case m.Verb == "DONE" && len(m.Args) == 1:
		a.answered(c, m.Args[0], thing.Done, 0)
		return nil
	case m.Verb == "FAIL" && len(m.Args) == 2:
		code, _ := strconv.Atoi(m.Args[1]) // no number: no code
		a.answered(c, m.Args[0], thing.Refused, code)
		return nil
	case m.Verb == "BYE" && len(m.Args) == 0:
		return errBye // ends the connection, and with it the session
	case c.Session() == nil:
		return errStrange // a port scanner, or another protocol
	default:
		return c.Send(Message{Verb: "NAK"})
	}
}

// hello brings the meter online. What it sends behind HELLO waits until the
// platform has answered.
func (a *adapter) hello(c *protocol.Conn[Message], name string, credentials []string) {
	c.Online(name, credentials, func(err error) {
		if err != nil {
			_ = c.Send(Message{Verb: "NO"}) // leaves before the connection closes
			c.Close(err)
			return
		}
		_ = c.Send(Message{Verb: "OK"})
	})
}

// temperature reports a value, and acknowledges it when the platform has it.
func (a *adapter) temperature(c *protocol.Conn[Message], number, text string) error {
	degrees, err := strconv.ParseFloat(text, 64)
	if err != nil || c.Session() == nil {
		return c.Send(Message{Verb: "NAK", Args: []string{number}})
	}
	return c.Report(&thing.Message{Kind: thing.Property, Fields: []thing.Field{
		{Name: "temperature", Value: thing.Float(degrees)},
	}}, func(err error) {
		verb := "ACK"
		if err != nil {
			verb = "NAK"
		}
		_ = c.Send(Message{Verb: verb, Args: []string{number}}) // a closed connection needs no answer
	})
}

// Command tells the meter to run a service. It implements protocol.Commander.
func (a *adapter) Command(c *protocol.Conn[Message], s *session.Session, cmd *thing.Command) error {
	if cmd.Kind != thing.Service {
		return &thing.ReplyError{State: thing.Unsupported, Text: "meters only know services"}
	}
	a.number++
	n := a.number
	m := Message{Verb: "DO", Args: []string{strconv.Itoa(n), cmd.Name}}
	for _, f := range cmd.Fields {
		m.Args = append(m.Args, f.Name+"="+f.Value.String())
	}
	if err := c.Send(m); err != nil {
		return &thing.ReplyError{State: thing.Invalid, Text: err.Error()}
	}
	if a.pending == nil {
		a.pending = map[int]pending{} // idle meters hold none
	}
	a.pending[n] = pending{s, cmd, c.After(a.config.Answer, func() {
		delete(a.pending, n)
		c.Reply(s, cmd, thing.TimedOut, nil)
	})}
	return nil
}

// answered ends the command with that number; an unknown number is too late.
func (a *adapter) answered(c *protocol.Conn[Message], number string, state thing.State, code int) {
	n, err := strconv.Atoi(number)
	p, known := a.pending[n]
	if err != nil || !known {
		return
	}
	delete(a.pending, n)
	p.stop()
	reply := p.command.Reply(state)
	reply.Code = code
	_ = c.ReportFor(p.session, &reply, nil) // without a session the bridge has ended the command
}
