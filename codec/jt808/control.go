package jt808

import (
	"encoding/json"
	"strings"
)

// ControlCommand is what message 0x8105 makes a terminal do.
type ControlCommand uint8

// The commands of message 0x8105. 2019 has ControlConnect, ControlReset and
// ControlFactoryReset only; the others are still used.
const (
	ControlUpgrade      ControlCommand = 1 // upgrade by radio; URL;APN;user;password;address;TCP port;UDP port;maker;hardware;firmware;minutes
	ControlConnect      ControlCommand = 2 // connect to a server; 0 or 1;code;APN;user;password;address;TCP port;UDP port;minutes
	ControlPowerOff     ControlCommand = 3 // power off
	ControlReset        ControlCommand = 4 // reset
	ControlFactoryReset ControlCommand = 5 // restore the factory settings
	ControlCloseData    ControlCommand = 6 // close the data connection
	ControlCloseRadio   ControlCommand = 7 // switch all radio off
)

// TerminalControl is message 0x8105: the platform controls the terminal (JT/T
// 808). It answers with 0x0001.
type TerminalControl struct {
	Command ControlCommand `json:"command"` // what to do
	Param   string         `json:"param"`   // values separated by semicolons, for commands 1 and 2
}

// ID is 0x8105.
func (*TerminalControl) ID() ID { return IDTerminalControl }

// Params is the command's parameter, split at its semicolons; nil if it is empty.
func (b *TerminalControl) Params() []string {
	if b.Param == "" {
		return nil
	}
	return strings.Split(b.Param, ";")
}

// AppendBody appends the command and its parameter.
func (b *TerminalControl) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(uint8(b.Command))
	w.text(b.Param)
	return w.done()
}

// ParseBody reads the command and its parameter; it wants one byte.
func (b *TerminalControl) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = TerminalControl{Command: ControlCommand(r.u8()), Param: r.textRest()}
	return r.err()
}

// Track is message 0x8202: the terminal is to report its location more often for
// a while (JT/T 808). It answers with 0x0001.
type Track struct {
	Interval uint16 `json:"interval"`       // s between reports; 0 ends it
	Validity uint32 `json:"validity"`       // s that it lasts; not if Interval is 0
	Tail     Hex    `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8202.
func (*Track) ID() ID { return IDTrack }

// AppendBody appends the interval, and the validity unless the interval is 0.
func (b *Track) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Interval)
	if b.Interval != 0 {
		w.u32(b.Validity)
	}
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the command; it wants six bytes, two if the interval is 0.
func (b *Track) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = Track{Interval: r.u16()}
	if b.Interval != 0 {
		b.Validity = r.u32()
	}
	b.Tail = r.tail()
	return r.err()
}

// MarshalJSON gives the validity unless the interval is 0.
func (b Track) MarshalJSON() ([]byte, error) {
	s := struct {
		Interval uint16  `json:"interval"`
		Validity *uint32 `json:"validity,omitempty"`
		Tail     Hex     `json:"tail,omitempty"`
	}{b.Interval, nil, b.Tail}
	if b.Interval != 0 {
		s.Validity = &b.Validity
	}
	return json.Marshal(s)
}

// ConfirmAlarm is message 0x8203: a person has dealt with alarms (JT/T 808; 2013
// is the first to have it). The terminal answers with 0x0001.
type ConfirmAlarm struct {
	Serial uint16 `json:"serial"`         // of the alarm: location item 0x04; 0 for all alarms of those types
	Types  Alarm  `json:"type_mask"`      // alarm bits; 0, 3, 20, 21, 22, 27 and 28 can be confirmed
	Tail   Hex    `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8203.
func (*ConfirmAlarm) ID() ID { return IDConfirmAlarm }

// AppendBody appends the six bytes of the command.
func (b *ConfirmAlarm) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u16(b.Serial)
	w.u32(uint32(b.Types))
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the command; it wants six bytes.
func (b *ConfirmAlarm) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = ConfirmAlarm{Serial: r.u16(), Types: Alarm(r.u32()), Tail: r.tail()}
	return r.err()
}
