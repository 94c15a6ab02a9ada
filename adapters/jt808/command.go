package jt808

import (
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
)

// commands is what the platform wants of the terminal and what for a while is
// known of it. A connection has one from its first command on.
type commands struct {
	pending []*pending // in the order in which they were sent
	recent  []kept     // those that went in packages, the latest last
}

// kept is a message that went in packages, for a while.
type kept struct {
	*message
	forget func() // stops the timer that ends the while
}

// How many messages in packages are kept for a terminal that lacks packages of
// them (0x0005), and for how long.
const (
	maxRecent = 2
	recentFor = 5 * time.Minute
)

// message is one message of ours.
type message struct {
	origin *origin
	id     jt808.ID
	serial uint16 // of its first frame
	frames uint16
	body   []byte
}

// holds says whether serial is that of one of the message's frames.
func (m *message) holds(serial uint16) bool { return serial-m.serial < m.frames }

// request is a command as a message, and how its answer is known.
type request struct {
	id          jt808.ID
	body        []byte
	answer      jt808.ID // IDTerminalResponse, or what comes with data
	optional    bool     // the answer with data may never come
	kind        string   // a newer request of that kind takes its place; "" if none does
	params      []jt808.ParameterID
	raw         bool // the reply is the answer as it is
	hexadecimal bool // the reply has the answer's id and body in hexadecimal digits
}

// pending is a command under way. Exactly one of its methods that reply ends it.
type pending struct {
	message
	request   request
	a         *adapter
	c         *conn
	session   *session.Session
	cmd       *thing.Command
	wait      time.Duration // of this sending
	tries     int           // sendings, the first not counted
	held      bool          // not sent yet, for the terminal has only just registered
	confirmed bool          // result 0 came, and data is to follow
	heard     uint16        // packages of this sending up to the last one that was confirmed
	stop      func()
}

// settleFirst is how long the answer to the first of several packages waits for
// one to a later package before it counts for all of them.
const settleFirst = 2 * time.Second

// Command sends a command to the terminal of s.
func (a *adapter) Command(c *conn, s *session.Session, cmd *thing.Command) error {
	q, err := a.request(a.self, cmd)
	if err != nil {
		return err
	}
	if len(q.body) > a.config.Commands.MaxBody {
		return &thing.ReplyError{State: thing.Invalid, Text: fmt.Sprintf("the message has %d bytes, at most %d are allowed: send less, or raise commands.maxBody", len(q.body), a.config.Commands.MaxBody)}
	}
	if a.commands == nil {
		a.commands = &commands{}
	}
	a.supersede(&q)
	if len(a.commands.pending) >= a.config.Commands.Most {
		return &thing.ReplyError{State: thing.Failed, Text: "too many commands are under way: wait for replies, or raise commands.most"}
	}
	frames := max(1, (len(q.body)+jt808.MaxBody-1)/jt808.MaxBody)
	p := &pending{
		message: message{origin: a.self, id: q.id, frames: uint16(frames), body: q.body}, //nolint:gosec // maxBody keeps it small
		request: q, a: a, c: c, session: s, cmd: cmd, wait: a.config.Commands.Timeout,
	}
	p.serial = a.nextSerial(frames)
	a.commands.pending = append(a.commands.pending, p)
	if frames > 1 {
		a.keepRecent(c, &p.message)
	}
	a.counters.commands.Add(1)
	if a.greeting { // it would not hear the command
		p.held = true
		p.arm(p.wait)
		return nil
	}
	p.send()
	return nil
}

// listens is the terminal speaking after its registration: commands that came
// meanwhile are sent. One that says nothing gets them when their time is over.
func (a *adapter) listens() {
	if !a.greeting {
		return
	}
	a.greeting = false
	if a.commands == nil {
		return
	}
	for _, p := range a.commands.pending {
		if p.held {
			p.send()
		}
	}
}

// keepRecent keeps a message that went in packages for a while.
func (a *adapter) keepRecent(c *conn, m *message) {
	k := a.commands
	if len(k.recent) == maxRecent {
		k.recent[0].forget()
		k.recent = slices.Delete(k.recent, 0, 1)
	}
	stop := c.After(recentFor, func() {
		k.recent = slices.DeleteFunc(k.recent, func(have kept) bool { return have.message == m })
	})
	k.recent = append(k.recent, kept{m, stop})
}

