package modbus

import (
	"bytes"
	"sync"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/thing"
)

// exchange is the request under way.
type exchange struct {
	active   bool // it was sent, and is not answered yet
	again    bool // it is to be sent again
	tries    uint8
	retries  uint8 // how often it may be repeated
	number   uint8 // of the unit
	unit     *unit // nil: none that is polled
	cmd      *command
	pdu      []byte // of the request; not changed
	deadline int64
	expect   modbus.Expect
}

// unanswered is a request whose answer may still come.
type unanswered struct {
	pdu   []byte
	until int64
}

// scratch is what the handling of one callback, or of one poll, needs.
type scratch struct {
	frame  []byte
	wire   []byte
	fields []thing.Field
}

var scratches = sync.Pool{New: func() any {
	return &scratch{frame: make([]byte, 0, modbus.MaxASCII), fields: make([]thing.Field, 0, 32)}
}}

func borrow() *scratch { return scratches.Get().(*scratch) }

// maxScratch is how many fields a pooled scratch has room for at most.
const maxScratch = 1024

func (s *scratch) giveBack() {
	if cap(s.fields) > maxScratch {
		return
	}
	clear(s.fields)
	s.fields = s.fields[:0]
	scratches.Put(s)
}

// ask sends a request.
func (l *line) ask(x exchange) {
	x.expect = l.x.expect // for its memory
	l.x = x
	l.send()
}

// busyPause is how long a unit that is busy is left alone, in milliseconds.
const busyPause = 500

// unansweredBy is the last request that the unit of that number did not answer; u is
// nil for units that are not in the configuration, of which the last is remembered.
func (l *line) unansweredBy(u *unit, number uint8) *unanswered {
	switch {
	case u != nil:
		return &u.asked
	case l.strange.number == number:
		return &l.strange.unanswered
	}
	return &unanswered{}
}

// ambiguous says whether the answer to a request that was not answered may look like
// that to pdu: an exception tells no more than the function.
func (l *line) ambiguous(asked *unanswered, pdu []byte) bool {
	lost := asked.pdu
	return l.mode != modbus.TCP && lost != nil && l.now < asked.until && lost[0] == pdu[0] && !bytes.Equal(lost, pdu)
}

// send sends the request that is l.x.
func (l *line) send() {
	s := borrow()
	defer s.giveBack()
	x := &l.x
	l.transaction++
	if err := x.expect.Bind(l.mode, l.transaction, x.number, x.pdu); err != nil {
		l.misfit(err) // commands are checked before
		return
	}
	x.expect.Resync = l.c.Target() == ""
	s.frame = modbus.AppendFrame(s.frame[:0], l.mode, l.transaction, x.number, x.pdu)
	out := s.frame
	if l.wrap != nil {
		s.wire = l.wrap.Wrap(s.wire[:0], s.frame)
		out = s.wire
	}
	x.active = true
	x.deadline = l.now + l.timeout
	l.counters.requests.Add(1)
	_ = l.c.Send(out) // a connection that is closing shows that by its end
}

// misfit ends a request that cannot be sent.
func (l *line) misfit(err error) {
	x := l.x
	l.x.active = false
	if x.cmd != nil {
		x.cmd.invalid(err)
	}
}

// timedOut handles a request that was not answered in time.
func (l *line) timedOut() {
	x := &l.x
	l.counters.timeouts.Add(1)
	l.freeAt = l.now + l.quiet
	l.rest = nil
	l.owed = l.mode != modbus.TCP
	l.repeat(func() {
		if x.unit == nil {
			l.strange.number = x.number
		}
		*l.unansweredBy(x.unit, x.number) = unanswered{x.pdu, l.now + 2*l.timeout}
		l.lost(false)
	})
}

// repeat makes the request go out again as soon as the line is free, or gives it
// up.
func (l *line) repeat(giveUp func()) {
	x := &l.x
	x.active = false
	if x.tries >= x.retries || l.stage == over {
		giveUp()
		return
	}
	l.counters.retries.Add(1)
	x.tries++
	x.again = true
}

// lost gives up the request under way. known says that a gateway has told that
// the unit did not answer.
func (l *line) lost(known bool) {
	x := l.x
	switch {
	case x.cmd != nil:
		x.cmd.timedOut(known)
	case x.unit != nil:
		l.finishRun()
		l.failed(x.unit)
	}
}

// match looks for the answer in what has come, and handles it. What is left
// over is not understood yet.
func (l *line) match(in []byte) (rest []byte, err error) {
	for len(in) > 0 && l.x.active {
		reply, err := l.x.expect.Match(in)
		if err == codec.ErrIncomplete { //nolint:errorlint // never wrapped
			l.noise(in[:reply.Skipped])
			return in[reply.Skipped:], nil
		}
		if err != nil {
			return nil, err
		}
		l.noise(in[:reply.Skipped])
		in = in[reply.Skipped+reply.Size:]
		l.reply(reply.PDU, reply.Exception)
	}
	if len(in) > 0 {
		l.stray(in)
	}
	return nil, nil
}

// reply handles the answer to the request under way.
func (l *line) reply(pdu []byte, exception modbus.Exception) {
	l.counters.responses.Add(1)
	x := &l.x
	x.active = false
	l.freeAt = l.now + l.delay
	if l.owed { // this may be the answer to the sending before; the other may follow
		l.freeAt = max(l.freeAt, l.now+l.quiet)
		l.owed = false
	}
	if exception != 0 {
		l.counters.exceptions.Add(1)
		switch exception {
		case modbus.GatewayTargetFailed, modbus.GatewayPathUnavailable:
			l.repeat(func() { l.lost(true) })
			return
		case modbus.ServerDeviceBusy, modbus.Acknowledge:
			if x.tries < x.retries {
				l.freeAt = l.now + max(l.delay, busyPause)
				l.repeat(func() {})
				return
			}
		default:
		}
	}
	u, cmd := x.unit, x.cmd
	if u != nil {
		u.asked = unanswered{}
		l.answered(u)
	}
	switch {
	case cmd != nil:
		cmd.answered(pdu, exception)
	case u != nil:
		l.polled(u, pdu, exception)
	}
}
