package modbus

import (
	"fmt"
	"strings"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// command is one that is under way. Its steps are requests, carried out one after
// the other.
type command struct {
	l       *line
	cmd     *thing.Command
	session *session.Session
	steps   []step
	at      int           // the present step
	fields  []thing.Field // of the reply
	written []string      // points that were
}

// step is one request of a command.
type step struct {
	kind    stepKind
	number  uint8
	unit    *unit
	request modbus.Request
	pdu     []byte
	point   *profile.Compiled // that is written
	value   thing.Value       // for it
	read    *profile.Request  // what is read
	wanted  []int             // the points of it that are asked for
}

// stepKind is what the answer to a step is for.
type stepKind uint8

const (
	stepRead   stepKind = iota // values of points
	stepWrite                  // nothing
	stepVerify                 // whether a point has the value that was written
	stepModify                 // a register whose bits are changed in the next step
	stepRaw                    // the reply
)

// Command implements protocol.Commander.
func (l *line) Command(c *conn, s *session.Session, cmd *thing.Command) error {
	l.enter(c)
	defer l.step()
	if l.stage != working {
		return &thing.ReplyError{State: thing.Failed, Text: "the line is not ready"}
	}
	if len(l.queue) >= l.config.Commands.Most {
		return &thing.ReplyError{State: thing.Failed, Text: "too many commands are under way on the line: wait for replies, or raise commands.most"}
	}
	k := &command{l: l, cmd: cmd, session: s}
	var err error
	switch cmd.Kind {
	case thing.SetProperties:
		err = k.set()
	case thing.GetProperties:
		err = k.get()
	case thing.Service:
		err = k.service()
	case thing.RawDown:
		err = k.rawDown()
	default:
		err = &thing.ReplyError{State: thing.Unsupported, Text: "a Modbus unit takes no notices"}
	}
	if err != nil {
		return err
	}
	l.counters.commands.Add(1)
	if len(k.steps) == 0 {
		k.reply(thing.Done, 0, "", nil)
		return nil
	}
	l.queue = append(l.queue, k)
	return nil
}

func invalid(format string, args ...any) error {
	return &thing.ReplyError{State: thing.Invalid, Text: fmt.Sprintf(format, args...)}
}

// point finds a point that the device of s has.
func (l *line) point(s *session.Session, name string) (*unit, *profile.Compiled, int, error) {
	if own := l.of(s); own != nil {
		if p, i := own.profile.Point(name); p != nil {
			return own, p, i, nil
		}
	} else if l.config.Devices == devicesLine {
		for n := range l.units {
			u := &l.units[n]
			if p, i := u.profile.Point(name); p != nil {
				return u, p, i, nil
			}
		}
	}
	return nil, nil, 0, invalid("there is no point %s: its profile names those there are", name)
}

// set plans the writing of properties.
func (k *command) set() error {
	for i := range k.cmd.Fields {
		f := &k.cmd.Fields[i]
		u, p, _, err := k.l.point(k.session, f.Name)
		if err != nil {
			return err
		}
		r, err := p.Writing(f.Value)
		if err != nil {
			return invalid("%v", err)
		}
		if p.Modify && r.Function == modbus.MaskWriteRegister {
			read := modbus.Request{Function: modbus.ReadHoldingRegisters, Address: r.Address, Quantity: 1}
			if err := k.add(step{kind: stepModify, unit: u, number: u.number, request: read, point: p}); err != nil {
				return err
			}
		}
		if err := k.add(step{kind: stepWrite, unit: u, number: u.number, request: r, point: p, value: f.Value}); err != nil {
			return err
		}
		if k.l.config.Commands.ReadBack && p.Readable {
			read := &profile.Request{Area: p.Address.Area, Address: p.Address.Offset, Quantity: uint16(p.Size())} //nolint:gosec // 125 at most
			request := modbus.Request{Function: read.Area.ReadFunction(), Address: read.Address, Quantity: read.Quantity}
			if err := k.add(step{kind: stepVerify, unit: u, number: u.number, request: request, point: p, value: f.Value, read: read}); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds a step whose request is allowed.
func (k *command) add(s step) error {
	if s.pdu == nil {
		var err error
		if s.pdu, err = s.request.Append(nil); err != nil {
			return invalid("%v", err)
		}
	}
	k.steps = append(k.steps, s)
	return nil
}

// get plans the reading of properties: in as many requests as polls need.
func (k *command) get() error {
	if len(k.cmd.Fields) == 0 {
		return k.getAll()
	}
	for i := range k.cmd.Fields {
		name := k.cmd.Fields[i].Name
		u, p, at, err := k.l.point(k.session, name)
		if err != nil {
			return err
		}
		if !p.Readable {
			return invalid("%s is only written: its access is w", name)
		}
		if err := k.want(u, p, at); err != nil {
			return err
		}
	}
	return nil
}

func (k *command) getAll() error {
	own := k.l.of(k.session)
	for n := range k.l.units {
		u := &k.l.units[n]
		if own != nil && u != own || own == nil && k.l.config.Devices != devicesLine {
			continue
		}
		for i := range u.profile.Points {
			if p := &u.profile.Points[i]; p.Readable {
				if err := k.want(u, p, i); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// want adds a point to the step that reads it.
func (k *command) want(u *unit, p *profile.Compiled, at int) error {
	for g := range u.groups() {
		for i := range u.groups()[g].Requests {
			r := &u.groups()[g].Requests[i]
			if u.groups()[g].Interval != p.Interval || !r.Covers(p) {
				continue
			}
			for j := range k.steps {
				if k.steps[j].read == r && k.steps[j].unit == u {
					k.steps[j].wanted = append(k.steps[j].wanted, at)
					return nil
				}
			}
			return k.add(step{kind: stepRead, unit: u, number: u.number, pdu: r.PDU, read: r, wanted: []int{at}})
		}
	}
	return nil // every readable point is in a request
}

// commandAt is when there is something to do for the first command: not while its
// request would take the late answer to another one for its own.
func (l *line) commandAt() int64 {
	if len(l.queue) == 0 {
		return never
	}
	k := l.queue[0]
	s := &k.steps[k.at]
	asked := l.unansweredBy(s.unit, s.number)
	if !l.ambiguous(asked, s.pdu) || !l.c.Holds(k.session) {
		return l.now
	}
	if k.cmd.Deadline.IsZero() {
		return asked.until
	}
	return min(asked.until, k.cmd.Deadline.UnixMilli())
}

// stepCommand sends the next request of the first command, or ends it.
func (l *line) stepCommand() {
	k := l.queue[0]
	if !l.c.Holds(k.session) { // the bridge has ended it
		k.end()
		return
	}
	if !k.cmd.Deadline.IsZero() && l.now >= k.cmd.Deadline.UnixMilli() {
		k.reply(thing.TimedOut, 0, "its time was over before the line was free"+k.partly(), nil)
		return
	}
	s := &k.steps[k.at]
	retries := l.config.Requests.Retries
	if s.kind == stepRaw && s.unsafe() {
		retries = 0
	}
	l.ask(exchange{unit: s.unit, number: s.number, cmd: k, pdu: s.pdu, retries: uint8(retries)}) //nolint:gosec // 10 at most
}

// unsafe says whether doing it twice may be something else than doing it once.
func (s *step) unsafe() bool {
	switch modbus.Function(s.pdu[0]) {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs, modbus.ReadHoldingRegisters, modbus.ReadInputRegisters:
		return false
	default:
		return true
	}
}

// answered handles the answer to the present step.
func (k *command) answered(pdu []byte, exception modbus.Exception) {
	s := &k.steps[k.at]
	if s.kind == stepRaw {
		k.rawAnswered(s, pdu, exception)
		return
	}
	if exception != 0 {
		k.reply(thing.Refused, int(exception), k.what(s)+exception.String()+k.partly(), k.fields)
		return
	}
	switch s.kind {
	case stepWrite:
		k.written = append(k.written, s.point.Name)
		k.l.again(s.unit, s.point)
	case stepRead:
		for _, i := range s.wanted {
			if v, _, err := s.unit.profile.Value(i, s.read, pdu[2:]); err == nil {
				k.fields = append(k.fields, thing.Field{Name: s.unit.profile.Points[i].Name, Value: v})
			}
		}
	case stepModify:
		next := &k.steps[k.at+1]
		have, r := modbus.Register(pdu[2:], 0), &next.request
		value := have&r.AndMask | r.OrMask&^r.AndMask
		next.pdu, _ = modbus.Request{Function: modbus.WriteSingleRegister, Address: r.Address, Value: value}.Append(nil) // cannot fail
	case stepVerify:
		_, i := s.unit.profile.Point(s.point.Name)
		v, _, err := s.unit.profile.Value(i, s.read, pdu[2:])
		if err != nil || !s.point.Kept(s.value, pdu[2:]) {
			k.reply(thing.Failed, 0, fmt.Sprintf("%s is %s after it was set to %s", s.point.Name, v, s.value), k.fields)
			return
		}
		k.fields = append(k.fields, thing.Field{Name: s.point.Name, Value: v})
	case stepRaw: // see above
	}
	if k.at++; k.at == len(k.steps) {
		k.reply(thing.Done, 0, "", k.fields)
	}
}

// again has a point that was written polled soon, and reported also when it has
// not changed.
func (l *line) again(u *unit, p *profile.Compiled) {
	if !p.Readable || l.config.Direct.Enabled {
		return
	}
	if _, i := u.profile.Point(p.Name); u.last != nil {
		u.last[i] = reported{}
	}
	for g := range u.groups() {
		if u.groups()[g].Interval == p.Interval {
			u.due[g] = min(u.due[g], l.now)
		}
	}
}

// what names the step that failed.
func (k *command) what(s *step) string {
	if s.point != nil {
		return s.point.Name + ": "
	}
	if s.read != nil {
		return s.read.String() + ": "
	}
	return ""
}

// partly tells what was written before the command failed.
func (k *command) partly() string {
	if len(k.written) == 0 {
		return ""
	}
	return "; written before: " + strings.Join(k.written, ", ")
}

// timedOut ends the command: the unit did not answer. known says that a gateway
// has told so.
func (k *command) timedOut(known bool) {
	text := "the unit did not answer"
	if known {
		text = "the gateway says that the unit did not answer"
	}
	s := &k.steps[k.at]
	k.reply(thing.TimedOut, 0, k.what(s)+text+k.partly(), k.fields)
}

// invalid ends the command: what it asks for cannot be sent.
func (k *command) invalid(err error) { k.reply(thing.Invalid, 0, err.Error()+k.partly(), nil) }

// reply ends the command.
func (k *command) reply(state thing.State, code int, text string, fields []thing.Field) {
	k.replyRaw(state, code, text, fields, nil)
}

func (k *command) replyRaw(state thing.State, code int, text string, fields []thing.Field, raw []byte) {
	k.end()
	m := k.cmd.Reply(state)
	m.Code, m.Text, m.Fields, m.Raw = code, text, fields, raw
	_ = k.l.c.ReportFor(k.session, &m, nil) // when nobody waits any more the command has ended
}

// end takes the command off the queue.
func (k *command) end() {
	if len(k.l.queue) > 0 && k.l.queue[0] == k {
		k.l.queue[0] = nil
		if k.l.queue = k.l.queue[1:]; len(k.l.queue) == 0 {
			k.l.queue = nil
		}
	}
	if k.l.x.cmd == k {
		k.l.x.cmd, k.l.x.again = nil, false
	}
}
