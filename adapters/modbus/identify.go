package modbus

import (
	"fmt"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/adapters/modbus/registration"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/modbus"
)

// probe is what a line is asked whose name is not known: for the name, or so that
// its DTU sends something, with the registration before it.
type probe struct {
	unit    uint8
	pdu     []byte
	profile *profile.Profile // what reads the name from registers; else nil
	object  int              // of the identification that is the name; -1: none
}

// planProbe makes what lines are asked.
func (h *host) planProbe() error {
	c := &h.config.Registration
	switch {
	case c.Form == registration.FormIdentification:
		pdu, err := modbus.Request{
			Function: modbus.EncapsulatedInterface, MEI: modbus.ReadDeviceIdentification, ReadCode: 4, Object: uint8(c.Read.Object), //nolint:gosec // validated
		}.Append(nil)
		h.probe = &probe{unit: uint8(c.Read.Unit), pdu: pdu, object: c.Read.Object} //nolint:gosec // validated
		return err
	case c.Form == registration.FormRead:
		point := profile.DefaultPoint()
		point.Address, point.Type = c.Read.Address, c.Read.Type
		if point.Type == modbus.String.String() || point.Type == modbus.BCD.String() {
			point.Registers = c.Read.Registers
		}
		config := profile.DefaultConfig()
		config.MaxLength, config.Points = modbus.MaxReadRegisters, map[string]profile.Point{"read": point}
		p, err := profile.Compile("read", config, nil)
		if err != nil {
			return fmt.Errorf("registration: %w", err)
		}
		h.probe = &probe{unit: uint8(c.Read.Unit), pdu: p.Groups[0].Requests[0].PDU, profile: p, object: -1} //nolint:gosec // validated
	case c.When == registration.WhenAlways && c.Packet() && !h.config.Direct.Enabled && h.sites.rest != nil:
		u := h.sites.rest.units[0]
		if len(u.profile.Groups) > 0 {
			h.probe = &probe{unit: u.number, pdu: u.profile.Groups[0].Requests[0].PDU, object: -1}
		}
	}
	return nil
}

// stepNameless does one thing, and returns 0; or when there is something to do.
func (l *line) stepNameless() int64 {
	switch {
	case l.now >= l.identifyBy:
		l.counters.strangers.Add(1)
		l.stage = over
		l.c.Close(fmt.Errorf("%w: within %v", ErrUnidentified, l.config.Registration.Timeout))
		return never
	case l.pauseAt != 0 && l.now >= l.pauseAt:
		l.pauseAt = 0
		if err := l.parse(true); err != nil {
			l.c.Close(err)
			return never
		}
		return 0
	case l.probe != nil && !l.x.active && l.now >= l.freeAt:
		l.x = exchange{number: l.probe.unit, pdu: l.probe.pdu}
		l.send()
		return 0
	}
	at := l.identifyBy
	if l.pauseAt != 0 {
		at = min(at, l.pauseAt)
	}
	switch {
	case l.probe == nil:
	case !l.x.active:
		at = min(at, l.freeAt)
	case l.now >= l.x.deadline:
		l.counters.timeouts.Add(1)
		l.x.active = false
		l.freeAt = l.now + max(l.quiet, l.delay, 1)
		return 0
	default:
		at = min(at, l.x.deadline)
	}
	return at
}

// register handles bytes of a line without a name.
func (l *line) register(in []byte) error {
	l.rest = append(l.rest, in...)
	if !l.config.Registration.Packet() {
		return l.readName()
	}
	return l.parse(false)
}

// parse looks for a registration in what has come. whole says that it was
// followed by a pause.
func (l *line) parse(whole bool) error {
	l.rest = l.rest[l.leading(l.rest):] // a heartbeat may come first
	if len(l.rest) == 0 {
		return nil
	}
	packet := l.rest
	if n := l.boundary(); n > 0 {
		packet, whole = packet[:n], true
	}
	r, n, err := l.parser.Parse(packet, whole)
	switch {
	case err == codec.ErrIncomplete: //nolint:errorlint // never wrapped
		if l.parser.Open() {
			l.pauseAt = l.now + l.config.Registration.Pause.Milliseconds()
		}
		return nil
	case err != nil:
		l.counters.strangers.Add(1)
		l.stage = over
		return err
	}
	l.packet, l.secret, l.wrap = r.Packet, r.Secret, l.parser.Wrap(&r)
	rest := l.rest[n:]
	l.rest = nil
	if len(r.Reply) > 0 {
		_ = l.c.Send(r.Reply) // a connection that is closing shows that by its end
	}
	probed := l.x.active
	if probed { // its answer may follow
		l.owed = l.mode != modbus.TCP
		l.freeAt = max(l.freeAt, l.now+l.quiet)
	}
	if err := l.identified(r.Identity); err != nil || len(rest) == 0 || probed || l.stage != working {
		return err // what was asked before is asked again
	}
	return l.data(rest)
}

// leading is how many bytes of heartbeats are in front of a registration.
func (l *line) leading(in []byte) (n int) {
	for n < len(in) {
		size := l.sign(in[n:])
		if size == 0 {
			break
		}
		l.counters.heartbeats.Add(1)
		n += size
	}
	return n
}

// boundary is where the registration ends because a frame begins there; 0 when
// there is none.
func (l *line) boundary() int {
	switch {
	case !l.parser.Open():
		return 0
	case l.x.active:
		if r, err := l.x.expect.Match(l.rest); err == nil {
			return r.Skipped
		}
		return 0
	case !l.config.Direct.Enabled && l.config.Registration.When == registration.WhenOnce:
		return 0
	}
	d := modbus.NewDecoder(modbus.Options{Mode: l.mode})
	for at := 0; at < len(l.rest); {
		_, n, err := d.Decode(l.rest[at:])
		if err == nil {
			return at
		}
		if n == 0 {
			return 0
		}
		at += n
	}
	return 0
}

// readName handles the answer to the question for the name.
func (l *line) readName() error {
	if !l.x.active {
		l.noise(l.rest)
		l.rest = nil
		return nil
	}
	reply, err := l.x.expect.Match(l.rest)
	if err == codec.ErrIncomplete { //nolint:errorlint // never wrapped
		l.noise(l.rest[:reply.Skipped])
		l.rest = keep(l.rest, l.rest[reply.Skipped:])
		return nil
	}
	if err != nil {
		return err
	}
	l.counters.responses.Add(1)
	l.x.active = false
	l.freeAt = l.now + max(l.delay, busyPause)
	pdu := reply.PDU
	name := l.nameIn(pdu, reply.Exception)
	l.rest = nil
	if name == "" {
		return nil // it is asked again until the time is over
	}
	r, err := l.parser.Named(name)
	if err != nil {
		l.counters.strangers.Add(1)
		l.stage = over
		return err
	}
	l.secret = r.Secret
	return l.identified(r.Identity)
}

// nameIn is the name in the answer to the question for it; empty when there is
// none.
func (l *line) nameIn(pdu []byte, exception modbus.Exception) string {
	response, err := modbus.ParseResponse(pdu)
	if err != nil || exception != 0 {
		return ""
	}
	if l.probe.profile == nil {
		for id, text := range response.Objects() {
			if int(id) == l.probe.object {
				return string(text)
			}
		}
		return ""
	}
	v, _, err := l.probe.profile.Value(0, &l.probe.profile.Groups[0].Requests[0], response.Data)
	if err != nil {
		return ""
	}
	if text, ok := v.Text(); ok {
		return text
	}
	return v.String()
}
