package jt808

import (
	"encoding/binary"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// other handles a message that comes more rarely than locations do.
func (a *adapter) other(c *conn, s *scratch, f *jt808.Frame) {
	switch f.ID {
	case jt808.IDTerminalResponse:
		a.generalResponse(c, s, f)
		return
	case jt808.IDResendRequest:
		a.resend(c, s, f)
		return
	case jt808.IDMediaData:
		a.media(c, s, f)
		return
	case jt808.IDPassthrough:
		if p := a.match(f.ID, nil); p != nil {
			a.fulfil(p, f, nil)
		}
		a.raw(c, s, f, f.Body, jt808.ResultOK)
		return
	case jt808.IDCompressed:
		a.compressed(c, s, f)
		return
	default:
	}
	body, err := jt808.ParseBody(f.ID, f.Version, f.Body)
	if err != nil {
		a.malformed(c, s, f)
		return
	}
	p := a.match(f.ID, body)
	switch b := body.(type) {
	case *jt808.LocationResponse:
		a.locationAnswer(c, s, f, p, &b.Location)
	case *jt808.VehicleControlResponse:
		a.locationAnswer(c, s, f, p, &b.Location)
	default:
		a.event(c, s, f, p, body)
	}
}

// locationAnswer handles a location that is an answer: it is a report all the same.
func (a *adapter) locationAnswer(c *conn, s *scratch, f *jt808.Frame, p *pending, l *jt808.Location) {
	r := a.receive(c, f)
	a.reportLive(s, r, l, f.Version)
	r.complete(s)
	if p != nil {
		_, fields := a.locationFields(nil, l)
		if f.ID == jt808.IDVehicleControlResponse {
			fields = append(fields, truth("locked", l.Status.Has(jt808.StatusDoorLocked)))
		}
		a.fulfil(p, f, fields)
	}
}

// event handles a message that answers a command, or is an event, or is nothing
// that anybody knows.
func (a *adapter) event(c *conn, s *scratch, f *jt808.Frame, p *pending, body jt808.Body) {
	if p != nil {
		a.fulfil(p, f, a.bodyFields(nil, body))
		if answered(f.ID) {
			a.answer(c, s, f.ID, f.Serial, jt808.ResultOK)
		}
		return
	}
	name, known := eventNames[f.ID]
	if !known {
		a.counters.unknown.Add(1)
		result := jt808.ResultUnsupported
		if a.config.Unknown == unknownOK {
			result = jt808.ResultOK
		}
		a.raw(c, s, f, f.Body, result)
		return
	}
	r := a.receive(c, f)
	s.fields = a.bodyFields(s.fields[:0], body)
	s.message = thing.Message{Kind: thing.Event, Name: name, Time: a.timeOf(body), Fields: s.fields}
	r.report(&s.message)
	r.complete(s)
}

// timeOf is when a message says that something happened; zero if it does not.
func (a *adapter) timeOf(body jt808.Body) time.Time {
	var t jt808.BCDTime
	switch b := body.(type) {
	case *jt808.DriverIdentity:
		t = b.Time
	case *jt808.PassengerFlow:
		t = b.End
	}
	at, _ := t.TimeIn(a.zone)
	return at
}

// raw gives the platform a message's id and body as they are. result is the
// answer to a message that arrived.
func (a *adapter) raw(c *conn, s *scratch, f *jt808.Frame, body []byte, result jt808.Result) {
	r := a.receive(c, f)
	r.result = result
	s.body = binary.BigEndian.AppendUint16(s.body[:0], uint16(f.ID))
	s.body = append(s.body, body...)
	s.message = thing.Message{Kind: thing.Raw, Raw: s.body}
	r.report(&s.message)
	r.complete(s)
}

// compressed handles 0x0901: what is in it goes to the platform unpacked.
func (a *adapter) compressed(c *conn, s *scratch, f *jt808.Frame) {
	var b jt808.Compressed
	if b.ParseBody(f.Body, f.Version) != nil {
		a.malformed(c, s, f)
		return
	}
	data, err := b.Decompress(a.config.MaxInflated)
	if err != nil {
		a.malformed(c, s, f)
		return
	}
	a.raw(c, s, f, data, jt808.ResultOK)
}
