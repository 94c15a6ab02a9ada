package modbus

import (
	"bytes"
	"errors"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/modbus"
)

// pushed handles what a gateway sends that polls by itself: answers to its own
// requests, with or without these, and writes.
func (l *line) pushed(in []byte) error {
	for len(in) > 0 {
		f, n, err := l.push.Decode(in)
		if err == codec.ErrIncomplete {
			l.noise(in[:n])
			in = in[n:]
			break
		}
		if err != nil {
			l.noise(in[:n])
			if fatal := (*codec.FatalError)(nil); errors.As(err, &fatal) {
				return err
			}
		} else {
			l.frame(f)
		}
		in = in[n:]
	}
	l.rest = keep(l.rest, in)
	return nil
}

// minIdle is the shortest silence, in milliseconds, that shows that what is kept is
// no frame.
const minIdle = 500

// idle gives up the front of what is kept when the line is silent: noise that looks
// like the front of a frame would hide the frames behind it until as many bytes
// have come as it says. It returns 0 when it has done so, or when it will.
func (l *line) idle() int64 {
	if l.push == nil || l.mode != modbus.RTU || len(l.rest) == 0 {
		return never
	}
	if at := l.heardAt + max(l.quiet, minIdle); l.now < at {
		return at
	}
	for len(l.rest) > 0 {
		n := max(1, l.sign(l.rest))
		l.noise(l.rest[:n])
		_ = l.pushed(l.rest[n:]) // RTU is never fatal
	}
	return 0
}

// frame handles one frame.
func (l *line) frame(f *modbus.Frame) {
	if l.x.active && l.isReply(f) {
		return
	}
	if l.now < l.x.deadline && bytes.Equal(l.x.pdu, f.PDU) { // the answer to a write, once more: to answer it would never end
		l.counters.unexpected.Add(1)
		return
	}
	u := l.number(f.Unit)
	if u == nil {
		l.counters.unexpected.Add(1)
		return
	}
	if !f.Response {
		l.pushedRequest(u, f)
		return
	}
	r, err := modbus.ParseResponse(f.PDU)
	if err != nil || r.Exception != 0 || r.Data == nil {
		l.counters.unexpected.Add(1)
		return
	}
	request := u.heard(f)
	if request == nil {
		l.counters.unexpected.Add(1)
		return
	}
	l.heard(u, request, r.Data)
}

// isReply handles f if it answers the request under way.
func (l *line) isReply(f *modbus.Frame) bool {
	s := borrow()
	defer s.giveBack()
	var err error
	if s.frame, err = f.Append(s.frame[:0]); err != nil {
		return false
	}
	reply, err := l.x.expect.Match(s.frame)
	if err != nil {
		return false
	}
	l.reply(reply.PDU, reply.Exception)
	return true
}

func (l *line) number(number uint8) *unit {
	for i := range l.units {
		if l.units[i].number == number {
			return &l.units[i]
		}
	}
	return nil
}

// heard finds what a pushed answer was the answer to: the gateway's own request,
// if that was seen, or the one request of the profile that fits.
func (u *unit) heard(f *modbus.Frame) *profile.Request {
	function, count := modbus.Function(f.PDU[0]), int(f.PDU[1])
	if p := u.seen; len(p) == 5 && p[0] == f.PDU[0] {
		u.seen = u.seen[:0]
		quantity := int(p[3])<<8 | int(p[4])
		area := areaOf(function)
		if area != 0 && count == dataSize(area, quantity) {
			return u.requestOf(area, int(p[1])<<8|int(p[2]), quantity)
		}
	}
	var found *profile.Request
	for g := range u.groups() {
		for i := range u.groups()[g].Requests {
			r := &u.groups()[g].Requests[i]
			if r.Area.ReadFunction() != function || dataSize(r.Area, int(r.Quantity)) != count {
				continue
			}
			if found != nil {
				return nil // which of the two?
			}
			found = r
		}
	}
	return found
}

// dataSize is how many bytes the data of an answer has.
func dataSize(area modbus.Area, quantity int) int {
	if area.Bits() {
		return (quantity + 7) / 8
	}
	return 2 * quantity
}

func areaOf(f modbus.Function) modbus.Area {
	for _, area := range []modbus.Area{modbus.Coils, modbus.DiscreteInputs, modbus.InputRegisters, modbus.HoldingRegisters} {
		if area.ReadFunction() == f {
			return area
		}
	}
	return 0
}

// requestOf is a request of any addresses, with the points that lie in it; nil
// when there are none.
func (u *unit) requestOf(area modbus.Area, address, quantity int) *profile.Request {
	r := &profile.Request{Area: area, Address: uint16(address), Quantity: uint16(quantity)} //nolint:gosec // words
	for i := range u.profile.Points {
		if p := &u.profile.Points[i]; p.Readable && r.Covers(p) {
			r.Points = append(r.Points, i)
		}
	}
	if r.Points == nil {
		return nil
	}
	return r
}

// pushedRequest handles a request: the gateway's own, whose answer is awaited, or
// a write, which has values.
func (l *line) pushedRequest(u *unit, f *modbus.Frame) {
	r, err := modbus.ParseRequest(f.PDU)
	if err != nil {
		l.counters.unexpected.Add(1)
		return
	}
	var area modbus.Area
	quantity, data := int(r.Quantity), r.Data
	switch r.Function {
	case modbus.WriteSingleCoil:
		area, quantity, data = modbus.Coils, 1, modbus.AppendBits(nil, r.Value != 0)
	case modbus.WriteMultipleCoils:
		area = modbus.Coils
	case modbus.WriteSingleRegister:
		area, quantity, data = modbus.HoldingRegisters, 1, modbus.AppendRegisters(nil, r.Value)
	case modbus.WriteMultipleRegisters:
		area = modbus.HoldingRegisters
	default:
		u.seen = append(u.seen[:0], f.PDU...)
		return
	}
	request := u.requestOf(area, int(r.Address), quantity)
	if request == nil {
		l.counters.unexpected.Add(1)
		return
	}
	l.heard(u, request, data)
	if l.config.Direct.Answer {
		l.acknowledge(f)
	}
}

// acknowledge answers a write as a slave does: with the front of it.
func (l *line) acknowledge(f *modbus.Frame) {
	s := borrow()
	defer s.giveBack()
	s.frame = modbus.AppendFrame(s.frame[:0], l.mode, f.Transaction, f.Unit, f.PDU[:5])
	out := s.frame
	if l.wrap != nil {
		s.wire = l.wrap.Wrap(s.wire[:0], s.frame)
		out = s.wire
	}
	_ = l.c.Send(out) // a connection that is closing shows that by its end
}

// heard reports values that a gateway has pushed.
func (l *line) heard(u *unit, r *profile.Request, data []byte) {
	l.counters.pushed.Add(1)
	l.answered(u)
	s := borrow()
	defer s.giveBack()
	s.fields = l.values(u, r, data, s.fields)
	l.report(u, s.fields)
}
