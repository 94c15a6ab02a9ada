package jt808

import "encoding/json"

// LocationResponse is the answer to a query of the location, message 0x0201
// (JT/T 808-2019 8.14): a WORD, then the body of a location report.
type LocationResponse struct {
	NoSerial bool     // there is no serial: the layout of the 2011 draft
	Serial   uint16   // of the query; not with NoSerial
	Location Location // with its items
}

// ID is 0x0201.
func (r *LocationResponse) ID() ID { return IDLocationResponse }

// MarshalJSON leaves the serial out where there is none.
func (r LocationResponse) MarshalJSON() ([]byte, error) {
	s := struct {
		NoSerial bool      `json:"no_serial,omitempty"`
		Serial   *uint16   `json:"ack_serial,omitempty"`
		Location *Location `json:"location"`
	}{NoSerial: r.NoSerial, Location: &r.Location}
	if !r.NoSerial {
		s.Serial = &r.Serial
	}
	return json.Marshal(s)
}

// AppendBody appends the serial, if there is one, and the location report.
func (r *LocationResponse) AppendBody(dst []byte, v Version) ([]byte, error) {
	w := newWriter(dst)
	if !r.NoSerial {
		w.u16(r.Serial)
	}
	w.body(&r.Location, v)
	return w.done()
}

// ParseBody reads the answer. Before 2019 it has no serial if it is as long as a
// location without items, or if all of it is sound as a report and what follows
// a serial is not.
func (r *LocationResponse) ParseBody(body []byte, v Version) error {
	in := newReader(body)
	r.NoSerial = v != V2019 && (len(body) == basicLen || soundReport(body) && !soundReport(body[2:]))
	r.Serial = 0
	if !r.NoSerial {
		r.Serial = in.u16()
	}
	return in.body(&r.Location, in.len(), v)
}

// soundReport reports whether body is a location report with nothing odd in it:
// a place, a direction, a time since there is such a message or none yet, and
// items to the end.
func soundReport(body []byte) bool {
	var l Location
	if l.ParseBody(body, V2013) != nil || !startsWithPlace(body) {
		return false
	}
	if at, ok := l.Time.Time(); !l.Time.IsZero() && (!ok || at.Year() < 2010) {
		return false
	}
	if _, ok := l.TrackerTail(); ok {
		return true
	}
	return l.Tail == nil && (len(l.Extras) == 0 || l.plausible())
}
