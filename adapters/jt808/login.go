package jt808

import (
	"errors"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// ErrLogins is the cause of a connection that ended after as many failed
// registrations and authentications as authentication.attempts allows.
var ErrLogins = errors.New("jt808: too many failed logins")

// ErrLogout is the cause of a session, and with logout = close of a connection,
// whose terminal has logged out (0x0003).
var ErrLogout = errors.New("jt808: terminal logged out")

// register handles 0x0100: a terminal that the platform knows is online from
// here on, and gets a code for the next time.
func (a *adapter) register(c *conn, f *jt808.Frame) {
	s := borrow()
	defer s.giveBack()
	var r jt808.Register
	if err := r.ParseBody(f.Body, f.Version); err != nil {
		a.malformed(c, s, f)
		return
	}
	o, serial := a.origin, f.Serial
	registered := func(s *scratch) {
		a.counters.registrations.Add(1)
		a.sendRegistered(c, s, o, serial, jt808.RegisterOK)
		a.greeting = true
		a.introduce(c, s, registrationFields(s.fields[:0], &r))
	}
	if a.online(c) {
		registered(s)
		return
	}
	a.login(c, o, []string{r.TerminalID, r.Plate, r.Manufacturer, r.Model}, func(s *scratch, err error) {
		if err != nil {
			if errors.Is(err, auth.ErrDenied) { // otherwise nothing is known: the terminal asks again when it gets no answer
				a.sendRegistered(c, s, o, serial, jt808.RegisterTerminalUnknown)
			}
			a.refused(c, err)
			return
		}
		registered(s)
	})
}

// sendRegistered sends 0x8100.
func (a *adapter) sendRegistered(c *conn, s *scratch, o *origin, serial uint16, result jt808.RegisterResult) {
	r := jt808.RegisterResponse{Serial: serial, Result: result}
	if result == jt808.RegisterOK {
		r.Code = a.codes.issue(o.identity, c.Now())
	}
	body, err := r.AppendBody(s.body[:0], o.version)
	if err != nil {
		return // codes are short and ASCII
	}
	s.body = body
	a.send(c, s, o, r.ID())
}

// authenticate handles 0x0102.
func (a *adapter) authenticate(c *conn, f *jt808.Frame) {
	s := borrow()
	defer s.giveBack()
	var m jt808.Authenticate
	if err := m.ParseBody(f.Body, f.Version); err != nil {
		a.malformed(c, s, f)
		return
	}
	o, serial := a.origin, f.Serial
	if a.config.Authentication.Policy == policyRequire {
		if err := a.codes.check(o.identity, m.Code, c.Now()); err != nil {
			a.answer(c, s, f.ID, serial, jt808.ResultFailed)
			c.Denied(o.identity, err)
			a.refused(c, fmt.Errorf("terminal %s: %w", o.identity, err))
			return
		}
	}
	authenticated := func(s *scratch) {
		a.answerTo(c, s, o, jt808.IDAuthenticate, serial, jt808.ResultOK)
		a.introduce(c, s, authenticationFields(s.fields[:0], &m))
		a.listens()
	}
	if a.online(c) {
		authenticated(s)
		return
	}
	credentials := []string{strings.Trim(m.Code, "\x00 ")}
	if m.IMEI != "" {
		credentials = append(credentials, m.IMEI)
	}
	a.login(c, o, credentials, func(s *scratch, err error) {
		if err != nil {
			a.answerTo(c, s, o, jt808.IDAuthenticate, serial, jt808.ResultFailed)
			a.refused(c, err)
			return
		}
		authenticated(s)
	})
}

// stranger handles a message of a terminal that is not online: one that has
// neither registered nor authenticated, or is not the one that did.
func (a *adapter) stranger(c *conn, f *jt808.Frame) {
	s := borrow()
	defer s.giveBack()
	a.counters.strangers.Add(1)
	if a.config.Authentication.Policy == policyRequire || c.Session() != nil || f.ID == jt808.IDLogout {
		a.tellStranger(c, f)
		a.answerStranger(c, s, f)
		return
	}
	o, f := a.origin, f.Clone()
	a.login(c, o, nil, func(s *scratch, err error) {
		if err != nil {
			a.answerStranger(c, s, f)
			a.refused(c, err)
			return
		}
		a.take(c, f)
	})
}

// tellStranger says in the log, once, that a terminal sends messages without a login.
func (a *adapter) tellStranger(c *conn, f *jt808.Frame) {
	if f.ID != jt808.IDLogout && a.strange != a.origin {
		a.strange = a.origin
		c.Refused(a.origin.identity, fmt.Errorf("jt808: it has not authenticated and sends %v", f.ID))
	}
}

func (a *adapter) answerStranger(c *conn, s *scratch, f *jt808.Frame) {
	result := jt808.ResultFailed
	if f.ID == jt808.IDLogout && c.Session() == nil {
		result = jt808.ResultOK // it is what it wants to be
	}
	if answered(f.ID) {
		a.answer(c, s, f.ID, f.Serial, result)
	}
}

// login brings the terminal online; nothing that it sends is looked at before
// done has run.
func (a *adapter) login(c *conn, o *origin, credentials []string, done func(*scratch, error)) {
	c.Online(o.identity, credentials, func(err error) {
		s := borrow()
		defer s.giveBack()
		if err == nil { // until then whoever was online still is
			a.forget()
			a.failures, a.self, a.strange = 0, o, nil
			c.Session().Set("version", o.version.String())
		}
		done(s, err)
	}, a.sessions...)
}

// refused counts a failed login and ends the connection that has had too many.
func (a *adapter) refused(c *conn, err error) {
	a.counters.refused.Add(1)
	if a.failures++; int(a.failures) >= a.config.Authentication.Attempts {
		c.Close(fmt.Errorf("%w: the last: %w", ErrLogins, err))
	}
}

// logout handles 0x0003.
func (a *adapter) logout(c *conn, s *scratch, f *jt808.Frame) {
	a.forget()
	c.Offline(ErrLogout)
	a.answer(c, s, f.ID, f.Serial, jt808.ResultOK)
	if a.config.Logout == logoutClose {
		c.Close(ErrLogout)
	}
}

// forget lets go of all that belongs to one time online.
func (a *adapter) forget() {
	a.alarms, a.greeting = 0, false
	a.dropCommands()
	a.dropPackages()
}

// introduce reports what the terminal has said of itself, if it said anything.
// Nobody waits for that: it will be said again.
func (a *adapter) introduce(c *conn, s *scratch, fields []thing.Field) {
	s.fields = fields
	if len(fields) == 0 {
		return
	}
	s.message = thing.Message{Kind: thing.Property, Fields: fields}
	_ = c.Report(&s.message, nil) // the terminal is online
}

func registrationFields(fields []thing.Field, r *jt808.Register) []thing.Field {
	text := func(name, value string) {
		if value != "" {
			fields = append(fields, thing.Field{Name: name, Value: thing.String(value)})
		}
	}
	fields = append(fields,
		thing.Field{Name: "province", Value: thing.Int(int64(r.Province))},
		thing.Field{Name: "city", Value: thing.Int(int64(r.City))},
	)
	if r.Rest != nil { // nobody knows what is in it
		return fields
	}
	fields = append(fields, thing.Field{Name: "plateColor", Value: thing.Int(int64(r.PlateColor))})
	text("manufacturer", r.Manufacturer)
	text("model", r.Model)
	text("terminalId", r.TerminalID)
	if r.PlateColor == jt808.PlateNone {
		text("vin", r.Plate)
	} else {
		text("plate", r.Plate)
	}
	return fields
}

func authenticationFields(fields []thing.Field, m *jt808.Authenticate) []thing.Field {
	if m.IMEI != "" {
		fields = append(fields, thing.Field{Name: "imei", Value: thing.String(m.IMEI)})
	}
	if m.Software != "" {
		fields = append(fields, thing.Field{Name: "software", Value: thing.String(m.Software)})
	}
	return fields
}