// supersede ends requests that q takes the place of: were they repeated they
// would undo it. One that it takes the place of in part is not repeated.
func (a *adapter) supersede(q *request) {
	if q.kind == "" {
		return
	}
	for _, p := range slices.Clone(a.commands.pending) {
		if p.request.kind != q.kind {
			continue
		}
		covered := func(id jt808.ParameterID) bool { return slices.Contains(q.params, id) }
		switch {
		case !slices.ContainsFunc(p.request.params, func(id jt808.ParameterID) bool { return !covered(id) }):
			p.reply(thing.Superseded, 0, "a newer command of the same kind took its place", nil)
		case slices.ContainsFunc(p.request.params, covered):
			p.tries = a.config.Commands.Retries
		}
	}
}

// send sends the command, all of it, and waits.
func (p *pending) send() {
	s := borrow()
	defer s.giveBack()
	p.held = false
	p.a.sendFrames(p.c, s, &p.message, nil)
	p.arm(p.wait)
}

// sendFrames sends the frames of m with those numbers, from 1; all if indexes is
// nil. It says how many there were.
func (a *adapter) sendFrames(c *conn, s *scratch, m *message, indexes []uint16) (n int) {
	h := jt808.Header{ID: m.id, Version: m.origin.version, ProtocolVersion: m.origin.protocol, Phone: m.origin.phone}
	if m.frames > 1 {
		h.Total = m.frames
	}
	for i := range m.frames {
		if indexes != nil && !slices.Contains(indexes, i+1) {
			continue
		}
		h.Serial = m.serial + i
		if m.frames > 1 {
			h.Index = i + 1
		}
		from := int(i) * jt808.MaxBody
		s.frame = jt808.Frame{Header: h, Body: m.body[from:min(from+jt808.MaxBody, len(m.body))]}
		_ = c.Send(&s.frame) // a connection that is closing shows that by its end
		n++
	}
	return n
}

// arm sets the timer, but not beyond the command's deadline.
func (p *pending) arm(d time.Duration) {
	if p.stop != nil {
		p.stop()
	}
	if !p.cmd.Deadline.IsZero() {
		d = min(d, p.cmd.Deadline.Sub(p.c.Now()))
	}
	p.stop = p.c.After(max(d, time.Millisecond), p.expired)
}

// expired handles a time-out: the n-th repetition waits n+1 times as long as the
// sending before it (JT/T 808, chapter on transmission).
func (p *pending) expired() {
	p.stop = nil
	late := !p.cmd.Deadline.IsZero() && !p.c.Now().Before(p.cmd.Deadline)
	switch {
	case p.confirmed && (p.request.optional || p.request.answer == jt808.IDTerminalResponse):
		p.reply(thing.Done, 0, "", nil)
	case p.held && !late:
		p.send()
	case late || p.confirmed || p.tries >= p.a.config.Commands.Retries:
		p.a.counters.timedOut.Add(1)
		p.reply(thing.TimedOut, 0, "the terminal did not answer", nil)
	default:
		p.tries++
		p.heard = 0
		p.wait *= time.Duration(p.tries + 1)
		p.a.counters.retransmissions.Add(1)
		p.send()
	}
}

// end takes the command off the list. It is no longer repeated.
func (p *pending) end() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	if k := p.a.commands; k != nil {
		k.pending = slices.DeleteFunc(k.pending, func(have *pending) bool { return have == p })
	}
}

// reply ends the command.
func (p *pending) reply(state thing.State, code int, text string, fields []thing.Field) {
	p.replyRaw(state, code, text, fields, nil)
}

func (p *pending) replyRaw(state thing.State, code int, text string, fields []thing.Field, raw []byte) {
	p.end()
	m := p.cmd.Reply(state)
	m.Code, m.Text, m.Fields, m.Raw = code, text, fields, raw
	_ = p.c.ReportFor(p.session, &m, nil) // when nobody waits any more the command has ended
}

// dropCommands forgets the commands of a session that ends: the bridge ends them.
func (a *adapter) dropCommands() {
	if a.commands == nil {
		return
	}
	pending := a.commands.pending
	for _, m := range a.commands.recent {
		m.forget()
	}
	a.commands = nil
	for _, p := range pending {
		p.end()
	}
}

