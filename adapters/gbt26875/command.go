package gbt26875

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// request is a command as a frame, and how its answer is known.
type request struct {
	command gbt26875.Command
	data    []byte
	answer  gbt26875.Type // of the data that answers it; 0: a confirmation does, or data of any type
	minutes uint8         // of a post check: how long there is to answer
	raw     bool          // the reply is the answer as it is
	digits  bool          // the reply has the answer's command and data in hexadecimal digits
}

// pending is a command under way. Exactly one call of reply ends it.
type pending struct {
	request
	d      *device
	c      *conn
	cmd    *thing.Command
	serial uint16
	tries  int // sendings, the first not counted
	stop   func()
}

// Command sends a command to the device of s.
func (a *adapter) Command(c *conn, s *session.Session, cmd *thing.Command) error {
	d := a.deviceOf(s)
	if d == nil {
		return &thing.ReplyError{State: thing.Offline, Text: "the device is no longer online"}
	}
	q, err := d.request(c, cmd)
	if err != nil {
		return err
	}
	if len(d.commands) >= a.config.Commands.Most {
		return &thing.ReplyError{State: thing.Failed, Text: "too many commands are under way: wait for replies, or raise commands.most"}
	}
	p := &pending{request: q, d: d, c: c, cmd: cmd, serial: a.nextSerial()}
	d.commands = append(d.commands, p)
	a.counters.commands.Add(1)
	p.send()
	return nil
}

// deviceOf is the device that s is the session of.
func (a *adapter) deviceOf(s *session.Session) *device {
	if a.own != nil && a.own.session == s {
		return a.own
	}
	for _, d := range a.devices {
		if d.session == s {
			return d
		}
	}
	return nil
}

// tell sends the device a frame.
func (d *device) tell(c *conn, serial uint16, command gbt26875.Command, data []byte) {
	version := d.version
	if version == (gbt26875.Version{}) {
		version.Main = 1
	}
	d.sending = gbt26875.Frame{Header: gbt26875.Header{
		Serial: serial, Version: version, Time: d.label(c.Now(), d.usesBCD(d.address)),
		Source: d.centre, Destination: d.address, Command: command,
	}, Data: data}
	_ = c.Send(&d.sending) // a connection that is closing shows that by its end
}

// send sends the command and waits, but not beyond the command's deadline.
func (p *pending) send() {
	p.d.tell(p.c, p.serial, p.command, p.data)
	p.arm()
}

func (p *pending) arm() {
	wait := p.d.config.Commands.Timeout
	if !p.cmd.Deadline.IsZero() {
		wait = min(wait, p.cmd.Deadline.Sub(p.c.Now()))
	}
	if p.stop != nil {
		p.stop()
	}
	p.stop = p.c.After(max(wait, time.Millisecond), p.expired)
}

// expired sends the command again, with the same serial number, or gives it up.
func (p *pending) expired() {
	p.stop = nil
	late := !p.cmd.Deadline.IsZero() && !p.c.Now().Before(p.cmd.Deadline)
	if late || p.tries >= p.d.config.Commands.Retries {
		p.d.counters.timedOut.Add(1)
		p.reply(thing.TimedOut, 0, "the device did not answer", nil, nil)
		return
	}
	p.tries++
	p.d.counters.retransmissions.Add(1)
	p.send()
}

// end takes the command off the list. It is no longer repeated.
func (p *pending) end() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	p.d.commands = slices.DeleteFunc(p.d.commands, func(have *pending) bool { return have == p })
}

// reply ends the command.
func (p *pending) reply(state thing.State, code int, text string, fields []thing.Field, raw []byte) {
	p.end()
	m := p.cmd.Reply(state)
	m.Code, m.Text, m.Fields, m.Raw = code, text, fields, raw
	_ = p.c.ReportFor(p.d.session, &m, nil) // when nobody waits any more the command has ended
}

// done ends the command with what the device answered.
func (p *pending) done(f *gbt26875.Frame, fields []thing.Field) {
	switch {
	case p.raw:
		p.reply(thing.Done, 0, "", nil, append([]byte{byte(f.Command)}, f.Data...))
	case p.digits:
		p.reply(thing.Done, 0, "", []thing.Field{words("command", f.Command.String()), words("data", hex.EncodeToString(f.Data))}, nil)
	default:
		p.reply(thing.Done, 0, "", fields, nil)
	}
}

