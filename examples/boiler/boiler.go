package boiler

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// Config is the section acme.boiler of a listener.
type Config struct {
	Answer time.Duration `conf:"answer" doc:"how long a boiler may take to do what it is told"`
}

// Stats is what all listeners have counted.
type Stats struct {
	Reports uint64 `metric:"linkspan_boiler_reports_total" doc:"temperatures that boilers reported"`
	Late    uint64 `metric:"linkspan_boiler_late_total" doc:"answers to commands whose time was over"`
}

var reports, late atomic.Uint64

// Plugin is the protocol as listeners name it.
var Plugin = define()

func define() protocol.Plugin {
	p := protocol.Define("acme.boiler", Config{Answer: 10 * time.Second}, build)
	p.Stats = func() any { return Stats{Reports: reports.Load(), Late: late.Load()} }
	return p
}

func init() { protocol.Register(Plugin) }

func build(c Config) (protocol.Protocol[Frame], error) {
	if c.Answer <= 0 {
		return protocol.Protocol[Frame]{}, fmt.Errorf("answer is %s, want more than 0", c.Answer)
	}
	return protocol.Protocol[Frame]{
		Decoder: NewDecoder,
		Encoder: codec.AppendFunc[Frame](Append),
		Adapter: func() protocol.Adapter[Frame] { return &adapter{config: c} },
	}, nil
}

// adapter serves one boiler.
type adapter struct {
	config  Config
	number  uint8 // of the last command
	pending map[uint8]pending
}

// pending is a command that the boiler has been told and has not answered.
type pending struct {
	session *session.Session
	command *thing.Command
	stop    func()
}

// maxPending bounds what is kept for a boiler that does not answer.
const maxPending = 8

var errNoLogin = errors.New("boiler: its first frame is no login")

// Received handles one frame.
func (a *adapter) Received(c *protocol.Conn[Frame], f Frame) error {
	switch {
	case f.Type == Login:
		a.login(c, f.Number, string(f.Payload)) // string copies
		return nil
	case c.Session() == nil:
		return errNoLogin
	case f.Type == Values && len(f.Payload) == 4:
		return a.values(c, f.Number, f.Payload)
	case f.Type == Keep|Answer && len(f.Payload) == 1:
		a.answered(c, f.Number, f.Payload[0])
		return nil
	default:
		return answer(c, f.Type, f.Number, 1) // newer firmware says more
	}
}

func answer(c *protocol.Conn[Frame], to Type, number, result uint8) error {
	return c.Send(Frame{to | Answer, number, []byte{result}})
}

func (a *adapter) login(c *protocol.Conn[Frame], number uint8, name string) {
	c.Online(name, nil, func(err error) {
		if err != nil {
			_ = answer(c, Login, number, 1)
			c.Close(err)
			return
		}
		_ = answer(c, Login, number, 0)
	})
}

// values reports two temperatures; the boiler sends them again unless they are
// answered with 0.
func (a *adapter) values(c *protocol.Conn[Frame], number uint8, p []byte) error {
	reports.Add(1)
	tenths := func(at int) thing.Value {
		return thing.Decimal(int64(int16(binary.BigEndian.Uint16(p[at:]))), 1) //nolint:gosec // two's complement
	}
	return c.Report(&thing.Message{Kind: thing.Property, Fields: []thing.Field{
		{Name: "flow", Value: tenths(0)},
		{Name: "return", Value: tenths(2)},
	}}, func(err error) {
		result := uint8(0)
		if err != nil {
			result = 1
		}
		_ = answer(c, Values, number, result)
	})
}

// Command sets the property keep. It implements protocol.Commander.
func (a *adapter) Command(c *protocol.Conn[Frame], s *session.Session, cmd *thing.Command) error {
	if cmd.Kind != thing.SetProperties || len(cmd.Fields) != 1 || cmd.Fields[0].Name != "keep" {
		return &thing.ReplyError{State: thing.Unsupported, Text: "boilers can only be told to keep a temperature"}
	}
	degrees, ok := cmd.Fields[0].Value.Float()
	if !ok || degrees < 5 || degrees > 90 {
		return &thing.ReplyError{State: thing.Invalid, Text: "keep is " + cmd.Fields[0].Value.String() + ", want 5 to 90"}
	}
	if len(a.pending) == maxPending {
		return &thing.ReplyError{State: thing.Failed, Text: strconv.Itoa(maxPending) + " commands wait for this boiler's answer"}
	}
	a.number++
	for a.pending[a.number].command != nil { // its answer is still awaited
		a.number++
	}
	n := a.number
	if err := c.Send(Frame{Keep, n, binary.BigEndian.AppendUint16(nil, uint16(degrees*10+0.5))}); err != nil {
		return err
	}
	if a.pending == nil {
		a.pending = map[uint8]pending{} // boilers that are told nothing have none
	}
	a.pending[n] = pending{s, cmd, c.After(a.config.Answer, func() {
		delete(a.pending, n)
		c.Reply(s, cmd, thing.TimedOut, nil)
	})}
	return nil
}

// answered ends the command with that number.
func (a *adapter) answered(c *protocol.Conn[Frame], n, result uint8) {
	p, known := a.pending[n]
	if !known {
		late.Add(1)
		return
	}
	delete(a.pending, n)
	p.stop()
	reply := p.command.Reply(thing.Done)
	if result != 0 {
		reply.State, reply.Code = thing.Refused, int(result)
	}
	_ = c.ReportFor(p.session, &reply, nil) // without a session the bridge has ended the command
}