// generalResponse handles 0x0001.
func (a *adapter) generalResponse(c *conn, s *scratch, f *jt808.Frame) {
	var r jt808.TerminalResponse
	if r.ParseBody(f.Body, f.Version) != nil {
		a.malformed(c, s, f)
		return
	}
	p := a.find(func(p *pending) bool { return p.holds(r.Serial) && p.id == r.Request })
	if p == nil {
		a.counters.unmatched.Add(1)
		return
	}
	switch {
	case r.Result == jt808.ResultUnsupported:
		p.reply(thing.Unsupported, int(r.Result), "the terminal does not support message "+p.id.String(), nil)
	case r.Result != jt808.ResultOK:
		p.reply(thing.Refused, int(r.Result), "the terminal answers: "+r.Result.String(), nil)
	case p.request.answer != jt808.IDTerminalResponse:
		if !p.confirmed {
			p.confirmed = true
			p.arm(p.wait)
		}
	case p.frames == 1 || r.Serial == p.serial+p.frames-1:
		a.fulfil(p, f, nil)
	case r.Serial-p.serial < p.heard: // again
	case r.Serial == p.serial: // of all packages, or of the first alone
		p.confirmed, p.heard = true, 1
		p.arm(settleFirst)
	default: // packages are answered one by one: the last one counts
		p.confirmed, p.heard = false, r.Serial-p.serial+1
		p.arm(p.wait)
	}
}

// fulfil ends a command with what the terminal answered.
func (a *adapter) fulfil(p *pending, f *jt808.Frame, fields []thing.Field) {
	switch {
	case p.request.raw:
		raw := append([]byte{byte(f.ID >> 8), byte(f.ID)}, f.Body...)
		p.replyRaw(thing.Done, 0, "", nil, raw)
	case p.request.hexadecimal:
		p.reply(thing.Done, 0, "", []thing.Field{words("id", fmt.Sprintf("0x%04X", uint16(f.ID))), digitsOf("body", f.Body)})
	default:
		state, code, text := outcome(f)
		p.reply(state, code, text, fields)
	}
}

// outcome is what an answer with a result of its own says.
func outcome(f *jt808.Frame) (state thing.State, code int, text string) {
	if f.ID == jt808.IDShotResponse && len(f.Body) > 2 && f.Body[2] != byte(jt808.ShotDone) {
		if f.Body[2] == byte(jt808.ShotChannel) {
			return thing.Refused, int(f.Body[2]), "the terminal does not support that channel"
		}
		return thing.Refused, int(f.Body[2]), "the terminal could not take the picture"
	}
	return thing.Done, 0, ""
}

func (a *adapter) find(is func(*pending) bool) *pending {
	if a.commands == nil {
		return nil
	}
	if i := slices.IndexFunc(a.commands.pending, is); i >= 0 {
		return a.commands.pending[i]
	}
	return nil
}

// match finds the command that a message with data answers: by the serial that
// it carries, or by its id, then the oldest, where it carries none.
func (a *adapter) match(id jt808.ID, body jt808.Body) *pending {
	if a.commands == nil {
		return nil
	}
	serial, carried := answeredSerial(body)
	p := a.find(func(p *pending) bool {
		return p.request.answer == id && (!carried || p.holds(serial))
	})
	if p == nil && !answered(id) {
		a.counters.unmatched.Add(1)
	}
	return p
}

// answeredSerial is the serial of our message that body answers; false if it
// carries none.
func answeredSerial(body jt808.Body) (uint16, bool) {
	switch b := body.(type) {
	case *jt808.Parameters:
		return b.Serial, true
	case *jt808.LocationResponse:
		return b.Serial, !b.NoSerial
	case *jt808.VehicleControlResponse:
		return b.Serial, true
	case *jt808.RecorderData:
		return b.Serial, true
	case *jt808.MediaSearchResponse:
		return b.Serial, true
	case *jt808.ShotResponse:
		return b.Serial, true
	case *jt808.AVResourceList:
		return b.Serial, true
	default:
		return 0, false
	}
}

// resend handles 0x0005: packages of a message of ours are missing.
func (a *adapter) resend(c *conn, s *scratch, f *jt808.Frame) {
	var r jt808.ResendRequest
	if r.ParseBody(f.Body, f.Version) != nil {
		a.malformed(c, s, f)
		return
	}
	if a.commands != nil && len(r.Packets) > 0 {
		for _, m := range a.commands.recent {
			if m.serial != r.FirstSerial {
				continue
			}
			if n := a.sendFrames(c, s, m.message, r.Packets); n > 0 {
				a.counters.resent.Add(uint64(n))
				return
			}
		}
	}
	a.answer(c, s, f.ID, f.Serial, jt808.ResultFailed)
}