func (d *device) find(is func(*pending) bool) *pending {
	if i := slices.IndexFunc(d.commands, is); i >= 0 {
		return d.commands[i]
	}
	return nil
}

// confirmed handles command 3: a control was carried out. A request that is
// confirmed is still to be answered.
func (d *device) confirmed(f *gbt26875.Frame) {
	p := d.find(func(p *pending) bool { return p.serial == f.Serial })
	switch {
	case p == nil && d.ours(f.Serial): // nobody waits for it
	case p == nil && len(f.Data) == 0 && !d.recently(f.Serial):
		d.counters.heartbeats.Add(1) // some devices keep the connection alive with it
	case p == nil:
		d.counters.unmatched.Add(1)
	case p.command == gbt26875.CommandRequest:
		p.arm()
	default:
		if p.minutes > 0 {
			d.waitAtPost(p)
		}
		p.done(f, nil)
	}
}

// ours says whether serial is that of a patrol, or of a frame that set the clock.
func (d *device) ours(serial uint16) bool {
	return serial != 0 && (serial == d.patrol || serial == d.clock)
}

// recently says whether serial may be that of a frame of ours, which a late or
// second confirmation is for.
func (d *device) recently(serial uint16) bool {
	return serial != 0 && d.serial-serial < 64
}

// denied handles command 6.
func (d *device) denied(f *gbt26875.Frame) {
	p := d.find(func(p *pending) bool { return p.serial == f.Serial })
	if p == nil {
		if !d.ours(f.Serial) {
			d.counters.unmatched.Add(1)
		}
		return
	}
	p.reply(thing.Refused, int(gbt26875.CommandDeny), "the device denies it", nil, nil)
}

// answered handles command 5: what was asked for is reported like what the device
// tells by itself, but for states that have not changed.
func (d *device) answered(c *conn, f *gbt26875.Frame) {
	s := borrow()
	defer s.giveBack()
	r := d.receive(c, f, 0)
	u, err := s.parse(f.Data)
	switch {
	case err != nil && !d.lenient(u):
		d.counters.malformed.Add(1)
		r.raw(s, f)
	case err != nil:
		d.counters.malformed.Add(1)
		r.unit(s, u)
	case !u.Type().Up():
		d.counters.unknown.Add(1)
		r.raw(s, f)
	case asked(u.Type()):
		r.unit(s, u)
	}
	r.complete()
	p := d.find(func(p *pending) bool { return p.serial == f.Serial && p.answers(u) })
	if p == nil { // some devices number answers by themselves
		p = d.find(func(p *pending) bool { return p.answer != 0 && p.answers(u) })
	}
	switch {
	case p != nil:
		d.fulfil(p, f, u)
	case !d.ours(f.Serial) || u == nil || u.Type() != gbt26875.TypeDeviceState:
		d.counters.unmatched.Add(1)
	}
}

// asked says whether an answer of that type is worth a report: records of what
// was done were reported when it was.
func asked(t gbt26875.Type) bool {
	return t != gbt26875.TypeSystemOperation && t != gbt26875.TypeDeviceOperation
}

// answers says whether u may be the answer to the command.
func (p *pending) answers(u gbt26875.Unit) bool {
	if p.command == gbt26875.CommandControl {
		return false
	}
	return p.answer == 0 || u != nil && u.Type() == p.answer
}

// fulfil ends the command with the answer u.
func (d *device) fulfil(p *pending, f *gbt26875.Frame, u gbt26875.Unit) {
	var fields []thing.Field
	if u != nil && !p.raw && !p.digits {
		fields = d.unitFields(nil, u, d.heard)
	}
	p.done(f, fields)
}

// fulfilBySend ends the command that a frame answers which the device has sent as
// if by itself: with the serial number of the request.
func (d *device) fulfilBySend(f *gbt26875.Frame, u gbt26875.Unit) {
	if len(d.commands) == 0 || u == nil {
		return
	}
	p := d.find(func(p *pending) bool { return p.serial == f.Serial && p.answer != 0 && p.answers(u) })
	if p != nil {
		d.fulfil(p, f, u)
	}
}
