package jt808

import (
	"encoding/json"
	"time"
)

// Result is how a general response (0x0001, 0x8001) ends.
type Result uint8

// The results of a general response.
const (
	ResultOK             Result = 0 // done
	ResultFailed         Result = 1 // failed
	ResultWrong          Result = 2 // the message is wrong
	ResultUnsupported    Result = 3 // the message is not supported
	ResultAlarmConfirmed Result = 4 // alarm dealt with; of the platform only
)

// String says the result in words.
func (r Result) String() string {
	switch r {
	case ResultOK:
		return "ok"
	case ResultFailed:
		return "failed"
	case ResultWrong:
		return "wrong message"
	case ResultUnsupported:
		return "not supported"
	case ResultAlarmConfirmed:
		return "alarm confirmed"
	}
	return "unknown result"
}

// TerminalResponse is message 0x0001, the terminal's answer to those messages of
// the platform that have none of their own (JT/T 808).
type TerminalResponse struct {
	Serial  uint16 `json:"ack_serial"`     // serial of the message answered
	Request ID     `json:"ack_id"`         // id of the message answered
	Result  Result `json:"result"`         // 0 to 3
	Tail    Hex    `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x0001.
func (*TerminalResponse) ID() ID { return IDTerminalResponse }

// AppendBody appends the five bytes of the response.
func (b *TerminalResponse) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return appendResponse(dst, b.Serial, b.Request, b.Result, b.Tail), nil
}

// ParseBody reads the response; it wants five bytes.
func (b *TerminalResponse) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = TerminalResponse{Serial: r.u16(), Request: ID(r.u16()), Result: Result(r.u8()), Tail: r.tail()}
	return r.err()
}

// PlatformResponse is message 0x8001, the platform's answer to those messages of
// the terminal that have none of their own (JT/T 808).
type PlatformResponse struct {
	Serial  uint16 `json:"ack_serial"`     // serial of the message answered
	Request ID     `json:"ack_id"`         // id of the message answered
	Result  Result `json:"result"`         // 0 to 4
	Tail    Hex    `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8001.
func (*PlatformResponse) ID() ID { return IDPlatformResponse }

// AppendBody appends the five bytes of the response; it does not allocate when
// dst has room.
func (b *PlatformResponse) AppendBody(dst []byte, _ Version) ([]byte, error) {
	return appendResponse(dst, b.Serial, b.Request, b.Result, b.Tail), nil
}

// ParseBody reads the response; it wants five bytes.
func (b *PlatformResponse) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = PlatformResponse{Serial: r.u16(), Request: ID(r.u16()), Result: Result(r.u8()), Tail: r.tail()}
	return r.err()
}

func appendResponse(dst []byte, serial uint16, request ID, result Result, tail Hex) []byte {
	w := newWriter(dst)
	w.u16(serial)
	w.u16(uint16(request))
	w.u8(uint8(result))
	w.bytes(tail)
	return w.buf
}

// TimeResponse is message 0x8004, the platform's time (new in JT/T 808-2019). It
// is the one message whose time is UTC, not UTC+8.
type TimeResponse struct {
	Time BCDTime `json:"time_utc_bcd"`   // UTC: make it with NewBCDTimeIn, read it with At
	Tail Hex     `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x8004.
func (*TimeResponse) ID() ID { return IDTimeResponse }

// At is the platform's time, false if the digits are no date.
func (b *TimeResponse) At() (time.Time, bool) { return b.Time.TimeIn(time.UTC) }

// MarshalJSON gives the twelve digits: a BCDTime by itself would print as if it
// were UTC+8.
func (b *TimeResponse) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Time string `json:"time_utc_bcd"`
		Tail Hex    `json:"tail,omitempty"`
	}{b.Time.String(), b.Tail})
}

// AppendBody appends the six bytes of the time.
func (b *TimeResponse) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.time(b.Time)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the time; it wants six bytes.
func (b *TimeResponse) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = TimeResponse{Time: r.time(), Tail: r.tail()}
	return r.err()
}
